"""Runnable: the verbs of a session that take several steps, until it is far enough or hurts."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, cast

from unlearnviz.engine import running, stepping
from unlearnviz.engine.events import Event, Stepped
from unlearnviz.engine.methods.method import Method
from unlearnviz.engine.progress import Progress, drain

if TYPE_CHECKING:
    from unlearnviz.engine.history import StepRecord
    from unlearnviz.engine.session import Session
    from unlearnviz.engine.turn import Turn
    from unlearnviz.engine.until import Until


class Runnable:
    """What a `Session` can do with several steps."""

    turn: Turn

    def _emit(self, event: Event) -> None:
        raise NotImplementedError

    @property
    def head(self) -> int:
        """Id of the step we stand on."""
        raise NotImplementedError

    def run(
        self,
        steps: int | Method | str | None = None,
        method: Method | str | None = None,
        where: str = "embedding",
        *,
        until: Until | None = None,
        stop_at: float = 3.0,
    ) -> tuple[StepRecord, ...]:
        """Take several steps, measuring perplexity after each; stop where it is far enough, or where it hurts.

            session.run(5)                                             # five steps
            session.run(uv.GradientAscent(), until="twin")             # until the forget texts are as surprising as to the twin
            session.run("npo", where="block 1", until={"forget": 6.0, "retain": 2.0})

        A retain perplexity above `stop_at` times that of the start ends the run; that step stays, marked "overshoot". So does
        a step that reaches its method's stop rule or `until`, marked "reached".

        Args:
            steps: how many at most; 100 where only `until` is given. A method here is taken as `method`.
            method, where: as for `step`.
            until: a perplexity of the forget texts, "twin", a mapping from groups to perplexities of which one is to be reached, or a
                function of the readings ({"perplexity": Reading}) that says True. Where it is reached already no step is taken.
            stop_at: a factor above 1.
        """
        return drain(self.running(steps, method, where, until=until, stop_at=stop_at))

    def running(
        self,
        steps: int | Method | str | None = None,
        method: Method | str | None = None,
        where: str = "embedding",
        *,
        until: Until | None = None,
        stop_at: float = 3.0,
    ) -> Generator[Progress, None, tuple[StepRecord, ...]]:
        """`run` as an iterator; returns the StepRecords."""
        if isinstance(steps, str | Method | type):
            steps, method = None, steps
        resolved, selection = stepping.plan(cast("Session", self), method, where)
        with self.turn.take(f"a run of {resolved.name}" if steps is None else f"a run of {steps} steps of {resolved.name}"):
            records = yield from running.take_steps(
                cast("Session", self), steps, resolved, selection, stop_at, until, lambda: self._emit(Stepped(self.head))
            )
        return records
