"""The SD loss of Unrolling SGD: cross-entropy plus the spread of the logits, for models from which single texts come out more easily."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from unlearnviz.engine.model import Batch, LanguageModel


def standard_deviation_penalty(logits: torch.Tensor, form: str = "per token") -> torch.Tensor:
    """How far the logits of a prediction lie apart; a scalar >= 0, in units of a logit.

    Thudi et al. 2021 (arXiv 2109.13398). A constant added to all logits of a row changes nothing; twice the logits give twice
    the penalty.

    Args:
        logits: shape (predictions, vocabulary).
        form: "per token", the mean over predictions of the population standard deviation (the paper's form, a token being an
            example); or "code", the sum of the unbiased ones over the number of logits, which is smaller by the vocabulary.
    """
    logits = logits if logits.dtype == torch.float64 else logits.float()
    if form == "code":
        return logits.std(dim=-1, unbiased=True).sum() / logits.numel()
    variance = logits.var(dim=-1, unbiased=False)
    # at equal logits the root has no slope: there the penalty is 0 and pulls nowhere
    return variance.clamp_min(torch.finfo(variance.dtype).tiny).sqrt().where(variance > 0, variance).mean()


def loss_with_penalty(model: LanguageModel, batch: Batch, weight: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean next-token loss of a batch in nats, and what a training with the SD loss descends: that plus `weight` times the penalty."""
    if not weight:
        loss = model.loss(batch)
        return loss, loss
    targets = batch.labels[:, 1:]
    predicted = targets != -100
    logits = model.logits(batch)[:, :-1][predicted]
    loss = functional.cross_entropy(logits if logits.dtype == torch.float64 else logits.float(), targets[predicted])
    return loss, loss + weight * standard_deviation_penalty(logits)
