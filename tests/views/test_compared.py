"""Compared: another branch beside the present one, dashed against solid, as circles beside bars, or below."""

from __future__ import annotations

import math
from dataclasses import replace

import plotly.graph_objects as go
import pytest

from tests.views.pictures import HOSTILE, MARA, TOM, lines, norms, perplexities, reading, record
from unlearnviz.engine.corpus import Passage
from unlearnviz.views.compared import DASH, WIDTH, below, beside, fork, other, over
from unlearnviz.views.figures import compose, drift
from unlearnviz.views.layer_figures import layers_now, layers_over_steps
from unlearnviz.views.perplexity_figure import perplexity
from unlearnviz.views.picture import Picture
from unlearnviz.views.stacked import stacked

FORGET = tuple(Passage(name, name) for name in MARA["forget"])


def tree(*readings, compared="side", here=2, side=5, **more):
    """main: 0, 1, 2; side leaves it at step 1: 3, 4, 5."""
    parents = {0: None, 1: 0, 2: 1, 3: 1, 4: 3, 5: 4}
    records = tuple(replace(record(step, parent), branch="side" if step > 2 else "main") for step, parent in parents.items())
    path = (0, 1, 2)[: here + 1]
    taken: dict[int, list] = {step: [] for step in parents}
    for each in readings:
        taken[each.step].append(each)
    known: dict[str, dict] = {}
    for step in path:
        for each in taken[step]:
            known.setdefault(each.label, {})[step] = each
    branches = {"main": 2, "side": side, HOSTILE: 5}
    given = {"step": here, "path": path, "records": records[: here + 1], "tree": records, "readings": known, "taken": taken, "forget": FORGET}
    return Picture(**{**given, "branches": branches, "compared": compared, **more})


BOTH = [perplexities(step, forget) for step, forget in enumerate((1.0, 2.0, 3.0, 4.0, 50.0, 60.0))]


def test_the_other_branch_is_a_picture_that_stands_at_its_end():
    there = other(tree(*BOTH, reading("perplexity", [{"perplexity": 9.0}], 4, of="twin")))
    assert (there.step, there.path, there.branch, there.compared) == (5, (0, 1, 3, 4, 5), "side", "")
    assert [each.id for each in there.records] == [0, 1, 3, 4, 5]
    assert {step: each.value for step, each in there.readings["perplexity"].items()} == {0: 1.0, 1: 2.0, 3: 4.0, 4: 50.0, 5: 60.0}
    assert fork(tree(*BOTH), there.path) == 1
    assert other(tree(*BOTH, compared="")) is other(tree(*BOTH, compared="main")) is other(tree(*BOTH, compared="gone")) is None


def test_lines_of_the_compared_branch_are_dashed_thin_and_hollow_over_those_of_this_one():
    solid, alone = perplexity(tree(*BOTH, compared=""))
    figure, said = over(perplexity, tree(*BOTH), "perplexity")
    assert figure.data[: len(solid.data)] == solid.data
    added = figure.data[len(solid.data) :]
    assert [trace.name for trace in added] == [f"{group}, side" for group in MARA]
    assert {(trace.line.dash, trace.line.width) for trace in added} == {(DASH, WIDTH)}
    assert all(trace.line.width < mine.line.width for trace in added for mine in solid.data[:4])
    assert [trace.marker.symbol for trace in added] == ["circle-open", "diamond-open", "square-open", "x-open"]
    assert [trace.line.color for trace in added] == [trace.line.color for trace in solid.data[:4]]
    assert [trace.showlegend for trace in added] == [True, False, False, False]
    forget = lines(figure)["forget, side"]
    assert (tuple(forget.x), tuple(forget.y), tuple(forget.customdata)) == ((1, 2, 3, 4), (2.0, 4.0, 50.0, 60.0), (1, 3, 4, 5))
    assert list(figure.layout.xaxis.ticktext) == ["0", "1", "2", "(4)", "(5)"]
    assert figure.layout.xaxis.range == (-0.5, 4.5)
    assert figure.layout.yaxis.range[1] > math.log10(60) > solid.layout.yaxis.range[1]
    assert list(figure.layout.yaxis.tickvals) == sorted(set(figure.layout.yaxis.tickvals))
    assert said == (
        f"{alone} Dashed: the branch 'side' from step 1 to step 5, where forget is 60 (here 3), neighbours is 2 (here 2), "
        "retain is 1.5 (here 1.5), never seen is 18 (here 18)."
    )


def test_without_a_branch_to_compare_a_figure_stays_as_it_is():
    for compared in ("", "main", "gone"):
        picture = tree(*BOTH, compared=compared)
        for draw in (over, beside, below):
            figure, said = draw(perplexity, picture, "perplexity")
            assert (figure, said) == perplexity(picture)


@pytest.mark.parametrize("draw", [over, beside, below])
def test_what_was_not_measured_there_is_said(draw):
    figure, said = draw(perplexity, tree(*BOTH[:3]), "perplexity")
    alone, sentence = perplexity(tree(*BOTH[:3]))
    if draw is not over:  # the last step that both have in common was measured: there the line begins
        assert figure == alone
        assert said == f"{sentence} The branch 'side' was not measured with this at its end, step 5: go there, have it measured, and come back."
    else:
        assert said.endswith("Dashed: the branch 'side' from step 1 to step 5, where these texts were not measured.")
    nothing, said = draw(layers_over_steps, tree(*BOTH), "gradient-norm")
    assert (nothing, said) == layers_over_steps(tree(*BOTH))


def test_readings_of_other_texts_are_no_comparison_at_the_end():
    of_tom = [perplexities(step, 5.0, TOM) for step in (3, 4, 5)]
    _, said = over(perplexity, tree(*BOTH[:3], *of_tom), "perplexity")
    assert said.endswith("where these texts were not measured.")


def test_what_both_are_judged_by_is_drawn_once():
    def draw(picture):
        twin = {"type": "scatter", "mode": "lines", "name": "twin", "x": [0, 1], "y": [0.5, 0.5]}
        band = {"type": "scatter", "mode": "lines", "name": "range", "fill": "toself", "x": [0, 1], "y": [0.4, picture.step]}
        return compose(200, [twin, band, {**twin, "name": "now", "y": [0.1, picture.step]}], yaxis={"range": [0, picture.step]}), "Said."

    figure, _ = over(draw, tree(*BOTH), "perplexity", steps=False)
    assert [trace.name for trace in figure.data] == ["twin", "range", "now", "now, side"]
    assert figure.layout.yaxis.range == (0, 5)
    same = tree(*BOTH)
    figure, said = over(lambda picture: draw(same), same, "perplexity", steps=False)
    assert (len(figure.data), said) == (3, "Said. The branch 'side' has the very same lines.")


def test_an_axis_that_finds_its_own_range_goes_on_to_do_so():
    sizes = [reading("update-size", [{"group": "all", "from_start": 0.1 * step, "to_twin": None}], step) for step in range(6)]
    figure, said = over(drift, tree(*sizes), "update-size")
    assert [trace.name for trace in figure.data] == ["from the start", "from the start, side"]
    assert figure.layout.yaxis.range is None
    assert "Dashed: the branch 'side' from step 1 to step 5" in said


def test_bars_have_open_circles_beside_them():
    measured = [norms(1, 1.0, 2.0), norms(2, 3.0, 4.0), norms(5, 5.0, 7.0)]
    figure, said = beside(lambda picture: layers_now(picture, "embedding"), tree(*measured), "gradient-norm")
    bars, circles = figure.data
    assert (circles.type, circles.marker.symbol, circles.name) == ("scatter", "circle-open", "side")
    assert (tuple(circles.x), tuple(circles.y)) == ((7.0, 5.0), tuple(bars.y))
    assert tuple(circles.customdata) == tuple(bars.customdata)  # clicked, it is the same part
    assert said.endswith(" Open circles: the branch 'side' at step 5.")


def test_a_heat_map_stands_below_on_the_same_scale_of_colours():
    measured = [norms(step, 10.0**step, 1.0) for step in (0, 1, 2, 3, 4, 5)]
    figure, said = below(layers_over_steps, tree(*measured), "gradient-norm")
    top, low = figure.data
    assert (top.zmin, top.zmax, low.zmin, low.zmax) == (0, 5, 0, 5)
    assert (top.showscale, low.showscale, low.xaxis, low.yaxis) == (None, False, "x2", "y2")
    layout = figure.layout
    assert layout.yaxis.domain[0] > layout.yaxis2.domain[1] > layout.yaxis2.domain[0] == 0
    assert (layout.xaxis.anchor, layout.xaxis2.anchor) == ("y", "y2")
    assert layout.annotations[-1].text == "side, step 5"
    alone, _ = layers_over_steps(tree(*measured, compared=""))
    assert layout.height == 2 * alone.layout.height + 24
    assert " Below, the branch 'side': Gradient norm of the forget texts in each part of the model at 5 steps" in said


def test_stacked_figures_keep_their_shapes_notes_and_colours_apart():
    line = {"type": "line", "x0": 0, "x1": 1, "xref": "x", "y0": 0, "y1": 1, "yref": "y domain"}
    note = {"text": "here", "x": 0, "y": 0, "xref": "x domain", "yref": "y"}
    dots = {"type": "scatter", "name": "dots", "x": [0], "y": [0], "marker": {"color": [1.0], "coloraxis": "coloraxis"}}
    one, two = (
        compose(height, [dots], shapes=[line], annotations=[note], coloraxis={"cmin": -reach, "cmax": reach})
        for height, reach in ((200, 1), (300, 3))
    )
    both = stacked(one, two, "the other")
    assert [(each.xref, each.yref) for each in both.layout.shapes] == [("x", "y domain"), ("x2", "y2 domain")]
    assert [(each.xref, each.yref) for each in both.layout.annotations] == [("x domain", "y"), ("x2 domain", "y2"), ("paper", "paper")]
    assert (both.layout.coloraxis.cmin, both.layout.coloraxis.cmax) == (-3, 3)
    assert (both.data[0].showlegend, both.data[1].showlegend) == (None, False)
    assert isinstance(both, go.Figure)
    # in pixels, both plots are as high as they were alone
    inside = both.layout.height - both.layout.margin.t - both.layout.margin.b
    heights = [inside * (axis.domain[1] - axis.domain[0]) for axis in (both.layout.yaxis, both.layout.yaxis2)]
    assert heights == pytest.approx([200 - 48, 300 - 48])


def test_a_hostile_name_is_text():
    figure, said = over(perplexity, tree(*BOTH, compared=HOSTILE), "perplexity")
    added = [trace for trace in figure.data if trace.line.dash == DASH]
    assert all("<img" not in f"{trace.name}{trace.hovertemplate}" for trace in added)
    assert "Dashed: the branch '<img" in said  # the page writes sentences as text
    figure, _ = below(layers_over_steps, tree(*(norms(step, 1.0, 2.0) for step in range(6)), compared=HOSTILE), "gradient-norm")
    assert "<img" not in figure.layout.annotations[-1].text


def test_a_branch_that_ends_on_this_path_is_one_point_of_it():
    there = other(tree(*BOTH, side=1))
    assert (there.step, there.path) == (1, (0, 1))
    figure, said = over(perplexity, tree(*BOTH, side=1), "perplexity")
    assert tuple(lines(figure)["forget, side"].x) == (1,)
    assert "Dashed: the branch 'side' from step 1 to step 1, where forget is 2 (here 3)" in said
