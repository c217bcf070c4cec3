"""OptimisationBased: descend the retain loss and climb the forget loss, in a share of every layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from unlearnviz.engine.methods.partial_updates import PartialUpdates
from unlearnviz.engine.settings import setting

if TYPE_CHECKING:
    import torch

    from unlearnviz.engine.model import Batch
    from unlearnviz.engine.work import Work


@dataclass(frozen=True, kw_only=True)
class OptimisationBased(PartialUpdates):
    """theta <- theta - step * S gradient(L_r - beta * L_f), both mean token losses; S keeps a share of each layer.

    With `ascent_only` the retain loss is left out, the limit of a large beta. Naive (`keep` 1) that is gradient ascent, and otherwise,
    with beta 1, gradient difference.
    """

    source = "Gogineni & Nadimi 2024, arXiv 2403.07611, optimisation-based unlearning with layer-wise partial updates (reconstruction)"

    beta: float = setting(1.0, help="Weight of forgetting beside keeping.", minimum=0, maximum=1e6)
    ascent_only: bool = setting(False, help="Whether the texts to keep are left out: pure ascent.")

    @property
    def draws_retain(self) -> bool:
        """Unless it is pure ascent."""
        return not self.ascent_only

    def loss(self, work: Work, forget: Batch, retain: Batch | None) -> torch.Tensor:
        """Loss of the retain batch, minus beta times that of the forget batch."""
        if retain is None:
            return -work.model.loss(forget)
        return work.model.loss(retain) - self.beta * work.model.loss(forget)
