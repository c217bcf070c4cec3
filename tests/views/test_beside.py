"""Beside: while a twin is trained everything else goes on; it is taken in when nothing runs, and has a Stop of its own."""

from __future__ import annotations

import asyncio
import threading

import pytest

from tests.views.test_references import session as taught_session
from tests.views.test_state import gate as gated_method
from unlearnviz.engine import twin_training
from unlearnviz.engine.learning import Recipe
from unlearnviz.engine.methods.gradient_ascent import GradientAscent
from unlearnviz.engine.progress import Progress
from unlearnviz.views.dashboard import Dashboard
from unlearnviz.views.state import SessionState

STEP = GradientAscent()
session, gate = taught_session, gated_method


class Held:
    """Trainings that report once and then wait for `go`; after that each works as it always does."""

    def __init__(self, monkeypatch):
        self.go, real = threading.Event(), twin_training.train_cached

        def train_cached(*given):
            yield Progress(1, 100, "epoch 1 of 2", 2.0)
            while not self.go.wait(0.01):
                yield Progress(1, 100, "epoch 1 of 2", 2.0)
            yield from real(*given)

        monkeypatch.setattr(twin_training, "train_cached", train_cached)


@pytest.fixture
def held(monkeypatch):
    made = Held(monkeypatch)
    yield made
    made.go.set()


def in_a_loop(main):
    asyncio.run(asyncio.wait_for(main(), 60))


async def changed(state, name):
    """The next value of one of its traits."""
    there = asyncio.get_running_loop().create_future()

    def tell(change):
        if not there.done():
            there.set_result(change["new"])

    state.observe(tell, name)
    try:
        return await there
    finally:
        state.unobserve(tell, name)


async def opened(session, pick="Tom Lindqvist"):
    state = SessionState(session)
    state.pick([pick])
    await state.runner.idle()
    return state


def test_steps_are_taken_and_undone_while_it_is_trained_and_then_it_is_measured(session, held):
    async def main():
        state = await opened(session)
        state.train_twin()
        assert (state.training, state.busy) == ("the twin", "")
        state.train_twin()  # a second click
        assert (await changed(state, "trained")).text == "epoch 1 of 2"
        state.step(STEP)
        await state.runner.idle()
        assert (session.head, state.picture.step, state.training, state.error) == (1, 1, "the twin", None)
        assert "Perplexity: forget" in state.picture.sentence
        state.undo()
        await state.runner.idle()
        assert session.head == 0
        assert not state.picture.has_twin
        held.go.set()
        await state.idle()
        assert (state.training, state.trained, state.error) == ("", None, None)
        assert state.picture.has_twin
        assert state.picture.twin["perplexity"].value > 0
        assert state.picture.sentence.startswith("The twin is ready: it never saw the texts to forget.")
        assert len(session.twins) == 2
        state.close()

    in_a_loop(main)


def test_what_runs_then_ends_first_and_a_stop_of_it_loses_no_twin(session, held, gate):
    async def main():
        state = await opened(session)
        state.train_twin()
        await changed(state, "trained")
        state.step(gate())
        await asyncio.to_thread(gate.reached.wait)
        held.go.set()
        await state.trainer.idle()
        assert state.busy.startswith("one step of ")
        assert len(session.twins) == 1
        state.stop()
        gate.opened.set()
        await state.idle()
        assert (session.head, state.picture.has_twin, state.error) == (0, True, None)
        state.close()

    in_a_loop(main)


def test_its_own_stop_keeps_nothing_of_it_and_all_of_the_rest(session, held):
    async def main():
        state = await opened(session)
        state.train_twin()
        await changed(state, "trained")
        state.step(STEP)
        await state.runner.idle()
        state.stop()  # of other work, of which there is none
        assert state.training == "the twin"
        state.stop_training()
        await state.idle()
        assert (state.training, session.head, len(session.twins), state.error) == ("", 1, 1, None)
        assert state.picture.sentence.startswith("The training of the twin was stopped; nothing of it was kept.")
        state.close()

    in_a_loop(main)


def test_of_texts_that_are_picked_no_more_it_waits_to_be_picked_again(session, held):
    async def main():
        state = await opened(session)
        state.train_twin()
        await changed(state, "trained")
        state.pick(["mara-okafor-0"])
        await state.runner.idle()
        held.go.set()
        await state.idle()
        assert state.picture.sentence.startswith("The twin of the texts that were picked before is ready; it is there when they are picked again.")
        assert not state.picture.has_twin
        state.pick(["Tom Lindqvist"])
        await state.idle()
        assert state.picture.has_twin
        state.close()

    in_a_loop(main)


def test_a_model_that_was_taught_anew_meanwhile_has_another_twin(session, held):
    async def main():
        state = await opened(session)
        state.train_twin()
        await changed(state, "trained")
        session.learn(recipe=Recipe(epochs=1, batch_size=8))
        held.go.set()
        with pytest.raises(Exception, match="taught anew while this twin was trained"):
            await state.idle()
        assert "taught anew" in str(state.error)
        assert session.twins == []
        state.close()

    in_a_loop(main)


def test_the_page_says_how_far_it_is_and_which_buttons_wait_for_it(session, held):
    async def main():
        session.pick("Tom Lindqvist")
        dashboard = Dashboard(session)
        state, line = dashboard.state, dashboard.training
        await dashboard.state.runner.idle()
        panels = {type(panel).__name__: panel for panel in dashboard.panels}
        step, twin = panels["Steps"].step, panels["PerplexityPanel"].twin
        assert (line.layout.display, line.children) == ("none", ())
        twin.click()
        await changed(state, "trained")
        assert line.layout.display is None
        assert line.line.value == "Training the twin beside: epoch 1 of 2, about 3 min left. You can go on."
        assert line.bar.value == 0.01
        assert (step.disabled, twin.disabled, panels["Steering"].twin.disabled) == (False, True, True)
        line.stop.click()
        await dashboard.idle()
        assert line.layout.display == "none"
        assert (twin.disabled, panels["Steering"].twin.disabled) == (False, False)
        held.go.set()
        twin.click()
        await dashboard.idle()
        assert (line.layout.display, twin.layout.display) == ("none", "none")
        dashboard.close()

    in_a_loop(main)


def test_a_page_that_is_closed_stops_it(session, held):
    async def main():
        state = await opened(session)
        state.train_twin()
        await changed(state, "trained")
        state.close()
        await state.trainer.idle()
        assert len(session.twins) == 1

    in_a_loop(main)
