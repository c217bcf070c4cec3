"""Approximate scores: a word index chooses whom to score, and a sample of the others tells how much that missed."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field

import numpy as np

from unlearnviz.engine.prepared import PreparedTexts
from unlearnviz.engine.progress import Progress
from unlearnviz.engine.scoring import scoring
from unlearnviz.engine.similarity import Similarity

CANDIDATES = 5000  # texts that are scored for a query
TRUE_MATCH = 60.0  # the score from which on a missed text counts
_NEXT = 4 * CANDIDATES  # texts below the candidates where misses are likeliest, and looked for most closely
_SAMPLED = 500  # texts scored of those, and as many of the rest
_REST, _NEAR, _CHOSEN = range(3)


@dataclass(eq=False)
class Approximation:
    """Scores of the texts that were chosen, as far as they are known yet.

    Every query has its own candidates; besides, all queries are scored against a sample of texts that are nobody's candidates. A true
    match among these stands for as many as its part of the texts is larger than the sample (Horvitz and Thompson 1952). Where matches
    are few the estimate is coarse: one that is found in the sample of the rest of a million texts stands for two thousand.

    Attributes:
        floor: the score from which on a match is a true one, at least 60.
        best: best score known of each text, -1 where it was not scored, float32 of shape (texts,).
        nearest: the number of the query it belongs to, int64 of shape (texts,).
        recall: true matches found / true matches there are, by the estimate; None before the end, and where there seem to be none.
    """

    total: int
    floor: float
    best: np.ndarray = field(init=False)
    nearest: np.ndarray = field(init=False)
    recall: float | None = None

    def __post_init__(self) -> None:
        self.floor = max(self.floor, TRUE_MATCH)
        self.best = np.full(self.total, -1, dtype=np.float32)
        self.nearest = np.zeros(self.total, dtype=np.int64)

    def running(self, queries: Sequence[str], texts: PreparedTexts, similarity: Similarity) -> Generator[Progress, None, bool]:
        """Fill the scores; False at once where a query has no word that any text has, so that nothing could be chosen."""
        index = yield from texts.indexing()
        part = np.zeros(self.total, dtype=np.uint8)
        chosen = []
        for number, query in enumerate(queries, start=1):
            weights = index.weights(query)
            if not weights.any():
                return False
            first, second = _heaviest(weights)
            chosen.append(first)
            part[second] = np.maximum(part[second], _NEAR)
            part[first] = _CHOSEN
            yield Progress(number, len(queries), "queries looked up")
        samples = _samples(part)
        everywhere = np.concatenate(samples)
        done, total = 0, sum(len(each) + len(everywhere) for each in chosen)
        for number, (query, candidates) in enumerate(zip(queries, chosen, strict=True)):
            places = np.union1d(candidates, everywhere)
            start = 0
            for scored in scoring([query], [texts.normal[k] for k in places.tolist()], similarity, normal=True):
                self._keep(number, places[start : start + len(scored.best)], scored.best)
                start += len(scored.best)
                yield Progress(done + start, total, "likely texts compared")
            done += start
        self.recall = self._estimate(part, samples)
        return True

    def _keep(self, query: int, places: np.ndarray, scores: np.ndarray) -> None:
        better = scores > self.best[places]
        self.best[places[better]], self.nearest[places[better]] = scores[better], query

    def _estimate(self, part: np.ndarray, samples: Sequence[np.ndarray]) -> float | None:
        found = int((self.best >= self.floor).sum())
        there = float((self.best[part == _CHOSEN] >= self.floor).sum())
        for which, sample in zip((_REST, _NEAR), samples, strict=True):
            if len(sample):
                there += int((self.best[sample] >= self.floor).sum()) * int((part == which).sum()) / len(sample)
        return found / there if there else None


def _heaviest(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Places of the candidates and of the next ones; of equal weights the first, and none that weighs nothing."""
    first = _at_least(weights, CANDIDATES)
    return first, _at_least(weights, CANDIDATES + _NEXT)


def _at_least(weights: np.ndarray, most: int) -> np.ndarray:
    if most >= len(weights):
        return np.flatnonzero(weights > 0)
    floor = np.partition(weights, len(weights) - most)[len(weights) - most]
    above = np.flatnonzero(weights > floor)
    return above if floor <= 0 else np.concatenate([above, np.flatnonzero(weights == floor)[: most - len(above)]])


def _samples(part: np.ndarray) -> list[np.ndarray]:
    """Places drawn by a fixed seed from the rest and from the next ones."""
    draw = np.random.default_rng(0)
    found = []
    for which in (_REST, _NEAR):
        places = np.flatnonzero(part == which)
        found.append(places[draw.choice(len(places), min(_SAMPLED, len(places)), replace=False, shuffle=False)] if len(places) else places)
    return found
