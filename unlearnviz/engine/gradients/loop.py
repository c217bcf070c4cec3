"""The plain way, text by text through autograd: for parameters used in ways that the fast pass has no rule for."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import torch

from unlearnviz.engine.weights import square_norm
from unlearnviz.engine.work import recording

if TYPE_CHECKING:
    from unlearnviz.engine.model import LanguageModel

Gradients = dict[str, torch.Tensor]


def gradients(model: LanguageModel, texts: Sequence[str], names: Collection[str]) -> Gradients:
    """Parameter name -> gradient of the mean token loss of all texts together; zeros where the loss does not depend on it."""
    batches = list(model.chunks(range(len(texts)), texts))
    tokens = sum(len(model.encode(text)) - 1 for text in texts)
    with recording(), model.following(list(names)) as parameters:
        total = {name: torch.zeros_like(parameter) for name, parameter in parameters.items()}
        for indices in batches:
            losses, _ = model.losses(model.batch([texts[k] for k in indices]))
            found = torch.autograd.grad(losses.sum() / tokens, list(parameters.values()), allow_unused=True)
            for name, gradient in zip(parameters, found, strict=True):
                if gradient is not None:
                    total[name] += gradient.to_dense()
    return total


def square_norms(model: LanguageModel, text: str, names: Collection[str]) -> dict[str, float]:
    """Parameter name -> squared L2 norm of the gradient of one text's mean token loss, summed in float64."""
    return {name: square_norm(gradient) for name, gradient in gradients(model, [text], names).items()}


def inner_products(one: Gradients, other: Gradients) -> dict[str, float]:
    """Parameter name -> inner product of two gradients, summed in float64."""
    return {name: float((gradient.double() * other[name].double()).sum()) for name, gradient in one.items()}
