"""Likelihood ratio: confidences on known probabilities and against logits, and lifts against scipy's normal distribution."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import log_softmax, logsumexp
from scipy.stats import norm

from unlearnviz.engine.likelihood_ratio import SPREADS, confidences, lifts


def test_confidences_on_known_probabilities():
    found = confidences(np.log([0.9, 0.5, 0.1]))
    assert found[0] == pytest.approx(2.1972245773, abs=1e-10)
    assert found[1] == 0.0
    assert found[2] == pytest.approx(-found[0], abs=1e-14)


def test_they_are_those_of_the_logits_of_all_other_tokens():
    logits = np.random.default_rng(3).normal(size=(40, 300)) * np.linspace(0.1, 12, 40)[:, None]
    targets = np.where(np.arange(40) % 2, logits.argmax(axis=1), np.arange(40))
    rows = np.arange(40)
    others = logits.copy()
    others[rows, targets] = -np.inf
    wanted = logits[rows, targets] - logsumexp(others, axis=1)
    assert confidences(log_softmax(logits, axis=1)[rows, targets]) == pytest.approx(wanted, rel=1e-9, abs=1e-9)
    assert wanted.max() > 8


@pytest.mark.parametrize("log_probability", [-1e-3, -1e-9, -1e-15, -1.0, -50.0, -1e4])
def test_they_lose_no_digits_at_either_end(log_probability):
    exact = log_probability - (math.log(-math.expm1(log_probability)) if log_probability > -40 else 0.0)
    assert confidences(np.array([log_probability]))[0] == pytest.approx(exact, rel=1e-14)


def test_a_probability_that_rounds_to_1_or_to_0():
    sure, impossible = confidences(np.array([0.0, -np.inf]))
    assert sure == pytest.approx(53 * math.log(2), abs=1e-12)
    assert impossible == -np.inf


@pytest.mark.parametrize("spread", SPREADS)
@pytest.mark.parametrize("models", [2, 5, 16])
def test_the_chance_is_that_of_a_normal_distribution_around_the_median(spread, models):
    draw = np.random.default_rng(models)
    out, now = draw.normal(2, 3, size=(models, 30)), draw.normal(4, 6, size=30)
    wanted = []
    own = [sum((each - column.mean()) ** 2 for each in column) / (models - 1) for column in out.T]
    for mine, column, variance in zip(now, out.T, own, strict=True):
        middle = sorted(column)
        median = (middle[(models - 1) // 2] + middle[models // 2]) / 2
        wanted.append(norm.cdf(mine, median, math.sqrt(sum(own) / len(own) if spread == SPREADS[0] else variance)))
    found = lifts(now, out, spread)
    assert norm.cdf(found) == pytest.approx(wanted, rel=1e-9, abs=1e-12)


def test_easy_texts_are_not_known_ones_and_what_is_far_above_has_an_order():
    out = np.array([[0.0, 9.0], [1.0, 10.0]])
    hard, easy = lifts(np.array([5.0, 9.5]), out)
    assert (hard, easy) == (pytest.approx(4.5 * math.sqrt(2)), 0)
    rising = [lifts(np.array([phi, phi]), out)[0] for phi in (-300.0, -200.0, 0.5, 200.0, 300.0)]
    assert rising == sorted(rising)
    assert len(set(rising)) == 5


def test_models_that_agree_to_the_last_digit_do_not_divide_by_0():
    assert lifts(np.array([1.0, -1.0, 0.0]), np.zeros((2, 3))).tolist() == pytest.approx([1e30, -1e30, 0.0])
