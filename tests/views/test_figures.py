"""Figures from pictures made by hand."""

from __future__ import annotations

import math

import pytest

from tests.views.pictures import HOSTILE, MARA, TOM, lines, norms, perplexities, picture, reading
from unlearnviz.engine.corpus import Passage
from unlearnviz.views import figures, layer_figures
from unlearnviz.views.chart import wire
from unlearnviz.views.perplexity_figure import perplexity
from unlearnviz.views.terms import term

# -- axes -------------------------------------------------------------------------------------------------------------


def test_ticks_are_plain_numbers_that_cover_the_values():
    ticks = figures.log_axis([1.1, 95.0, math.inf, math.nan])
    assert ticks["ticktext"] == ["1", "2", "5", "10", "20", "50", "100", "200", "500"]
    assert figures.log_axis([])["tickvals"][0] == 1.0
    assert figures.log_axis([1.0, 1e8])["ticktext"][-1] == "1e8"
    assert figures.log_axis([1.0, 1e9])["ticktext"] == ["1", "100", "10,000", "1e6", "1e8"]  # there is no room for more
    for values in ([], [1.14, 1.16], [1.0, 1.0], [3.0, 70.0], [1.0, 1e9], [1.0, 9e17], [0.5], [1000.0]):
        axis = figures.log_axis(values)
        low, high = (10**end for end in axis["range"])
        assert low < min(values, default=1.0)
        assert high > max(values, default=1.0)
        assert 1 <= sum(low <= tick <= high for tick in axis["tickvals"]) <= 9  # never an axis without a number


# -- layers -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "group, name",
    [
        ("embedding", "embedding"), ("final norm", "final norm"), ("block 0", "block 0 (the 1st, h.0)"), ("block 1", "block 1 (the 2nd, h.1)"),
        ("block 2", "block 2 (the 3rd, h.2)"), ("block 3", "block 3 (the 4th, h.3)"), ("block 10", "block 10 (the 11th, h.10)"),
        ("block 11", "block 11 (the 12th, h.11)"), ("block 12", "block 12 (the 13th, h.12)"), ("block 20", "block 20 (the 21st, h.20)"),
        ("block 21", "block 21 (the 22nd, h.21)"), ("block 110", "block 110 (the 111th, h.110)"), ("block 120", "block 120 (the 121st, h.120)"),
    ],
)  # fmt: skip
def test_blocks_are_counted_as_papers_count_them_too(group, name):
    assert figures.block_name(group) == name


def test_bars_say_where_it_pulls_and_a_click_on_one_gives_its_group():
    figure, said = layer_figures.layers_now(picture(norms(0, 3.0, 9.0, 1.0), start=[norms(0, 1.0, 1.0, 1.0)]), "block 0")
    now = lines(figure)["now"]
    assert list(now.customdata) == ["block 1", "block 0", "embedding"]  # plotly draws upwards
    assert list(now.x) == [1.0, 9.0, 3.0]
    assert list(now.marker.line.width) == [0, 3, 0]
    assert list(lines(figure)["at the start"].x) == [1.0, 1.0, 1.0]
    assert said.startswith("The forget texts pull hardest at block 0 (the 1st, h.0) (9 nats per unit of weight")
    assert "A long bar" in said


def test_the_two_uses_of_a_tied_embedding_are_thinner_hatched_bars_and_said_to_be_parts():
    rows = [{"group": "embedding", "norm": 5.0}, {"group": "embedding.input", "norm": 4.0, "part_of": "embedding"},
            {"group": "embedding.output", "norm": 9.0, "part_of": "embedding"}, {"group": "block 0", "norm": 1.0}]  # fmt: skip
    figure, said = layer_figures.layers_now(picture(reading("gradient-norm", rows)), "head")
    now = lines(figure)["now"]
    assert list(now.y) == ["block 0 (the 1st, h.0)", "embedding.output", "embedding.input", "embedding"]
    assert list(now.marker.pattern.shape) == ["", "/", "/", ""]
    assert now.width[1] < now.width[0]
    assert list(now.marker.line.width) == [0, 3, 0, 0]  # in a tied model the head is the embedding's output use
    assert said.startswith("The forget texts pull hardest at embedding (5 nats")  # a part is not a place beside the whole
    assert said.endswith(term("embedding.output").sentence)
    plain = layer_figures.layers_now(picture(norms(0, 1.0, 2.0)), "all")
    assert "used twice" not in plain[1]
    assert list(lines(plain[0])["now"].marker.pattern.shape) == ["", ""]


def test_bars_of_what_was_not_measured_are_a_sentence():
    assert layer_figures.layers_now(picture(), "embedding") == (
        None,
        "Gradient norms are not measured for this step: press Measure now.",
    )


@pytest.mark.parametrize("odd, strongest", [(math.nan, "block 0"), (math.inf, "embedding")])
def test_bars_that_are_not_finite_do_not_hide_the_others(odd, strongest):
    figure, said = layer_figures.layers_now(picture(norms(0, odd, 2.0, 1.0)), "all")
    assert figure is not None
    assert f"hardest at {strongest}" in said


def test_the_heat_map_has_a_column_per_step_blank_where_nothing_was_measured():
    figure, said = layer_figures.layers_over_steps(picture(norms(0, 1.0, 10.0), norms(7, 100.0, 0.0), path=(0, 3, 7)))
    (heat,) = figure.data
    assert [list(line) for line in heat.z] == [[1.0, None, None], [0.0, None, 2.0]]
    assert heat.customdata[1][2] == ["embedding", "100", 7, "step 7"]
    assert list(heat.y) == ["block 0 (the 1st, h.0)", "embedding"]
    assert said == "Gradient norm of the forget texts in each part of the model at 2 steps, from 1 (dark) to 100 (light)."
    assert layer_figures.layers_over_steps(picture())[0] is None


def test_the_heat_map_has_a_white_line_where_the_texts_change_and_none_at_a_gap():
    taken = [norms(0, 1.0, 2.0), norms(2, 1.0, 2.0), norms(3, 1.0, 2.0, passages=TOM)]
    figure, said = layer_figures.layers_over_steps(picture(*taken, path=range(4)))
    assert [shape.x0 for shape in figure.layout.shapes] == [2.5]
    assert said.endswith(" A white line: from there on other texts were picked.")
    figure, said = layer_figures.layers_over_steps(picture(*taken[:2], path=range(4)))
    assert len(figure.layout.shapes) == 0
    assert "white" not in said


# -- drift ------------------------------------------------------------------------------------------------------------


def distances(step, start, twin, passages=MARA):
    rows = [
        {"group": "embedding", "from_start": 0.0, "to_twin": twin},
        {"group": "all", "from_start": start, "to_twin": twin},
    ]
    return reading("update-size", rows, step, passages)


def test_drift_is_the_whole_model_from_the_start_and_to_the_twin():
    figure, said = figures.drift(picture(distances(0, 0.0, 37.0), distances(1, 0.25, 36.9)))
    assert {name: list(trace.y) for name, trace in lines(figure).items()} == {
        "from the start": [0.0, 0.25],
        "to the twin": [37.0, 36.9],
    }
    assert "have moved 0.25 from the start (L2 norm of the difference) and are 36.9 from the twin" in said


def test_drift_breaks_where_the_texts_change_because_their_twin_is_another():
    taken = [distances(0, 0.0, 37.0), distances(1, 0.2, 36.0), distances(2, 0.3, 12.0, TOM), distances(3, 0.4, None, TOM)]
    figure, _ = figures.drift(picture(*taken))
    assert [(trace.name, list(trace.x), trace.showlegend) for trace in figure.data] == [
        ("from the start", [0, 1], True), ("from the start", [2, 3], False),
        ("to the twin", [0, 1], True), ("to the twin", [2], False),
    ]  # fmt: skip


def test_drift_without_a_twin_says_so():
    figure, said = figures.drift(picture(distances(0, 0.0, None)))
    assert list(lines(figure)) == ["from the start"]
    assert said.endswith("there is no twin to measure the distance to.")
    assert figures.drift(picture())[1] == "The distance from the start appears here."


# -- all --------------------------------------------------------------------------------------------------------------


def test_names_of_people_and_texts_reach_no_figure():
    person = Passage(id=HOSTILE, text=HOSTILE, subject=HOSTILE)
    full = picture(
        perplexities(0, 1.0), norms(0, 1.0, 2.0), distances(0, 0.0, 1.0),
        forget=(person,), groups={"forget": (person,)}, branch=HOSTILE, branches={HOSTILE: 0}, notes=(HOSTILE,),
    )  # fmt: skip
    drawn = [
        perplexity(full),
        layer_figures.layers_now(full, HOSTILE),
        layer_figures.layers_over_steps(full),
        figures.drift(full),
    ]
    for figure, said in drawn:
        assert "<img" not in str(wire(figure)) + said


def test_figures_change_nothing_and_say_the_same_twice():
    full = picture(perplexities(0, 1.0), norms(0, 1.0, 2.0), distances(0, 0.0, 1.0))
    before = repr(full)
    for draw in (perplexity, layer_figures.layers_over_steps, figures.drift, lambda each: layer_figures.layers_now(each, "all")):
        (one, said), (other, again) = draw(full), draw(full)
        assert one.to_json() == other.to_json()
        assert said == again
    assert repr(full) == before


def test_figures_look_as_with_the_template_they_take_their_looks_from():
    import plotly.io

    def within(part, whole):
        if isinstance(part, dict):
            return all(key in whole and within(each, whole[key]) for key, each in part.items())
        if isinstance(part, list | tuple):
            return all(within(each, other) for each, other in zip(part, whole, strict=True))
        return part == whole

    figure, _ = perplexity(picture(perplexities(0, 1.0)))
    ours = figure.layout.template.to_plotly_json()
    for axis in ("xaxis", "yaxis"):  # numbers are written as everywhere else on the page
        assert ours["layout"][axis].pop("exponentformat") == "none"
        assert ours["layout"][axis].pop("separatethousands") is True
    assert within(ours, plotly.io.templates["plotly_white"].to_plotly_json())


def test_blocks_have_the_name_that_the_model_itself_gives_them():
    assert figures.block_name("block 11", "layers") == "block 11 (the 12th, layers.11)"
    figure, said = layer_figures.layers_now(picture(norms(0, 3.0, 9.0, 1.0), module="layers"), "block 0")
    assert list(lines(figure)["now"].y) == ["block 1 (the 2nd, layers.1)", "block 0 (the 1st, layers.0)", "embedding"]
    assert "hardest at block 0 (the 1st, layers.0)" in said
