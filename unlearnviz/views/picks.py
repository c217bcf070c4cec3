"""Picks: the forget set as a page chooses it, and the way back."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from typing import TYPE_CHECKING

import traitlets

from unlearnviz.engine.progress import Progress
from unlearnviz.engine.references import timing

if TYPE_CHECKING:
    from unlearnviz.engine.corpus import Passage
    from unlearnviz.engine.session import Session
    from unlearnviz.views.picture import Picture
    from unlearnviz.views.readouts import Readouts
    from unlearnviz.views.runner import Runner

KEPT = 100  # earlier forget sets


class Picks(traitlets.HasTraits):
    """The part of a page's state that picks."""

    session: Session
    runner: Runner
    _readouts: Readouts
    _fresh: Picture | None
    _earlier: tuple[tuple[Passage, ...], ...] = ()  # replaced as a whole: the work's thread writes it

    def start(self, title: str, work: Iterator[Progress], *, quiet: bool = False) -> None:
        """Run a piece of work."""
        raise NotImplementedError

    def _measuring(self) -> Generator[Progress, None, None]:
        raise NotImplementedError

    def _picture(self) -> Picture:
        raise NotImplementedError

    @property
    def can_unpick(self) -> bool:
        """Whether a forget set was there before the present one."""
        return bool(self._earlier)

    def pick(self, items: Sequence[str | Passage]) -> None:
        """Another forget set, then the readings."""

        def work() -> Iterator[Progress]:
            before = self.session.forget
            self.session.pick(*items)
            if before and before != self.session.forget:
                self._earlier = (*self._earlier, before)[-KEPT:]
            yield from self._picked()

        self.start("picking", work())

    def unpick(self) -> None:
        """The forget set before the last pick, then the readings."""

        def work() -> Iterator[Progress]:
            self.session.pick(*self._earlier[-1])
            self._earlier = self._earlier[:-1]
            yield from self._picked()

        if self._earlier:
            self.start("taking the pick back", work())

    def _picked(self) -> Generator[Progress, None, None]:
        """What belonged to the texts before goes at once: lines and sentences of their twin too. Then the readings."""
        self._readouts.news = ""
        self._fresh = self._picture()
        self.runner.hurry = True
        yield Progress(0, 1, "picked")
        yield from self._measuring()
        yield from timing(self.session)  # the page offers a twin, and says how long it takes
