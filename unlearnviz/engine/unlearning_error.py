"""Unlearning error: how far single-gradient unlearning may end from a retrained model, without retraining one.

Thudi et al. 2021 (Unrolling SGD, arXiv 2109.13398). Training is w <- w - eta g; to first order each of t updates took the same
gradient as at the start, and what the later gradients learned from the first is bounded by the curvature sigma.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from unlearnviz.engine.learning import lessons
from unlearnviz.numbers import number

if TYPE_CHECKING:
    from unlearnviz.engine.corpus import Corpus
    from unlearnviz.engine.learning import Recipe
    from unlearnviz.engine.model import LanguageModel
    from unlearnviz.engine.teaching import Lineage

SIGMAS = ("absolute eigenvalue", "square root")


@dataclass(frozen=True)
class Schedule:
    """How often and how fast a model was moved while it was taught.

    Attributes:
        rate: mean learning rate over all updates.
        slowest, fastest: the ends of its range.
        updates: number of updates.
    """

    rate: float
    slowest: float
    fastest: float
    updates: int

    @classmethod
    def of(cls, lineage: Lineage, model: LanguageModel, corpus: Corpus) -> Schedule:
        """All recipes of a teaching in turn, over the taught texts of which something is predicted."""
        texts = len(lessons([passage for passage in corpus.train if len(model.encode(passage.text)) > 1]))
        rates: list[float] = []
        for recipe in (lineage.recipe, *lineage.further):
            total = recipe.epochs * math.ceil(texts / recipe.batch_size)
            rates += [recipe.rate(update, total) for update in range(total)]
        return cls(sum(rates) / len(rates), min(rates), max(rates), len(rates))


def paper_form(rate: float, updates: int, distance: float, sigma: float) -> float:
    """eta^2 (|w_t - w_0| / t) sigma (t^2 - t) / 2: 0 after a single update, which single-gradient unlearning undoes exactly."""
    return rate**2 * (distance / updates) * sigma * (updates**2 - updates) / 2


def code_form(rate: float, updates: int, distance: float, sigma: float) -> float:
    """eta^2 t |w_t - w_0| sigma / 2, as in the paper's code: t / (t - 1) times the form of the paper."""
    return rate**2 * updates * distance * sigma / 2


def sigma_of(smallest: float, largest: float, how: str = SIGMAS[0]) -> float:
    """How strongly the loss curves, from both ends of its Hessian's eigenvalues.

    "absolute eigenvalue" is |lambda| of the larger in size, the top singular value, which the derivation asks for. "square root"
    is its root, which the paper's code takes.
    """
    top = max(abs(smallest), abs(largest))
    return math.sqrt(top) if how == "square root" else top


def gap_on_a_quadratic(hessian: torch.Tensor, gradient: torch.Tensor, rate: float, updates: int) -> tuple[float, float]:
    """Verification error of single-gradient unlearning and of doing nothing, where the loss is a quadratic: in closed form.

    All texts share one Hessian H of shape (n, n); the text to forget takes part in the first of `updates` updates alone, with the
    gradient g of shape (n,). Later updates shrink its trace to (I - eta H)^(t-1) eta g. Unlearning adds eta g to that: the
    error is |(I - (I - eta H)^(t-1)) eta g|, and without unlearning it is |(I - eta H)^(t-1) eta g|.

    Returns:
        Both L2 norms. The first is 0 after one update, and wherever H is 0.
    """
    step = rate * gradient
    contraction = torch.eye(len(hessian), dtype=hessian.dtype) - rate * hessian
    trace = torch.linalg.matrix_power(contraction, updates - 1) @ step
    return float(torch.linalg.vector_norm(step - trace)), float(torch.linalg.vector_norm(trace))


def deviations(recipe: Recipe, schedule: Schedule) -> list[str]:
    """In what a teaching differs from the plain SGD at one rate that the derivation is about; a few words each."""
    found = []
    if recipe.optimizer != "SGD":
        found.append(f"{recipe.optimizer} rescales every gradient")
        if recipe.weight_decay:
            found.append(f"weight decay {number(recipe.weight_decay)}")
    if schedule.slowest < schedule.fastest:
        found.append(f"rates from {number(schedule.slowest)} to {number(schedule.fastest)}, of which the mean is used")
    found.append(f"gradients longer than {number(recipe.clip)} were clipped")
    return found
