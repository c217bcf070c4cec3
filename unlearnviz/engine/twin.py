"""Twin: the same model, taught the same way, without some texts; and the range in which twins of other seeds lie."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from unlearnviz.engine.weights import Weights

if TYPE_CHECKING:
    from unlearnviz.engine.probes.probe import Reading


class Range(NamedTuple):
    """Where a number lies of models that differ in nothing but the seed.

    Attributes:
        low, high: the lowest and the highest; finite.
        twins: how many were measured, 2 or more.
    """

    low: float
    high: float
    twins: int


@dataclass(frozen=True, eq=False)
class Twin:
    """A model that never saw some texts: what "forgotten" means.

    Attributes:
        weights: its weights, read-only.
        left_out: ids of the passages it never saw.
        seed: of the order of its texts.
        siblings: group -> perplexities of twins with other seeds, where they were measured on exactly the texts left out and
            the groups that go with them: the range "as the twin" means.
    """

    weights: Weights
    left_out: frozenset[str]
    seed: int = 0
    siblings: Mapping[str, Sequence[float]] = field(default_factory=dict)


def ranges(twins: Iterable[Reading], siblings: Mapping[str, Sequence[float]]) -> dict[str, Range]:
    """Group -> range of the perplexities of twins that differ in nothing but the seed; no entry for a group of which one is known.

    Args:
        twins: perplexity readings, one per twin, all of the same texts.
        siblings: group -> perplexities of further twins of these texts.
    """
    found = {group: list(values) for group, values in siblings.items()}
    for reading in twins:
        for row in reading.rows:
            found.setdefault(row["group"], []).append(row["perplexity"])
    finite = {group: [value for value in values if math.isfinite(value)] for group, values in found.items()}
    return {group: Range(min(values), max(values), len(values)) for group, values in finite.items() if len(values) > 1}
