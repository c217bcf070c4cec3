"""Kept: the verbs of a page that keep the session's recipe and take one up again."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING

import traitlets

from unlearnviz.engine.progress import Progress

if TYPE_CHECKING:
    from unlearnviz.engine.recipe_replay import Replayed
    from unlearnviz.engine.session import Session
    from unlearnviz.views.readouts import Readouts


class Kept(traitlets.HasTraits):
    """The part of a page's state that knows recipes.

    Attributes:
        continuable: an earlier session of this model and these texts that can be continued (`Continuable`), or None.
    """

    session: Session
    _readouts: Readouts
    _done: str
    _acting: bool

    continuable = traitlets.Any(None)

    def start(self, title: str, work: Iterator[Progress], *, quiet: bool = False) -> None:
        """Run a piece of work."""
        raise NotImplementedError

    def soon(self, action: Callable[[], None], kind: str) -> None:
        """Do it now, or when what runs has ended."""
        raise NotImplementedError

    def _measuring(self) -> Generator[Progress, None, None]:
        raise NotImplementedError

    def keep(self) -> None:
        """Save the recipe after every step from now on; what an earlier session left is offered, where this one has no step of its own."""
        self.session.autosave()
        self.continuable = None if self.session.history.own else self.session.continuable()

    @traitlets.observe("picture")
    def _outgrown(self, _change: object) -> None:
        """The offer ends with the first step: whoever took it has begun something else."""
        if self.continuable is not None and self.session.history.own:
            self.continuable = None

    def resume(self) -> None:
        """Take up the session that is offered."""
        offer = self.continuable
        if offer is not None:
            self.start("continuing", self._repeating(lambda: self.session.repeating(offer.recipe)))

    def decline(self) -> None:
        """The session that is offered is not wanted; its file stays."""
        self.continuable = None

    def upload(self, text: str) -> None:
        """Take all steps of a recipe again, once nothing else runs."""
        self.soon(lambda: self.start("a replay of a recipe", self._repeating(lambda: self.session.repeating(text))), "upload")

    def _repeating(self, begin: Callable[[], Generator[Progress, None, Replayed]]) -> Iterator[Progress]:
        self._acting = True
        found = yield from begin()
        self._readouts.clear()
        self._done = found.sentence
        self.continuable = None
        yield from self._measuring()
