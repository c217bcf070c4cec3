"""GradientNorm: where in the model the forget texts pull."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from unlearnviz.engine.gradients.scan import GradientScan
from unlearnviz.engine.probes.probe import Probe, Reading, View
from unlearnviz.engine.progress import drain
from unlearnviz.engine.settings import setting

if TYPE_CHECKING:
    from unlearnviz.engine.corpus import Corpus
    from unlearnviz.engine.model import LanguageModel


@dataclass(frozen=True)
class GradientNorm(Probe):
    """L2 norm of the gradient of each text's mean token loss, per parameter group.

    Rows: {"group" (of parameters), "norm" (root mean square over the texts), "per_text": {id: norm}, "parameters"}. The
    headline is the root mean square of the whole-model norms. Sums of squares are accumulated in float64. A tied embedding's two
    uses, "embedding.input" and "embedding.output", have rows of their own with "part_of": "embedding"; the square of its norm is
    the sum of their squares and twice what the two have in common.
    """

    unit = "nats per unit of weight"
    direction = "higher = the text still pulls here"
    cost: ClassVar[Literal["cheap", "slow"]] = "slow"

    of: str = setting("forget", help="Whose texts.", choices=("forget", "neighbours", "retain", "never seen"))
    limit: int = setting(8, help="Texts at most, the first ones.", minimum=1, maximum=1000, advanced=True)

    def measure(self, model: LanguageModel, corpus: Corpus, view: View) -> Reading:  # noqa: ARG002
        """One row per parameter group."""
        passages = [p for p in view.groups.get(self.of, ()) if len(model.encode(p.text)) > 1][: self.limit]
        if not passages:
            return self.reading(0.0, [])
        scan = GradientScan(model, [p.text for p in passages])
        drain(scan.running())
        rows: list[dict[str, Any]] = []
        parts = [column for column in scan.columns if column not in model.layout.groups]
        for group in (each for whole in model.layout.groups for each in ((whole, *parts) if whole == "embedding" else (whole,))):
            norms = scan.column(scan.norms, group)
            members = model.layout.groups.get(group, (model.layout.input_embedding,))
            row = {
                "group": group,
                "norm": math.sqrt((norms**2).mean()),
                "per_text": dict(zip((p.id for p in passages), norms.tolist(), strict=True)),
                "parameters": sum(model.parameters[name].numel() for name in members),
            }
            if group not in model.layout.groups:
                row["part_of"] = "embedding"
            rows.append(row)
        return self.reading(math.sqrt(sum(row["norm"] ** 2 for row in rows if "part_of" not in row)), rows, " ".join(scan.notes))
