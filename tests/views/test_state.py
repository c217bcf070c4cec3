"""SessionState: verbs, one piece of work at a time, wishes, errors, Stop, and what is measured when."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass

import pytest
import torch

from tests.engine import worlds
from unlearnviz.engine.events import Moved, Stepped
from unlearnviz.engine.methods.gradient_ascent import GradientAscent
from unlearnviz.engine.methods.iterative_unlearning import IterativeUnlearning
from unlearnviz.engine.methods.method import Method
from unlearnviz.engine.probes.generation import Generation
from unlearnviz.engine.probes.gradient_norm import GradientNorm
from unlearnviz.engine.probes.perplexity import Perplexity
from unlearnviz.engine.probes.probe import Probe
from unlearnviz.engine.progress import Progress
from unlearnviz.errors import BadForgetSet, BadSelection, UnknownName
from unlearnviz.views import readouts as module
from unlearnviz.views.panels.timeline import Timeline
from unlearnviz.views.state import SessionState

STEP = GradientAscent()


@pytest.fixture
def gate():
    """A method that reports once, waits for the gate in the middle of its edit, and reports for ever."""
    opened, reached = threading.Event(), threading.Event()

    @dataclass(frozen=True, kw_only=True)
    class Gated(Method):
        def run(self, work):
            with torch.no_grad():
                for parameter in work.parameters.values():
                    parameter.add_(1.0)
            yield Progress(1, 3)
            reached.set()
            assert opened.wait(30)
            yield Progress(2, 3)
            yield Progress(3, 3)

    Gated.opened, Gated.reached = opened, reached
    yield Gated
    opened.set()


def opened(**options):
    state = SessionState(worlds.session(**options))
    state.open()
    return state


def in_a_loop(main):
    asyncio.run(asyncio.wait_for(main(), 60))


# -- verbs ------------------------------------------------------------------------------------------------------------


def test_without_a_loop_every_verb_has_ended_when_it_returns():
    state = opened()
    session = state.session
    assert set(state.picture.readings) == {"perplexity", "generation"}
    assert state.picture.start["perplexity"].value == state.picture.now("perplexity").value
    state.step(STEP)
    assert (state.busy, state.progress, state.error, state.picture.step) == ("", None, None, 1)
    assert state.picture.sentence.startswith("Perplexity: forget ")
    assert state.picture.before("perplexity") == state.picture.readings["perplexity"][0]
    state.undo()
    assert state.picture.sentence.startswith("Undone: this is step 0. Perplexity: ")
    assert (state.picture.step, state.picture.path, state.picture.can_redo) == (0, (0, 1), True)
    state.redo()
    assert state.picture.sentence.startswith("Done again: this is step 1. Perplexity: ")
    state.branch("gentle")
    assert state.picture.sentence.startswith("You are on the new branch 'gentle', which starts at step 1. Perplexity: ")
    assert dict(state.picture.branches) == {"main": 1, "gentle": 1}
    state.go_to(0)
    assert (session.head, state.picture.step) == (0, 0)
    state.pick(["Tom Lindqvist"])
    assert {passage.subject for passage in state.picture.forget} == {"Tom Lindqvist"}
    assert state.picture.now("perplexity").passages["forget"] == tuple(passage.id for passage in session.forget)
    state.go_to("main")
    assert session.head == 1
    asyncio.run(state.idle())


def test_in_a_loop_a_verb_returns_at_once_and_the_page_is_told_what_runs():
    async def main():
        state = opened_in_loop()
        await state.idle()
        told = []
        state.observe(lambda change: told.append(change["new"]), "busy")
        state.step(STEP)
        assert (state.busy, state.picture.step) == ("one step of gradient-ascent", 0)
        await state.idle()
        assert told == ["one step of gradient-ascent", ""]
        assert state.picture.step == 1

    def opened_in_loop():
        return opened()

    in_a_loop(main)


def test_a_run_draws_each_step_when_it_is_measured_and_says_what_the_whole_run_did():
    async def main():
        state = opened()
        await state.idle()
        steps = []
        state.observe(lambda change: steps.append(change["new"].step), "picture")
        start = state.picture.now("perplexity").value
        reports = []
        state.observe(lambda change: reports.append(change["new"]), "progress")
        state.run(3, STEP)
        await state.idle()
        assert steps[-1] == 3
        assert sorted(steps) == steps
        assert set(state.picture.readings["generation"]) == {0, 1, 2, 3}
        assert state.picture.sentence.startswith(f"Step 3 of 3. Perplexity: forget {start:.3g} \N{RIGHTWARDS ARROW} ")
        assert [each.total for each in reports if each is not None] == [3] * (len(reports) - 1)

    in_a_loop(main)


def test_charts_are_drawn_while_the_answers_are_still_written():
    async def main():
        state = opened()
        await state.idle()
        drawn = []
        state.observe(lambda change: drawn.append(({*taken(change["new"])}, state.busy, change["new"].sentence)), "picture")
        state.step(STEP)
        await state.idle()
        said = state.picture.sentence
        assert drawn == [
            ({"perplexity"}, "one step of gradient-ascent", said),
            ({"perplexity", "generation"}, "", said),
        ]
        state.live("generation", live=False)
        state.step(STEP)
        await state.idle()
        assert [taken for taken, *_ in drawn[2:]] == [{"perplexity"}]

    def taken(picture):
        return [label for label in picture.readings if picture.now(label) is not None]

    in_a_loop(main)


def test_a_run_leaves_the_same_weights_as_that_many_steps():
    state, other = opened(), worlds.session()
    state.run(3, STEP)
    other.run(3, STEP)
    assert state.session.fingerprint() == other.fingerprint()


def test_a_run_stops_where_the_retain_texts_suffer_and_says_so():
    state = opened(pick="mara-okafor-0")
    state.run(20, GradientAscent(update_norm=8.0))
    assert state.picture.records[-1].mark == "overshoot"
    assert state.picture.step < 20
    assert state.picture.sentence.startswith(
        f"Overshoot at step {state.picture.step}: the retain texts are more than 3 times"
    )
    assert "Undo takes you back" in state.picture.sentence
    assert state.error is None


def test_a_run_ends_where_the_method_has_nothing_left_to_do_and_says_why():
    state = opened(pick="mara-okafor-0")
    state.run(20, IterativeUnlearning(budget=2))
    assert [record.mark for record in state.picture.records] == ["", "", "reached"]
    assert state.picture.sentence.startswith("Done with step 2. iterative-unlearning: took 'mara-okafor-0' (known best) in one update of embedding")
    assert "The stop rule is reached: the budget of 2 texts is spent." in state.picture.sentence
    assert state.error is None
    state.run(20, IterativeUnlearning(budget=2))
    assert "its stop rule is reached: the budget of 2 texts is spent" in str(state.error)
    assert state.picture.step == 2
    state.undo()
    state.step(IterativeUnlearning(budget=2))
    assert " that stays on 'main'. Done with step 3." in state.picture.sentence


def test_the_timeline_says_where_and_why_a_run_ended(shown):
    panel, state = shown(Timeline, pick="mara-okafor-0")
    state.run(20, IterativeUnlearning(budget=2))
    assert panel.slider.words.endswith("the budget of 2 texts is spent. Marked: reached.")
    state.run(20, GradientAscent(update_norm=8.0))
    assert panel.slider.words.endswith("to forget 1 text. Marked: overshoot.")


# -- one at a time ----------------------------------------------------------------------------------------------------


def test_a_second_click_never_starts_a_second_run():
    async def main():
        state = opened()
        await state.idle()
        state.step(STEP)
        state.step(STEP)
        state.run(5, STEP)
        state.undo()
        await state.idle()
        assert (len(state.session.history), state.picture.step, state.error) == (2, 1, None)

    in_a_loop(main)


def test_scrubbing_while_work_runs_moves_to_the_latest_wish_only():
    async def main():
        state = opened()
        await state.idle()
        state.run(4, STEP)
        await state.idle()
        visited = []
        state.session.listen(lambda event: visited.append(event.step) if isinstance(event, Moved) else None)
        for target in (3, 2, 1, 0, 2):
            state.go_to(target)
        assert state.waits("move")
        await state.idle()
        assert visited == [3, 2]
        assert (state.session.head, state.picture.step, state.waits("move")) == (2, 2, False)

    in_a_loop(main)


def test_wishes_of_different_kinds_do_not_push_each_other_out(gate):
    async def main():
        state = opened()
        await state.idle()
        state.step(STEP)
        await state.idle()
        state.step(gate())
        state.probe(Generation(prompts="Who is Mara?"))
        state.soon(lambda: state.ask("generation"), "ask")
        state.go_to(0)
        gate.opened.set()
        await state.idle()
        assert state.session.head == 0
        assert [row["prompt"] for row in state.picture.now("generation").rows] == ["Who is Mara?"]

    in_a_loop(main)


# -- errors and Stop --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "act, kind, said",
    [
        (
            lambda state: (setattr(state, "where", "blok 1"), state.step(STEP)),
            BadSelection,
            "Selection 'blok 1' matches none",
        ),
        (lambda state: state.pick([]), BadForgetSet, "The forget set is empty"),
        (lambda state: state.pick(["Mara Okafo"]), UnknownName, "Did you mean 'Mara Okafor'?"),
        (lambda state: state.go_to(17), UnknownName, "No step named '17'"),
        (lambda state: state.pick([worlds.corpus()["leo-brandt-0"]]), BadForgetSet, "is in the holdout"),
    ],
)
def test_a_mistake_is_one_sentence_changes_nothing_and_is_raised_once(act, kind, said):
    async def main():
        state = opened()
        await state.idle()
        before = worlds.state(state.session)
        act(state)
        with pytest.raises(kind, match=said.replace("?", r"\?")):
            await state.idle()
        await state.idle()
        assert isinstance(state.error, kind)
        assert said in str(state.error)
        assert (state.busy, state.progress) == ("", None)
        assert worlds.state(state.session) == before
        state.where = "embedding"
        state.step(STEP)
        assert state.error is None
        await state.idle()

    in_a_loop(main)


def test_a_failure_drops_what_was_waiting(gate):
    async def main():
        state = opened()
        await state.idle()
        state.step(STEP)
        await state.idle()
        state.where = "nowhere"
        state.step(STEP)
        state.go_to(0)
        with pytest.raises(BadSelection):
            await state.idle()
        assert state.session.head == 1
        assert isinstance(state.error, BadSelection)

    in_a_loop(main)


def test_stop_in_the_middle_of_a_step_keeps_nothing_of_it(gate):
    async def main():
        state = opened()
        await state.idle()
        before = worlds.state(state.session)
        state.step(gate())
        assert await asyncio.to_thread(gate.reached.wait, 30)
        state.stop()
        gate.opened.set()
        await state.idle()
        assert worlds.state(state.session) == before
        assert state.picture.sentence.startswith("Stopped; the unfinished part was not kept. Perplexity: ")
        state.step(gate())
        state.stop()
        await state.idle()
        assert state.picture.sentence.count("Stopped") == 1

    in_a_loop(main)


def test_stop_in_a_run_keeps_the_finished_steps_and_measures_where_we_are():
    async def main():
        state, other = opened(), worlds.session()
        other.run(2, STEP)
        await state.idle()
        state.probe(GradientNorm())

        def listen(event):
            if isinstance(event, Stepped) and event.step == 2:
                state.stop()

        state.session.listen(listen)
        state.run(50, STEP)
        await state.idle()
        assert state.session.head == state.picture.step == 2
        assert state.session.fingerprint() == other.fingerprint()
        assert state.picture.sentence.startswith("Stopped; the unfinished part was not kept. Perplexity: forget ")
        assert set(state.picture.readings["gradient-norm"]) == {1, 2}
        assert state.error is None

    in_a_loop(main)


def test_a_stop_drops_what_was_waiting(gate):
    async def main():
        state = opened()
        await state.idle()
        state.step(STEP)
        await state.idle()
        state.step(gate())
        state.go_to(0)
        state.stop()
        gate.opened.set()
        await state.idle()
        assert state.session.head == 1

    in_a_loop(main)


def test_what_fails_after_finished_steps_leaves_its_error_on_the_measured_page():
    calls = []

    @dataclass(frozen=True, kw_only=True)
    class Breaks(Method):
        def run(self, work):
            calls.append(1)
            if len(calls) == 3:
                raise RuntimeError("the third")
            yield Progress(1, 1)

    async def main():
        state = opened()
        await state.idle()
        state.run(5, Breaks())
        with pytest.raises(RuntimeError, match="the third"):
            await state.idle()
        assert str(state.error) == "the third"
        assert state.session.head == state.picture.step == 2
        assert state.picture.now("generation") is not None

    in_a_loop(main)


def test_a_panel_that_cannot_draw_is_said_and_raised():
    async def main():
        state = opened()
        await state.idle()

        state.observe(lambda _: state.failed(ValueError("no ink")), "picture")
        state.step(STEP)
        with pytest.raises(ValueError, match="no ink"):
            await state.idle()
        assert str(state.error) == "no ink"
        assert state.busy == ""

    in_a_loop(main)


# -- what is measured -------------------------------------------------------------------------------------------------


def test_a_probe_that_is_slow_twice_waits_to_be_asked_and_can_be_switched_back(monkeypatch):
    monkeypatch.setattr(module, "SLOW", 0.0)
    state = opened()
    assert state.on_request == ()  # the first run also warms up
    state.open()
    assert state.on_request == ()  # looked up, not run again
    state.step(STEP)
    assert state.on_request == ("generation",)  # perplexity is always measured
    assert state.picture.now("generation") is not None
    state.step(STEP)
    assert state.picture.now("generation") is None
    assert state.picture.start["generation"] is not None  # what does not change stays in view
    assert state.picture.now("perplexity") is not None
    said = state.picture.sentence
    state.ask("generation")
    assert state.picture.now("generation") is not None
    assert state.picture.sentence == said
    state.step(STEP)
    assert state.picture.now("generation") is None
    state.live("generation", live=True)
    assert state.on_request == ()
    assert state.picture.now("generation") is not None  # at once, not only after the next step
    state.step(STEP)
    state.step(STEP)
    assert state.on_request == ()
    assert state.picture.now("generation") is not None
    state.live("generation", live=False)
    state.live("generation", live=False)
    assert state.on_request == ("generation",)


def test_a_probe_of_the_same_label_is_replaced():
    state = opened()
    state.probe(Generation(prompts="By trade Mara is a"))
    state.probe(Perplexity(of_answer=True, label="facts"))
    state.step(STEP)
    assert [row["prompt"] for row in state.picture.now("generation").rows] == ["By trade Mara is a"]
    assert set(state.picture.readings) == {"perplexity", "generation", "facts"}


def test_with_nothing_picked_there_is_a_picture_and_no_reading():
    state = opened(pick=None)
    assert (state.picture.forget, dict(state.picture.readings), state.picture.sentence) == ((), {}, "")
    state.ask("generation")
    state.step(STEP)
    assert isinstance(state.error, BadForgetSet)
    state.pick(["Mara Okafor"])
    assert state.error is None
    assert state.picture.now("perplexity") is not None


def test_a_twin_comes_and_goes_with_its_forget_set():
    from unlearnviz.engine.learning import Recipe
    from unlearnviz.engine.session import Session

    session = Session(worlds.language_model(), worlds.corpus(), initial_seed=7)
    state = SessionState(session)
    session.pick("Mara Okafor")
    session.learn(recipe=Recipe(epochs=1, batch_size=24))
    state.open()
    assert state.picture.can_train_twin
    state.train_twin()
    assert state.error is None
    assert state.picture.has_twin
    assert "the twin (" in state.picture.sentence
    state.pick(["Tom Lindqvist"])
    assert not state.picture.has_twin
    assert "twin" not in state.picture.sentence
    assert dict(state.picture.twin) == {}
    state.pick(["Mara Okafor"])
    assert state.picture.twin["perplexity"].of == "twin"


def test_a_pick_that_is_stopped_shows_no_reference_of_the_texts_before():
    async def main():
        state = opened()
        await state.idle()
        state.pick(["Tom Lindqvist"])
        state.session.listen(lambda _: state.stop())  # as soon as it is picked
        await state.idle()
        assert {passage.subject for passage in state.picture.forget} == {"Tom Lindqvist"}
        assert dict(state.picture.start) == {}

    in_a_loop(main)


def test_learning_begins_a_new_history():
    state = opened()
    state.step(STEP)
    state.learn(1)
    assert state.error is None
    assert (state.picture.step, len(state.session.history)) == (0, 1)
    assert state.picture.sentence.startswith(
        "The model went over its texts; a new history starts here. Perplexity: forget "
    )


def test_a_closed_state_tells_nobody_any_more(gate):
    async def main():
        state = opened()
        await state.idle()
        told = []
        state.step(gate())
        state.observe(told.append)
        state.close()
        gate.opened.set()
        await state.idle()
        assert told == []
        assert len(state.session.history) == 1

    in_a_loop(main)


def test_a_stop_while_a_run_measures_leaves_the_last_step_measured_too():
    @dataclass(frozen=True)
    class Halting(Probe):
        unit = direction = "none"

        def measure(self, model, corpus, view):
            if view.step == 2:
                state.stop()
            return self.reading(0.0, [])

    async def main():
        await state.idle()
        state.probe(Halting())
        state.probe(GradientNorm())
        state.run(50, STEP)
        await state.idle()
        assert state.session.head == 2
        assert state.picture.now("gradient-norm") is not None
        assert state.picture.sentence.startswith("Stopped; ")

    state = opened()
    in_a_loop(main)
