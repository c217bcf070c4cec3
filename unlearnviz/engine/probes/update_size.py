"""UpdateSize: how far the weights have moved, per parameter group."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from unlearnviz.engine.probes.probe import Probe, Reading, View

if TYPE_CHECKING:
    from unlearnviz.engine.corpus import Corpus
    from unlearnviz.engine.model import LanguageModel


@dataclass(frozen=True)
class UpdateSize(Probe):
    """L2 distances between weights: of the last step, from the start, and to the twin; and whether the way led towards the twin.

    Rows: {"group" (of parameters), "step", "from_start", "to_twin" (None without a twin), "start_to_twin" (likewise: what doing
    nothing leaves), "towards_twin"}; the last row is the whole model, "all". "towards_twin" is the cosine between what was moved
    since the start and the way from the start to the twin: 1 = straight towards it, 0 = at right angles, -1 = straight away;
    None without a twin and where nothing moved. It follows from the three distances, which are right to 1e-8, and so is right to
    1e-8 x (way to the twin / what was moved). The headline is the whole model's distance from the start.
    """

    unit = "L2 norm of the difference"
    direction = "higher = moved further"

    def measure(self, model: LanguageModel, corpus: Corpus, view: View) -> Reading:  # noqa: ARG002
        """One row per parameter group and one for the whole model."""
        rows: list[dict[str, Any]] = []
        for group, names in model.layout.groups.items():
            rows.append(
                {
                    "group": group,
                    "step": view.weights.distance(view.previous, names) if view.previous is not None else 0.0,
                    "from_start": view.weights.distance(view.start, names),
                    "to_twin": view.weights.distance(view.twin, names) if view.twin is not None else None,
                    "start_to_twin": view.start.distance(view.twin, names) if view.twin is not None else None,
                }
            )
        whole: dict[str, Any] = {"group": "all"}
        for column in ("step", "from_start", "to_twin", "start_to_twin"):
            whole[column] = None if rows[0][column] is None else math.sqrt(sum(row[column] ** 2 for row in rows))
        rows.append(whole)
        for row in rows:
            row["towards_twin"] = _cosine(row["from_start"], row["start_to_twin"], row["to_twin"])
        return self.reading(whole["from_start"], rows)


def _cosine(moved: float, way: float | None, left: float | None) -> float | None:
    """Of the angle at the start, in the triangle of these three sides."""
    if not moved or not way or left is None:
        return None
    return max(-1.0, min(1.0, (moved**2 + (way - left) * (way + left)) / (2 * moved * way)))
