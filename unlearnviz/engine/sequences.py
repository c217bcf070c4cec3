"""Log-probability of whole texts, for methods that weigh text by text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from unlearnviz.engine.model import Batch, LanguageModel


def log_probabilities(model: LanguageModel, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    """Per text, log p of all its tokens after the first, in nats, and how many these are: two tensors of shape (texts,)."""
    losses, predicted = model.losses(batch)
    lengths = predicted.sum(dim=1)
    return -torch.stack([each.sum() for each in losses.split(lengths.tolist())]), lengths
