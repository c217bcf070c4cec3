"""The figure of perplexity, from pictures made by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.views.pictures import TOM, lines, perplexities, picture
from unlearnviz.views.chart import wire
from unlearnviz.views.perplexity_figure import perplexity


def test_four_groups_each_told_apart_by_colour_dash_and_marker():
    figure, said = perplexity(picture(perplexities(0, 1.1), perplexities(1, 6.5)))
    drawn = lines(figure)
    assert list(drawn) == ["forget", "neighbours", "retain", "never seen"]
    assert list(drawn["forget"].y) == [1.1, 6.5]
    assert len({trace.line.color for trace in figure.data}) == len({trace.marker.symbol for trace in figure.data}) == 4
    assert figure.layout.yaxis.type == "log"
    assert said == (
        "Perplexity at step 1, lower = better remembered: forget 6.5, neighbours 2, retain 1.5, never seen 18. "
        "No twin was trained without these texts; compare with the never-seen texts."
    )


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
    assert said.endswith("Aim for the twin, which never saw the forget texts: 20.")


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
    assert said.startswith("Perplexity at step 5,")
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
