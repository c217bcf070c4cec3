"""Paths: the runs of a history as lines, the references, the sentence; and the panel that runs methods from the start."""

from __future__ import annotations

import math

import pytest

from unlearnviz.engine.corpus import Passage
from unlearnviz.engine.history import StepRecord
from unlearnviz.engine.methods.gradient_ascent import GradientAscent
from unlearnviz.engine.probes.probe import Reading
from unlearnviz.errors import BadSetting
from unlearnviz.views.branches import Point, change, kept, runs
from unlearnviz.views.measures import Measure
from unlearnviz.views.panels.paths import Paths
from unlearnviz.views.path_figures import REFERENCE, STYLES, trade_off
from unlearnviz.views.picture import Picture
from unlearnviz.views.styles import TWIN

STEP = GradientAscent()
MARA, TOM = Passage("mara", "Mara."), Passage("tom", "Tom.")
GROUPS = {"forget": (MARA,), "retain": (TOM,)}
PERPLEXITY, RECALL = Measure("perplexity", "Perplexity", logarithmic=True), Measure("exact-recall", "Recall")


def perplexity(forget, retain, of="now", passages=None):
    rows = ({"group": "forget", "perplexity": forget}, {"group": "retain", "perplexity": retain})
    texts = {group: tuple(each.id for each in members) for group, members in GROUPS.items()}
    return Reading("perplexity", "perplexity", 0, of, "perplexity", "lower", forget, rows, passages or texts)


def record(step, parent, branch, method="gradient-ascent"):
    return StepRecord(step, parent, branch, method)


TREE = (
    StepRecord(0, None, "main", "start"),
    record(1, 0, "main"),
    record(2, 1, "main"),
    record(3, 1, "side"),
    record(4, 0, "<b>kind</b>", "fine-tune"),
)
START, AFTER = perplexity(2.0, 4.0, "start"), perplexity(20.0, 4.0, "twin")


def picture(taken, **more):
    branches = {"main": 2, "empty": 0, "side": 3, "<b>kind</b>": 4}
    given = {"forget": (MARA,), "groups": GROUPS, "start": {"perplexity": START}, "twin": {"perplexity": AFTER}, "step": 2, "path": (0, 1, 2)}
    return Picture(**{**given, "tree": TREE, "branches": branches, "branch": "main", "taken": taken, **more})


TAKEN = {
    1: [perplexity(10.0, 4.4)],
    2: [perplexity(30.0, 5.0)],
    3: [perplexity(12.0, 4.0), perplexity(99.0, 99.0, "twin")],
    4: [perplexity(2.0, 3.8)],
}


def test_a_run_begins_where_it_leaves_the_others_and_knows_when_it_only_fine_tunes():
    main, side, kind = runs(picture(TAKEN), PERPLEXITY)
    assert [(run.name, run.steps, run.reference) for run in (main, side, kind)] == [
        ("main", (0, 1, 2), False), ("side", (1, 3), False), ("<b>kind</b>", (0, 4), True),
    ]  # fmt: skip
    assert main.points == (Point(0, 0.0, 2.0), Point(1, pytest.approx(10.0), 10.0), Point(2, pytest.approx(25.0), 30.0))
    assert [point.damage for point in kind.points] == [0.0, pytest.approx(-5.0)]


def test_only_branches_are_runs():
    assert [run.name for run in runs(picture(TAKEN, branches={"main": 2}), PERPLEXITY)] == ["main"]  # other branches were given up


def test_the_damage_is_the_change_of_the_perplexity_of_what_is_kept():
    assert change(perplexity(1.0, 3.0), perplexity(1.0, 4.0), "retain") == -25.0
    assert change(None, START, "retain") is change(START, None, "retain") is change(START, START, "neighbours") is None
    assert [kept(Picture(groups=groups)) for groups in (GROUPS, {"neighbours": (TOM,), "retain": ()}, {})] == ["retain", "neighbours", ""]


def test_lines_have_a_colour_a_dash_and_a_marker_and_the_references_are_those_of_all_charts():
    figure, said = trade_off(picture(TAKEN), PERPLEXITY)
    traces = {trace.name: trace for trace in figure.data}
    assert list(traces) == ["main", "side", "&lt;b&gt;kind&lt;/b&gt; (fine-tuning only)", "start (do nothing)", "twin (retrained)"]
    assert (traces["main"].line.color, traces["main"].line.dash, traces["main"].marker.symbol) == STYLES[0]
    assert (traces["side"].line.color, traces["side"].line.dash, traces["side"].marker.symbol) == STYLES[1]
    kind = traces["&lt;b&gt;kind&lt;/b&gt; (fine-tuning only)"]
    assert (kind.line.color, kind.line.dash, kind.marker.symbol) == REFERENCE
    assert list(traces["main"].customdata) == [0, 1, 2]
    assert list(traces["main"].marker.size) == [8, 8, 14]  # where we are
    assert (traces["twin (retrained)"].x, traces["twin (retrained)"].y, traces["twin (retrained)"].marker.color) == ((0.0,), (20.0,), TWIN.colour)
    assert [(shape.y0, shape.line.dash) for shape in figure.layout.shapes] == [(2.0, "longdash"), (20.0, "dashdot")]
    assert figure.layout.yaxis.type == "log"
    assert said == (
        "Perplexity (lower = better remembered) and change of the perplexity of retain at the end of each run: main 30 at +25.0 %; "
        "side 12 at ±0.0 %; <b>kind</b> 2 at −5.0 %. The twin has 20, the start 2; main is there or past it from step 2 on, at +25.0 %; "
        "side does not reach it; <b>kind</b> does not reach it."
    )


def test_the_range_of_several_twins_is_a_band():
    twins = {0: {"perplexity": AFTER}, 1: {"perplexity": perplexity(28.0, 4.1, "twin 1")}}
    figure, _ = trade_off(picture(TAKEN, twins=twins), PERPLEXITY)
    band = figure.layout.shapes[-1]
    assert (band.type, band.y0, band.y1, band.fillcolor) == ("rect", 20.0, 28.0, TWIN.colour)


def test_what_lies_far_off_is_told_and_not_drawn():
    far = {**TAKEN, 2: [perplexity(1e5, 4000.0)], 3: [perplexity(math.inf, 5.0)]}
    figure, said = trade_off(picture(far), PERPLEXITY)
    assert max(x for trace in figure.data for x in trace.x) <= 200
    assert "2 steps are not drawn: the perplexity of retain rose by up to 99,900 % there, or the value is not finite." in said


def test_readings_of_other_texts_and_other_measures_are_no_points():
    other = {**TAKEN, 2: [perplexity(30.0, 5.0, passages={"forget": ("tom",), "retain": ("mara",)})]}
    _, said = trade_off(picture(other), PERPLEXITY)
    assert said.endswith("1 step was not measured with this on the present texts.")
    figure, said = trade_off(picture(TAKEN), RECALL)
    assert (figure, said) == (
        None, "No step of these runs was measured with “Recall” on the present texts: tick “measure it after every step” and run again.",
    )  # fmt: skip


def test_with_nothing_to_draw_the_sentence_says_what_to_do():
    assert trade_off(Picture(), PERPLEXITY)[1] == "Pick texts to forget; then runs from the start are compared here."
    assert trade_off(picture({}, branches={"main": 0}, tree=TREE[:1]), PERPLEXITY)[1].startswith("No run yet: choose a method in Steering")
    assert trade_off(picture({}, groups={"forget": (MARA,)}), PERPLEXITY)[1].startswith("There are no texts to keep")
    _, said = trade_off(picture(TAKEN, twin={}), PERPLEXITY)
    assert "There is no twin to aim for: the never-seen texts are the reference." in said


def test_the_panel_runs_methods_from_the_start_and_a_click_goes_to_a_step(shown):
    panel, state = shown(Paths)
    panel.fold.unfolded = True
    panel.run.click()
    assert len(state.picture.branches) == 1  # nothing is chosen in Steering
    state.method = BadSetting("wrong")
    panel.run.click()
    assert state.error is state.method
    state.method, panel.count.value, panel.name.value = STEP, 2, "mine"
    panel.run.click()
    assert (state.error, panel.name.value) == (None, "")
    state.where = "block 1"
    panel.run.click()
    panel.reference.click()
    assert dict(state.picture.branches) == {"main": 0, "mine": 2, "gradient-ascent, block 1": 4, "fine-tune only": 6}
    assert [trace.name for trace in panel.chart.figure.data[:3]] == ["mine", "gradient-ascent, block 1", "fine-tune only (fine-tuning only)"]
    points = panel.chart.figure.data[0]
    assert list(points.y)[1:] == [state.picture.taken[step][0].value for step in (1, 2)]
    panel.chart._handle_custom_msg({"kind": "click", "customdata": 1}, [])
    assert (state.picture.step, state.picture.branch) == (1, "mine")


def test_only_the_measure_that_is_drawn_is_taken_after_every_step(shown):
    panel, state = shown(Paths)
    panel.fold.unfolded = True
    assert (panel.every.value, panel.every.disabled) == (True, True)
    panel.upwards.value = "exact-recall"
    assert (panel.every.value, panel.every.disabled) == (False, False)
    panel.every.value = True
    state.method, panel.count.value = STEP, 1
    panel.run.click()
    assert state.picture.readings["exact-recall"].keys() == {0, 1}
    assert list(panel.chart.figure.data[0].customdata) == [0, 1]
    panel.fold.unfolded = False
    state.step(STEP)
    assert 2 not in state.picture.readings["exact-recall"]
    panel.fold.unfolded = True
    assert not panel.every.value
    panel.every.value = True
    panel.upwards.value = "perplexity"
    assert "exact-recall" in state.on_request
    assert "perplexity" not in state.on_request
