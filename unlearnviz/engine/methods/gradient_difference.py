"""GradientDifference: climb the loss of the forget texts while descending that of the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from unlearnviz.engine.methods.method import GradientMethod
from unlearnviz.engine.settings import setting

if TYPE_CHECKING:
    import torch

    from unlearnviz.engine.model import Batch
    from unlearnviz.engine.work import Work


@dataclass(frozen=True, kw_only=True)
class GradientDifference(GradientMethod):
    """Forget and keep at once: minimise w * L(retain) - L(forget), both mean token losses.

    The retain batch is drawn anew for every update from all taught texts outside the forget set.
    """

    source = "Liu, Liu and Stone 2022 (gradient difference), as used by TOFU, arXiv 2401.06121, section 4"
    uses_retain: ClassVar[bool] = True

    retain_weight: float = setting(1.0, help="Weight w of the texts to keep.", minimum=0, maximum=100)

    def loss(self, work: Work, forget: Batch, retain: Batch | None) -> torch.Tensor:
        """retain_weight * loss of the retain batch, minus the loss of the forget batch."""
        assert retain is not None  # uses_retain
        return self.retain_weight * work.model.loss(retain) - work.model.loss(forget)
