"""Turn: one writer at a time, with a flag that asks it to stop."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

from unlearnviz.engine.progress import Progress
from unlearnviz.errors import Busy, Cancelled


class Turn:
    """A lock that says who holds it. It may be released on another thread than it was taken on."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self.patience = 0.0  # seconds that others' work waits: several pages of one session take turns
        self.what = ""
        self.progress: Progress | None = None

    @property
    def taken(self) -> bool:
        """Whether work is running."""
        return self._lock.locked()

    def free(self) -> bool:
        """Whether nobody holds the turn, or will within our patience."""
        if not self._acquired():
            return False
        self._lock.release()
        return True

    def _acquired(self) -> bool:
        """The lock; threads that only work wait for it, the main thread, which draws the page, does not."""
        if threading.current_thread() is threading.main_thread():
            return self._lock.acquire(blocking=False)
        return self._lock.acquire(timeout=self.patience)

    @contextlib.contextmanager
    def take(self, what: str) -> Iterator[None]:
        """Hold the turn.

        Raises:
            Busy: somebody else holds it; the sentence says who and how far they are.
        """
        if not self._acquired():
            fraction = self.progress.fraction if self.progress else None
            far = "" if fraction is None else f", {100 * fraction:.0f} %"
            raise Busy(f"A piece of work is running ({self.what}{far}), so {what} has to wait. Stop it with session.cancel(), or wait for it to end.")
        self.what, self.progress = what, None
        self._stop.clear()
        try:
            yield
        finally:
            self.what, self.progress = "", None
            self._lock.release()

    def cancel(self) -> None:
        """Ask the work to stop at its next cancel point."""
        self._stop.set()

    def report(self, progress: Progress) -> Progress:
        """Note how far the work is; a cancel point.

        Raises:
            Cancelled: `cancel` was called.
        """
        self.progress = progress
        if self._stop.is_set():
            raise Cancelled(f"{self.what} was stopped; nothing of the unfinished part was kept.")
        return progress
