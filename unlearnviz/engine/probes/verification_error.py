"""VerificationError: how far the weights are from those of the retrained model."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

from unlearnviz.engine.probes.probe import Probe, Reading, View
from unlearnviz.numbers import number

if TYPE_CHECKING:
    from unlearnviz.engine.corpus import Corpus
    from unlearnviz.engine.model import LanguageModel


@dataclass(frozen=True)
class VerificationError(Probe):
    """|w - w_twin|, the L2 distance from the model that was retrained without the forget texts (Thudi et al. 2021, arXiv 2109.13398).

    Always to be read beside "do nothing", the distance of the start: a method that ends farther away than that went the wrong
    way. Twins that were trained with other seeds lie far apart themselves, and small distances within that mean little. That
    the weights are near says more than that the outputs are; that they are far does not say that anything is remembered.

    Rows: {"group" (of parameters), "error", "do_nothing" (of the start), "between_twins" (mean distance of any two twins of this
    pick; None where fewer than two are known)}; the last row is the whole model, "all", and its error the headline.
    None, and no rows, without a twin.
    """

    unit = "L2 norm of weights"
    direction = "lower = nearer to the retrained model"
    beside = ("start",)
    reads_twins = True

    def measure(self, model: LanguageModel, corpus: Corpus, view: View) -> Reading:  # noqa: ARG002
        """One row per parameter group and one for the whole model."""
        twin, twins = view.twin, view.twins
        if twin is None:
            return self.reading(None, [], "There is no model to verify against: train one without these texts, session.twin().")
        rows: list[dict[str, Any]] = []
        pairs = list(combinations(twins, 2))
        for group, names in model.layout.groups.items():
            apart = [one.distance(other, names) for one, other in pairs]
            rows.append(
                {
                    "group": group,
                    "error": view.weights.distance(twin, names),
                    "do_nothing": view.start.distance(twin, names),
                    "between_twins": sum(apart) / len(apart) if apart else None,
                }
            )
        whole = [one.distance(other) for one, other in pairs]
        error, nothing = (math.sqrt(sum(row[column] ** 2 for row in rows)) for column in ("error", "do_nothing"))
        last = {"group": "all", "error": error, "do_nothing": nothing, "between_twins": sum(whole) / len(whole) if whole else None}
        return self.reading(error, [*rows, last], _note(nothing, whole, len(twins)))


def _note(nothing: float, apart: list[float], twins: int) -> str:
    """What the number is to be compared with."""
    said = f"Doing nothing leaves {number(nothing)}."
    if apart:
        said += f" The {twins} twins of this pick lie {number(min(apart))} to {number(max(apart))} apart."
    return said
