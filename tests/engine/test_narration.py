"""The sentence after a step."""

from __future__ import annotations

import math

import pytest
import torch

from tests.engine import worlds
from unlearnviz.engine.methods.gradient_ascent import GradientAscent
from unlearnviz.engine.narration import narrate, nothing_changed
from unlearnviz.engine.probes.probe import Reading
from unlearnviz.engine.twin import Range
from unlearnviz.numbers import MINUS, number

TEXTS = {"forget": ("a",), "retain": ("b",)}
ARROW = "\N{RIGHTWARDS ARROW}"


def reading(passages=TEXTS, **groups):
    rows = tuple({"group": group.replace("_", " "), "perplexity": value} for group, value in groups.items())
    return Reading("perplexity", "perplexity", 0, "now", "perplexity", "lower", rows[0]["perplexity"], rows, passages)


def test_what_rose_and_by_how_much_and_how_it_stands_against_the_twin():
    start = reading(forget=2.0, neighbours=2.4, retain=1.500)
    before = reading(forget=2.5, neighbours=2.4, retain=1.500)
    now = reading(forget=6.5, neighbours=2.6, retain=1.512)
    said = (
        f"forget 2.5 {ARROW} 6.5 (+225 % since the start), as the twin (6.1); neighbours 2.4 {ARROW} 2.6 (+8.3 %); "
        f"retain 1.5 {ARROW} 1.51 (+0.8 %)."
    )
    assert narrate(before, now, reading(forget=6.1), start=start) == said
    assert narrate(before, now, reading(forget=6.1)).startswith(f"forget 2.5 {ARROW} 6.5, as the twin (6.1); ")


@pytest.mark.parametrize(
    "before, now, said",
    [
        (1.50, 1.52, "retain unchanged (1.52, +1.3 % since the start)"),
        (1.52, 1.50, "retain unchanged (1.5, ±0.0 % since the start)"),
        (1.50, 1.50, "retain unchanged (1.5, ±0.0 % since the start)"),
        (1.49, 1.51, f"retain 1.49 {ARROW} 1.51 (+0.7 % since the start)"),  # a step into the range
        (1.51, 1.551, f"retain 1.51 {ARROW} 1.55 (+3.4 % since the start)"),  # and one out of it, though small
        (1.60, 1.60, "retain still 1.6 (+6.7 % since the start)"),
        (1.40, 1.401, f"retain 1.4 {ARROW} 1.4 ({MINUS}6.6 % since the start)"),
    ],
)
def test_unchanged_is_said_inside_the_range_of_the_twins_only_and_with_the_number(before, now, said):
    start = reading(retain=1.5)
    assert narrate(reading(retain=before), reading(retain=now), None, {"retain": Range(1.5, 1.55, 3)}, start) == f"{said}."


def test_what_left_the_range_since_the_start_is_not_unchanged_by_a_small_step():
    spread, start = {"never seen": Range(18.6, 20.5, 5)}, reading(never_seen=18.4)
    said = narrate(reading(never_seen=19.1), reading(never_seen=19.5), None, spread, start)
    assert said == f"never seen 19.1 {ARROW} 19.5 (+6.0 % since the start)."
    assert narrate(reading(never_seen=19.1), reading(never_seen=19.5), None, spread) == "never seen unchanged (19.5)."


def test_without_a_range_nothing_is_called_unchanged():
    for spread in ({}, {"forget": Range(1.0, 99.0, 2)}):
        for now in (1.5, 1.5000001, 1.6):
            assert "unchanged" not in narrate(reading(retain=1.5), reading(retain=now), None, spread, reading(retain=1.5))


def test_a_start_of_other_texts_gives_no_percent():
    other = reading({"forget": ("z",), "retain": ("b",)}, forget=2.0)
    assert narrate(reading(forget=2.5), reading(forget=5.0), start=other) == f"forget 2.5 {ARROW} 5."


def test_at_the_start_there_is_nothing_to_compare_with():
    assert narrate(None, reading(forget=1.14, never_seen=18.41)) == "forget 1.14; never seen 18.4."


def test_other_texts_are_not_compared():
    before = reading({"forget": ("z",), "retain": ("b",)}, forget=2.5, retain=1.5)
    assert narrate(before, reading(forget=6.5, retain=1.5)) == "forget 6.5; retain 1.5."
    assert narrate(reading(forget=2.5), reading(forget=6.5, retain=1.5)) == f"forget 2.5 {ARROW} 6.5; retain 1.5."


@pytest.mark.parametrize(
    "value, seeds, place",
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
def test_as_the_twin_means_within_ten_percent_or_within_the_range_of_the_seeds(value, seeds, place):
    spread = {"forget": Range(*seeds, 3)} if seeds else {}
    assert narrate(None, reading(forget=value), reading(forget=10.0), spread) == f"forget {number(value)}, {place} (10)."


def test_numbers_that_are_not_finite_are_said():
    assert narrate(reading(forget=5.0), reading(forget=math.inf)) == f"forget 5 {ARROW} inf."
    assert narrate(reading(forget=math.inf), reading(forget=math.inf)) == "forget still inf."
    assert narrate(reading(forget=math.inf), reading(forget=5.0)) == f"forget inf {ARROW} 5."
    assert "nan" in narrate(reading(forget=5.0), reading(forget=math.nan))
    assert narrate(reading(forget=5.0), reading(forget=math.nan), start=reading(forget=5.0)) == f"forget 5 {ARROW} nan."


def test_a_step_that_changed_nothing_says_why_where_it_is_known():
    ended = nothing_changed("gradient-ascent", "embedding", ended="each text was taken once", kind="float32")
    assert ended == (
        "This step changed nothing: gradient-ascent left all weights of embedding as they were, bit for bit; its stop rule was reached before "
        "it began: each text was taken once."
    )
    assert "smaller than float16 can hold" in nothing_changed("gradient-ascent", "block 1", kind="float16")


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_step_too_small_for_the_numbers_is_kept_and_says_that_it_changed_nothing(dtype):
    session = worlds.session(dtype=dtype)
    before = session.fingerprint()
    record = session.step(GradientAscent(learning_rate=1e-30))
    assert (session.fingerprint(), dict(record.update_norm)) == (before, {})
    kind = str(dtype).removeprefix("torch.")
    assert record.narration.startswith("This step changed nothing: gradient-ascent left all weights of embedding as they were, bit for bit; ")
    assert f"smaller than {kind} can hold" in record.narration
    assert "changed nothing" not in session.step(GradientAscent()).narration
