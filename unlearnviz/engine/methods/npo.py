"""NPO: negative preference optimisation, an ascent that fades as a text becomes less likely than it was at the start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from unlearnviz.engine.methods.method import GradientMethod
from unlearnviz.engine.sequences import log_probabilities
from unlearnviz.engine.settings import setting

if TYPE_CHECKING:
    from unlearnviz.engine.model import Batch
    from unlearnviz.engine.work import Work


def npo(now: torch.Tensor, reference: torch.Tensor, beta: float) -> torch.Tensor:
    """(2 / beta) * mean of log(1 + (p / p_ref)^beta), from log-probabilities of texts in nats, each of shape (texts,); scalar."""
    return 2 / beta * functional.softplus(beta * (now - reference)).mean()


@dataclass(frozen=True, kw_only=True)
class NPO(GradientMethod):
    """Minimise (2 / beta) * mean over texts of log(1 + (p / p_ref)^beta), p being the probability of all tokens of a text after the first.

    p_ref is that at the weights of step 0. The gradient is that of ascent on log p with the weight 2 / (1 + (p_ref / p)^beta) for each
    text: 1 at the start, and ever less. As beta falls to 0 it is gradient ascent. With `retain_weight` w, w times the mean token loss
    of texts to keep is added.
    """

    source = "Zhang, Lin, Bai & Mei 2024, arXiv 2404.05868 (NPO; with texts to keep: NPO+RT)"

    beta: float = setting(0.1, help="How soon the ascent on a text fades as it becomes less likely; near 0 it never does.", above=0, maximum=100)
    retain_weight: float = setting(1.0, help="Weight w of the texts to keep; 0 leaves them out.", minimum=0, maximum=100)

    @property
    def draws_retain(self) -> bool:
        """Where the texts to keep have a weight."""
        return self.retain_weight > 0

    def loss(self, work: Work, forget: Batch, retain: Batch | None) -> torch.Tensor:
        """The NPO loss of the forget batch, and the loss of the retain batch by its weight."""
        with torch.no_grad():
            reference, _ = log_probabilities(work.model.at(work.reference), forget)
        now, _ = log_probabilities(work.model, forget)
        loss = npo(now, reference, self.beta)
        return loss if retain is None else loss + self.retain_weight * work.model.loss(retain)
