"""A claim is tried: Step waits for a prediction, the steps are taken, and no more is said than what was measured."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import pytest

from tests.engine import worlds
from unlearnviz.engine.history import StepRecord
from unlearnviz.engine.learning import Recipe
from unlearnviz.engine.methods.gradient_ascent import GradientAscent
from unlearnviz.engine.methods.method import registry as methods
from unlearnviz.engine.probes.probe import Reading
from unlearnviz.engine.selection import ParameterSelection
from unlearnviz.engine.twin import Range
from unlearnviz.views.panels.steps import Steps
from unlearnviz.views.panels.try_claim import LOCKED, PICK, WHOLE, TryClaim
from unlearnviz.views.prediction import ANSWERS, NONE, compared, steps_taken
from unlearnviz.views.presets import PRESETS

EMBEDDING, LAST_TWO, TOO_MANY, REPAIR = (preset.title for preset in PRESETS)


def reading(**values):
    rows = tuple({"group": group.replace("_", " "), "perplexity": value} for group, value in values.items())
    return Reading("perplexity", "perplexity", 0, "now", "perplexity", "", None, rows)


BEFORE = reading(forget=1.25, neighbours=2.0, retain=1.5, never_seen=20.0)
AFTER = reading(forget=6.5, neighbours=2.06, retain=1.506, never_seen=20.1)


@pytest.fixture
def opened(shown):
    def make(**options):
        panel, state = shown(TryClaim, **{"taught": True, **options})
        panel.fold.unfolded = True
        return panel, state

    return make


def test_every_preset_is_a_method_and_a_place_of_any_model():
    assert len({preset.title for preset in PRESETS}) == len(PRESETS)
    layout = worlds.language_model().layout
    for preset in PRESETS:
        assert preset.step().name in list(methods)
        assert ParameterSelection.parse(preset.place(layout.blocks), layout).names
        assert preset.steps >= 1
    assert [PRESETS[1].place(blocks) for blocks in (12, 2, 1)] == ["blocks 10-11", "blocks 0-1", "blocks 0-0"]


def test_step_waits_for_the_prediction_and_then_the_two_are_compared(opened):
    panel, state = opened()
    panel.claim.value = LAST_TWO
    assert (state.method, state.where, state.locked) == (GradientAscent(), "blocks 0-1", LOCKED)
    assert panel.take.disabled
    panel.guess.value = "neighbours"
    assert state.locked == ""
    assert not panel.take.disabled
    before = {row["group"]: row["perplexity"] for row in state.picture.now("perplexity").rows}
    state.step(state.method)
    assert panel.found.text == "1 of 3 steps are taken."
    panel.take.click()
    assert state.picture.step == 3
    after = {row["group"]: row["perplexity"] for row in state.picture.now("perplexity").rows}
    assert panel.found.text.startswith("You said neighbours; ")
    for group, value in before.items():
        told = re.search(rf"{group} ([+−±][\d,.]+) %", panel.found.text)[1].translate(str.maketrans("−", "-", "±,"))
        assert float(told) == pytest.approx(100 * (after[group] / value - 1), abs=0.6, rel=0.01)
    assert panel.found.text.endswith("Measured once: this model, Mara Okafor, 3 steps of gradient-ascent at blocks 0-1 from step 0 on.")
    assert panel.take.disabled
    assert panel.guess.disabled  # it cannot be changed afterwards


def test_locked_steps_say_why_and_a_claim_can_always_be_left(opened):
    panel, state = opened()
    steps = Steps(state)
    for leave in (panel.out.click, lambda: setattr(panel.fold, "unfolded", False), lambda: setattr(panel.claim, "value", "")):
        panel.fold.unfolded = True
        panel.claim.value = EMBEDDING
        assert steps.step.disabled
        assert steps.why.text == LOCKED
        leave()
        assert state.locked == ""
        assert not steps.step.disabled
        assert panel.claim.value == ""
    assert state.picture.step == 0
    panel.fold.unfolded = True
    panel.claim.value = EMBEDDING
    panel.leave()  # as when the page is closed
    assert state.locked == ""
    steps.close()


def test_too_many_steps_end_by_themselves_and_only_then_there_is_something_to_repair(opened, monkeypatch):
    panel, state = opened()
    panel.claim.value = REPAIR
    assert panel.said.text.endswith(WHOLE)
    assert (state.locked, panel.guess.disabled) == ("", True)
    hard = replace(PRESETS[2], settings={"update_norm": 3.0})
    monkeypatch.setattr("unlearnviz.views.panels.try_claim.PRESETS", (*PRESETS[:2], hard, PRESETS[3]))
    state.pick(["mara-okafor-0", "mara-okafor-3"])  # leaves a retain group
    panel.claim.value = TOO_MANY
    panel.guess.value = "forget"
    panel.take.click()
    taken = state.picture.step
    assert 0 < taken < 20
    assert state.picture.records[-1].mark == "overshoot"
    assert "The run stopped there: the retain texts surprise the model over 3 times as much as at the start." in panel.found.text
    assert "Measured once: this model, Mara Okafor, " in panel.found.text
    panel.claim.value = REPAIR
    assert state.locked == LOCKED
    assert state.method.name == "fine-tune"
    panel.guess.value = "retain"
    panel.take.click()
    assert state.picture.step == taken + 5
    assert f"5 steps of fine-tune at embedding from step {taken} on." in panel.found.text


def test_a_claim_ends_when_what_it_was_about_is_gone(opened):
    panel, state = opened(initial_seed=1)

    def begin():
        panel.claim.value = EMBEDDING
        panel.guess.value = "forget"
        assert not panel.take.disabled

    begin()
    state.pick(["Tom Lindqvist"])
    assert "others were picked" in panel.found.text
    assert panel.take.disabled
    state.step(GradientAscent())
    begin()
    state.undo()
    assert "you went back before it" in panel.found.text
    begin()
    state.session.learn(recipe=Recipe(epochs=1))
    state.open()
    assert "another history was taken up" in panel.found.text
    assert state.locked == ""


def test_without_a_pick_nothing_is_locked(opened):
    panel, state = opened(pick=None)
    panel.claim.value = EMBEDDING
    assert panel.said.text.endswith(PICK)
    assert (state.locked, panel.guess.disabled, panel.take.disabled) == ("", True, True)


def test_right_and_wrong_predictions_are_told_with_all_numbers():
    numbers = "forget +420 % (1.25 to 6.5), neighbours +3.0 % (2 to 2.06), never seen +0.5 % (20 to 20.1), retain +0.4 % (1.5 to 1.51)."
    spread = {group: Range(1.0, 1.01, 3) for group in ANSWERS}
    assert compared("neighbours", BEFORE, AFTER, spread) == f"You said neighbours; forget moved most: {numbers}"
    assert compared("forget", BEFORE, AFTER, spread) == f"You said forget; forget moved most, as you said: {numbers}"


def test_lines_that_differ_by_less_than_twins_do_cannot_be_told_apart():
    wide = {"forget": Range(1.0, 5.0, 4), "neighbours": Range(2.0, 2.1, 4)}  # a factor of 5; the moves differ by one of 5.05
    said = compared("neighbours", BEFORE, AFTER, wide)
    assert "cannot be told apart" not in said
    said = compared("forget", BEFORE, AFTER, {"forget": Range(1.0, 5.1, 4)})
    assert "forget moved most: " in said
    assert "as you said" not in said
    apart = " But forget and neighbours cannot be told apart: their moves differ by less than a factor of 5.1, as twins of other seeds do."
    assert said.endswith(apart)
    unknown = compared("forget", BEFORE, AFTER, {})
    assert unknown.endswith("is not known for these texts, so a small difference between two lines may mean nothing.")


def test_a_fall_counts_as_a_rise_does_and_what_is_not_finite_moved_most():
    fell = compared("forget", BEFORE, reading(forget=1.3, neighbours=2.0, retain=0.5, never_seen=20.0), {})
    assert "; retain moved most: retain −66.7 % (1.5 to 0.5), " in fell
    broken = compared("forget", BEFORE, reading(forget=2.0, neighbours=math.inf, retain=1.5, never_seen=math.nan), {})
    assert "; neighbours moved most: neighbours +inf % (2 to inf), never seen nan % (20 to nan), " in broken


def test_where_nothing_moves_it_says_so():
    right = compared(NONE, BEFORE, BEFORE, {})
    assert right.startswith("You said none of them; no line moved by 1 % or more, as you said: forget ±0.0 % (1.25 to 1.25)")
    assert compared("retain", BEFORE, BEFORE, {}).startswith("You said retain; no line moved by 1 % or more: ")


def test_the_steps_are_told_as_they_were():
    records = [StepRecord(k, k - 1, "main", method, where=where) for k, (method, where) in enumerate([("a", "x"), ("a", "x"), ("b", "all")], 1)]
    assert steps_taken(records) == "2 steps of a at x, then 1 step of b at all"
