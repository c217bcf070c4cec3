"""Solving against explicit inverses, on matrices whose eigenvalues are known and on a model's own curvature."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch

from tests.engine import worlds
from unlearnviz.engine.curvature.products import GaussNewtonProduct, HessianProduct
from unlearnviz.engine.curvature.solving import conjugate_gradients, lissa
from unlearnviz.engine.curvature.spectrum import ends, extreme_eigenvalues
from unlearnviz.engine.progress import drain
from unlearnviz.errors import BadSetting, NotPossible

TEXTS = [passage.text for passage in worlds.corpus().train[:6]]
NAME = "transformer.ln_f.weight"


class Matrix:
    """A product with an explicit matrix."""

    def __init__(self, rows):
        self.rows = torch.as_tensor(rows, dtype=torch.float64)
        self.products = 0

    def times(self, vector):
        self.products += 1
        return {"x": self.rows @ vector["x"]}


def of_eigenvalues(values, seed=0):
    """A symmetric matrix with them, its axes turned at random."""
    turned, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(len(values), len(values))))
    return Matrix(turned @ np.diag(values) @ turned.T)


def vector(*entries):
    return {"x": torch.tensor(entries, dtype=torch.float64)}


def solved(product, right, damping):
    rows = product.rows + damping * torch.eye(len(product.rows), dtype=torch.float64)
    return torch.linalg.solve(rows, right["x"])


RIGHT = vector(*np.random.default_rng(1).normal(size=12))


def test_the_numbers_of_the_literature():
    product, right = Matrix([[3, 1], [1, 2]]), vector(1, -1)
    found = drain(lissa(product, right, scale=10, damp=0.01, tolerance=1e-14, most=5000))
    assert found.vector["x"].tolist() == pytest.approx([0.56261343, -0.74410163], abs=1e-8)
    assert found.vector["x"].tolist() == pytest.approx(solved(product, right, 10 * 0.01).tolist(), rel=1e-12)
    assert found.converged
    assert not found.diverged
    assert (found.damping, found.scale) == (pytest.approx(0.1), 10)
    assert drain(conjugate_gradients(product, right, damping=1e-12, tolerance=1e-13)).vector["x"].tolist() == pytest.approx(
        [0.6, -0.8], rel=1e-10
    )


@pytest.mark.parametrize("damping", [0.01, 0.1, 1.0])
def test_both_ways_find_the_inverse(damping):
    product = of_eigenvalues(np.linspace(0.2, 9, 12))
    truth = solved(product, RIGHT, damping)
    gradients = drain(conjugate_gradients(product, RIGHT, damping=damping, tolerance=1e-13))
    recursion = drain(lissa(product, RIGHT, damping=damping, tolerance=1e-12, most=5000))
    for found in (gradients, recursion):
        assert found.converged
        assert float((found.vector["x"] - truth).norm() / truth.norm()) < 1e-10
        assert found.damping == pytest.approx(damping)
        assert found.negative_curvature is found.damping_needed is None
    assert gradients.iterations <= 13  # as many as there are eigenvalues, and rounding
    assert recursion.iterations > 30


def test_residuals_are_those_of_the_equation():
    product = of_eigenvalues(np.linspace(0.2, 9, 12))
    for way in (conjugate_gradients, lissa):
        for most in (1, 4):
            found = drain(way(product, RIGHT, damping=0.5, most=most))
            left = product.rows @ found.vector["x"] + 0.5 * found.vector["x"] - RIGHT["x"]
            assert found.residual == pytest.approx(float(left.norm() / RIGHT["x"].norm()), rel=1e-10)
            assert (found.iterations, len(found.residuals), found.residuals[0]) == (most, most + 1, 1.0)
            assert not found.converged
            assert f"Stopped after {most} iteration" in found.note
        assert drain(conjugate_gradients(product, RIGHT, damping=0.5, most=4)).residuals[-1] == pytest.approx(
            drain(conjugate_gradients(product, RIGHT, damping=0.5, most=4)).residual, rel=1e-9
        )
    recursion = drain(lissa(product, RIGHT, damping=0.5, scale=20, most=3))
    states, state = [], RIGHT["x"]
    for _ in range(3):
        states.append(state)
        state = RIGHT["x"] + (1 - 0.5 / 20) * state - product.rows @ state / 20
    states.append(state)
    updates = [float((after - before).norm() / RIGHT["x"].norm()) for before, after in pairwise(states)]
    assert recursion.residuals[1:] == pytest.approx(updates, rel=1e-10)
    assert recursion.vector["x"].tolist() == pytest.approx((states[-1] / 20).tolist(), rel=1e-12)


def test_both_ends_of_the_spectrum_are_found_with_their_margin():
    values = np.concatenate(([-0.3], np.linspace(0.0, 0.5, 30), [4.0]))
    product = of_eigenvalues(values)
    start = vector(*np.random.default_rng(3).normal(size=len(values)))
    found = drain(extreme_eigenvalues(product, start, most=12))
    assert (found.smallest, found.largest) == pytest.approx((-0.3, 4.0), abs=1e-3)
    assert found.products == product.products == 12
    for most in range(2, 12):
        rough = drain(extreme_eigenvalues(product, start, most=most))
        for end in (rough.smallest, rough.largest):
            assert np.abs(values - end).min() <= rough.margin + 1e-12
        assert -0.3 - 1e-12 <= rough.smallest <= rough.largest <= 4 + 1e-12
    assert (
        drain(extreme_eigenvalues(Matrix([[2, 0], [0, 5]]), vector(1, 1))).products == 2
    )  # and then nothing is left to see
    assert ends([2.0], [0.0]) == (2.0, 2.0, 0.0)
    with pytest.raises(NotPossible, match="a vector that is 0"):
        drain(extreme_eigenvalues(product, vector(0, 0)))


def test_negative_curvature_stops_conjugate_gradients_and_is_said():
    product = of_eigenvalues([-0.5, *np.linspace(0.1, 3, 11)])
    found = drain(conjugate_gradients(product, RIGHT, damping=0.1, tolerance=1e-12))
    assert not found.converged
    assert -0.5 - 1e-9 <= found.negative_curvature < -0.1
    assert found.damping_needed == pytest.approx(0.5, rel=1e-6)
    assert "curves downward" in found.note
    assert "well above 0.5, or the Gauss-Newton product" in found.note
    assert drain(conjugate_gradients(product, RIGHT, damping=1.1 * found.damping_needed, tolerance=1e-12)).converged
    at_once = drain(conjugate_gradients(Matrix([[-1, 0], [0, -2]]), vector(1, 1)))
    assert (at_once.iterations, at_once.residuals, at_once.residual) == (0, (1.0,), 1.0)
    assert not at_once.vector["x"].any()


def test_divergence_of_the_recursion_is_said_with_its_reason():
    downward = of_eigenvalues([-0.5, *np.linspace(0.1, 3, 11)])
    found = drain(lissa(downward, RIGHT, damping=0.1))
    assert found.diverged
    assert not found.converged
    assert found.negative_curvature < -0.1
    assert "curves downward" in found.note
    assert drain(lissa(downward, RIGHT, damping=0.6)).converged
    steep = of_eigenvalues(np.linspace(0.1, 30, 12))
    found = drain(lissa(steep, RIGHT, scale=10, damping=0.1))
    assert found.diverged
    assert found.negative_curvature is None
    assert "too large for the scale 10: take a larger scale" in found.note
    assert found.residuals[-1] > found.residuals[-2] > found.residuals[-3]
    assert drain(lissa(steep, RIGHT, scale=16, damping=0.1)).converged  # above half of the largest is enough


def test_the_default_scale_of_the_recursion_fits_the_matrix():
    for largest in (0.01, 1.0, 400.0):
        product = of_eigenvalues(np.linspace(largest / 10, largest, 12))
        found = drain(lissa(product, RIGHT, damping=largest / 10))
        assert found.converged
        assert largest <= found.scale <= 2 * largest
        assert drain(lissa(product, RIGHT, damp=0.05)).converged


def test_a_model_s_curvature_is_inverted_like_its_explicit_matrix():
    model = worlds.language_model(dtype=torch.float64, taught=True)
    for kind in (HessianProduct, GaussNewtonProduct):
        product = kind(model, TEXTS, NAME)
        right = product.gradient()
        rows = torch.stack([product.times({NAME: unit})[NAME] for unit in torch.eye(32, dtype=torch.float64)])
        damping = max(0.01, -2 * float(torch.linalg.eigvalsh(rows)[0]))
        truth = torch.linalg.solve(rows + damping * torch.eye(32, dtype=torch.float64), right[NAME])
        for way in (conjugate_gradients, lissa):
            found = drain(way(product, right, damping=damping, tolerance=1e-12, most=5000))
            assert found.converged
            assert float((found.vector[NAME] - truth).norm() / truth.norm()) < 1e-10


def test_an_indefinite_hessian_is_reported_and_gauss_newton_is_not_in_need():
    model = worlds.language_model(dtype=torch.float64)  # taught nothing yet
    right = HessianProduct(model, TEXTS, "all").gradient()
    found = drain(conjugate_gradients(HessianProduct(model, TEXTS, "all"), right, damping=1e-3, tolerance=1e-6, most=300))
    assert found.negative_curvature < -1e-3
    assert not found.converged
    found = drain(
        conjugate_gradients(GaussNewtonProduct(model, TEXTS, "all"), right, damping=1e-3, tolerance=1e-6, most=300)
    )
    assert found.negative_curvature is None
    assert found.converged


def test_rounding_is_said_where_it_stops_the_way():
    product = of_eigenvalues(np.logspace(-6, 3, 12))
    product.rows = product.rows.float()
    right = {"x": RIGHT["x"].float()}
    found = drain(conjugate_gradients(product, right, damping=1e-6, tolerance=1e-9, most=3000))
    assert not found.converged
    assert found.residual > 1e-9


@pytest.mark.parametrize("way", [conjugate_gradients, lissa])
def test_nothing_to_solve_is_solved(way):
    found = drain(way(Matrix([[1.0]]), vector(0)))
    assert found.converged
    assert found.vector["x"].tolist() == [0]
    assert found.iterations == 0


@pytest.mark.parametrize("way", [conjugate_gradients, lissa])
@pytest.mark.parametrize("damping", [0, -0.1, math.nan, math.inf, "much"])
def test_damping_must_be_positive(way, damping):
    with pytest.raises(BadSetting, match=r"damping=.* is not a number above 0 .*give for example damping=0.1"):
        drain(way(Matrix([[1.0]]), vector(1), damping=damping))


def test_other_settings_are_checked_too():
    with pytest.raises(BadSetting, match=r"tolerance=0 is not a number above 0; give for example tolerance=0.001"):
        drain(conjugate_gradients(Matrix([[1.0]]), vector(1), tolerance=0))
    with pytest.raises(BadSetting, match=r"scale=-3"):
        drain(lissa(Matrix([[1.0]]), vector(1), scale=-3))
    with pytest.raises(BadSetting, match=r"damping=0.1 and damp=0.2 were both given"):
        drain(lissa(Matrix([[1.0]]), vector(1), damping=0.1, damp=0.2))
    with pytest.raises(BadSetting, match=r"damp=1.5 would forget all of u"):
        drain(lissa(Matrix([[1.0]]), vector(1), damp=1.5))


@pytest.mark.parametrize("way", [conjugate_gradients, lissa])
def test_what_is_not_finite_is_refused(way):
    with pytest.raises(NotPossible, match="not finite"):
        drain(way(Matrix([[1.0]]), vector(math.nan)))
    with pytest.raises(NotPossible, match="not finite"):
        drain(way(Matrix([[math.nan]]), vector(1)))


def test_progress_says_the_residual_and_is_a_point_to_stop_at():
    reports = list(conjugate_gradients(of_eigenvalues(np.linspace(1, 2, 12)), RIGHT, damping=0.1))
    assert reports[0].text.startswith("residual ")
    assert reports[0].text.endswith(" after 1 product")
    assert [report.done for report in reports] == sorted(report.done for report in reports)
