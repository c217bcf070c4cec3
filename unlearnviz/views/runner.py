"""Runner: one piece of long work at a time, off the event loop, with progress and Stop.

The work is a generator: each `next` does one bounded unit and yields a Progress. One thread runs it from the first
unit to the last, because torch's grad mode belongs to a thread; callbacks run on the event-loop thread, where
widgets may be touched. Stop sets an event that is seen at the next yield; then `close()` is called on the generator, in
its thread, and whatever it undoes in `finally` is undone before the end is reported.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeVar

from unlearnviz.engine.progress import Progress
from unlearnviz.errors import Busy, Cancelled

LASTING = 0.5  # seconds: of work that ends sooner a page need not say that it runs
WORK = "unlearnviz-work"  # begins the name of a thread on which a page works
INTERVAL = 0.1  # seconds: at most ten progress reports per second, the last one always among them


T = TypeVar("T")


@dataclass(frozen=True)
class Outcome:
    """How a piece of work ended: its `value` (what the generator returned), or the `error` that it raised."""

    state: Literal["done", "stopped", "failed"]
    value: Any = None
    error: BaseException | None = None
    seconds: float = 0.0


class Runner:
    """Runs one generator of Progress at a time; a second start while one runs is refused with `Busy`.

    Args:
        on_progress: called with the latest Progress (its `seconds` filled in), ten times per second at most.
        on_end: called once with the Outcome, when the runner is free again.
        on_lasting: called once for work that still runs after `LASTING` seconds, where an event loop runs.
    """

    def __init__(
        self,
        on_progress: Callable[[Progress], object] | None = None,
        on_end: Callable[[Outcome], object] | None = None,
        on_lasting: Callable[[], object] | None = None,
    ) -> None:
        self._on_progress = on_progress
        self._on_end = on_end
        self._on_lasting = on_lasting
        # kept from work to work, since every new thread makes torch gather threads of its own; it ends with the runner
        self._known: set[int] = set()  # the thread's number; the thread holds this set and not the runner, with which it ends
        self._thread = ThreadPoolExecutor(
            max_workers=1, thread_name_prefix=WORK, initializer=_note_thread, initargs=(self._known,)
        )
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._running = False
        self._finished: Future[None] = Future()
        self._unraised: BaseException | None = None
        self._task: asyncio.Task[Outcome] | None = None  # a task that nobody holds may be collected
        self.title = ""
        self.hurry = False  # set by the work, from its thread: the next report is delivered at once
        self.outcome: Outcome | None = None

    @property
    def here(self) -> bool:
        """Whether the caller is on the work's own thread: what happens there is this runner's doing."""
        return threading.get_ident() in self._known

    @property
    def running(self) -> bool:
        """Whether work is under way, from `start` until its end."""
        return self._running

    def start(self, work: Iterator[Progress], title: str = "") -> asyncio.Task[Outcome] | None:
        """Begin `work`; returns its task, or, where no event loop runs, None after it has ended.

        Awaiting the task gives the Outcome and never raises the error of the work; `idle` does.
        """
        with self._lock:
            if self._running:
                raise Busy(f"{self.title or 'Other work'} is running. Stop it, or wait for its end, and start again.")
            self._running, self._finished, self._unraised = True, Future(), None
            self.title, self.outcome = title, None
            self._stop.clear()
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # plain Python, pytest: nobody else wants this thread
            asyncio.run(self._run(work))
            return None
        self._task = loop.create_task(self._run(work, lasting=True))
        return self._task

    def stop(self) -> None:
        """Ask the work to stop at its next yield; harmless when nothing runs. Any thread may call this."""
        self._stop.set()

    async def idle(self) -> None:
        """Wait until nothing runs, then raise, once, the error that the work or a callback ended with."""
        while self._running:
            await asyncio.shield(asyncio.wrap_future(self._finished))  # right on any thread's event loop
        error, self._unraised = self._unraised, None
        if error is not None:
            raise error

    async def _run(self, work: Iterator[Progress], *, lasting: bool = False) -> Outcome:
        loop, began = asyncio.get_running_loop(), time.perf_counter()
        reports = _Latest(loop, self._report)
        timer = loop.call_later(LASTING, self._lasts) if lasting else None
        cancelled = False

        async def off_loop(job: Callable[[Iterator[Progress]], Any]) -> Any:
            """`job(work)` on the work's thread. A cancelled task waits for it all the same, and then stops."""
            nonlocal cancelled
            future = loop.run_in_executor(self._thread, job, work)
            while True:
                try:
                    return await asyncio.shield(future)
                except asyncio.CancelledError:
                    cancelled = True
                    self._stop.set()

        while not self._stop.is_set():
            finished, value, error = await off_loop(_advance)
            if finished:
                break
            reports.put(replace(value, seconds=time.perf_counter() - began) if value.seconds is None else value)
            if self.hurry:
                self.hurry = False
                reports.flush()
        else:
            finished, value, error = False, None, await off_loop(_close)
        if timer is not None:
            timer.cancel()
        state: Literal["done", "stopped", "failed"] = "done" if finished else "stopped"
        if error is not None:
            state = "stopped" if isinstance(error, Cancelled) else "failed"
        outcome = Outcome(state, value, error if state == "failed" else None, time.perf_counter() - began)
        reports.flush()
        self._end(outcome)
        if cancelled:
            raise asyncio.CancelledError
        return outcome

    def _report(self, progress: Progress) -> None:
        if self._on_progress is not None:
            try:
                self._on_progress(progress)
            except Exception as error:
                self._unraised = error

    def _lasts(self) -> None:
        if self._on_lasting is not None:
            try:
                self._on_lasting()
            except Exception as error:
                self._unraised = error

    def _end(self, outcome: Outcome) -> None:
        """Be free first, so that `on_end` may start the next piece of work; then tell."""
        finished = self._finished
        self.outcome = outcome
        self._unraised = outcome.error or self._unraised
        self._running = False
        try:
            if self._on_end is not None:
                self._on_end(outcome)
        except Exception as error:
            self._unraised = self._unraised or error
        finally:
            finished.set_result(None)


class _Latest:
    """A mailbox that holds one report: delivered at once, or `INTERVAL` after the last delivery, newer replacing older."""

    def __init__(self, loop: asyncio.AbstractEventLoop, deliver: Callable[[Progress], None]) -> None:
        self._loop, self._deliver = loop, deliver
        self._waiting: Progress | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0

    def put(self, progress: Progress) -> None:
        self._waiting = progress
        if self._loop.time() >= self._due:
            self.flush()
        elif self._timer is None:
            self._timer = self._loop.call_at(self._due, self.flush)

    def flush(self) -> None:
        """Deliver what waits, now."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        progress, self._waiting = self._waiting, None
        if progress is not None:
            self._deliver(progress)
            self._due = self._loop.time() + INTERVAL


def back_here(callback: Callable[[T], object]) -> Callable[[T], object]:
    """`callback` for other threads: it runs on the event loop that runs here now, or at once where none does."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return callback
    return lambda given: loop.call_soon_threadsafe(callback, given)


def at_work() -> bool:
    """Whether the caller is on the thread of some page's work, and no cell."""
    return threading.current_thread().name.startswith(WORK)


def in_event_loop() -> bool:
    """Whether this thread runs an event loop: a notebook does, plain Python does not."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def part(work: Generator[Progress, None, T], done: int, total: int, unit: str = "step") -> Generator[Progress, None, T]:
    """One of several pieces of work: its reports tell how far the whole is."""
    try:
        while True:
            inner = next(work)
            yield Progress(done, total, f"{unit} {done + 1} of {total}: {inner.text}")
    except StopIteration as end:
        return end.value
    finally:
        work.close()


def seconds_left(progress: Progress) -> float | None:
    """An estimate of the time still to go, if the rest is as fast as what is done; None where that cannot be said."""
    if not progress.fraction or progress.seconds is None:
        return None
    return progress.seconds * (1.0 - progress.fraction) / progress.fraction


def _note_thread(known: set[int]) -> None:
    known.add(threading.get_ident())


def _advance(work: Iterator[Progress]) -> tuple[bool, Any, BaseException | None]:
    """One unit: (finished, the progress or the returned value, the error). StopIteration may not cross a future."""
    try:
        return False, next(work), None
    except StopIteration as end:
        return True, end.value, None
    except BaseException as error:
        return True, None, error


def _close(work: Iterator[Progress]) -> BaseException | None:
    """End a generator at its yield, which undoes what it has not finished; the error of that, if any."""
    try:
        close = getattr(work, "close", None)
        if close is not None:
            close()
    except BaseException as error:
        return error
    return None
