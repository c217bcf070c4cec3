"""Trials: runs from the start on branches of their own, several twins, and what is measured of each of them."""

from __future__ import annotations

import asyncio

import pytest

from tests.engine import worlds
from unlearnviz.engine.events import Measured
from unlearnviz.engine.methods.gradient_ascent import GradientAscent
from unlearnviz.engine.probes.exact_recall import ExactRecall
from unlearnviz.engine.probes.generation import Generation
from unlearnviz.errors import BadSelection
from unlearnviz.views.state import SessionState

STEP = GradientAscent()


@pytest.fixture
def state():
    made = SessionState(worlds.session())
    made.session.learn(1)
    made.open()
    return made


def test_a_run_from_the_start_is_a_branch_of_its_own_and_a_taken_name_gets_a_number(state):
    state.step(STEP)
    state.run_from_start(2, STEP)
    state.run_from_start(1, STEP)
    state.run_from_start(1, STEP, " gentle ")
    assert state.error is None
    assert dict(state.picture.branches) == {"main": 1, "gradient-ascent, embedding": 3, "gradient-ascent, embedding 2": 4, "gentle": 5}
    assert [record.parent for record in state.picture.tree] == [None, 0, 0, 2, 0, 0]
    assert state.session.snapshots[1].weights.fingerprint() == state.session.snapshots[4].weights.fingerprint()
    assert {reading.label for reading in state.picture.taken[3]} >= {"perplexity", "generation"}


@pytest.mark.parametrize("steps", [0, 2])
def test_a_run_that_fails_before_its_first_step_leaves_everything_as_it_was(state, steps):
    for _ in range(steps):
        state.step(STEP)
    state.session.branch("other")
    state.session.go_to("main")
    if steps:
        state.undo()
    before = (state.session.head, state.session.history.branch, dict(state.session.history.branches), state.session.fingerprint())
    state.where = "blok 1"
    state.run_from_start(2, STEP)
    assert isinstance(state.error, BadSelection)
    assert before == (state.session.head, state.session.history.branch, dict(state.session.history.branches), state.session.fingerprint())


def test_stop_keeps_the_finished_steps_of_a_run_from_the_start(state):
    async def main():
        await state.idle()
        state.session.listen(lambda event: state.stop() if event.step else None)  # in the first step of the new branch
        state.run_from_start(5, STEP)
        await state.idle()
        assert state.picture.branches["gradient-ascent, embedding"] == state.session.head == 1
        assert state.picture.sentence.startswith("Stopped; the unfinished part was not kept.")

    asyncio.run(asyncio.wait_for(main(), 60))


def test_another_twin_has_a_new_seed_and_all_of_them_are_judged_again(state):
    state.probe(ExactRecall())
    state.live("exact-recall", live=False)
    state.judge(["perplexity", "exact-recall"])
    assert dict(state.picture.twins) == {}
    assert state.picture.now("exact-recall").value is not None
    state.train_twin(another=True)
    assert state.picture.sentence.startswith("The twin is ready: it never saw the texts to forget.")
    state.train_twin(another=True)
    assert state.error is None
    assert [twin.seed for twin in state.session.fitting_twins] == list(state.picture.twins) == [0, 1]
    assert state.picture.sentence.startswith("The twin of seed 1 is ready; there are 2 twins of this forget set now. ")
    for seed, readings in state.picture.twins.items():
        assert {label: reading.of for label, reading in readings.items()} == dict.fromkeys(("perplexity", "exact-recall"), f"twin {seed}")
    assert state.picture.twins[0]["perplexity"].value == state.picture.twin["perplexity"].value
    assert state.picture.twins[1]["perplexity"].value != state.picture.twins[0]["perplexity"].value
    state.pick(["Tom Lindqvist"])
    assert dict(state.picture.twins) == {}


def test_who_stops_keeps_the_measures_that_are_done(state):
    state.offer(ExactRecall())
    state.train_twin()

    async def main():
        state.session.listen(lambda event: state.stop() if isinstance(event, Measured) and event.labels == ("exact-recall",) else None)
        state.judge(["perplexity", "exact-recall"])
        await state.idle()
        assert set(state.picture.twins[0]) == {"perplexity"}
        assert state.picture.twins[0]["perplexity"].value == state.picture.twin["perplexity"].value

    asyncio.run(asyncio.wait_for(main(), 60))


def test_what_is_offered_takes_the_place_of_nothing(state):
    state.probe(Generation("Tom was", label="exact-recall"))
    state.offer(ExactRecall())
    state.offer(ExactRecall(label="mine"))
    assert state.on_request == ("mine",)
    state.step(STEP)
    assert state.picture.now("exact-recall").probe == "generation"
    state.judge(["mine"])
    assert state.picture.now("mine").probe == "exact-recall"
