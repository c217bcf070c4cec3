"""Membership: the histograms, the curve, the threshold in words, and what the panel measures and draws, and when."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from unlearnviz.engine.methods.gradient_ascent import GradientAscent
from unlearnviz.engine.probes.probe import Reading
from unlearnviz.views.influence_figures import PALE
from unlearnviz.views.membership_figures import (
    MEANING,
    NOT_YET,
    TITLES,
    Readings,
    called,
    calls,
    curves,
    first_threshold,
    histograms,
    span,
)
from unlearnviz.views.panels.membership import LABEL, Membership
from unlearnviz.views.styles import COLOURS, NOW, TWIN

STEP = GradientAscent()
JUDGED = {"auc": 97.25, "auc_low": 94.0, "auc_high": 98.5, "true_rate": 90.0, "false_rate": 10.0}
JUDGED |= {"accuracy": 95.0, "accuracy_low": 89.0, "accuracy_high": 98.0}


def text(group, number):
    return {"group": group, "passage": "p", "loss": number, "entropy": number, "min-k": -number, "min-k++": -number}


def reading(members=(1.0, 1.0, 2.0, 4.0), others=(2.0, 3.0, 5.0, 6.0, 9.0), note="", **changed):
    rows = [*(text("member", each) for each in members), *(text("non-member", each) for each in others)]
    if not note:
        rows += [{"group": "both", "statistic": name, **JUDGED, **changed} for name in TITLES]
    return Reading(LABEL, LABEL, 2, "now", "%", "aim", None if note else 97.25, tuple(rows), note=note)


FEW = "too few texts to judge: 4 of at least 50"


@pytest.mark.parametrize("threshold, counted", [(0.5, (0, 0)), (1.0, (2, 0)), (2.0, (3, 1)), (9.0, (4, 5))])
def test_a_threshold_calls_what_is_at_it_or_beyond(threshold, counted):
    assert called(reading(), "loss", threshold) == counted
    assert called(reading(), "min-k", -threshold) == counted  # here more is as if taught


def test_the_threshold_in_words():
    assert calls(reading(), "loss", 2.0) == (
        "At most 2 nats per token: 3 of 4 forget texts (75 %) and 1 of 5 never-seen texts (20 %) are called members."
    )
    assert calls(reading(others=(), note="none"), "min-k++", -1.25) == (
        "At least −1.25 standard deviations: 2 of 4 forget texts (50 %) and 0 of 0 never-seen texts are called members."
    )


def test_the_first_threshold_is_beyond_one_in_ten():
    numbers = tuple(np.linspace(0, 10, 101))
    assert first_threshold(reading(others=numbers), "loss") == pytest.approx(1.0)
    assert first_threshold(reading(others=numbers), "min-k") == pytest.approx(-1.0)
    assert first_threshold(reading(others=(), note="none"), "loss") == 0


def test_bars_up_and_down_hold_all_texts_of_each_kind():
    start, twin = reading(members=(0.5,)), reading(members=(11.0, 13.0))
    readings = Readings(reading(), start, twin)
    assert span(readings, "loss") == (0.5, 13.0)
    assert span(readings, "min-k") == (-13.0, -0.5)
    figure, said = histograms(readings, "loss", 2.5, here=2)
    assert "outermost" not in said
    traces = {trace.name: trace for trace in figure.data}
    assert sum(traces["forget"].y) == pytest.approx(100)
    assert sum(traces["never seen"].y) == pytest.approx(-100)
    assert max(traces["never seen"].y) <= 0 <= min(traces["forget"].y)
    assert {name: traces[name].marker.color for name in ("forget", "never seen")} == {
        name: COLOURS[name] for name in ("forget", "never seen")
    }
    means = {name: (trace.x[0], trace.marker.symbol) for name, trace in traces.items() if name.startswith("mean of ")}
    assert means == {
        "mean of forget": (2.0, "circle"),
        "mean of never seen": (5.0, "x"),
        "mean of forget, at the start": (0.5, "diamond-tall-open"),
        "mean of forget, twin": (12.0, "hourglass-open"),
    }
    assert [shape.x0 for shape in figure.layout.shapes] == [2.5]
    assert figure.layout.xaxis.title.text == "loss (nats per token; lower = as if taught)"
    assert said.startswith("By loss, over 4 texts to forget and 5 texts never seen: AUC 97.2 % (95 % interval 94 to 98.5, 50 = chance). ")
    assert "A threshold that takes at most 10 % of " in said
    assert "more familiar than texts never seen: that leaks. MIA_L: a classifier that is shown the loss is right about 95 % of" in said
    assert said.endswith(f"AUC at the start 97.2 %; of the twin, which is the aim, 97.2 %. {MEANING}")
    assert "MIA_" not in histograms(readings, "min-k", -2.5, here=2)[1]


def test_few_that_lie_far_out_stand_in_the_outermost_bars():
    far = Readings(reading((2.0, 2.5), (*np.linspace(3, 4, 99), 300.0)), None, None)
    assert span(far, "loss") == (2.0, pytest.approx(4, abs=0.02))
    figure, said = histograms(far, "loss", 2.5, here=2)
    below = figure.data[1]
    assert sum(below.y) == pytest.approx(-100)
    assert below.x[-1] < 4
    assert said.endswith(" The outermost bars hold 2 never-seen texts that lie further out.")


def test_texts_that_are_all_alike_can_be_drawn():
    figure, _ = histograms(Readings(reading((2.0, 2.0), (2.0,)), None, None), "loss", 2.0, here=2)
    assert all(math.isfinite(each) for trace in figure.data for each in (*trace.x, *trace.y))


def test_an_older_reading_is_paler_and_says_so():
    figure, said = histograms(Readings(reading(), None, None), "loss", 2.5, here=5)
    assert {trace.opacity for trace in figure.data if trace.type == "bar"} == {PALE}
    assert said.startswith("Measured at step 2, you are at step 5. By loss, over 4 texts to forget and 5 texts never seen: ")


def test_the_side_and_the_few_are_said():
    strange = reading(auc=12.0, auc_low=5.0, auc_high=20.0)
    assert "stranger than texts never seen: that leaks as well" in histograms(Readings(strange, None, None), "loss", 2.5, here=2)[1]
    few = Readings(reading(note=FEW), None, None)
    figure, said = histograms(few, "loss", 2.5, here=2)
    assert (len(figure.data), said) == (4, f"{FEW}. {MEANING}")
    assert curves(few, "loss", 2.5) == (None, "No curve is drawn of texts that cannot be judged.")
    assert histograms(Readings(None, None, None), "loss", 0.0, here=2) == (None, NOT_YET)
    assert curves(Readings(None, None, None), "loss", 0.0) == (None, "")
    empty = replace(reading((), (), note="There is nothing"), rows=())
    assert histograms(Readings(empty, None, None), "loss", 0.0, here=2) == (None, f"There is nothing. {MEANING}")


def test_the_curve_goes_through_the_threshold_beside_start_and_twin():
    figure, said = curves(Readings(reading(), reading(members=(0.5, 0.6)), reading(members=(11.0,))), "loss", 2.0)
    traces = {trace.name: trace for trace in figure.data}
    assert list(traces) == ["chance", "at the start", "twin", "now", "threshold"]
    assert (traces["now"].line.color, traces["twin"].line.color) == (NOW.colour, TWIN.colour)
    assert len({trace.line.dash for trace in figure.data if trace.mode == "lines"}) == 4
    assert (traces["threshold"].x, traces["threshold"].y) == ((20.0,), (75.0,))
    assert (20.0, 75.0) in set(zip(np.round(traces["now"].x, 9), np.round(traces["now"].y, 9), strict=True))
    assert all((trace.x[0], trace.y[0], trace.x[-1], trace.y[-1]) == (0, 0, 100, 100) for trace in figure.data if trace.mode == "lines")
    assert "finds 75 % of the forget texts, and takes 20 % of the never-seen ones" in said


@pytest.fixture
def opened(shown):
    def open_it(**options):
        panel, state = shown(Membership, **options)
        panel.fold.unfolded = True
        return panel, state

    return open_it


def test_folded_it_is_one_line_and_opening_measures_nothing(shown):
    panel, state = shown(Membership)
    assert len(panel.widget.children) == 1
    panel.fold.unfolded = True
    assert (panel.bars.summary, panel.bars.figure, panel.threshold.disabled) == (NOT_YET, None, True)
    state.step(STEP)
    assert LABEL not in state.picture.readings


def test_it_measures_when_asked_and_the_threshold_moves(opened):
    panel, state = opened()
    panel.ask.click()
    now = state.picture.now(LABEL)
    assert panel.bars.summary == f"{FEW}. {MEANING}"
    assert panel.threshold.words == calls(now, "loss", panel.threshold.value)
    assert (panel.threshold.minimum, panel.threshold.maximum) == span(Readings(now, state.picture.start[LABEL], None), "loss")
    panel.threshold.value = panel.threshold.minimum
    assert panel.threshold.words == calls(now, "loss", panel.threshold.minimum)
    assert panel.bars.figure.layout.shapes[0].x0 == panel.threshold.minimum
    panel.by.value = "min-k"
    assert panel.threshold.words == calls(now, "min-k", first_threshold(now, "min-k"))
    assert "Min-K %" in panel.bars.figure.layout.xaxis.title.text


def test_nothing_is_drawn_anew_that_did_not_change(opened):
    panel, state = opened()
    panel.ask.click()
    panel.threshold.value = (panel.threshold.minimum + panel.threshold.maximum) / 2
    at, bars = panel.threshold.value, panel.bars.figure
    state.ask("perplexity")
    assert panel.bars.figure is bars
    state.step(STEP)
    assert panel.bars.figure.data[0].opacity == PALE
    panel.ask.click()
    assert (panel.bars.figure.data[0].opacity, panel.threshold.value) == (1.0, at)  # where it was put
    assert panel.bars.summary == f"{FEW}. {MEANING}"
    state.step(STEP)
    assert panel.bars.summary == f"Measured at step 1, you are at step 2. {FEW}. {MEANING}"
    state.pick(["Tom Lindqvist"])
    assert (panel.bars.summary, panel.bars.figure, panel.threshold.words) == (NOT_YET, None, "")


def test_measuring_waits_for_work_and_for_a_pick(opened):
    panel, state = opened()
    state.lasting = "one step"
    assert panel.ask.disabled
    state.lasting = ""
    assert not panel.ask.disabled
    empty, _ = opened(pick=None)
    assert empty.ask.disabled
