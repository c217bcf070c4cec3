"""Results: written with six digits, read again, and missed in a sentence."""

import math

import pytest

from unlearnviz.demo import results
from unlearnviz.errors import BadModel


def test_written_with_six_digits_and_read_again(tmp_path):
    results.write({"x": 1 / 3, "n": 3, "none": None}, tmp_path / "x.json")
    assert results.read(tmp_path / "x.json", "It", "make it") == {"x": 0.333333, "n": 3, "none": None}


def test_a_file_that_is_not_there_says_what_makes_it(tmp_path):
    sentence = f"The check is not in '{tmp_path / 'x.json'}'; `unlearnviz check` makes it (`unlearnviz --help` says how long that takes)."
    with pytest.raises(BadModel) as caught:
        results.read(tmp_path / "x.json", "The check", "unlearnviz check")
    assert str(caught.value) == sentence


def test_an_interval_is_that_of_a_table_of_student_s_t():
    found = results.interval([1.0, 2.0, 3.0, 4.0, 5.0])
    assert found["mean"] == 3
    assert found["high"] - 3 == pytest.approx(2.776445 * 2.5**0.5 / 5**0.5, rel=1e-6)  # 2.776 stands in every table for 4 degrees
    assert 3 - found["low"] == pytest.approx(found["high"] - 3)
    assert results.interval([7.0]) == {"mean": 7.0, "low": None, "high": None, "seeds": 1}


def test_ratios_and_growths_have_the_intervals_of_their_logarithms():
    found, logs = results.ratio([0.5, 1.0, 4.0]), results.interval([math.log(0.5), 0.0, math.log(4.0)])
    assert [math.log(found[name]) for name in ("mean", "low", "high")] == pytest.approx([logs[name] for name in ("mean", "low", "high")])
    assert found["seeds"] == 3
    assert found["mean"] == pytest.approx(2 ** (1 / 3))
    grown = results.growth([-50.0, 0.0, 300.0])
    assert [grown[name] for name in ("mean", "low", "high")] == pytest.approx([100 * (found[name] - 1) for name in ("mean", "low", "high")])
    assert results.growth([10.0]) == {"mean": pytest.approx(10.0), "low": None, "high": None, "seeds": 1}
