"""Running: several steps, with a look at perplexity after each, until it is far enough or hurts."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

from unlearnviz.engine import measuring, stepping
from unlearnviz.engine.probes.perplexity import Perplexity
from unlearnviz.engine.progress import Progress
from unlearnviz.engine.until import AT_MOST, Until, check_until, goal
from unlearnviz.errors import BadSetting

if TYPE_CHECKING:
    from unlearnviz.engine.history import StepRecord
    from unlearnviz.engine.methods.method import Method
    from unlearnviz.engine.selection import ParameterSelection
    from unlearnviz.engine.session import Session


def take_steps(
    session: Session,
    steps: int | None,
    method: Method,
    selection: ParameterSelection,
    stop_at: float,
    until: Until | None,
    stepped: Callable[[], None],
) -> Generator[Progress, None, tuple[StepRecord, ...]]:
    """Several steps with a look at the retain texts after each; returns the StepRecords.

    The run ends after the first step whose retain perplexity is above `stop_at` times that of the start, which is marked
    "overshoot", or after the one that reached the method's stop rule or `until`, which is marked "reached". Where `until` is
    reached already no step is taken.
    """
    if steps is None and until is None:
        raise BadSetting("A run needs a number of steps, or until=, which says when it has gone far enough.")
    steps = AT_MOST if steps is None else steps
    if not isinstance(steps, int) or isinstance(steps, bool) or steps < 1:
        raise BadSetting(f"A run of {steps!r} steps was asked for; a run has at least 1.")
    if until is not None:
        check_until(until, session)
    if not stop_at > 1:
        raise BadSetting(
            f"stop_at={stop_at!r} would stop every run; it is a factor above 1 on the start's retain perplexity."
        )
    records: list[StepRecord] = []
    probe = Perplexity()
    start = yield from measuring.take_readings(session, [probe], "start")
    before = _retain(start["perplexity"].rows)
    reached = None if until is None else (yield from goal(until, session))
    if reached is not None and reached((yield from measuring.take_readings(session, [probe], "now"))):
        return ()
    for done in range(steps):
        record = yield from stepping.take_step(session, method, selection)
        try:
            now = yield from measuring.take_readings(session, [probe], "now")
            after = _retain(now["perplexity"].rows)
            overshot = before is not None and after is not None and not after <= stop_at * before
            if overshot:
                record = session.history.mark(record.id, "overshoot")
            elif reached is not None and reached(now):
                record = session.history.mark(record.id, "reached")
        finally:
            stepped()  # the step is in the history, also when the look at it was stopped
        records.append(record)
        progress = Progress(done + 1, steps, f"step {done + 1} of {steps}")
        session.turn.report(progress)
        yield progress
        if record.mark:
            break
    return tuple(records)


def _retain(rows: tuple[dict[str, Any], ...]) -> float | None:
    return next((row["perplexity"] for row in rows if row["group"] == "retain"), None)
