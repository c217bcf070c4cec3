"""NextStep: what is chosen for the next step, and what the steps of this history were foreseen to do."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

import traitlets

from unlearnviz.errors import UnlearnvizError

if TYPE_CHECKING:
    from unlearnviz.engine.history import History
    from unlearnviz.engine.methods.method import Method
    from unlearnviz.engine.preview import Preview
    from unlearnviz.engine.progress import Progress
    from unlearnviz.engine.session import Session

KEPT = 500  # previews


class NextStep(traitlets.HasTraits):
    """The part of a page's state that looks ahead.

    Attributes:
        where: the selection for the next step, as text.
        method: the method with its settings for the next step, or the error that is in them, or None before anything is chosen.
        wanted: the method that another panel has chosen for the next step, with its settings; Steering takes it over.
        ahead: whether every step is previewed before it is taken.
        locked: why no step can be taken now, in a sentence that says what to do; "": one can.
    """

    where = traitlets.Unicode("embedding")
    method = traitlets.Any(None)
    wanted = traitlets.Any(None)
    ahead = traitlets.Bool(default_value=False)
    locked = traitlets.Unicode("")

    session: Session
    _foreseen: tuple[History | None, tuple[Preview, ...]] = (None, ())  # replaced as a whole: the work's thread writes it

    def start(self, title: str, work: Iterator[Progress], *, quiet: bool = False) -> None:
        """Run a piece of work."""
        raise NotImplementedError

    def refused(self, error: UnlearnvizError) -> None:
        """Show what is wrong with what was asked."""
        raise NotImplementedError

    def choose(self, method: Method, where: str) -> None:
        """Another method, other settings and another place for the next step; nothing is done yet."""
        self.where, self.method = where, method
        self.wanted = None  # so that the same choice made twice is seen twice
        self.wanted = method

    def preview(self) -> None:
        """What the chosen step would change, to first order; nothing is changed."""
        chosen: Any = self.method
        if isinstance(chosen, UnlearnvizError):
            self.refused(chosen)
        elif chosen is not None and self.session.forget:
            self.start(f"a preview of {chosen.name}", self._foreseeing(chosen, self.where))

    def before_step(self, method: Method, where: str) -> Generator[Progress, None, None]:
        """What is done before a step is taken: a preview of it, where every step gets one."""
        if self.ahead:
            yield from self._foreseeing(method, where)

    def previews(self) -> tuple[Preview, ...]:
        """The previews of this history, the latest last; a model that was taught anew has none."""
        history, kept = self._foreseen
        return kept if history is self.session.history else ()

    def _foreseeing(self, method: Method, where: str) -> Generator[Progress, None, None]:
        preview = yield from self.session.previewing(method, where)
        others = [each for each in self.previews() if _subject(each) != _subject(preview)]
        self._foreseen = self.session.history, (*others[1 - KEPT :], preview)


def _subject(preview: Preview) -> Any:
    return preview.step, preview.method, dict(preview.settings), preview.where, preview.forget
