"""Vectors in the space of parameters: name -> tensor, with inner products that stay right for millions of entries."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch

from unlearnviz.engine.mean_gradient import inner_product

Vector = Mapping[str, torch.Tensor]


def inner(one: Vector, other: Vector) -> float:
    """Inner product, accumulated in float64: float32 is off by a thousandth on an embedding of GPT-2's size."""
    return sum(inner_product(tensor, other[name]) for name, tensor in one.items())


def norm(one: Vector) -> float:
    """L2 norm, accumulated in float64."""
    return math.sqrt(inner(one, one))


def copied(one: Vector) -> dict[str, torch.Tensor]:
    """The same vector in memory of its own."""
    return {name: tensor.detach().clone() for name, tensor in one.items()}


def zeros_like(one: Vector) -> dict[str, torch.Tensor]:
    """The vector 0 of the same shape."""
    return {name: torch.zeros_like(tensor) for name, tensor in one.items()}


def add(one: dict[str, torch.Tensor], other: Vector, factor: float = 1.0) -> None:
    """one += factor * other, in place."""
    for name, tensor in one.items():
        tensor.add_(other[name], alpha=factor)


def scale(one: dict[str, torch.Tensor], factor: float) -> None:
    """one *= factor, in place."""
    for tensor in one.values():
        tensor.mul_(factor)
