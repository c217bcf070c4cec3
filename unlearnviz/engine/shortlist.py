"""Shortlist: the texts that a word index chooses for the costly scorers, and a sample of the others that tells what this misses."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass

import numpy as np

from unlearnviz.engine.prepared import PreparedTexts
from unlearnviz.engine.progress import Progress

CANDIDATES = 5000  # texts of a query
TRUE_MATCH = 60.0  # the score from which on a missed text counts
_NEXT = 4 * CANDIDATES  # texts below the candidates, where misses are likeliest and looked for most closely
_SAMPLED = 500  # texts of these, and as many of the rest
_REST, _NEAR, _CHOSEN = range(3)


@dataclass(frozen=True, eq=False)
class Shortlist:
    """The texts to score.

    A text of the sample stands for as many as its part of the texts is larger than the sample (Horvitz and Thompson 1952): the estimate
    is unbiased, and coarse where matches are few. Among a million texts one true match in the sample of the rest stands for two thousand.

    Attributes:
        places: where each stands among all texts, int64, ascending.
        stands_for: how many texts each stands for: 1 for those chosen, float64.
    """

    places: np.ndarray
    stands_for: np.ndarray

    def recall(self, best: np.ndarray, threshold: float) -> float | None:
        """True matches on the list / true matches among all texts, by the estimate; None where there seem to be none.

        Args:
            best: the best score of each text on the list.
            threshold: a match is true from here on, at least from 60 on.
        """
        true = best >= max(threshold, TRUE_MATCH)
        return float(true.sum() / self.stands_for[true].sum()) if true.any() else None


def shortlisting(queries: Sequence[str], texts: PreparedTexts) -> Generator[Progress, None, Shortlist | None]:
    """The texts that share the rarest words with each of the queries (normalised); None where one has no word that any text has."""
    index = yield from texts.indexing()
    part = np.full(len(texts), _REST, dtype=np.uint8)
    for number, query in enumerate(queries, start=1):
        weights = index.weights(query)
        if not weights.any():
            return None
        chosen, near = _heaviest(weights)
        part[near] = np.maximum(part[near], _NEAR)
        part[chosen] = _CHOSEN
        yield Progress(number, len(queries), "queries looked up")
    stands_for = (part == _CHOSEN).astype(np.float64)
    draw = np.random.default_rng(0)
    for which in (_REST, _NEAR):
        places = np.flatnonzero(part == which)
        if len(places):
            sample = draw.choice(len(places), min(_SAMPLED, len(places)), replace=False, shuffle=False)
            stands_for[places[sample]] = len(places) / len(sample)
    places = np.flatnonzero(stands_for)
    return Shortlist(places, stands_for[places])


def _heaviest(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Places of the candidates, and of these with the next ones; of equal weights the first, and none that weighs nothing."""
    counts = [min(most, len(weights)) for most in (CANDIDATES, CANDIDATES + _NEXT)]
    ranks = [len(weights) - count for count in counts]
    floors = np.partition(weights, ranks)[ranks]
    chosen, near = (_at_least(weights, floor, count) for floor, count in zip(floors, counts, strict=True))
    return chosen, near


def _at_least(weights: np.ndarray, floor: float, most: int) -> np.ndarray:
    above = np.flatnonzero(weights > floor)
    return above if floor <= 0 else np.concatenate([above, np.flatnonzero(weights == floor)[: most - len(above)]])
