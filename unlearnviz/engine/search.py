"""Search: which of many texts look like a few, scored one by one on two threads."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from unlearnviz.engine.progress import Enough, Progress, drain
from unlearnviz.engine.similarity import Similarity
from unlearnviz.errors import BadSetting

THREADS = 2
_FEWEST, _MOST = 256, 65_536  # texts of a chunk
_CELLS = 1 << 22  # scores of a chunk, over all queries: 16 MB
_SECONDS = 0.05  # that a chunk shall take: so long Stop waits


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
    texts: Sequence[str],
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
    texts: Sequence[str],
    similarity: Similarity | None = None,
    *,
    threshold: float = 0.0,
    limit: int | None = None,
    exact: bool = True,  # noqa: ARG001
) -> Generator[Progress, None, Matches]:
    """The same, chunk by chunk; where `Enough` is thrown in, the matches among the texts done so far are returned.

    Args:
        similarity: ratio by default, with case and runs of white space ignored.
        threshold: the lowest score that counts, 0 to 100.
        limit: how many matches to return at most, the best ones; None: all.
        exact: False allows a word index to choose whom to score, where that saves much.

    Raises:
        BadSetting: no query, a threshold outside 0 to 100, or a limit below 0.
    """
    similarity = similarity or Similarity()
    _check(queries, threshold, limit)
    asked = [similarity.normalisation(query) for query in queries]
    best: list[np.ndarray] = []
    nearest: list[np.ndarray] = []
    searched = 0
    try:
        for high, which in _scan(asked, texts, similarity):
            best.append(high)
            nearest.append(which)
            searched += len(high)
            yield Progress(searched, len(texts), "texts compared")
    except Enough:
        pass
    return ranked(_joined(best, np.float32), _joined(nearest, np.int64), threshold, limit, total=len(texts))


def ranked(best: np.ndarray, nearest: np.ndarray, threshold: float, limit: int | None, *, total: int | None) -> Matches:
    """Matches of texts 0, 1, ... from the best score of each and the query it belongs to, both of shape (texts searched,)."""
    if limit is not None and 0 < limit < len(best):  # whole sorting costs more than the search
        floor = np.partition(best, len(best) - limit)[len(best) - limit]
        threshold = max(threshold, float(floor))
    above = np.flatnonzero(best >= threshold)
    order = above[np.argsort(-best[above], kind="stable")][:limit]
    counts = np.bincount(best.astype(np.uint8), minlength=101)
    return Matches(order, best[order], nearest[order], counts, len(best), total)


def _scan(asked: Sequence[str], texts: Sequence[str], similarity: Similarity) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Best score and nearest query of each text, chunk by chunk in their order, each chunk of about the same time."""

    def score(chunk: Sequence[str]) -> tuple[np.ndarray, np.ndarray, float]:
        began = time.perf_counter()
        scores = similarity.compare(asked, [similarity.normalisation(text) for text in chunk])
        if len(asked) == 1:
            return scores[0], np.zeros(len(chunk), dtype=np.int64), time.perf_counter() - began
        return scores.max(axis=0), scores.argmax(axis=0), time.perf_counter() - began

    most = max(1, min(_MOST, _CELLS // len(asked)))
    size = min(_FEWEST, most)
    pending: deque[Future[tuple[np.ndarray, np.ndarray, float]]] = deque()
    start = 0
    with ThreadPoolExecutor(THREADS, thread_name_prefix="search") as pool:
        while start < len(texts) or pending:
            while start < len(texts) and len(pending) < 2 * THREADS:
                pending.append(pool.submit(score, texts[start : start + size]))
                start += size
            best, nearest, seconds = pending.popleft().result()
            size = max(1, min(most, 4 * size, int(len(best) * _SECONDS / max(seconds, 1e-6))))
            yield best, nearest


def _joined(parts: Sequence[np.ndarray], dtype: type) -> np.ndarray:
    return np.concatenate(parts) if parts else np.empty(0, dtype=dtype)


def _check(queries: Sequence[str], threshold: float, limit: int | None) -> None:
    if isinstance(queries, str) or not len(queries):
        given = "one text" if isinstance(queries, str) else "an empty list"
        raise BadSetting(f"A search takes a list of texts to look for and was given {given}; put at least one text into a list.")
    if isinstance(threshold, bool) or not math.isfinite(threshold) or not 0 <= threshold <= 100:
        raise BadSetting(f"search(threshold={threshold!r}) is out of range; allowed is at least 0 and at most 100.")
    if limit is not None and limit < 0:
        raise BadSetting(f"search(limit={limit!r}) is out of range; allowed is at least 0, or None for all matches.")
