"""The formulas of Unrolling SGD against trainings that are carried out, on losses whose Hessian is known."""

from __future__ import annotations

import math

import pytest
import torch

from tests.engine import worlds
from unlearnviz.engine.learning import Recipe
from unlearnviz.engine.teaching import Lineage
from unlearnviz.engine.unlearning_error import Schedule, code_form, deviations, gap_on_a_quadratic, paper_form, sigma_of

RATE, UPDATES = 0.05, 40


def drawn(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def hessian(seed, size=5):
    root = drawn(seed, size, size)
    return root @ root.T / size


def trained(curved, centres, rate, *, without_first):
    """SGD from 0 on (w - c)'H(w - c) / 2, one centre after another; the gradient of the first centre may be left out of its update."""
    weights = torch.zeros(len(curved), dtype=torch.float64)
    for update, centre in enumerate(centres):
        if update or not without_first:
            weights = weights - rate * curved @ (weights - centre)
    return weights


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("updates", [1, 2, 40])
def test_the_closed_form_is_what_two_trainings_give(seed, updates):
    curved, centres = hessian(seed), drawn(seed + 100, updates, 5)
    with_it, without = (trained(curved, centres, RATE, without_first=left_out) for left_out in (False, True))
    gradient = curved @ -centres[0]  # at the weights before the teaching
    unlearned = with_it + RATE * gradient
    error, nothing = gap_on_a_quadratic(curved, gradient, RATE, updates)
    assert error == pytest.approx(float((unlearned - without).norm()), abs=1e-12)
    assert nothing == pytest.approx(float((with_it - without).norm()), abs=1e-12)


def test_a_single_update_is_undone_and_so_is_every_update_of_a_linear_loss():
    gradient = drawn(1, 5)
    assert gap_on_a_quadratic(hessian(0), gradient, RATE, 1)[0] == 0
    assert gap_on_a_quadratic(torch.zeros(5, 5, dtype=torch.float64), gradient, RATE, UPDATES)[0] == 0


def test_after_contraction_doing_nothing_is_nearer_than_adding_the_stale_gradient():
    error, nothing = gap_on_a_quadratic(hessian(3) + torch.eye(5, dtype=torch.float64), drawn(4, 5), RATE, UPDATES)
    assert nothing < error / 4


def test_for_small_rates_the_gap_is_its_first_order_term():
    curved, gradient = hessian(5), drawn(6, 5)
    error, _ = gap_on_a_quadratic(curved, gradient, 1e-6, UPDATES)
    assert error == pytest.approx(1e-12 * (UPDATES - 1) * float((curved @ gradient).norm()), rel=1e-4)


def test_the_forms_of_the_paper_and_of_its_code():
    assert paper_form(RATE, 1, 3.0, 2.0) == 0
    assert code_form(RATE, 1, 3.0, 2.0) == pytest.approx(RATE**2 * 3)
    for updates in (2, 7, UPDATES):
        paper, code = (form(RATE, updates, 1.3, 3.4) for form in (paper_form, code_form))
        assert paper == pytest.approx(RATE**2 * 1.3 * 3.4 * (updates - 1) / 2)
        assert code == pytest.approx(paper * updates / (updates - 1))


def test_the_two_sigmas_of_the_worked_example():
    """Both numbers come from one quadratic: 0.2194 in the paper's form, 0.1217 in the code's, whose sigma is a square root."""
    top = (UPDATES / (UPDATES - 1) * 0.2194 / 0.1217) ** 2
    distance = 0.2194 / paper_form(RATE, UPDATES, 1.0, sigma_of(-0.1, top))
    assert code_form(RATE, UPDATES, distance, sigma_of(-0.1, top, "square root")) == pytest.approx(0.1217, abs=1e-12)
    assert 3.4 < top < 3.5


def test_sigma_is_the_larger_end_in_size():
    assert sigma_of(-4.0, 1.0) == 4
    assert sigma_of(-4.0, 1.0, "square root") == 2
    assert sigma_of(-1.0, 9.0) == 9


def test_the_schedule_goes_over_every_recipe_of_the_teaching():
    model, corpus = worlds.language_model(), worlds.corpus()
    first, then = Recipe(epochs=3, batch_size=10, learning_rate=0.02, warmup=2), Recipe(epochs=2, batch_size=24, floor=1.0, warmup=0)
    found = Schedule.of(Lineage(first, initial_seed=0, further=(then,)), model, corpus)
    rates = [first.rate(k, 9) for k in range(9)] + [then.learning_rate] * 2
    assert found.updates == 11
    assert found.rate == pytest.approx(math.fsum(rates) / 11)
    assert (found.slowest, found.fastest) == (min(rates), max(rates))


def test_what_differs_from_plain_sgd_is_listed():
    steady = Schedule(0.1, 0.1, 0.1, 5)
    assert deviations(Recipe(optimizer="SGD", clip=2.0), steady) == ["gradients longer than 2 were clipped"]
    assert deviations(Recipe(), Schedule(1e-3, 1e-4, 2e-3, 5)) == [
        "AdamW rescales every gradient",
        "weight decay 0.01",
        "rates from 0.0001 to 0.002, of which the mean is used",
        "gradients longer than 1 were clipped",
    ]
