"""GradientAscent: climb the loss of the forget texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from unlearnviz.engine.methods.method import GradientMethod

if TYPE_CHECKING:
    import torch

    from unlearnviz.engine.model import Batch
    from unlearnviz.engine.work import Work


@dataclass(frozen=True, kw_only=True)
class GradientAscent(GradientMethod):
    """Make the forget texts less likely: theta <- theta + step * gradient of their mean token loss.

    On the embedding alone this is the live form of embedding-only ascent (Zagardo 2024, arXiv 2406.09391; the paper's stored
    first-epoch form is another method). It is unbounded: past the twin it only destroys.
    """

    source = "Jang et al. 2022, arXiv 2210.01504, section 3; embedding only: Zagardo 2024, arXiv 2406.09391 (reconstruction)"

    def loss(self, work: Work, forget: Batch, retain: Batch | None) -> torch.Tensor:  # noqa: ARG002
        """Minus the mean token loss of the forget texts."""
        return -work.model.loss(forget)
