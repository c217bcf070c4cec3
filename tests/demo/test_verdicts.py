"""Verdicts: each rule on intervals made for it."""

from __future__ import annotations

import pytest

from unlearnviz.demo import results
from unlearnviz.demo.verdicts import DEPENDS, NOT_HERE, REPRODUCED, UNDECIDED, claim, shown, verdict

LOW, HIGH, OPEN = {"low": -2.0, "high": -1.0}, {"low": 1.0, "high": 2.0}, {"low": -1.0, "high": 1.0}
ONE_SEED = {"low": None, "high": None}


@pytest.mark.parametrize(
    "intervals, said",
    [
        ([LOW], REPRODUCED),
        ([LOW, LOW], REPRODUCED),
        ([LOW, OPEN], DEPENDS),
        ([LOW, HIGH], DEPENDS),
        ([HIGH, OPEN], NOT_HERE),
        ([HIGH], NOT_HERE),
        ([OPEN, OPEN], UNDECIDED),
        ([ONE_SEED], UNDECIDED),
        ([{"low": 0.0, "high": 0.0}], UNDECIDED),
    ],
)
def test_a_verdict_follows_from_where_the_intervals_lie(intervals, said):
    assert verdict(intervals, "below") == said
    mirrored = [{"low": each["high"] and -each["high"], "high": each["low"] and -each["low"]} for each in intervals]
    assert verdict(mirrored, "above") == said


def test_another_line_moves_what_counts():
    assert verdict([OPEN], "below", line=5.0) == REPRODUCED
    assert verdict([OPEN], "below", line=-5.0) == NOT_HERE


def test_a_claim_shows_its_first_setting_and_judges_all_of_them():
    values = {"warm": [-1.0, -2.0, -3.0, -2.0], "cold": [1.0, -1.0, 0.5, -0.5]}
    found = claim(values, "below", "nats", because="warm {0}; cold {1}.")
    warm, cold = (results.interval(each) for each in values.values())
    assert (found["estimate"], found["low"], found["high"]) == (warm["mean"], warm["low"], warm["high"])
    assert found["verdict"] == DEPENDS
    assert found["because"] == f"warm {shown(warm)}; cold {shown(cold)}."
    assert found["settings"] == {"warm": warm, "cold": cold}
    assert shown({"mean": 1.25, "low": 1.0, "high": 1.5}) == "1.25 (1 to 1.5)"
    assert shown({"mean": 1.25, "low": None, "high": None}) == "1.25"
