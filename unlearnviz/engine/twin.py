"""Twin: the same model, taught the same way, without some texts."""

from __future__ import annotations

from dataclasses import dataclass

from unlearnviz.engine.weights import Weights


@dataclass(frozen=True, eq=False)
class Twin:
    """A model that never saw some texts: what "forgotten" means.

    Attributes:
        weights: its weights, read-only.
        left_out: ids of the passages it never saw.
        seed: of the order of its texts.
        siblings: forget perplexities of twins with other seeds, where they were measured: the range "as the twin" means.
    """

    weights: Weights
    left_out: frozenset[str]
    seed: int = 0
    siblings: tuple[float, ...] = ()
