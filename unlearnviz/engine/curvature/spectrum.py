"""Spectrum: how far the curvature reaches, from a few products."""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch

from unlearnviz.engine.curvature.vectors import add, copied, inner, norm, scale
from unlearnviz.engine.progress import Progress
from unlearnviz.errors import NotPossible

LOOK = 16  # products that estimate both ends of the spectrum


class Product(Protocol):
    """A symmetric matrix as something to multiply by: a `CurvatureProduct`, or any object with `times`."""

    def times(self, vector: Mapping[str, torch.Tensor], /) -> Mapping[str, torch.Tensor]:
        """The matrix times a vector."""


@dataclass(frozen=True)
class Spectrum:
    """Both ends of a symmetric matrix's eigenvalues, as a few products show them.

    The true ends lie at or beyond `smallest` and `largest`; an eigenvalue lies within `margin` of each.

    Attributes:
        smallest: nats per squared unit of weight, as are the others.
        largest: the other end.
        margin: how far the nearest eigenvalue may be (the larger of both ends).
        products: how many it took.
    """

    smallest: float
    largest: float
    margin: float
    products: int


def extreme_eigenvalues(
    product: Product, start: Mapping[str, torch.Tensor], *, most: int = LOOK
) -> Generator[Progress, None, Spectrum]:
    """Estimate the smallest and the largest eigenvalue by the Lanczos process; three vectors are held, whatever `most` is.

    Both ends converge far sooner than by power iteration, which finds only the one that is larger in size.

    Args:
        start: where to begin; directions of which it has nothing are not seen.
        most: products to take.
    """
    length = norm(start)
    if length == 0:
        raise NotPossible("The eigenvalues were to be looked for from a vector that is 0; begin with another one.")
    now, before = copied(start), None
    scale(now, 1 / length)
    diagonal: list[float] = []
    beside: list[float] = []
    for k in range(most):
        moved = dict((yield from multiplied(product, now, Progress(k, most, f"eigenvalues: product {k + 1} of {most}"))))
        moved = copied(moved)
        if before is not None:
            add(moved, before, -beside[-1])
        diagonal.append(inner(moved, now))
        if not math.isfinite(diagonal[-1]):
            raise NotPossible(
                "A product is not finite, so no eigenvalue can be seen; undo the step that overshot, or take other texts."
            )
        add(moved, now, -diagonal[-1])
        beside.append(norm(moved))
        yield Progress(k + 1, most, f"eigenvalues: product {k + 1} of {most}")
        if beside[-1] <= 1e-7 * max(1e-30, *(abs(each) for each in diagonal)):
            break  # the directions that `start` is made of are all seen
        before, now = now, moved
        scale(now, 1 / beside[-1])
    smallest, largest, margin = ends(diagonal, beside)
    return Spectrum(smallest, largest, margin, len(diagonal))


def ends(diagonal: list[float], beside: list[float]) -> tuple[float, float, float]:
    """Smallest and largest eigenvalue of a tridiagonal matrix, and how far those of the whole matrix may be.

    `beside` holds what follows each entry of the diagonal; the last one leads out of the matrix and gives the margin.
    """
    values, vectors = np.linalg.eigh(np.diag(diagonal) + np.diag(beside[:-1], 1) + np.diag(beside[:-1], -1))
    margin = beside[-1] * max(abs(vectors[-1, 0]), abs(vectors[-1, -1]))
    return float(values[0]), float(values[-1]), float(margin)


def multiplied(
    product: Any, vector: Mapping[str, torch.Tensor], report: Progress
) -> Generator[Progress, None, Mapping[str, torch.Tensor]]:
    """One product, with a point to stop at after each of its batches where it has several."""
    if not hasattr(product, "multiplying"):
        return product.times(vector)  # type: ignore[no-any-return]
    pieces = product.multiplying(vector)
    while True:
        try:
            piece = next(pieces)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        if piece.done < piece.total:
            yield report
