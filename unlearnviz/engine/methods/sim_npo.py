"""SimNPO: negative preference optimisation without a reference model."""

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


def sim_npo(now: torch.Tensor, lengths: torch.Tensor, beta: float, gamma: float) -> torch.Tensor:
    """-(2 / beta) * mean of log sigmoid(-beta * log p / length - gamma), of log-probabilities in nats and lengths in tokens; scalar."""
    return 2 / beta * functional.softplus(beta * now / lengths + gamma).mean()


@dataclass(frozen=True, kw_only=True)
class SimNPO(GradientMethod):
    """Minimise -(2 / beta) * mean over texts of log sigmoid(-beta * log p / length - gamma): no model to compare with, long and short texts alike.

    p is the probability of all tokens of a text after the first, length their number. The gradient is that of ascent on the mean log p
    of a token with the weight 2 * sigmoid(beta * log p / length + gamma) for each text: it is largest for texts that the model knows,
    and fades as they surprise it. As beta falls to 0 with gamma 0, it is gradient ascent on the mean over texts. With `retain_weight`
    w, w times the mean token loss of texts to keep is added.
    """

    source = "Fan et al. 2024, arXiv 2410.07163 (SimNPO); the default beta is ours"

    beta: float = setting(2.5, help="How soon the ascent on a text fades as it becomes less likely; near 0 it never does.", above=0, maximum=100)
    gamma: float = setting(0.0, help="Margin: the larger, the later the ascent fades.", minimum=0, maximum=100)
    retain_weight: float = setting(1.0, help="Weight w of the texts to keep; 0 leaves them out.", minimum=0, maximum=100)

    @property
    def draws_retain(self) -> bool:
        """Where the texts to keep have a weight."""
        return self.retain_weight > 0

    def loss(self, work: Work, forget: Batch, retain: Batch | None) -> torch.Tensor:
        """The SimNPO loss of the forget batch, and the loss of the retain batch by its weight."""
        loss = sim_npo(*log_probabilities(work.model, forget), self.beta, self.gamma)
        return loss if retain is None else loss + self.retain_weight * work.model.loss(retain)
