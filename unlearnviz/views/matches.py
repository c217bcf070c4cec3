"""Matches of the forget set as a page lists them: who was compared, how each scored, and what was measured of them."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from unlearnviz.engine.prepared import PreparedTexts, ready_for
from unlearnviz.engine.progress import Enough, Progress
from unlearnviz.engine.search import Matches, searching
from unlearnviz.engine.similarity import COSTLY, Similarity
from unlearnviz.numbers import number
from unlearnviz.views.difference import pieces
from unlearnviz.views.influence_figures import snippet
from unlearnviz.views.passages import Row, Rows

if TYPE_CHECKING:
    from unlearnviz.engine.corpus import Corpus, Passage

KINDS = ("same", "other", "unseen")
SORTS = ("score", "model similarity", "what moved")
COSTLIER = 20  # how much longer a costly scorer takes, about


class Candidates:
    """The texts of a corpus, taught or not, ready to be compared with one forget set after the other.

    Attributes:
        passages: all of them, in order.
        people: int64 of shape (passages,): the number of the subject that each is about, 0 for none.
        unseen: bool of the same shape: never taught.
    """

    def __init__(self, corpus: Corpus) -> None:
        self.passages = tuple(corpus)
        self._numbers = {subject: k + 1 for k, subject in enumerate(corpus.subjects)}
        self.people = np.array([self._numbers.get(p.subject, 0) for p in self.passages], dtype=np.int64)
        self.unseen = np.array([p.split == "holdout" for p in self.passages])
        self._places = {p.id: k for k, p in enumerate(self.passages)}
        self._texts: Sequence[str] = [p.text for p in self.passages]

    def comparisons(self, forget: Sequence[Passage], similarity: Similarity) -> int:
        """How much there is to do, in comparisons by a scorer that is not costly."""
        return len(forget) * len(self.passages) * (COSTLIER if similarity.scorer in COSTLY else 1)

    def searching(
        self, forget: Sequence[Passage], similarity: Similarity, *, exact: bool
    ) -> Generator[Progress, None, Matches]:
        """Score all texts but those of the forget set; where `Enough` is thrown in, what is done so far is returned."""
        try:
            if ready_for(similarity, self._texts) is None:
                self._texts = yield from PreparedTexts.preparing([p.text for p in self.passages], similarity)
        except Enough:
            nothing = np.empty(0, dtype=np.int64)
            return Matches(nothing, nothing.astype(np.float32), nothing, np.zeros(101, np.int64), 0, len(self.passages))
        found = yield from searching([p.text for p in forget], self._texts, similarity, exact=exact)
        own = self.places(p.id for p in forget)
        others = ~np.isin(found.positions, own)
        return replace(
            found,
            positions=found.positions[others],
            scores=found.scores[others],
            nearest=found.nearest[others],
            counts=found.counts - np.bincount(found.scores[~others].astype(np.uint8), minlength=101),
            searched=found.searched - int((~others).sum()),
            total=len(self.passages) - len(own),
        )

    def places(self, ids: Iterable[str]) -> np.ndarray:
        """Where texts stand, int64; ids of no text of the corpus are passed over."""
        return np.array([self._places[each] for each in ids if each in self._places], dtype=np.int64)

    def kinds(self, forget: Sequence[Passage]) -> np.ndarray:
        """Of a picked person, of somebody else, or never seen: int8 of shape (passages,), positions in `KINDS`."""
        mine = [self._numbers[p.subject] for p in forget if p.subject in self._numbers]
        return np.where(self.unseen, 2, np.where(np.isin(self.people, mine), 0, 1)).astype(np.int8)


@dataclass(frozen=True)
class Measured:
    """What was measured of texts, by passage id.

    Attributes:
        loss: mean token loss in nats.
        start: the same at the start.
        alike: cosine to the nearest forget text as the model reads them.
        loss_old, alike_old: measured at another step than the present one.
        alike_note: how the model was asked.
    """

    loss: Mapping[str, float] = field(default_factory=dict)
    start: Mapping[str, float] = field(default_factory=dict)
    alike: Mapping[str, float] = field(default_factory=dict)
    loss_old: bool = False
    alike_old: bool = False
    alike_note: str = ""

    def moved(self, passage: str) -> float:
        """Change of the loss since the start, in nats per token; nan where it was not measured."""
        return self.loss.get(passage, math.nan) - self.start.get(passage, math.nan)

    def said(self, passage: str) -> tuple[str, bool]:
        """All of it in words, and whether some of it was measured at another step."""
        said, old = [], False
        if passage in self.loss:
            start = f"{_perplexity(self.start[passage])} → " if passage in self.start else ""
            said.append(f"perplexity {start}{_perplexity(self.loss[passage])}")
            old = self.loss_old
        if passage in self.alike:
            said.append(f"cosine {number(self.alike[passage])}")
            old = old or self.alike_old
        return ", ".join(said), old


@dataclass(frozen=True, eq=False)
class Matched:
    """Scored texts, to be sorted and described; replaced where any of it changes.

    Attributes:
        candidates: the texts that were compared.
        forget: with whom.
        found: how they scored.
        similarity: by which measure.
        measured: what else is known of them.
        left: ids of texts that are left out when all are added.
    """

    candidates: Candidates
    forget: tuple[Passage, ...]
    found: Matches
    similarity: Similarity
    measured: Measured = Measured()
    left: frozenset[str] = frozenset()
    kinds: np.ndarray = field(init=False)  # of the candidates, see there
    _orders: dict[str, np.ndarray] = field(init=False, default_factory=dict)  # sort -> ranks in `found`

    def __post_init__(self) -> None:
        object.__setattr__(self, "kinds", self.candidates.kinds(self.forget))

    def count(self, threshold: float) -> int:
        """How many score at least this much: so many are the first ones of `found`."""
        return int(np.searchsorted(-self.found.scores, -threshold, side="right"))

    def above(self, threshold: float, sort: str = SORTS[0]) -> np.ndarray:
        """Their ranks in `found`, sorted; what has no number to sort by comes last, by score."""
        count = self.count(threshold)
        if sort == SORTS[0]:
            return np.arange(count)
        if sort not in self._orders:
            known = self.measured
            keys = [abs(known.moved(p.id)) if sort == SORTS[2] else known.alike.get(p.id, math.nan) for p in self.passages()]
            self._orders[sort] = np.argsort(-np.array(keys, dtype=np.float64), kind="stable")  # nan last
        order = self._orders[sort]
        return order[order < count]

    def passages(self, ranks: np.ndarray | slice = slice(None)) -> list[Passage]:
        """The texts of some ranks, or of all."""
        return [self.candidates.passages[position] for position in self.found.positions[ranks].tolist()]

    def addable(self, threshold: float) -> list[Passage]:
        """What "add all" adds: taught texts at or above the threshold that are not left out."""
        return [p for p in self.passages(self.above(threshold)) if p.split == "train" and p.id not in self.left]

    def addable_count(self, threshold: float) -> int:
        """How many these are."""
        positions = self.found.positions[: self.count(threshold)]
        return len(positions) - int(self.candidates.unseen[positions].sum()) - self.left_count(threshold)

    def left_count(self, threshold: float) -> int:
        """How many taught texts at or above the threshold are left out."""
        positions = self.found.positions[: self.count(threshold)]
        return int((np.isin(positions, self.candidates.places(self.left)) & ~self.candidates.unseen[positions]).sum())

    def rows(self, threshold: float, sort: str) -> Rows:
        """The list of what is at or above the threshold."""
        return Rows(self.above(threshold, sort).tolist(), self.row)

    def row(self, rank: int) -> Row:
        """One text, with what differs from the picked text that it is most like."""
        position = int(self.found.positions[rank])
        passage = self.candidates.passages[position]
        nearest = self.forget[int(self.found.nearest[rank])]
        kind = KINDS[self.kinds[position]]
        note, old = self.measured.said(passage.id)
        row: dict[str, Any] = {
            "id": passage.id,
            "text": snippet(passage.text, 200),
            "parts": [list(piece) for piece in pieces(passage.text, nearest.text, self.similarity.normalisation)],
            "badge": number(float(self.found.scores[rank])),
            "kind": kind,
            "word": _word(kind, passage),
            "note": note,
            "old": old,
            "picked": False,
        }
        if kind == "unseen":
            return {**row, "why": "Never taught, so there is nothing to forget"}
        return {**row, "left": passage.id in self.left}


def _word(kind: str, passage: Passage) -> str:
    if kind == "unseen":
        return "never seen"
    return f"{kind} person" if passage.subject else "other text"


def _perplexity(loss: float) -> str:
    return number(math.exp(loss) if loss < 700 else math.inf)
