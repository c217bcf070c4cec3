"""Exposure as numbers: the ranks of T17, the tail against 40 digits of precision, and the codes that are drawn."""

import math
import random

import mpmath
import numpy as np
import pytest
from scipy.stats import skewnorm

from unlearnviz.engine.exposure import FEWEST_FITTED, digits, fitted_exposure, other_codes, ranked_exposure


@pytest.mark.parametrize("secret, exposure", [(0.5, 3.0), (1.0, 2.0), (3.5, 1.0), (9, -0.16992500144231237)])
def test_ranks_among_eight(secret, exposure):
    assert ranked_exposure(secret, range(1, 9)) == pytest.approx(exposure, abs=1e-12)


def test_a_secret_like_any_other_has_log2_e_bits_on_average():
    draw = np.random.default_rng(0)
    found = [ranked_exposure(draw.random(), draw.random(1000)) for _ in range(2000)]
    assert np.mean(found) == pytest.approx(math.log2(math.e), abs=0.1)
    assert np.median(found) == pytest.approx(1, abs=0.1)


def precise(secret, shape, place, scale):
    """-log2 of the skew-normal distribution function, by integrating its density with 40 digits."""
    mpmath.mp.dps = 40
    z, a = (mpmath.mpf(secret) - place) / scale, mpmath.mpf(shape)
    density = lambda x: 2 * mpmath.npdf(x) * mpmath.erfc(-a * x / mpmath.sqrt(2)) / 2  # noqa: E731
    return float(-mpmath.log(mpmath.quad(density, [z - 40, z - 10, z - 3, z - 1, z - mpmath.mpf("0.1"), z]), 2))


@pytest.mark.parametrize("shape", [-3.0, 0.0, 4.0])
@pytest.mark.parametrize("secret", [66.0, 60.0, 45.0, 30.0, 0.0])
def test_the_fitted_tail_keeps_its_digits(shape, secret):
    references = skewnorm.rvs(shape, 60, 8, size=300, random_state=0)
    fitted = skewnorm.fit(references)
    assert fitted_exposure(secret, references) == pytest.approx(precise(secret, *map(float, fitted)), rel=1e-6)


def test_the_fit_finds_the_distribution():
    references = skewnorm.rvs(2, 60, 8, size=20_000, random_state=1)
    assert fitted_exposure(55, references) == pytest.approx(-math.log2(skewnorm.cdf(55, 2, 60, 8)), abs=0.2)
    assert fitted_exposure(1e3, references) == 0


def test_no_distribution_without_references_that_differ():
    assert fitted_exposure(1.0, range(FEWEST_FITTED - 1)) is None
    assert fitted_exposure(1.0, range(FEWEST_FITTED)) > 0
    assert fitted_exposure(1.0, [5.0] * 100) is None
    assert fitted_exposure(1.0, [*range(50), math.inf]) is None
    assert fitted_exposure(math.nan, range(50)) is None


def test_codes_have_the_form_of_the_answer_and_are_nobodys_secret():
    codes = other_codes(" no. 4 1-7.", 500, 3, [" no. 0 0 1.", "code 2 2 2"])
    assert len(codes) == len(set(codes)) == 500
    assert {"".join("#" if each.isdigit() else each for each in code) for code in codes} == {" no. # #-#."}
    assert not {"001", "222"} & {digits(code) for code in codes}
    assert codes == other_codes(" no. 4 1-7.", 500, 3, [" no. 0 0 1.", "code 2 2 2"])
    assert codes != other_codes(" no. 4 1-7.", 500, 4, [" no. 0 0 1.", "code 2 2 2"])


def test_of_a_small_form_all_other_codes_are_taken():
    assert sorted(other_codes("7", 50, 0, ["7", "3"])) == ["0", "1", "2", "4", "5", "6", "8", "9"]
    long = other_codes("9" * 30, 4, 0, [])
    assert [len(digits(code)) for code in long] == [30] * 4
    assert random.Random(0).randrange(10) == int(long[0][0])
