"""Membership in numbers: against scikit-learn and scipy, against published formulas written out again, and as laws."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.stats import binomtest, bootstrap
from sklearn.metrics import roc_auc_score, roc_curve
from sklearn.model_selection import StratifiedKFold

from unlearnviz.engine.membership import (
    FOLDS,
    auc,
    auc_interval,
    classifier_accuracy,
    lowest_mean,
    roc,
    separate,
    true_rate_at,
    wilson,
)

SCORES = st.lists(st.integers(-9, 9), min_size=1, max_size=30).map(lambda each: np.array(each, dtype=float))


def labelled(members, others):
    return np.repeat([1, 0], [len(members), len(others)]), np.concatenate([members, others])


def drawn(seed, members=60, others=200, apart=0.7):
    draw = np.random.default_rng(seed)
    return draw.normal(apart, 1, members), draw.normal(0, 1, others)


@pytest.mark.parametrize(
    "count, share, counted", [(1, 0.2, 1), (4, 0.2, 1), (5, 0.2, 1), (9, 0.2, 1), (10, 0.2, 2), (10, 1.0, 10), (7, 0.5, 3)]
)
def test_the_lowest_of_a_text_and_at_least_one(count, share, counted):
    values = np.random.default_rng(count).normal(size=count)
    assert lowest_mean(values, share) == pytest.approx(math.fsum(sorted(values)[:counted]) / counted, abs=1e-12)


@given(SCORES, SCORES)
@settings(deadline=None, max_examples=60)
def test_auc_and_roc_are_those_of_scikit_learn(members, others):
    labels, scores = labelled(members, others)
    assert auc(members, others) == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
    false_rates, true_rates, _ = roc_curve(labels, scores, drop_intermediate=False)
    found = roc(members, others)
    assert found[0] == pytest.approx(false_rates, abs=1e-12)
    assert found[1] == pytest.approx(true_rates, abs=1e-12)
    assert np.trapezoid(found[1], found[0]) == pytest.approx(auc(members, others), abs=1e-12)


@given(SCORES, SCORES, st.sampled_from([lambda x: 3 * x - 7, lambda x: x**3, np.exp, np.arctan]))
@settings(deadline=None, max_examples=60)
def test_only_the_order_counts(members, others, rising):
    assert auc(rising(members), rising(others)) == auc(members, others)
    assert true_rate_at(rising(members), rising(others), 0.1) == true_rate_at(members, others, 0.1)
    assert auc(others, members) == pytest.approx(1 - auc(members, others), abs=1e-12)


@given(SCORES, SCORES, st.sampled_from([0.01, 0.1, 0.5]))
@settings(deadline=None, max_examples=60)
def test_the_best_threshold_with_few_mistakes_is_the_best_of_all(members, others, rate):
    best = 0.0
    for threshold in (*members, *others, math.inf):
        if np.mean(others >= threshold) <= rate:
            best = max(best, float(np.mean(members >= threshold)))
    assert true_rate_at(members, others, rate) == pytest.approx(best, abs=1e-12)


@pytest.mark.parametrize("area", [0.03, 0.5, 0.77, 0.999])
def test_the_ends_are_196_standard_errors_away_as_hanley_and_mcneil_have_them(area):
    count = 80  # of each kind: then (m + n) / 2 - 1 is m - 1
    for end in auc_interval(area, count, count):
        first, second = end / (2 - end), 2 * end**2 / (1 + end)
        variance = (end * (1 - end) + (count - 1) * (first - end**2) + (count - 1) * (second - end**2)) / count**2
        assert abs(area - end) == pytest.approx(1.959964 * math.sqrt(variance), rel=1e-6)


@pytest.mark.parametrize("area", [0.0, 0.4, 1.0])
def test_intervals_are_mirrored_and_hold_the_area(area):
    low, high = auc_interval(area, 60, 200)
    assert 0 <= low <= area <= high <= 1
    assert low < high
    assert auc_interval(1 - area, 200, 60) == pytest.approx((1 - high, 1 - low), abs=1e-9)


def test_the_interval_is_about_that_of_a_bootstrap():
    members, others = drawn(3)
    drawn_again = bootstrap(
        (members, others), auc, n_resamples=600, vectorized=False, method="percentile", rng=np.random.default_rng(0)
    ).confidence_interval
    assert auc_interval(auc(members, others), 60, 200) == pytest.approx(tuple(drawn_again), abs=0.02)


@pytest.mark.parametrize("apart, true", [(0.0, 0.5), (1.1902, 0.8)])
def test_95_of_100_intervals_hold_the_truth(apart, true):
    held = 0
    for seed in range(400):
        members, others = drawn(seed, others=120, apart=apart)
        low, high = auc_interval(auc(members, others), 60, 120)
        held += low <= true <= high
    assert 0.92 <= held / 400 <= 0.98


def by_hand(members, others, seed):
    """Folds of scikit-learn, but a logistic regression of our own: log loss + w^2 / 2, by a general minimiser."""
    size = min(len(members), len(others))
    draw = np.random.default_rng(seed)
    scores = np.concatenate([draw.permutation(members)[:size], draw.permutation(others)[:size]])
    labels = np.repeat([1, 0], size)
    right = []
    for train, test in StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(scores, labels):
        shown = (scores - scores[train].mean()) / scores[train].std()
        signs = 2 * labels[train] - 1
        fitted = minimize(
            lambda w, x=shown[train], s=signs: np.logaddexp(0, -s * (w[0] * x + w[1])).sum() + w[0] ** 2 / 2, [0, 0], tol=1e-12
        ).x
        right.append(np.mean((fitted[0] * shown[test] + fitted[1] > 0) == labels[test]))
    return np.mean(right), 2 * size


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("members, others", [(60, 200), (150, 53)])
def test_the_classifier_is_a_logistic_regression_in_five_balanced_folds(seed, members, others):
    scores = drawn(seed, members, others)
    accuracy, tried = classifier_accuracy(*scores, seed)
    assert (accuracy, tried) == (pytest.approx(by_hand(*scores, seed)[0], abs=1e-6), 2 * min(members, others))
    for scale in (1e-4, 1e4):  # whatever the unit
        assert classifier_accuracy(*(scale * each for each in scores), seed)[0] == pytest.approx(accuracy, abs=1e-6)


@given(st.integers(1, 300), st.floats(0, 1))
@settings(deadline=None, max_examples=30)
def test_the_interval_of_a_share_is_that_of_scipy(count, share):
    hits = round(share * count)
    wanted = binomtest(hits, count).proportion_ci(0.95, "wilson")
    assert wilson(hits / count, count) == pytest.approx(tuple(wanted), abs=1e-9)


def test_apart_all_is_100_and_alike_the_intervals_hold_50():
    apart = separate(*drawn(0, apart=30.0), 0)
    assert (apart.auc, apart.auc_high, apart.true_rate, apart.accuracy) == (100, 100, 100, 100)
    assert 95 < apart.auc_low < 100
    assert 95 < apart.accuracy_low < 100
    alike = separate(*drawn(1, apart=0.0), 0)
    assert alike.auc_low < 50 < alike.auc_high
    assert alike.accuracy_low < 50
    below = separate(*drawn(2, apart=-30.0), 0)
    assert (below.auc, below.auc_low, below.true_rate, below.accuracy) == (0, 0, 0, 100)
    constant = separate(np.ones(50), np.ones(50), 0)
    assert (constant.auc, constant.true_rate, constant.accuracy) == (50, 0, 50)


@pytest.mark.parametrize("others, rate", [(999, 10.0), (1000, 1.0)])
def test_one_percent_needs_a_thousand(others, rate):
    members, unseen = drawn(5, others=others)
    found = separate(members, unseen, 0)
    assert (found.false_rate, found.true_rate) == (rate, 100 * true_rate_at(members, unseen, rate / 100))
