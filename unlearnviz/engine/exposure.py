"""Exposure: how far a secret stands out among codes of the same form that were never taught."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Collection, Sequence

import numpy as np

FEWEST_FITTED = 20  # references that a distribution of three parameters is fitted to
DRAWS = 20  # for every reference that is wanted: in a small space of codes many are drawn twice
_DIGIT = re.compile("[0-9]")
_RARE = 1e-8  # below this probability the distribution function is integrated by its logarithm


def ranked_exposure(secret: float, references: Sequence[float]) -> float:
    """log2 (number of references) - log2 (rank of the secret among them), in bits.

    Carlini et al. 2019 (arXiv 1802.08232), section 4.2; the rank is 1 + the number of references that are at most as surprising as
    the secret. It reaches from log2 R, where no reference is less surprising, to log2 R - log2 (R + 1), a little below 0.

    Args:
        secret: log2 perplexity of the secret, in bits.
        references: the same of at least one reference; the secret is not among them.
    """
    rank = 1 + sum(reference <= secret for reference in references)
    return math.log2(len(references)) - math.log2(rank)


def fitted_exposure(secret: float, references: Sequence[float]) -> float | None:
    """-log2 F(secret), F the skew-normal distribution fitted to the references: 0 bits and more, without an upper end.

    The extrapolation of Carlini et al. 2019, section 4.3: with few references it tells apart secrets that are all less surprising
    than each of them. None with fewer than FEWEST_FITTED references, and where they are not finite or all equally surprising.
    """
    from scipy.stats import skewnorm

    values = np.asarray([*references, secret])
    if len(references) < FEWEST_FITTED or not np.isfinite(values).all() or np.ptp(values[:-1]) <= 1e-9 * np.abs(values).max():
        return None
    with np.errstate(all="ignore"):  # the search for the parameters tries some that are none
        shape, place, scale = (float(each) for each in skewnorm.fit(references))
        below = float(skewnorm.cdf(secret, shape, place, scale))
    bits = -_log_tail((secret - place) / scale, shape) / math.log(2) if below < _RARE else -math.log2(below)
    return max(0.0, bits)


def _log_tail(place: float, shape: float) -> float:
    """log F of the standard skew-normal distribution far to the left, where F itself has no digits left.

    F(z) = p(z) / r x the integral of p(z - u / r) / p(z) over u from 0, with r the slope of log p at z: the integrand falls from 1
    faster than exp(-u), since log p is concave.
    """
    from scipy.integrate import quad
    from scipy.stats import norm, skewnorm

    here = float(skewnorm.logpdf(place, shape))
    slope = -place + shape * math.exp(float(norm.logpdf(shape * place) - norm.logcdf(shape * place)))
    area, _ = quad(lambda u: math.exp(float(skewnorm.logpdf(place - u / slope, shape)) - here), 0.0, 50.0)
    return here + math.log(area) - math.log(slope)


def other_codes(answer: str, number: int, seed: int, secrets: Collection[str]) -> list[str]:
    """Codes of the same form: every digit of `answer` replaced by a random one, all different; fewer where there are not so many.

    Args:
        answer: a text with digits.
        number: how many codes.
        seed: of the draw; the same form and seed give the same codes.
        secrets: texts whose digits, in their order, no code may have.
    """
    draw, taken = random.Random(seed), {digits(secret) for secret in secrets}
    drawn = dict.fromkeys(_DIGIT.sub(lambda _: str(draw.randrange(10)), answer) for _ in range(DRAWS * number))
    return [code for code in drawn if digits(code) not in taken][:number]


def digits(text: str) -> str:
    """The digits 0 to 9 of a text, in their order."""
    return "".join(_DIGIT.findall(text))


def last_digit(text: str) -> int:
    """The place after the last digit of a text that has one."""
    return max(found.end() for found in _DIGIT.finditer(text))
