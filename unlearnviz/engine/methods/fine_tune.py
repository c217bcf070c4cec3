"""FineTune: repair what forgetting broke, on the texts to keep."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from unlearnviz.engine.methods.method import GradientMethod

if TYPE_CHECKING:
    import torch

    from unlearnviz.engine.model import Batch
    from unlearnviz.engine.work import Work


@dataclass(frozen=True, kw_only=True)
class FineTune(GradientMethod):
    """Descend the mean token loss of texts to keep, drawn from all taught texts outside the forget set.

    Used alone it is the mildest unlearning baseline (the model drifts away from what it no longer sees); after an ascent it
    repairs the retain texts.
    """

    source = "fine-tuning on the retain set; baseline in Golatkar et al. 2020, arXiv 1911.04933"
    uses_retain: ClassVar[bool] = True

    def loss(self, work: Work, forget: Batch, retain: Batch | None) -> torch.Tensor:  # noqa: ARG002
        """The mean token loss of the retain batch."""
        assert retain is not None  # uses_retain
        return work.model.loss(retain)
