"""Familiarity: does a model know the texts that it shall forget, or has it yet to learn them?"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from unlearnviz.numbers import number

FACTOR = 0.8  # a model that was taught a text is far below this; texts that merely read easily are not
FEWEST = 4  # never-seen texts that a quartile needs to mean something


@dataclass(frozen=True)
class Familiarity:
    """Whether the forget texts were learned.

    Attributes:
        knows: None where there is nothing to compare with.
        sentence: the same for people.
    """

    knows: bool | None
    sentence: str


def familiarity(rows: Sequence[Mapping[str, Any]]) -> Familiarity:
    """Judge by the rows of a Perplexity reading of the start (`session.measure("perplexity", of="start")`).

    A model knows the forget texts when they surprise it clearly less than texts that it never saw: their (token-weighted)
    perplexity is below 0.8 of the never-seen texts' and below the lower quartile of the single never-seen texts (where there
    are four or more).
    """
    by_group = {row["group"]: row for row in rows}
    forget, never_seen = by_group.get("forget"), by_group.get("never seen")
    if forget is None:
        return Familiarity(None, "Whether this model knows the texts shows once some are picked.")
    now = f"perplexity {number(forget['perplexity'])}"
    if never_seen is None:
        return Familiarity(
            None,
            f"Whether this model knows these texts cannot be said ({now}): there are no never-seen texts to compare with. "
            "Keep some back with holdout= when you read the corpus.",
        )
    texts = sorted(float(value) for value in never_seen["per_text"].values())
    quartile = statistics.quantiles(texts, n=4, method="inclusive")[0] if len(texts) >= FEWEST else float("inf")
    compared = f"({now[0].upper()}{now[1:]}; texts it never saw: {number(never_seen['perplexity'])}.)"
    if forget["perplexity"] < FACTOR * never_seen["perplexity"] and forget["perplexity"] < quartile:
        return Familiarity(knows=True, sentence=f"This model knows these texts. {compared}")
    return Familiarity(knows=False, sentence=f"This model does not know these texts yet: press Learn. {compared}")
