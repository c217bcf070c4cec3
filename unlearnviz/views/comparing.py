"""Comparing: the scores of all texts against the present forget set, found anew where it or the measure changes."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from unlearnviz.engine.progress import Enough, Progress, drain
from unlearnviz.engine.search import Matches
from unlearnviz.engine.similarity import Similarity
from unlearnviz.views.matches import Candidates

if TYPE_CHECKING:
    from unlearnviz.engine.corpus import Passage
    from unlearnviz.views.picture import Picture
    from unlearnviz.views.state import SessionState

LITTLE = 50_000  # comparisons: a blink; more of them are work, with progress and Stop
KIND = "compare"  # of the wish, while other work runs


class Comparing:
    """What was found, and by which measure.

    Args:
        state: runs what takes long; its `finished` tells when that has ended.

    Attributes:
        candidates: the texts that are compared.
        similarity: the measure; assign another one and `ask` again.
        exact: whether all texts are scored also where a word index could choose; False after every new measure.
    """

    def __init__(self, state: SessionState) -> None:
        self._state = state
        self.candidates = Candidates(state.session.corpus)
        self.exact = False
        self._similarity = Similarity()
        self._tried: Any = None  # for what a search was begun last
        self._found: tuple[Any, Matches] | None = None  # for what, and its scores; the work's thread writes it

    @property
    def similarity(self) -> Similarity:
        """The measure."""
        return self._similarity

    @similarity.setter
    def similarity(self, similarity: Similarity) -> None:
        self._similarity, self.exact = similarity, False

    def ask(self, picture: Picture) -> Matches | None:
        """The scores for a picture's forget set; None until they are found, and where nothing is picked."""
        asked = (picture.forget, self._similarity, self.exact)
        if self._found is not None and self._found[0] == asked:
            return self._found[1]
        if not picture.forget or asked == self._tried:  # under way, or it failed, which the page has said
            return None
        if self.candidates.comparisons(picture.forget, self._similarity) <= LITTLE:
            drain(self._searching(*asked))
            return self.ask(picture)
        self._state.soon(lambda: self._state.start("comparing texts", self._searching(*asked), quiet=True), KIND)
        return None

    def _searching(
        self, forget: tuple[Passage, ...], similarity: Similarity, exact: bool
    ) -> Generator[Progress, None, None]:
        """Compare; stopped, what is done is kept."""
        self._tried = asked = (forget, similarity, exact)
        work = self.candidates.searching(forget, similarity, exact=exact)
        stopped = False
        while True:
            try:
                progress = work.throw(Enough()) if stopped else next(work)
            except StopIteration as end:
                self._found = asked, end.value
                return
            try:
                yield progress
            except GeneratorExit:
                stopped = True
