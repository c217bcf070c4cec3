"""Picks: the forget set as a page chooses it, and the way back."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from typing import TYPE_CHECKING

import traitlets

from unlearnviz.engine.progress import Progress

if TYPE_CHECKING:
    from unlearnviz.engine.corpus import Passage
    from unlearnviz.engine.session import Session

KEPT = 100  # earlier forget sets


class Picks(traitlets.HasTraits):
    """The part of a page's state that picks."""

    session: Session
    _earlier: tuple[tuple[Passage, ...], ...] = ()  # replaced as a whole: the work's thread writes it

    def start(self, title: str, work: Iterator[Progress], *, quiet: bool = False) -> None:
        """Run a piece of work."""
        raise NotImplementedError

    def _measuring(self) -> Generator[Progress, None, None]:
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
            yield Progress(0, 1, "picked")
            yield from self._measuring()

        self.start("picking", work())

    def unpick(self) -> None:
        """The forget set before the last pick, then the readings."""

        def work() -> Iterator[Progress]:
            self.session.pick(*self._earlier[-1])
            self._earlier = self._earlier[:-1]
            yield Progress(0, 1, "picked")
            yield from self._measuring()

        if self._earlier:
            self.start("taking the pick back", work())
