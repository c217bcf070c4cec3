"""The figure of perplexity, from pictures made by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.views.pictures import HOSTILE, TOM, lines, perplexities, picture, reading
from unlearnviz.engine.corpus import Passage
from unlearnviz.engine.twin import Range
from unlearnviz.views.chart import wire
from unlearnviz.views.perplexity_figure import perplexity
from unlearnviz.views.styles import COLOURS


def test_four_groups_each_told_apart_by_colour_dash_and_marker():
    figure, said = perplexity(picture(perplexities(0, 1.1), perplexities(1, 6.5)))
    drawn = lines(figure)
    assert list(drawn) == ["forget", "neighbours", "retain", "never seen", "single texts"]
    assert list(drawn["forget"].y) == [1.1, 6.5]
    groups = figure.data[:4]
    assert len({trace.line.color for trace in groups}) == len({trace.marker.symbol for trace in groups}) == 4
    assert figure.layout.yaxis.type == "log"
    assert said == (
        "Perplexity at step 1 (lower = better remembered; 10 = as unsure as choosing among 10 tokens): "
        "forget 6.5 (1 text); neighbours 2 (all 1); retain 1.5 (all 1); never seen 18 (all 1). Small dots: single texts."
    )


def test_every_number_says_of_how_many_texts_it_is_and_how_they_were_chosen():
    pools = {"forget": 1, "neighbours": 622, "retain": 602, "never seen": 206}
    _, said = perplexity(picture(perplexities(0, 1.1), pools=pools, no_twin="No twin."))
    assert "forget 1.1 (1 text); neighbours 2 (1 of 622, the most alike); retain 1.5 (1 of 602, fixed sample); " in said
    assert said.endswith("never seen 18 (1 of 206, fixed sample). Small dots: single texts. No twin.")


def test_single_texts_are_dots_beside_the_head_and_nowhere_else():
    values = {"a": 1.5, "b": 400.0, "c": math.inf}
    now = reading("perplexity", [{"group": "retain", "perplexity": 9.0, "per_text": values}], 1)
    named = Passage("b", HOSTILE, HOSTILE)
    figure, _ = perplexity(picture(perplexities(0, 1.0), now, groups={"retain": (named,)}))
    dots = lines(figure)["single texts"]
    assert list(dots.y) == [1.5, 400.0]  # what is not finite has no place
    assert all(1 < x < 1.5 for x in dots.x)
    assert set(dots.marker.color) == {COLOURS["retain"]}
    assert figure.layout.yaxis.range[1] > math.log10(400)  # all of them can be seen
    assert dots.text[0] == "retain: a"
    assert "<" not in dots.text[1]
    back, _ = perplexity(picture(perplexities(0, 1.0), now, step=0))
    assert list(lines(back)["single texts"].y) == [1.0, 2.0, 1.5, 18.0]


def test_the_range_of_the_twins_is_a_band_of_each_group_where_two_or_more_are_known():
    spread = {"forget": Range(17.0, 21.5, 5), "retain": Range(1.4, 1.6, 5)}
    twin = [perplexities(0, 20.0, of="twin")]
    figure, said = perplexity(picture(perplexities(0, 1.25), twin=twin, spread=spread))
    bands = [shape for shape in figure.layout.shapes if shape.type == "rect"]
    assert [(band.y0, band.y1, band.fillcolor) for band in bands] == [
        (17.0, 21.5, COLOURS["forget"]), (1.4, 1.6, COLOURS["retain"])
    ]  # fmt: skip
    assert "twin, which never saw the forget texts: 20; 5 twins that differ in their seeds alone lie between 17 and 21.5 (the bands)." in said
    figure, said = perplexity(picture(perplexities(0, 1.25), twin=twin))
    assert not [shape for shape in figure.layout.shapes if shape.type == "rect"]
    assert said.endswith("20 (one twin, no range).")


def test_while_another_pick_is_measured_the_sentence_says_so_and_the_twin_is_gone():
    person = Passage("tom", "Tom.", "Tom")
    figure, said = perplexity(picture(path=(0, 1), step=1, forget=(person,), no_twin="This twin still met Tom."))
    assert said == "The perplexity of these texts at step 1 is being measured. This twin still met Tom."
    assert [label.text for label in figure.layout.annotations] == []


def test_the_original_and_the_twin_are_labelled_lines_where_a_logarithmic_axis_wants_them():
    both = {"start": [perplexities(0, 1.25, of="start")], "twin": [perplexities(0, 20.0, of="twin")]}
    figure, said = perplexity(picture(perplexities(0, 1.25), **both))
    heights = [shape.y0 for shape in figure.layout.shapes if shape.y0 == shape.y1]
    assert heights == [1.25, 20.0]  # shapes: values
    labels = {label.text: label.y for label in figure.layout.annotations}
    assert labels == {
        "forget, original: 1.25": pytest.approx(math.log10(1.25)),
        "forget, twin: 20": pytest.approx(math.log10(20)),
    }
    assert "Aim for the twin, which never saw the forget texts: 20" in said


def test_a_line_breaks_where_the_texts_change_and_where_a_step_was_not_measured():
    taken = [perplexities(0, 1.0), perplexities(1, 2.0), perplexities(2, 1.1, TOM), perplexities(4, 1.2, TOM)]
    figure, _ = perplexity(picture(*taken))
    parts = [(list(trace.x), trace.showlegend) for trace in figure.data if trace.name == "forget"]
    assert parts == [([0, 1], True), ([2], False), ([4], False)]


def test_on_a_branch_the_axis_and_the_pointer_name_steps_by_their_ids():
    figure, said = perplexity(picture(perplexities(0, 1.0), perplexities(5, 2.0), path=(0, 5, 9), step=5))
    assert list(figure.layout.xaxis.ticktext) == ["0", "5", "9"]
    assert list(lines(figure)["forget"].x) == [0, 1]
    assert list(lines(figure)["forget"].customdata) == [0, 5]
    assert said.startswith("Perplexity at step 5 (")
    assert [shape.x0 for shape in figure.layout.shapes] == [1]  # where we stand


def test_a_long_path_has_at_most_eleven_ticks():
    for length in (10, 11, 12, 95, 1000):
        figure, _ = perplexity(picture(perplexities(0, 1.0), path=range(length)))
        assert 5 <= len(figure.layout.xaxis.tickvals) <= 11


@pytest.mark.parametrize("value", [math.inf, math.nan])
def test_a_perplexity_that_is_not_finite_is_drawn_as_a_gap_and_said(value):
    figure, said = perplexity(picture(perplexities(0, 2.0), perplexities(1, value), twin=[perplexities(0, value)]))
    assert f"forget {value}" in said
    assert len(figure.layout.annotations) == 0
    spec, _ = wire(figure)
    sent = np.frombuffer(spec["data"][0]["y"]["bdata"], "<f8")
    np.testing.assert_array_equal(sent, [2.0, value])


def test_with_nothing_measured_the_sentence_says_what_to_do():
    assert perplexity(picture())[1] == "Pick texts to forget, and their perplexity appears here."
