"""Distance: points whose distances are exact, the sentence, and the panel that draws them."""

from __future__ import annotations

import math

import pytest

from unlearnviz.engine.corpus import Passage
from unlearnviz.engine.methods.gradient_ascent import GradientAscent
from unlearnviz.engine.probes.probe import Reading
from unlearnviz.engine.probes.update_size import UpdateSize
from unlearnviz.views.distance_figures import LABEL, PLANE, VIEWS, distance, place
from unlearnviz.views.panels.distance import Distance
from unlearnviz.views.picture import Picture
from unlearnviz.views.styles import TWIN

STEP = GradientAscent()
MARA = Passage("mara", "Mara.")


def row(moved, cosine, way=10.0, group="all"):
    left = None if way is None else math.sqrt(moved**2 + way**2 - 2 * moved * way * (cosine or 0.0))
    return {"group": group, "from_start": moved, "to_twin": left, "start_to_twin": way, "towards_twin": cosine}


def reading(step, *rows, forget="mara"):
    return Reading(LABEL, LABEL, step, "now", "L2", "higher", 0.0, rows, {"forget": (forget,)})


def picture(*readings, twins=(), **more):
    held = {LABEL: {each.step: each for each in readings}}
    of_twins = {seed: {LABEL: each} for seed, each in enumerate(twins)}
    path = tuple(range(len(readings)))
    return Picture(step=path[-1], path=path, forget=(MARA,), readings=held, twins=of_twins, **more)


def test_a_point_keeps_its_two_distances():
    for moved, cosine in ((3.0, 0.2), (3.0, -0.9), (12.0, 1.0), (0.0, None)):
        given = row(moved, cosine)
        x, y = place(given)
        assert math.hypot(x, y) == pytest.approx(given["from_start"])
        assert math.hypot(x - 10.0, y) == pytest.approx(given["to_twin"])
    assert place(row(3.0, None, None)) is None
    assert place({"group": "all", "from_start": 1.0, "to_twin": 2.0}) is None  # of a history that was saved before this was measured


def test_start_twin_now_and_the_path_are_drawn_in_one_scale():
    other = reading(0, row(11.0, 0.5))
    figure, said = distance(picture(reading(0, row(0.0, None)), reading(1, row(4.0, 0.5)), twins=(other, other)))
    traces = {trace.name: trace for trace in figure.data}
    assert list(traces) == ["steps of this path", "start (do nothing)", "now (step 1)", "twin (retrained)", "twin of seed 1"]
    assert (traces["now (step 1)"].x, traces["now (step 1)"].y) == ((2.0,), (pytest.approx(math.sqrt(12)),))
    assert (traces["twin (retrained)"].x, traces["twin (retrained)"].marker.color) == ((10.0,), TWIN.colour)
    assert list(traces["steps of this path"].customdata) == [0, 1]
    assert figure.layout.yaxis.scaleanchor == "x"
    assert said == (
        "The whole model at step 1 is 4 from the start, 8.72 from the twin (the start is 10 away; L2 norms): +20 % of the way, direction +0.5 "
        "(cosine: 1 = straight towards the twin, 0 = at right angles to the way, −1 = straight away); 1.28 nearer to the twin than doing "
        f"nothing. Twins that differ in nothing but the seed are 10.5 apart: within that, distances say little. {PLANE}"
    )


def test_near_the_start_the_twin_is_an_arrow():
    figure, said = distance(picture(reading(0, row(0.0, None)), reading(1, row(0.1, -0.5))), "all", VIEWS[1])
    assert not any(trace.name.startswith("twin") for trace in figure.data)
    assert figure.layout.annotations[0].text == "the twin lies 10 that way →"
    assert figure.layout.xaxis.range[1] < 1
    assert "−0.5 % of the way, direction −0.5" in said
    assert "0.0504 farther from the twin than doing nothing. How far two twins lie apart is not known" in said


def test_a_part_of_the_model_and_steps_of_other_texts():
    parts = (row(3.0, 0.1, group="block 0"), row(5.0, 0.2))
    figure, said = distance(picture(reading(0, *parts, forget="tom"), reading(1, *parts)), "block 0")
    assert list(figure.data[0].customdata) == [1]
    assert said.startswith("Block 0 (the 1st, h.0) at step 1 is 3 from the start")


def test_without_a_twin_there_is_a_distance_and_no_way():
    figure, said = distance(picture(reading(0, row(3.0, None, None))))
    assert figure is None
    assert said == (
        "The whole model has moved 3 from the start (L2 norm of the difference); no twin was trained without these texts, so it cannot be "
        "said whether that is the right way."
    )
    assert distance(Picture()) == (None, "Pick texts to forget; then the distances appear here.")
    assert distance(Picture(forget=(MARA,))) == (None, "With the next step the distances appear here.")
    _, said = distance(picture(reading(0, row(0.0, None))))
    assert "is 0 from the start, 10 from the twin (the start is 10 away; L2 norms): nothing has moved." in said


def test_the_panel_draws_what_was_measured_and_measures_all_twins_when_asked(shown):
    def ready(state):
        state.probe(UpdateSize())  # Drift does
        state.session.learn(1)
        state.session.twin()

    panel, state = shown(Distance, ready)
    state.step(STEP)
    panel.fold.unfolded = True
    session = state.session
    now = panel.chart.figure.data[2]
    at = session.weights.distance(session.snapshots[0].weights), session.weights.distance(session.active_twin.weights)
    way = session.snapshots[0].weights.distance(session.active_twin.weights)
    assert (math.hypot(now.x[0], now.y[0]), math.hypot(now.x[0] - way, now.y[0])) == (pytest.approx(at[0]), pytest.approx(at[1]))
    assert [label for label, _ in panel.part.options][:2] == ["the whole model", "embedding"]
    assert panel.twins.layout.display == "none"
    state.train_twin(another=True)
    assert panel.twins.layout.display is None
    panel.twins.click()
    assert panel.chart.figure.data[-1].name == "twin of seed 1"
    assert panel.twins.layout.display == "none"
    panel.part.value = "block 1"  # which did not move
    assert "nothing has moved" in panel.chart.summary
    panel.part.value, panel.drawing.value = "embedding", VIEWS[1]
    assert len(panel.chart.figure.layout.annotations) == 1
    state.step(STEP)
    panel.chart._handle_custom_msg({"kind": "click", "customdata": 1}, [])
    assert state.picture.step == 1
    state.pick(["Tom Lindqvist"])
    assert panel.drawing.disabled
    assert "so it cannot be said whether that is the right way" in panel.chart.summary
