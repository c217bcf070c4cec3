"""Fuzzy neighbours: which texts look like the ones to forget (rapidfuzz)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from rapidfuzz import fuzz, process

from unlearnviz.engine.corpus import Passage


@dataclass(frozen=True)
class Neighbour:
    """A passage that looks like one of the queries.

    Attributes:
        passage: the passage.
        score: `rapidfuzz.fuzz.ratio` to the nearest query, 0 (nothing shared) to 100 (equal after normalisation).
        nearest: the id of that query.
    """

    passage: Passage
    score: float
    nearest: str


def normalise(text: str) -> str:
    """Lower case, white space collapsed."""
    return " ".join(text.lower().split())


def similarities(queries: Sequence[Passage], candidates: Sequence[Passage]) -> np.ndarray:
    """Scores of every query against every candidate, float32 of shape (queries, candidates), 0 to 100."""
    left, right = ([normalise(passage.text) for passage in side] for side in (queries, candidates))
    return process.cdist(left, right, scorer=fuzz.ratio, dtype=np.float32)


def neighbours(queries: Sequence[Passage], candidates: Sequence[Passage], *, threshold: float = 0.0, limit: int | None = None) -> list[Neighbour]:
    """Candidates by similarity to their nearest query, best first, ties in corpus order; the queries themselves are left out."""
    asked = {query.id for query in queries}
    others = [candidate for candidate in candidates if candidate.id not in asked]
    if not queries or not others:
        return []
    scores = similarities(queries, others)
    best, nearest = scores.max(axis=0), scores.argmax(axis=0)
    order = np.argsort(-best, kind="stable")
    found = [Neighbour(others[k], float(best[k]), queries[int(nearest[k])].id) for k in order if best[k] >= threshold]
    return found[:limit]
