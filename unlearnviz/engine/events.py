"""Events: what a session tells its listeners, as frozen values without tensors."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Event:
    """Something happened in a session; `step` is the head afterwards."""

    step: int


@dataclass(frozen=True)
class Picked(Event):
    """The forget set changed."""

    forget: tuple[str, ...]


@dataclass(frozen=True)
class Stepped(Event):
    """A step was added to the history; it is the new head."""


@dataclass(frozen=True)
class Moved(Event):
    """Undo, redo, go_to or branch moved the head or the branch."""

    branch: str


@dataclass(frozen=True)
class Renamed(Event):
    """A branch has another name."""

    old: str
    new: str


@dataclass(frozen=True)
class Repeated(Event):
    """A recipe was replayed: a new history, whose steps were all taken again."""


@dataclass(frozen=True)
class Measured(Event):
    """Readings were taken."""

    labels: tuple[str, ...]
    of: str


@dataclass(frozen=True)
class Learned(Event):
    """The model was trained; a new history starts at step 0."""


@dataclass(frozen=True)
class TwinReady(Event):
    """A twin was trained or found; `left_out` are the passages it never saw."""

    left_out: tuple[str, ...]


@dataclass(frozen=True)
class Thinned(Event):
    """Weights of some steps were given up to save room."""

    dropped: tuple[int, ...]


class Listeners:
    """Who wants to hear of events."""

    def __init__(self) -> None:
        self._callbacks: list[Callable[[Event], None]] = []

    def __len__(self) -> int:
        return len(self._callbacks)

    def add(self, callback: Callable[[Event], None]) -> Callable[[], None]:
        """Call `callback` with every event from now on; returns the function that ends it."""
        self._callbacks.append(callback)

        def unsubscribe() -> None:
            with contextlib.suppress(ValueError):
                self._callbacks.remove(callback)

        return unsubscribe

    def tell(self, event: Event) -> None:
        """Tell everybody; what happened has happened, so a listener that fails is logged and the others still hear."""
        for callback in tuple(self._callbacks):
            try:
                callback(event)
            except Exception:
                logging.getLogger("unlearnviz").exception("A listener of the session failed on %s", event)
