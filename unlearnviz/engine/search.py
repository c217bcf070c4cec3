"""Search: which of many texts look like a few."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterable, Sequence, Sized
from dataclasses import dataclass, replace

import numpy as np

from unlearnviz.engine.approximate import Approximation
from unlearnviz.engine.prepared import PreparedTexts, ready_for
from unlearnviz.engine.progress import Enough, Progress, drain
from unlearnviz.engine.scoring import scoring
from unlearnviz.engine.similarity import COSTLY, Similarity
from unlearnviz.errors import BadSetting

INDEXED_FROM = 100_000  # texts: with fewer, scoring all of them takes a second or two


@dataclass(frozen=True, eq=False)
class Matches:
    """The texts that look like one of the queries, best first.

    Attributes:
        positions: where each stands among the texts, int64; ties in the order of the texts.
        scores: similarity of each to its nearest query, float32, 0 to 100.
        nearest: the number of that query, int64; of equals the first.
        counts: how many of the texts searched score 0, 1, ... 100 (rounded down), int64 of shape (101,).
        searched: texts that were scored; less than `total` after Stop, and where a word index chose whom to score.
        total: texts in all; None where that is unknown, as in a stream.
        exact: whether every text searched was scored, so that nothing among them can have been missed.
        recall: the share of the true matches that were found, as measured; None where `exact`.
    """

    positions: np.ndarray
    scores: np.ndarray
    nearest: np.ndarray
    counts: np.ndarray
    searched: int
    total: int | None
    exact: bool = True
    recall: float | None = None

    def __len__(self) -> int:
        return len(self.positions)

    def histogram(self) -> np.ndarray:
        """Counts of the best score of every text searched, below the threshold too: 101 bins, 0 to 100."""
        return self.counts


def search(
    queries: Sequence[str],
    texts: Iterable[str],
    similarity: Similarity | None = None,
    *,
    threshold: float = 0.0,
    limit: int | None = None,
    exact: bool = True,
) -> Matches:
    """The texts that are at least `threshold` like one of the queries: `searching` run to its end."""
    return drain(searching(queries, texts, similarity, threshold=threshold, limit=limit, exact=exact))


def searching(
    queries: Sequence[str],
    texts: Iterable[str],
    similarity: Similarity | None = None,
    *,
    threshold: float = 0.0,
    limit: int | None = None,
    exact: bool = True,
) -> Generator[Progress, None, Matches]:
    """The same, chunk by chunk; where `Enough` is thrown in, the matches among the texts done so far are returned.

    Args:
        texts: a list; `PreparedTexts`, for many searches; a `TextFile`, read in batches; or any other iterable of texts.
        similarity: ratio by default, with case and runs of white space ignored.
        threshold: the lowest score that counts, 0 to 100.
        limit: how many matches to return at most, the best ones; None: all.
        exact: False lets a word index choose whom to score, for the costly scorers and from 100,000 texts in memory on: what it finds has
            its true score, and `recall` says how much it finds.

    Raises:
        BadSetting: no query, a threshold outside 0 to 100, or a limit below 0.
        BadCorpus: something among the texts is not a text.
    """
    similarity = similarity or Similarity()
    _check(queries, texts, threshold, limit)
    asked = [similarity.normalisation(query) for query in queries]
    if not exact and similarity.scorer in COSTLY and isinstance(texts, Sequence) and len(texts) >= INDEXED_FROM:
        found = yield from _approximately(asked, texts, similarity, threshold, limit)
        if found is not None:
            return found
    total = len(texts) if isinstance(texts, Sized) else getattr(texts, "total", None)  # TextFile knows it without reading
    ready = ready_for(similarity, texts)
    best, nearest = [np.empty(0, dtype=np.float32)], [np.empty(0, dtype=np.int64)]
    searched = 0
    try:
        for scored in scoring(asked, texts if ready is None else ready.normal, similarity, normal=ready is not None):
            best.append(scored.best)
            nearest.append(scored.nearest)
            searched += len(scored.best)
            yield Progress(searched, total, "texts compared")
    except Enough:
        pass
    return _ranked(np.arange(searched), np.concatenate(best), np.concatenate(nearest), threshold, limit, total)


def _approximately(
    asked: Sequence[str], texts: Sequence[str], similarity: Similarity, threshold: float, limit: int | None
) -> Generator[Progress, None, Matches | None]:
    """Matches among the texts that a word index chose; None where it cannot choose."""
    found = Approximation(len(texts), threshold)
    try:
        ready = ready_for(similarity, texts) or (yield from PreparedTexts.preparing(texts, similarity))
        if not (yield from found.running(asked, ready, similarity)):
            return None
    except Enough:
        pass
    places = np.flatnonzero(found.best >= 0)
    matches = _ranked(places, found.best[places], found.nearest[places], threshold, limit, len(texts))
    return replace(matches, exact=False, recall=found.recall)


def _ranked(
    places: np.ndarray, best: np.ndarray, nearest: np.ndarray, threshold: float, limit: int | None, total: int | None
) -> Matches:
    """Matches from the texts searched: the place, the best score and the nearest query of each."""
    if limit is not None and 0 < limit < len(best):  # to sort them all would take longer than the search
        threshold = max(threshold, float(np.partition(best, len(best) - limit)[len(best) - limit]))
    above = np.flatnonzero(best >= threshold)
    order = above[np.argsort(-best[above], kind="stable")][:limit]
    counts = np.bincount(best.astype(np.uint8), minlength=101)
    return Matches(places[order], best[order], nearest[order], counts, len(best), total)


def _check(queries: Sequence[str], texts: Iterable[str], threshold: float, limit: int | None) -> None:
    if isinstance(queries, str) or not len(queries):
        given = "one text" if isinstance(queries, str) else "an empty list"
        raise BadSetting(f"A search takes a list of texts to look for and was given {given}; put at least one text into a list.")
    if isinstance(texts, str):
        raise BadSetting("A search takes a list of texts to look through and was given one text; put it into a list.")
    if isinstance(threshold, bool) or not math.isfinite(threshold) or not 0 <= threshold <= 100:
        raise BadSetting(f"search(threshold={threshold!r}) is out of range; allowed is at least 0 and at most 100.")
    if limit is not None and limit < 0:
        raise BadSetting(f"search(limit={limit!r}) is out of range; allowed is at least 0, or None for all matches.")
