"""Guided: what helps a person to begin: a step size that fits, and a prompt to try."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

import traitlets

from unlearnviz.errors import UnlearnvizError

if TYPE_CHECKING:
    from unlearnviz.engine.history import History
    from unlearnviz.engine.methods.method import Method
    from unlearnviz.engine.progress import Progress
    from unlearnviz.engine.session import Session
    from unlearnviz.engine.step_size import StepSize


class Guided(traitlets.HasTraits):
    """The part of a page's state that helps to begin.

    Attributes:
        prompt: a prompt that another panel has chosen; what the model says is shown for it.
    """

    prompt = traitlets.Unicode("")

    session: Session
    method: Any
    where: Any
    _done: str
    _sized: tuple[History | None, StepSize | None] = (None, None)  # replaced as a whole: the work's thread writes it

    def start(self, title: str, work: Iterator[Progress], *, quiet: bool = False) -> None:
        """Run a piece of work."""
        raise NotImplementedError

    def refused(self, error: UnlearnvizError) -> None:
        """Show what is wrong with what was asked."""
        raise NotImplementedError

    def put_prompt(self, prompt: str) -> None:
        """Have a prompt answered where the model's answers are shown."""
        self.prompt = ""  # so that the same prompt put twice is seen twice
        self.prompt = prompt

    def find_step_size(self) -> None:
        """Try sizes of the chosen step until one raises the forget loss by 0.3 nats; nothing is changed."""
        chosen = self.method
        if isinstance(chosen, UnlearnvizError):
            self.refused(chosen)
        elif chosen is not None and self.session.forget:
            self.start(f"finding a step size of {chosen.name}", self._sizing(chosen, self.where))

    def step_size(self) -> StepSize | None:
        """What was found last, while it is about the present step and forget set."""
        history, found = self._sized
        here = tuple(passage.id for passage in self.session.forget)
        if found is None or history is not self.session.history or (found.step, found.forget) != (self.session.head, here):
            return None
        return found

    def _sizing(self, method: Method, where: str) -> Generator[Progress, None, None]:
        found = yield from self.session.finding_step_size(method, where)
        self._sized, self._done = (self.session.history, found), found.sentence
