"""The gradient of the mean token loss of several texts together, and that of a tied embedding in its two uses apart."""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterable, Sequence
from typing import TYPE_CHECKING

import torch

from unlearnviz.engine.progress import Progress
from unlearnviz.engine.work import recording

if TYPE_CHECKING:
    from unlearnviz.engine.model import Batch, LanguageModel

INPUT, OUTPUT = "embedding.input", "embedding.output"
_PIECE = 2**20  # entries looked at together in float64


@torch.inference_mode(mode=False)
def batches_of(model: LanguageModel, texts: Iterable[str]) -> list[Batch]:
    """All texts in batches that fit the machine; texts of a single token, of which nothing is predicted, are left out."""
    usable = [text for text in texts if len(model.encode(text)) > 1]
    return [model.batch([usable[k] for k in indices]) for indices in model.chunks(range(len(usable)), usable)]


def predictions(batch: Batch) -> int:
    """Number of tokens that are predicted in a batch: all but the first of each text."""
    return int((batch.labels[:, 1:] != -100).sum())


def mean_gradient(model: LanguageModel, batches: Sequence[Batch], names: Sequence[str]) -> dict[str, torch.Tensor]:
    """Parameter name -> gradient of the mean loss over all predicted tokens of all batches; a tied matrix as a whole."""
    predicted = sum(predictions(batch) for batch in batches)
    total: dict[str, torch.Tensor] = {}
    with recording(), model.following(names) as parameters:
        for batch in batches:
            _add(total, model, batch, parameters, predicted)
    return total


def text_gradient(model: LanguageModel, texts: Sequence[str], names: Collection[str]) -> dict[str, torch.Tensor]:
    """`mean_gradient` of texts."""
    return mean_gradient(model, batches_of(model, texts), [name for name in model.layout.names if name in names])


def mean_gradient_by_use(
    model: LanguageModel, batches: Sequence[Batch], names: Sequence[str]
) -> Generator[Progress, None, dict[str, torch.Tensor]]:
    """As `mean_gradient`, and for a tied embedding among `names` also "embedding.input" and "embedding.output", its two parts.

    The parts add up to the whole: the input part has rows only for tokens that occur, the output part for every token. One
    report per batch; returns name -> gradient.
    """
    embedding = model.layout.input_embedding
    apart = model.layout.tied and embedding in names
    predicted = sum(predictions(batch) for batch in batches)
    total: dict[str, torch.Tensor] = {}
    for done, batch in enumerate(batches):
        with recording(), model.following(names, "input" if apart else "both") as parameters:
            followed = dict(parameters)
            if apart:  # the output matrix is a parameter of its own for the while
                followed[OUTPUT] = model.module.get_output_embeddings().weight.requires_grad_()
            _add(total, model, batch, followed, predicted)
        yield Progress(done + 1, len(batches), f"{done + 1} of {len(batches)} batches")
    if apart:
        total[INPUT] = total[embedding]
        total[embedding] = total[INPUT] + total[OUTPUT]
    return total


def _add(
    total: dict[str, torch.Tensor], model: LanguageModel, batch: Batch, parameters: dict[str, torch.Tensor], predicted: int
) -> None:
    """Add a batch's part of the gradient of the mean loss over `predicted` tokens."""
    loss = model.losses(batch)[0].sum() / predicted
    gradients = torch.autograd.grad(loss, list(parameters.values()), allow_unused=True)
    for (name, parameter), gradient in zip(parameters.items(), gradients, strict=True):
        if name not in total:
            total[name] = torch.zeros_like(parameter, requires_grad=False)
        if gradient is not None:
            total[name].add_(gradient)


def inner_product(left: torch.Tensor, right: torch.Tensor) -> float:
    """Sum of the products of the entries of two tensors of one shape, accumulated in float64, in pieces."""
    ours, theirs = left.reshape(-1), right.reshape(-1)
    pieces = range(0, ours.numel(), _PIECE)
    return sum(float(ours[start : start + _PIECE].double() @ theirs[start : start + _PIECE].double()) for start in pieces)
