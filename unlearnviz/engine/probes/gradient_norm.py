"""GradientNorm: where in the model the forget texts pull."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from unlearnviz.engine.probes.probe import Probe, Reading, View
from unlearnviz.engine.pulls import squared_pulls
from unlearnviz.engine.settings import setting

if TYPE_CHECKING:
    from unlearnviz.engine.corpus import Corpus
    from unlearnviz.engine.model import LanguageModel


@dataclass(frozen=True)
class GradientNorm(Probe):
    """L2 norm of the gradient of each text's mean token loss, per parameter group.

    Rows: {"group" (of parameters), "norm" (root mean square over the texts), "per_text": {id: norm}, "parameters"}. The
    headline is the root mean square of the whole-model norms. Sums of squares are accumulated in float64.
    """

    unit = "nats per unit of weight"
    direction = "higher = the text still pulls here"
    cost: ClassVar[Literal["cheap", "slow"]] = "slow"

    of: str = setting("forget", help="Whose texts.", choices=("forget", "neighbours", "retain", "never seen"))
    limit: int = setting(8, help="Texts at most, the first ones.", minimum=1, maximum=1000, advanced=True)

    def measure(self, model: LanguageModel, corpus: Corpus, view: View) -> Reading:  # noqa: ARG002
        """One row per parameter group."""
        passages = [p for p in view.groups.get(self.of, ()) if len(model.encode(p.text)) > 1][: self.limit]
        pulls = dict(zip((p.id for p in passages), squared_pulls(model, [p.text for p in passages]), strict=True))
        squares = {
            group: {passage: sum(pull[name] for name in members) for passage, pull in pulls.items()}
            for group, members in model.layout.groups.items()
        }
        rows: list[dict[str, Any]] = [
            {
                "group": group,
                "norm": math.sqrt(sum(per_text.values()) / max(1, len(per_text))),
                "per_text": {passage: math.sqrt(square) for passage, square in per_text.items()},
                "parameters": sum(model.parameters[name].numel() for name in model.layout.groups[group]),
            }
            for group, per_text in squares.items()
        ]
        return self.reading(math.sqrt(sum(row["norm"] ** 2 for row in rows)), rows)

