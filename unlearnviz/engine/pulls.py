"""How hard each of several texts pulls at every parameter: squared gradient norms, without forming a gradient.

A linear layer's gradient for one text is a'g, with its inputs a and the gradients g of its outputs, both of shape (tokens,
width). Its squared norm is the sum over pairs of tokens of (a_s . a_t)(g_s . g_t) (Goodfellow 2015, arXiv 1510.01799, for
sequences Li et al. 2022, arXiv 2110.05679), so one forward and the activations' half of one backward serve all texts.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import torch
from torch import nn
from torch.nn import functional

from unlearnviz.engine.weights import square_norm
from unlearnviz.engine.work import recording

if TYPE_CHECKING:
    from unlearnviz.engine.model import LanguageModel

AGREE = (
    1e-3  # relative: how closely the fast way must agree with autograd on a model's first text; wrong rules miss by far more
)
_fit: WeakKeyDictionary[nn.Module, bool] = WeakKeyDictionary()


def squared_pulls(model: LanguageModel, texts: Sequence[str]) -> list[dict[str, float]]:
    """Per text: parameter name -> squared L2 norm of the gradient of the text's mean token loss.

    Models made of other parts than `nn.Linear`, `Conv1D`, `nn.LayerNorm` and `nn.Embedding` go text by text through autograd,
    as do those on which both ways do not agree.
    """
    if not texts:
        return []
    if model.module not in _fit:
        _fit[model.module] = _agrees(model, texts[0])
    if not _fit[model.module]:
        return [_one_by_one(model, text) for text in texts]
    found: dict[int, dict[str, float]] = {}
    for indices in model.chunks(range(len(texts)), texts):
        found.update(zip(indices, _together(model, [texts[k] for k in indices]), strict=True))
    return [found[k] for k in range(len(texts))]


def _agrees(model: LanguageModel, text: str) -> bool:
    if not all(type(part) in _rules() for part in model.module.modules() if part._parameters):  # noqa: SLF001 - own parameters, not the children's
        return False
    try:
        fast = _together(model, [text])[0]
    except (_Unusual, RuntimeError):
        return False
    slow = _one_by_one(model, text)
    whole = sum(slow.values())
    return fast.keys() == slow.keys() and all(
        abs(fast[name] - slow[name]) <= AGREE * (slow[name] + 1e-6 * whole) for name in slow
    )


def _one_by_one(model: LanguageModel, text: str) -> dict[str, float]:
    with recording(), model.following(model.layout.names) as parameters:
        loss = model.loss(model.batch([text]))
        gradients = torch.autograd.grad(loss, list(parameters.values()), allow_unused=True)
    return {name: 0.0 if each is None else square_norm(each) for name, each in zip(parameters, gradients, strict=True)}


class _Unusual(Exception):
    """A part was used otherwise than once per text."""


@dataclass
class _Use:
    """One part of the model at work: its inputs and outputs, of shape (texts, tokens, width); ids are (texts, tokens)."""

    part: Any
    inputs: torch.Tensor
    outputs: torch.Tensor


def _together(model: LanguageModel, texts: Sequence[str]) -> list[dict[str, float]]:
    batch = model.batch(texts)
    with recording(), model.following(()), _watched(model.module, len(texts)) as uses:
        losses, predicted = model.losses(batch)
        share = 1 / predicted.sum(dim=1, keepdim=True).expand_as(predicted)[predicted]  # of its text's mean
        gradients = torch.autograd.grad((losses * share).sum(), [use.outputs for use in uses])
    if len({id(use.part) for use in uses}) != len(uses):
        raise _Unusual
    squares: dict[int, torch.Tensor] = {}
    matrices: dict[int, list[tuple[_Use, torch.Tensor]]] = {}
    with torch.no_grad():
        for use, gradient in zip(uses, gradients, strict=True):
            for parameter, square in _rules()[type(use.part)](use, gradient):
                squares[id(parameter)] = squares.get(id(parameter), 0) + square
            matrices.setdefault(id(use.part.weight), []).append((use, gradient))
        for shared in matrices.values():
            if len(shared) > 1:
                squares[id(shared[0][0].part.weight)] += _cross(shared)
    names = {name: squares.get(id(parameter)) for name, parameter in model.parameters.items()}
    if any(found is None for found in names.values()):
        raise _Unusual
    table = torch.stack(
        [found.clamp(min=0) for found in names.values() if found is not None], dim=1
    ).tolist()  # rounding may go below 0
    return [dict(zip(names, row, strict=True)) for row in table]


@contextlib.contextmanager
def _watched(module: nn.Module, texts: int) -> Iterator[list[_Use]]:
    """Inside, every part that has parameters tells what goes in and out."""
    uses: list[_Use] = []

    def watch(part: nn.Module, given: tuple[Any, ...], outputs: torch.Tensor) -> torch.Tensor:
        inputs = given[0]
        if len(outputs) != texts:  # positions are looked up once for all texts
            if len(outputs) != 1:
                raise _Unusual
            inputs, outputs = inputs.expand(texts, -1), outputs.expand(texts, -1, -1)
        outputs = outputs if outputs.requires_grad else outputs.detach().requires_grad_()
        uses.append(_Use(part, inputs.detach(), outputs))
        return outputs

    parts = [part for part in module.modules() if part._parameters]  # noqa: SLF001
    hooks = [part.register_forward_hook(watch) for part in parts]
    try:
        yield uses
    finally:
        for hook in hooks:
            hook.remove()


Squares = Iterator[tuple[Any, torch.Tensor]]  # parameter, squared norms of shape (texts,)


def _linear(use: _Use, gradient: torch.Tensor) -> Squares:
    tokens, wide, high = gradient.shape[1], use.inputs.shape[2], gradient.shape[2]
    if tokens * (wide + high) < wide * high:
        yield use.part.weight, _sum((use.inputs @ use.inputs.mT) * (gradient @ gradient.mT))
    else:
        yield use.part.weight, _sum((use.inputs.mT @ gradient).square())
    if use.part.bias is not None:
        yield use.part.bias, _sum(gradient.sum(dim=1).square())


def _norm(use: _Use, gradient: torch.Tensor) -> Squares:
    part = use.part
    if part.weight is not None:
        plain = functional.layer_norm(use.inputs, part.normalized_shape, eps=part.eps)
        yield part.weight, _sum((gradient * plain).sum(dim=1).square())
    if part.bias is not None:
        yield part.bias, _sum(gradient.sum(dim=1).square())


def _lookup(use: _Use, gradient: torch.Tensor) -> Squares:
    gradient = _counted(use, gradient)
    same = use.inputs[:, :, None] == use.inputs[:, None, :]
    yield use.part.weight, _sum((gradient @ gradient.mT) * same)


def _counted(use: _Use, gradient: torch.Tensor) -> torch.Tensor:
    """The gradients of a lookup, 0 for the id that torch keeps out of them."""
    padding = use.part.padding_idx
    return gradient if padding is None else gradient * (use.inputs != padding)[:, :, None]


def _cross(shared: list[tuple[_Use, torch.Tensor]]) -> torch.Tensor:
    """What a tied matrix has beyond its two uses: twice the inner product of their gradients."""
    by_kind = {type(use.part): (use, gradient) for use, gradient in shared}
    if len(shared) != 2 or set(by_kind) != {nn.Embedding, nn.Linear}:
        raise _Unusual
    (lookup, entering), (output, leaving) = by_kind[nn.Embedding], by_kind[nn.Linear]
    places = lookup.inputs[:, None, :].expand(-1, leaving.shape[1], -1)
    return 2 * _sum(leaving.gather(2, places) * (output.inputs @ _counted(lookup, entering).mT))


def _sum(values: torch.Tensor) -> torch.Tensor:
    """Sum over everything but the texts, in float64."""
    return values.flatten(start_dim=1).sum(dim=1, dtype=torch.float64)


@cache
def _rules() -> dict[type, Any]:
    from transformers.pytorch_utils import Conv1D

    return {nn.Linear: _linear, Conv1D: _linear, nn.LayerNorm: _norm, nn.Embedding: _lookup}
