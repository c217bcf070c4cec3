"""Search: which of many texts look like a few."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterable, Sequence, Sized
from dataclasses import dataclass, replace

import numpy as np

from unlearnviz.engine.prepared import PreparedTexts, ready_for
from unlearnviz.engine.progress import Enough, Progress, drain
from unlearnviz.engine.scoring import scoring
from unlearnviz.engine.shortlist import Shortlist, shortlisting
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
    total = len(texts) if isinstance(texts, Sized) else getattr(texts, "total", None)  # TextFile knows it without reading
    best, nearest = [np.empty(0, dtype=np.float32)], [np.empty(0, dtype=np.int64)]
    shortlist: Shortlist | None = None
    searched, stopped = 0, False
    try:
        source, normal, shortlist = yield from _to_score(asked, texts, similarity, exact=exact)
        for scored in scoring(asked, source, similarity, normal=normal):
            best.append(scored.best)
            nearest.append(scored.nearest)
            searched += len(scored.best)
            yield Progress(searched, total if shortlist is None else len(shortlist.places), "texts compared")
    except Enough:
        stopped = True
    scores = np.concatenate(best)
    places = np.arange(searched) if shortlist is None else shortlist.places[:searched]
    found = _ranked(places, scores, np.concatenate(nearest), threshold, limit, total)
    if shortlist is None:
        return found
    return replace(found, exact=False, recall=None if stopped else shortlist.recall(scores, threshold))


def _to_score(
    asked: Sequence[str], texts: Iterable[str], similarity: Similarity, *, exact: bool
) -> Generator[Progress, None, tuple[Iterable[str], bool, Shortlist | None]]:
    """The texts to score, whether they are normalised already, and the shortlist where one was made of them."""
    ready = ready_for(similarity, texts)
    if exact or similarity.scorer not in COSTLY or not isinstance(texts, Sequence) or len(texts) < INDEXED_FROM:
        return texts if ready is None else ready.normal, ready is not None, None
    ready = ready or (yield from PreparedTexts.preparing(texts, similarity))
    shortlist = yield from shortlisting(asked, ready)
    chosen = ready.normal if shortlist is None else [ready.normal[place] for place in shortlist.places.tolist()]
    return chosen, True, shortlist


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
