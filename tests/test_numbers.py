"""Numbers as they are written for people."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unlearnviz.numbers import MINUS, change, number, percent, signed

finite = st.floats(allow_nan=False, allow_infinity=False)
plain = st.floats(min_value=1e-6, max_value=999_499, allow_nan=False)


def read(written):
    """The number that a person reads."""
    return float(written.replace(",", "").replace(MINUS, "-").lstrip("+±"))


@pytest.mark.parametrize(
    "value, said",
    [
        (0.0, "0"),
        (-0.0, "0"),
        (1.1448, "1.14"),
        (2.0, "2"),
        (0.000012345, "0.0000123"),
        (21.63, "21.6"),
        (-0.5, "−0.5"),
        (478.2, "478"),
        (999.4, "999"),
        (999.6, "1,000"),
        (1052.7, "1,050"),
        (999_499.0, "999,000"),
        (999_999.0, "1e6"),
        (2.5e7, "2.5e7"),
        (-1.234e-9, "−1.23e-9"),
        (math.inf, "inf"),
        (-math.inf, "−inf"),
        (math.nan, "nan"),
    ],
)
def test_numbers_are_written_as_people_write_them(value, said):
    assert number(value) == said


@given(finite)
def test_what_is_written_is_the_value_to_three_digits_whatever_its_size(value):
    assert read(number(value)) == float(f"{value:.2e}")


@given(plain, st.sampled_from([1, -1]))
def test_below_a_million_nothing_is_written_with_powers_of_ten(value, sign):
    written = number(sign * value)
    assert re.fullmatch(rf"{MINUS}?(\d{{1,3}}|\d{{1,3}},\d{{3}}|\d{{1,2}}\.\d{{1,2}}|0\.0*[1-9]\d{{0,2}})", written)
    assert "-" not in written
    assert len(re.sub(r"\D", "", written).strip("0")) <= 3


@given(finite)
def test_a_signed_number_always_has_its_sign(value):
    written = signed(value)
    assert written[0] == ("±" if value == 0 else "+" if value > 0 else MINUS)
    assert read(written[1:] if value else "0") == read(number(abs(value)))
    assert signed(-value)[1:] == written[1:]


def test_a_sign_of_what_is_not_finite():
    assert [signed(each) for each in (math.inf, -math.inf, math.nan)] == ["+inf", "−inf", "nan"]


@pytest.mark.parametrize(
    "share, said",
    [
        (0.05, "+5.0 %"),
        (0.3412, "+34.1 %"),
        (-0.034, "−3.4 %"),
        (0.0, "±0.0 %"),
        (0.0001, "±0.0 %"),
        (0.9996, "+100 %"),
        (12.3456, "+1,230 %"),
        (math.inf, "+inf %"),
        (math.nan, "nan %"),
    ],
)
def test_shares_are_signed_percentages(share, said):
    assert percent(share) == said


@given(st.floats(min_value=-1, max_value=9000))
def test_percentages_are_right_to_a_tenth_or_to_three_digits(share):
    assert abs(read(percent(share).removesuffix(" %")) - 100 * share) <= max(0.0501, 0.501 * abs(share))


def test_a_change_is_a_percentage_of_the_start():
    assert change(11.5, 10.0) == "+15.0 %"
    assert change(1.0, 10.0) == "−90.0 %"
    assert change(math.inf, 10.0) == "+inf %"
    assert [change(5.0, 0.0), change(5.0, math.inf), change(math.nan, 2.0)] == ["", "", ""]
