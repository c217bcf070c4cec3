"""Fuzzy neighbours: which texts look like the ones to forget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from unlearnviz.engine.corpus import Passage
from unlearnviz.engine.search import search
from unlearnviz.engine.similarity import Similarity


@dataclass(frozen=True)
class Neighbour:
    """A passage that looks like one of the queries.

    Attributes:
        passage: the passage.
        score: similarity to the nearest query, 0 (nothing shared) to 100 (equal after normalisation).
        nearest: the id of that query.
    """

    passage: Passage
    score: float
    nearest: str


def neighbours(
    queries: Sequence[Passage],
    candidates: Sequence[Passage],
    *,
    threshold: float = 0.0,
    limit: int | None = None,
    similarity: Similarity | None = None,
) -> list[Neighbour]:
    """Candidates by similarity to their nearest query, best first, ties in corpus order; the queries themselves are left out.

    Args:
        threshold: the lowest score that counts, 0 to 100.
        limit: how many at most; None: all.
        similarity: ratio by default, lower-cased and with white space collapsed: the one that the groups are made with.
    """
    asked = {query.id for query in queries}
    others = [candidate for candidate in candidates if candidate.id not in asked]
    if not queries or not others:
        return []
    found = search([each.text for each in queries], [each.text for each in others], similarity, threshold=threshold, limit=limit)
    best = zip(found.positions.tolist(), found.scores.tolist(), found.nearest.tolist(), strict=True)
    return [Neighbour(others[position], score, queries[query].id) for position, score, query in best]
