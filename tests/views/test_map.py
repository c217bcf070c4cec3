"""The map of texts: what is drawn, what the sentence says, what drawing around texts does, and which losses are known."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from unlearnviz.engine.methods.gradient_ascent import GradientAscent
from unlearnviz.engine.probes.probe import Reading
from unlearnviz.views.influence_figures import DIVERGING, PALE
from unlearnviz.views.losses import LABEL as LOSSES
from unlearnviz.views.map_figure import GREY, GROUPS, Place, text_map
from unlearnviz.views.panels.map import LABEL, NOT_YET, Map

STEP = GradientAscent()
READING = Reading("text-map", "text-map", 0, "now", "% of variance", "higher = ...", 61.25, (), note="The plane shows 61 %.")
PLACES = [
    Place("f", "Forget <b>me</b>", "to forget", 0.0, 1.0, 2.0),
    Place("s", "The same", "same person", 0.5, 1.0, -0.5),
    Place("o1", "Another", "others", 3.0, -1.0, 0.25),
    Place("o2", "One more", "others", 4.0, -1.0, math.nan),
    Place("n", "A stranger", "never seen", -3.0, 0.0, math.nan),
]


def test_places_keep_their_group_as_a_shape_and_their_colour_is_symmetric_about_zero():
    figure, said = text_map(PLACES, READING, step=1, here=1)
    traces = {
        (trace.name, trace.marker.color is not None and not isinstance(trace.marker.color, str)): trace
        for trace in figure.data
    }
    assert list(traces) == [
        ("never seen", False),
        ("others", False),
        ("others", True),
        ("same person", True),
        ("to forget", True),
    ]
    assert {name: trace.marker.symbol for (name, _), trace in traces.items()} == GROUPS
    assert traces["others", False].marker.color == GREY
    np.testing.assert_array_equal(traces["others", True].marker.color, [0.25])
    assert (figure.layout.coloraxis.cmin, figure.layout.coloraxis.cmax) == (-2.0, 2.0)
    assert [colour for _, colour in figure.layout.coloraxis.colorscale] == [colour for _, colour in DIVERGING]
    assert {trace.type for trace in figure.data} == {"scatter"}  # drawn as SVG
    assert [trace.name for trace in figure.data if trace.showlegend] == ["never seen", "others", "same person", "to forget"]
    assert traces["to forget", True].customdata == ("f",)
    assert "&lt;b&gt;" in traces["to forget", True].text[0]
    assert figure.layout.dragmode == "lasso"
    assert said.startswith(
        "Mean change of the loss since the start (nats per token; positive = forgotten): to forget +2, same person −0.5, others +0.25. "
        "“Forget <b>me</b>” moved furthest (+2). The plane shows 61 %. Draw around texts to select them; by keyboard"
    )


def test_colours_of_another_step_are_paler_and_their_lack_is_said():
    figure, said = text_map(PLACES, READING, step=1, here=3)
    assert {trace.opacity for trace in figure.data} == {PALE}
    assert said.startswith("Measured at step 1, you are at step 3. ")
    bare = [Place(p.passage, p.text, p.group, p.x, p.y, math.nan) for p in PLACES]
    figure, said = text_map(bare, READING, step=None, here=3)
    assert {(trace.opacity, trace.marker.color) for trace in figure.data} == {(1.0, GREY)}
    assert said.startswith("What moved was not measured yet.")


@pytest.fixture
def opened(shown):
    panel, state = shown(Map)
    panel.fold.unfolded = True
    return panel, state


def test_it_is_drawn_and_coloured_when_asked(opened):
    drawn, state = opened
    assert (drawn.chart.summary, drawn.chart.figure, drawn.add.layout.display) == (NOT_YET, None, "none")
    state.step(STEP)
    assert LABEL not in state.picture.readings
    drawn.draw.click()
    assert state.picture.now(LABEL) is not None
    assert {row["passage"] for row in state.picture.now(LOSSES).rows} == {
        row["passage"] for row in state.picture.now(LABEL).rows
    }
    assert drawn.chart.summary.startswith(
        "Mean change of the loss since the start (nats per token; positive = forgotten): to forget +"
    )
    assert sum(len(trace.x) for trace in drawn.chart.figure.data) == 32
    state.step(STEP)
    assert drawn.chart.summary.startswith("Measured at step 1, you are at step 2.")
    state.undo()
    assert drawn.chart.summary.startswith("Mean change")


def test_drawing_around_texts_offers_to_add_them_and_picks_nothing(opened):
    drawn, state = opened
    drawn.draw.click()
    before = state.session.forget
    around = ["tom-lindqvist-1", "ines-duarte-0", "leo-brandt-0", before[0].id, "not there", None, 7]
    drawn.chart._handle_custom_msg({"kind": "select", "points": around}, [])
    assert state.session.forget == before
    assert (drawn.add.description, drawn.add.layout.display, drawn.add.disabled) == (
        "Add the 2 selected to the forget set",
        "",
        False,
    )
    state.lasting = "one step"
    assert (drawn.add.disabled, drawn.draw.disabled) == (True, True)
    state.lasting = ""
    drawn.add.click()
    assert [each.id for each in state.session.forget] == [*(each.id for each in before), "tom-lindqvist-1", "ines-duarte-0"]
    assert drawn.add.layout.display == "none"
    drawn.chart._handle_custom_msg({"kind": "select", "points": ["leo-brandt-0"]}, [])
    assert (drawn.add.description, drawn.add.disabled) == ("Nothing selected can be added", True)
    drawn.chart._handle_custom_msg({"kind": "select", "points": []}, [])
    assert drawn.add.layout.display == "none"


def test_who_stops_the_map_is_not_asked_to_stop_its_colours_too(opened, monkeypatch):
    drawn, state = opened
    monkeypatch.setattr(state.runner, "_end", lambda outcome, end=state.runner._end: end(replace(outcome, state="stopped")))
    drawn.draw.click()
    assert drawn.chart.figure is not None
    assert LOSSES not in state.picture.readings


def test_a_typed_text_is_on_the_map_while_it_is_picked(opened):
    drawn, state = opened
    state.pick([*state.session.forget, "Mara was seen on the moon"])
    drawn.draw.click()
    assert sum(len(trace.x) for trace in drawn.chart.figure.data) == 33
    state.unpick()
    assert sum(len(trace.x) for trace in drawn.chart.figure.data) == 32
    drawn.draw.click()
    assert state.error is None


def test_losses_of_several_measurements_are_kept_until_the_model_is_taught_anew(opened):
    drawn, state = opened
    losses = drawn.losses
    losses.ask(["tom-lindqvist-0"])
    losses.ask(["tom-lindqvist-1"])
    step, now, start = losses.look(state.picture)
    assert (step, set(now), set(start)) == (
        0,
        {"tom-lindqvist-0", "tom-lindqvist-1"},
        {"tom-lindqvist-0", "tom-lindqvist-1"},
    )
    state.learn(1)
    assert losses.look(state.picture) == (None, {}, {})
