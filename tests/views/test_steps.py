"""Steps: the buttons that act, over a state, without a page."""

import pytest

from unlearnviz.engine.methods.gradient_ascent import GradientAscent
from unlearnviz.errors import BadSetting
from unlearnviz.views.panels.steering import Steering
from unlearnviz.views.panels.steps import Steps


def chosen(state):
    state.method = GradientAscent()


def test_steps_undoes_redoes_and_starts_again(shown):
    panel, state = shown(Steps, chosen)
    assert [panel.undo.disabled, panel.redo.disabled, panel.again.disabled, panel.stop.disabled] == [True] * 4
    panel.step.click()
    panel.count.value = 2
    panel.run.click()
    assert state.session.head == 3
    assert [panel.undo.disabled, panel.redo.disabled, panel.again.disabled] == [False, True, False]
    panel.undo.click()
    assert (state.session.head, panel.redo.disabled) == (2, False)
    panel.redo.click()
    assert state.session.head == 3
    panel.again.click()
    assert state.session.head == 0


def test_while_work_runs_only_stop_is_left(shown):
    panel, state = shown(Steps, chosen)
    state.step(GradientAscent())
    state.lasting = "one step"
    assert all(each.disabled for each in (panel.step, panel.run, panel.undo, panel.redo, panel.again))
    assert not panel.stop.disabled


def test_with_nothing_picked_there_is_nothing_to_step(shown):
    panel, _ = shown(Steps, chosen, pick=None)
    assert [panel.step.disabled, panel.run.disabled] == [True, True]


def test_a_lock_says_why_and_goes(shown):
    panel, state = shown(Steps, chosen)
    state.locked = "Say first which line moves most."
    assert (panel.why.text, panel.step.disabled, panel.run.disabled) == (state.locked, True, True)
    panel.step.click()  # as a test may, and a page cannot
    assert state.session.head == 0
    state.locked = ""
    assert (panel.why.text, panel.step.disabled) == ("", False)


@pytest.mark.parametrize("name, written", [("learning_rate", "fast"), ("learning_rate", "-1"), ("update_norm", "nan")])
def test_a_setting_that_cannot_be_starts_nothing(shown, name, written):
    made = []

    def ready(state):
        state.view = "Start"
        made.append(Steering(state))

    panel, state = shown(Steps, ready)
    (steering,) = made
    steering.controls.by_name[name].value = written
    for each in (panel.step, panel.run):
        each.click()
        assert isinstance(state.error, BadSetting)
    assert len(state.session.history) == 1
    steering.controls.by_name[name].value = ""
    panel.step.click()
    assert (state.error, state.session.head) == (None, 1)
    steering.close()
