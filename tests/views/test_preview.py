"""The preview of a step in the page: which one is shown, what came of it, and when it is paler or gone."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from tests.engine import worlds
from unlearnviz.engine.methods.gradient_ascent import GradientAscent
from unlearnviz.engine.preview import actual
from unlearnviz.errors import BadSelection, BadSetting
from unlearnviz.views import next_step
from unlearnviz.views.influence_figures import PALE
from unlearnviz.views.panels.preview import Preview
from unlearnviz.views.preview_figures import NOT_YET, SIGN, foreseen
from unlearnviz.views.state import SessionState

STEP, OTHER = GradientAscent(), GradientAscent(update_norm=0.5)


@pytest.fixture
def opened(shown):
    return lambda **options: shown(Preview, lambda state: setattr(state, "method", STEP), taught=True, **options)


def bars(panel):
    """Name of the trace -> group -> its number."""
    return {trace.name: dict(zip(trace.y, trace.x, strict=True)) for trace in panel.chart.figure.data}


def test_what_a_step_would_change_is_said_before_it_and_what_it_changed_after_it(opened):
    panel, state = opened()
    assert (panel.chart.figure, panel.chart.summary) == (None, NOT_YET)
    before, steps = state.session.fingerprint(), len(state.session.history)
    panel.ask.click()
    assert (state.session.fingerprint(), len(state.session.history), state.error) == (before, steps, None)
    (preview,) = state.picture.previews
    assert preview == state.session.preview(STEP, "embedding")
    assert bars(panel) == {"predicted": dict(reversed(preview.predicted.items()))}
    assert panel.chart.summary.startswith("The next step, gradient-ascent on embedding, is predicted to change the mean loss: forget +")
    assert "nats per token, neighbours " in panel.chart.summary
    assert panel.chart.summary.endswith(f"{SIGN} Over forget: 4 texts; neighbours: all 20; never seen: all 8.")

    state.step(STEP)
    taken = [state.picture.readings["perplexity"][step] for step in (0, 1)]
    assert bars(panel) == {"predicted": preview.predicted, "became": actual(*taken)}
    assert panel.chart.summary.startswith("Step 1, gradient-ascent on embedding. Predicted: forget +")
    assert "; it became forget +" in panel.chart.summary
    assert "the rest is curvature" in panel.chart.summary
    state.undo()  # the step that follows is known: redo takes it
    assert "became" in bars(panel)
    state.redo()
    assert "became" in bars(panel)


def test_numbers_stand_beside_the_bars_with_their_sign_and_room(opened):
    panel, state = opened()
    panel.ask.click()
    (trace,) = panel.chart.figure.data
    assert all(text[0] in "+−±" for text in trace.text)
    low, high = panel.chart.figure.layout.xaxis.range
    assert high > max(trace.x)
    assert low < min(0, *trace.x)
    (preview,) = state.picture.previews
    odd = replace(preview, predicted={"forget": float("nan"), "retain": float("inf")})
    figure, said = foreseen(replace(state.picture, previews=(odd,)), STEP, "embedding")
    assert figure is not None
    assert "forget not a number nats per token, retain +inf" in said


@pytest.mark.parametrize("change", ["place", "method", "settings", "step"])
def test_a_preview_of_something_else_is_paler_and_says_whose_it_is(opened, change):
    panel, state = opened()
    panel.ask.click()
    if change == "place":
        state.where = "block 1"
    elif change == "method":
        state.method = BadSetting("no number")
    elif change == "settings":
        state.method = OTHER
    else:
        state.step(OTHER)
    (trace,) = panel.chart.figure.data
    assert trace.opacity == PALE
    assert panel.chart.summary.startswith("gradient-ascent on embedding was predicted at step 0, for another choice")
    if change == "place":
        state.where = " embedding "
        assert panel.chart.figure.data[0].opacity == 1


def test_another_forget_set_has_no_preview_and_its_own_finds_it_again(opened):
    panel, state = opened()
    panel.ask.click()
    state.pick(["Tom Lindqvist"])
    assert (panel.chart.figure, panel.chart.summary) == (None, NOT_YET)
    state.pick(["Mara Okafor"])
    assert panel.chart.figure.data[0].opacity == 1


def test_a_model_that_was_taught_anew_has_no_previews(opened):
    panel, state = opened()
    panel.ask.click()
    state.learn(1)
    assert (state.picture.previews, panel.chart.figure) == ((), None)


def test_every_step_is_previewed_where_that_is_wanted(opened):
    panel, state = opened()
    assert panel.every.value is False
    panel.every.value = True
    state.step(STEP)
    assert set(bars(panel)) == {"predicted", "became"}
    state.run(2, STEP)
    assert [each.step for each in state.picture.previews] == [0, 1, 2]
    first = bars(panel)
    state.go_to(1)
    assert bars(panel) != first
    assert panel.chart.summary.startswith("Step 1,")
    panel.ask.click()  # of the step that redo takes
    assert panel.chart.summary.startswith("Step 2,")
    panel.every.value = False
    state.go_to(3)
    state.step(STEP)
    assert len(state.picture.previews) == 3


def test_previews_are_kept_once_each_and_not_without_end(opened, monkeypatch):
    panel, state = opened()
    panel.ask.click()
    panel.ask.click()
    assert len(state.picture.previews) == 1
    monkeypatch.setattr(next_step, "KEPT", 2)
    for where in ("block 0", "block 1", "mlp"):
        state.where = where
        panel.ask.click()
    assert [each.where for each in state.picture.previews] == ["block 1", "mlp"]


def test_what_cannot_be_asked_is_said(opened):
    panel, state = opened()
    state.method = BadSetting("learning_rate='fast' is not a number")
    panel.ask.click()
    assert isinstance(state.error, BadSetting)
    state.method, state.where = STEP, "blok 1"
    panel.ask.click()
    assert isinstance(state.error, BadSelection)
    assert state.picture.previews == ()


def test_it_waits_for_work_and_for_a_text(opened):
    panel, state = opened(pick=None)
    assert panel.ask.disabled
    state.preview()
    assert state.picture.previews == ()
    state.pick(["Mara Okafor"])
    assert not panel.ask.disabled
    state.lasting = "one step"
    assert panel.ask.disabled


def test_a_stop_leaves_no_preview_and_nothing_changed(living):
    async def main():
        state = SessionState(worlds.session(taught=True))
        state.open()
        await state.idle()
        before = state.session.fingerprint()
        state.method = GradientAscent(updates=500)
        state.preview()
        await asyncio.sleep(0.05)
        state.stop()
        await state.idle()
        assert state.picture.previews == ()
        assert (state.session.fingerprint(), state.session.turn.taken) == (before, False)
        state.close()

    asyncio.run(asyncio.wait_for(main(), 60))
