"""Solving (H + damping) x = v from products with H alone: by conjugate gradients, or by the recursion called LiSSA.

A model that is still learning, or was pushed off a minimum, curves downward along some directions. There H has no positive
inverse and both ways fail; they stop, and say by how much the damping falls short.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping
from dataclasses import dataclass

import torch

from unlearnviz.engine.curvature.spectrum import Product, Spectrum, extreme_eigenvalues, multiplied
from unlearnviz.engine.curvature.vectors import add, copied, inner, norm, scale, zeros_like
from unlearnviz.engine.progress import Progress
from unlearnviz.errors import BadSetting, NotPossible

DAMPING = 0.1
RISING = (
    1 + 1e-5
)  # relative: a residual that grows by more than rounding grows for ever, as every step multiplies it by one matrix
ADVICE = "take a larger damping, or the Gauss-Newton product, which never curves downward"


@dataclass(frozen=True)
class Solution:
    """What became of solving (H + damping) x = v.

    Attributes:
        vector: x, or how far it came.
        damping: what was added to every eigenvalue of H; for LiSSA scale * damp.
        residuals: |v - (H + damping) x| / |v| before the first iteration and after each. For LiSSA these are at the same time the
            lengths of its updates.
        residual: the same for `vector`, measured anew at the end by one more product: free of accumulated rounding.
        iterations: how many were taken.
        converged: whether `residual` is at most the tolerance asked for.
        negative_curvature: d'Hd / d'd < -damping along the direction d at which it stopped, or None.
        damping_needed: an estimate of what the damping has to exceed, where it was too small.
        diverged: whether the residual grew instead of shrinking (LiSSA).
        scale: of LiSSA.
        note: one sentence on how it ended.
    """

    vector: dict[str, torch.Tensor]
    damping: float
    residuals: tuple[float, ...]
    residual: float
    iterations: int
    converged: bool
    negative_curvature: float | None = None
    damping_needed: float | None = None
    diverged: bool = False
    scale: float | None = None
    note: str = ""


def conjugate_gradients(
    product: Product,
    vector: Mapping[str, torch.Tensor],
    *,
    damping: float = DAMPING,
    tolerance: float = 1e-3,
    most: int = 100,
) -> Generator[Progress, None, Solution]:
    """Solve (H + damping) x = v by conjugate gradients (Hestenes & Stiefel 1952), one product per iteration.

    Args:
        tolerance: the relative residual to reach.
        most: iterations at most.

    Raises:
        BadSetting: damping, tolerance or `most` is not positive.
        NotPossible: v or a product is not finite.
    """
    _check(damping=damping, tolerance=tolerance, most=most)
    solution, residual = zeros_like(vector), copied(vector)
    length = _length(vector)
    if length == 0:
        return Solution(
            solution, damping, (0.0,), 0.0, 0, converged=True, note="The right-hand side is 0, and so is the solution."
        )
    residuals, direction = [1.0], copied(residual)
    square = inner(residual, residual)
    while residuals[-1] > tolerance and len(residuals) <= most:
        report = Progress(
            len(residuals) - 1, most, f"residual {residuals[-1]:.1e} after {_counted(len(residuals) - 1, 'product')}"
        )
        moved = copied((yield from multiplied(product, direction, report)))
        bent, long = inner(direction, moved), inner(direction, direction)
        _finite(bent)
        if bent + damping * long <= 0:
            spectrum = yield from extreme_eigenvalues(product, direction)
            return (yield from _downward(product, vector, solution, damping, residuals, bent / long, spectrum, tolerance))
        add(moved, direction, damping)
        step = square / (bent + damping * long)
        add(solution, direction, step)
        add(residual, moved, -step)
        before, square = square, inner(residual, residual)
        scale(direction, square / before)
        add(direction, residual)
        residuals.append(math.sqrt(square) / length)
        yield Progress(
            len(residuals) - 1, most, f"residual {residuals[-1]:.1e} after {_counted(len(residuals) - 1, 'product')}"
        )
    return (yield from _ended(product, vector, solution, damping, residuals, tolerance))


def lissa(
    product: Product,
    vector: Mapping[str, torch.Tensor],
    *,
    damping: float | None = None,
    scale: float | None = None,
    damp: float | None = None,
    tolerance: float = 1e-3,
    most: int = 1000,
) -> Generator[Progress, None, Solution]:
    """Solve (H + scale * damp) x = v by u <- v + (1 - damp) u - H u / scale, x = u / scale (Agarwal et al. 2017, arXiv 1602.03943).

    Its fixed point is (H + scale * damp)^-1 v, not H^-1 v and not (H + damp)^-1 v. It is reached if all
    |1 - damp - eigenvalue / scale| < 1: scale must exceed (largest eigenvalue) / (2 - damp), and no eigenvalue may lie below
    -scale * damp. Every step uses all texts of the product, so an update that grows is no accident but divergence.

    Args:
        damping: scale * damp, the same number as for conjugate gradients (0.1); or give `damp`.
        scale: by default the largest eigenvalue and its margin, as a few products show it, plus the damping.
        damp: share by which u shrinks in every step.
        tolerance: the relative residual to reach.
        most: steps at most.

    Raises:
        BadSetting: a setting is not positive, or `damping` and `damp` are both given.
        NotPossible: v or a product is not finite.
    """
    if damping is not None and damp is not None:
        raise BadSetting(
            f"damping={damping!r} and damp={damp!r} were both given, and damping is scale * damp; give one of them."
        )
    _check(damping=damping, scale=scale, damp=damp, tolerance=tolerance, most=most)
    if damp is not None and damp >= 1:
        raise BadSetting(f"damp={damp!r} would forget all of u in one step; give a share below 1.")
    length = _length(vector)
    if length == 0:
        return Solution(
            zeros_like(vector),
            damping or 0.0,
            (0.0,),
            0.0,
            0,
            converged=True,
            note="The right-hand side is 0, and so is the solution.",
        )
    damping = DAMPING if damp is None and damping is None else damping
    if scale is None:
        spectrum = yield from extreme_eigenvalues(product, vector)
        reach = max(spectrum.largest + spectrum.margin, abs(spectrum.smallest))
        scale = reach + damping if damping is not None else reach / (1 - (damp or 0.0))
    damp = damp if damp is not None else (damping or 0.0) / scale
    damping = scale * damp
    state, residuals, bent, rising = copied(vector), [1.0], math.nan, 0
    update = copied(vector)  # of x = 0: the first u is v
    while len(residuals) <= most:
        report = Progress(
            len(residuals) - 1, most, f"update {residuals[-1]:.1e} after {_counted(len(residuals) - 1, 'step')}"
        )
        moved = copied((yield from multiplied(product, state, report)))
        _scaled(moved, -1 / scale)  # v + (1 - damp) u - H u / scale, less u: v - (H + damping) x
        add(moved, state, -damp)
        add(moved, vector)
        bent = (
            scale * (1 - inner(update, moved) / max(inner(update, update), 1e-300)) - damping
        )  # curvature along the last update
        update = moved
        residuals.append(norm(update) / length)
        yield Progress(len(residuals) - 1, most, f"update {residuals[-1]:.1e} after {_counted(len(residuals) - 1, 'step')}")
        rising = rising + 1 if residuals[-1] > RISING * residuals[-2] else 0
        if residuals[-1] <= tolerance or rising == 3 or not math.isfinite(residuals[-1]):
            break
        add(state, update)
    _scaled(state, 1 / scale)
    if rising == 3 or not math.isfinite(residuals[-1]):
        return _diverged(state, damping, residuals, bent, scale)
    return (yield from _ended(product, vector, state, damping, residuals, tolerance, scale))


_scaled = scale  # `lissa` has an argument of that name


def _diverged(state: dict[str, torch.Tensor], damping: float, residuals: list[float], bent: float, scale: float) -> Solution:
    """What the recursion left when its updates grew."""
    downward = bent < -damping
    if downward:
        why = f"the loss curves downward along its updates (curvature {bent:.3g}), by more than scale * damp = {damping:.3g} makes up for: {ADVICE}"
    else:
        why = f"the curvature along its updates ({bent:.3g}) is too large for the scale {scale:.3g}: take a larger scale"
    return Solution(
        state,
        damping,
        tuple(residuals),
        residuals[-1],
        len(residuals) - 1,
        converged=False,
        negative_curvature=bent if downward else None,
        damping_needed=-bent if downward else None,
        diverged=True,
        scale=scale,
        note=f"Diverged after {_counted(len(residuals) - 1, 'step')}: {why}.",
    )


def _downward(
    product: Product,
    vector: Mapping[str, torch.Tensor],
    solution: dict[str, torch.Tensor],
    damping: float,
    residuals: list[float],
    curvature: float,
    spectrum: Spectrum,
    tolerance: float,
) -> Generator[Progress, None, Solution]:
    """What conjugate gradients left when a direction curved downward."""
    residual = yield from _measured(product, vector, solution, damping)
    lowest = min(spectrum.smallest, curvature)
    note = (
        f"Stopped after {_counted(len(residuals) - 1, 'iteration')} at a residual of {residual:.1e}: the loss curves downward "
        f"(curvature {curvature:.3g} along a direction, {lowest:.3g} at the lowest seen), and a damping of {damping:g} does not make up for it; "
        f"{ADVICE.replace('a larger damping', f'one well above {-lowest:.3g}')}."
    )
    return Solution(
        solution,
        damping,
        tuple(residuals),
        residual,
        len(residuals) - 1,
        converged=residual <= tolerance,
        negative_curvature=curvature,
        damping_needed=-lowest,
        note=note,
    )


def _ended(
    product: Product,
    vector: Mapping[str, torch.Tensor],
    solution: dict[str, torch.Tensor],
    damping: float,
    residuals: list[float],
    tolerance: float,
    scale: float | None = None,
) -> Generator[Progress, None, Solution]:
    """The solution with its residual measured anew, and a sentence."""
    residual = yield from _measured(product, vector, solution, damping)
    count = len(residuals) - 1
    converged = residual <= tolerance * (1 + 1e-3)  # what both ways accumulate in float32
    if converged:
        note = f"Solved with a damping of {damping:.3g} to a residual of {residual:.1e} in {_counted(count, 'iteration')}."
    elif residuals[-1] <= tolerance:
        note = f"Rounding stops it at a residual of {residual:.1e}, not the {tolerance:g} asked for; ask for less, or use a model in float64."
    else:
        note = f"Stopped after {_counted(count, 'iteration')} at a residual of {residual:.1e}, not {tolerance:g}; allow more of them, or damp more."
    return Solution(solution, damping, tuple(residuals), residual, count, converged=converged, scale=scale, note=note)


def _measured(
    product: Product, vector: Mapping[str, torch.Tensor], solution: dict[str, torch.Tensor], damping: float
) -> Generator[Progress, None, float]:
    """|v - (H + damping) x| / |v|, by one product."""
    left = copied((yield from multiplied(product, solution, Progress(0, None, "measuring the residual"))))
    add(left, solution, damping)
    add(left, vector, -1.0)
    return norm(left) / norm(vector)


def _check(**settings: float | None) -> None:
    for name, value in settings.items():
        if value is not None and not (isinstance(value, int | float) and math.isfinite(value) and value > 0):
            why = " (without damping H has no inverse to speak of)" if name == "damping" else ""
            raise BadSetting(f"{name}={value!r} is not a number above 0{why}; give for example {name}={_EXAMPLES[name]}.")


_EXAMPLES = {"damping": "0.1", "tolerance": "0.001", "most": "100", "scale": "10", "damp": "0.01"}


def _length(vector: Mapping[str, torch.Tensor]) -> float:
    length = norm(vector)
    _finite(length)
    return length


def _finite(value: float) -> None:
    if not math.isfinite(value):
        raise NotPossible(
            "A vector or a product is not finite, so nothing can be solved; undo the step that overshot, or take other texts."
        )


def _counted(number: int, unit: str) -> str:
    return f"{number} {unit}{'' if number == 1 else 's'}"
