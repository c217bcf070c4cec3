"""Search: which of many texts look like a few."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence, Sized
from dataclasses import dataclass, replace
from numbers import Integral, Real

import numpy as np

from unlearnviz.engine.prepared import PreparedTexts, ready_for
from unlearnviz.engine.progress import Enough, Progress, drain
from unlearnviz.engine.scoring import Scored, normalised, scoring
from unlearnviz.engine.shortlist import shortlisting
from unlearnviz.engine.similarity import COSTLY, Similarity
from unlearnviz.errors import BadSetting

INDEXED_FROM = 100_000  # texts: with fewer, scoring all of them takes a second or two
LEAST_RECALL = 0.8  # a shortlist that finds less of the true matches, by its own measure, is followed by the exact search


@dataclass(frozen=True, eq=False)
class Matches:
    """The texts that look like one of the queries, best first.

    Attributes:
        positions: where each stands among the texts, int64; ties in the order of the texts.
        scores: similarity of each to its nearest query, float32, 0 to 100.
        nearest: the number of that query, int64; of equals the first.
        counts: how many of the texts searched score 0, 1, ... 100 (rounded down), below the threshold too, int64 of shape (101,).
        searched: texts that were scored; less than `total` after Stop, and where a word index chose whom to score.
        total: texts in all; None where that is unknown, as in a stream.
        exact: False where a word index chose whom to score; the scores themselves are always true ones.
        recall: not exact: true matches found / true matches there are, by a sample (`Shortlist.recall`); None after Stop, and where there
            seem to be no true matches.
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
        exact: False allows a shortlist by a word index, for the costly scorers and from 100,000 texts in memory on. What it finds has its
            true score, and `recall` says how much it finds; where that is less than 0.8, the exact search follows, and where Stop ends
            this, the matches of the shortlist are returned.

    Raises:
        BadSetting: no query, a threshold outside 0 to 100, or a limit below 0.
        BadCorpus: something among the texts is not a text.
    """
    similarity = similarity or Similarity()
    _check(queries, texts, threshold, limit)
    asked = normalised(queries, similarity)
    total = len(texts) if isinstance(texts, Sized) else getattr(texts, "total", None)  # TextFile knows it without reading
    scores = _Scores()
    listed: Matches | None = None
    try:
        if not exact and similarity.scorer in COSTLY and isinstance(texts, Sequence) and len(texts) >= INDEXED_FROM:
            listed, enough = yield from _shortlisted(asked, texts, similarity, threshold, limit)
            if listed is not None and enough:
                return listed
        ready = ready_for(similarity, texts)
        yield from scores.adding(scoring(asked, texts if ready is None else ready.normal, similarity, normal=ready is not None), total)
    except Enough:
        if listed is not None:  # it has the best of all, where the scan has some of the first
            return listed
    return scores.matches(np.arange(len(scores.best)), threshold, limit, total)


def _shortlisted(
    asked: Sequence[str], texts: Sequence[str], similarity: Similarity, threshold: float, limit: int | None
) -> Generator[Progress, None, tuple[Matches | None, bool]]:
    """Matches on a word index's shortlist, and whether they are enough, also because of Stop; None where there is no shortlist."""
    scores, places, recall = _Scores(), np.empty(0, dtype=np.int64), None
    try:
        ready = ready_for(similarity, texts) or (yield from PreparedTexts.preparing(texts, similarity))
        shortlist = yield from shortlisting(asked, ready)
        if shortlist is None:
            return None, False
        places = shortlist.places
        chosen = [ready.normal[place] for place in places.tolist()]
        yield from scores.adding(scoring(asked, chosen, similarity, normal=True), len(chosen))
        recall = shortlist.recall(scores.best, threshold)
        enough = recall is None or recall >= LEAST_RECALL
    except Enough:
        enough = True
    found = scores.matches(places[: len(scores.best)], threshold, limit, len(texts))
    return replace(found, exact=False, recall=recall), enough


class _Scores:
    """Best score and nearest query of the texts scored so far, each of shape (texts,)."""

    def __init__(self) -> None:
        self._chunks = [Scored(np.empty(0, dtype=np.float32), np.empty(0, dtype=np.int64))]
        self._done = 0

    @property
    def best(self) -> np.ndarray:
        return np.concatenate([chunk.best for chunk in self._chunks])

    def adding(self, chunks: Iterable[Scored], total: int | None) -> Generator[Progress, None, None]:
        """Chunks as they come, each reported."""
        for chunk in chunks:
            self._chunks.append(chunk)
            self._done += len(chunk.best)
            yield Progress(self._done, total, "texts compared")

    def matches(self, places: np.ndarray, threshold: float, limit: int | None, total: int | None) -> Matches:
        """Those at least `threshold` alike, best first; `places` are those of the texts scored."""
        best, nearest = self.best, np.concatenate([chunk.nearest for chunk in self._chunks])
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
    if isinstance(threshold, bool) or not isinstance(threshold, Real) or not 0 <= threshold <= 100:  # nan is not either
        raise BadSetting(f"search(threshold={threshold!r}) is not a number from 0 to 100.")
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, Integral) or limit < 0):
        raise BadSetting(f"search(limit={limit!r}) is not a whole number from 0 on; leave it out for all matches.")
