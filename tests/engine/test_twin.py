"""The range in which twins of other seeds lie."""

from __future__ import annotations

import math

from unlearnviz.engine.probes.probe import Reading
from unlearnviz.engine.twin import Range, ranges


def reading(**groups):
    rows = tuple({"group": group, "perplexity": value} for group, value in groups.items())
    return Reading("perplexity", "perplexity", 0, "twin", "perplexity", "lower", None, rows)


def test_a_range_goes_from_the_lowest_to_the_highest_twin_of_each_group():
    twins = [reading(forget=20.0, retain=1.5), reading(forget=17.0, retain=1.4)]
    assert ranges(twins, {}) == {"forget": Range(17.0, 20.0, 2), "retain": Range(1.4, 1.5, 2)}
    assert ranges(twins, {"forget": (25.0, 16.0)}) == {"forget": Range(16.0, 25.0, 4), "retain": Range(1.4, 1.5, 2)}


def test_one_twin_has_no_range_and_a_number_that_is_not_finite_counts_as_none():
    assert ranges([reading(forget=20.0)], {}) == {}
    assert ranges([], {"forget": (20.0,)}) == {}
    assert ranges([reading(forget=20.0), reading(forget=math.inf)], {"forget": (math.nan,)}) == {}
    assert ranges([reading(forget=20.0)], {"forget": (18.0,)}) == {"forget": Range(18.0, 20.0, 2)}
