"""The sentence after a step."""

from __future__ import annotations

import math

import pytest

from unlearnviz.engine.narration import narrate
from unlearnviz.engine.numbers import number
from unlearnviz.engine.probes.probe import Reading

TEXTS = {"forget": ("a",), "retain": ("b",)}
ARROW = "\N{RIGHTWARDS ARROW}"


def reading(passages=TEXTS, **groups):
    rows = tuple({"group": group.replace("_", " "), "perplexity": value} for group, value in groups.items())
    return Reading("perplexity", "perplexity", 0, "now", "perplexity", "lower", rows[0]["perplexity"], rows, passages)


def test_what_rose_what_stayed_and_how_it_stands_against_the_twin():
    before = reading(forget=2.5, neighbours=2.4, retain=1.500)
    now = reading(forget=6.5, neighbours=2.6, retain=1.501)
    said = f"forget 2.5 {ARROW} 6.5, as the twin (6.1); neighbours 2.4 {ARROW} 2.6; retain unchanged (1.5)."
    assert narrate(before, now, reading(forget=6.1)) == said


def test_at_the_start_there_is_nothing_to_compare_with():
    assert narrate(None, reading(forget=1.14, never_seen=18.41)) == "forget 1.14; never seen 18.4."


def test_other_texts_are_not_compared():
    before = reading({"forget": ("z",), "retain": ("b",)}, forget=2.5, retain=1.5)
    assert narrate(before, reading(forget=6.5, retain=1.5)) == "forget 6.5; retain 1.5."
    assert narrate(reading(forget=2.5), reading(forget=6.5, retain=1.5)) == f"forget 2.5 {ARROW} 6.5; retain 1.5."


@pytest.mark.parametrize(
    "value, siblings, place",
    [
        (8.9, (), "still below the twin"),
        (9.1, (), "as the twin"),
        (10.9, (), "as the twin"),
        (11.1, (), "past the twin"),
        (7.1, (7.0, 12.5), "as the twin"),
        (12.4, (7.0, 12.5), "as the twin"),
        (9.1, (9.8, 10.2), "as the twin"),
        (12.6, (7.0, 12.5), "past the twin"),
        (math.inf, (), "past the twin"),
    ],
)
def test_as_the_twin_means_within_ten_percent_or_within_its_siblings(value, siblings, place):
    assert narrate(None, reading(forget=value), reading(forget=10.0), siblings) == f"forget {number(value)}, {place} (10)."


def test_numbers_that_are_not_finite_are_said():
    assert narrate(reading(forget=5.0), reading(forget=math.inf)) == f"forget 5 {ARROW} inf."
    assert narrate(reading(forget=math.inf), reading(forget=math.inf)) == "forget unchanged (inf)."
    assert narrate(reading(forget=math.inf), reading(forget=5.0)) == f"forget inf {ARROW} 5."
    assert "nan" in narrate(reading(forget=5.0), reading(forget=math.nan))
