"""What a cell or another page does to a session shows in every page of it; and a page that hears itself does nothing twice."""

from __future__ import annotations

import asyncio
import threading

from tests.engine import worlds
from unlearnviz.engine.events import Measured
from unlearnviz.engine.methods.gradient_ascent import GradientAscent
from unlearnviz.engine.progress import Progress
from unlearnviz.views.runner import WORK
from unlearnviz.views.state import SessionState

STEP = GradientAscent(update_norm=0.3)


def in_a_loop(main):
    asyncio.run(asyncio.wait_for(main(), 60))


def page(session):
    state = SessionState(session)
    state.listen()
    state.open()
    return state


async def settled(*states):
    """Until no page runs or has anything left to look at."""
    while True:
        for state in states:
            await state.idle()
        await asyncio.sleep(0)  # what was called soon
        if not any(state.runner.running or state._told for state in states):
            return


def truth(state):
    picture = state.picture
    return picture.step, picture.path, picture.branch, dict(picture.branches), picture.forget, picture.recipe, picture.readings


def test_two_pages_show_the_same_truth():
    async def main():
        session = worlds.session()
        one, two = page(session), page(session)
        await settled(one, two)
        for act in (
            lambda: one.step(STEP),
            lambda: two.step(STEP),
            one.undo,
            lambda: two.pick(["Tom Lindqvist"]),
            lambda: one.run(3, STEP),
            lambda: two.branch("gentle"),
            lambda: one.go_to(0),
        ):
            act()
            await settled(one, two)
            assert (one.error, two.error) == (None, None)
            assert truth(one) == truth(two)
            assert set(two.picture.readings["perplexity"]) >= {session.head}
        assert "Done elsewhere, by a cell or another page: this is step 0." in two.picture.sentence
        assert one.picture.sentence.startswith("Moved: this is step 0.")
        for state in (one, two):
            state.close()
        assert len(session._listeners) == 0

    in_a_loop(main)


def test_what_a_cell_does_shows_without_refresh():
    async def main():
        session = worlds.session()
        state = page(session)
        await settled(state)
        drawn = []
        state.observe(lambda change: drawn.append(change["new"].step), "picture")
        for _ in range(5):
            session.step()
        await settled(state)
        assert (state.picture.step, drawn) == (5, [5])  # five steps of one cell are drawn at once
        assert state.picture.now("perplexity") is None  # the next cell finds the session free
        assert "by a cell or another page: this is step 5" in state.picture.sentence
        value = session.measure("perplexity")["perplexity"].value
        await settled(state)
        assert state.picture.now("perplexity").value == value
        session.step()
        state.open()  # as refresh does
        await settled(state)
        assert state.picture.now("perplexity") is not None
        state.close()

    in_a_loop(main)


def test_a_page_does_not_answer_itself():
    async def main():
        session = worlds.session()
        one, two = page(session), page(session)
        await settled(one, two)
        heard = []
        session.listen(lambda event: heard.append(isinstance(event, Measured)))
        one.step(STEP)
        await settled(one, two)
        count = len(heard)
        await asyncio.sleep(0.05)  # long enough for a ping-pong to show
        await settled(one, two)
        assert len(heard) == count
        for state in (one, two):
            state.close()

    in_a_loop(main)


def test_without_a_loop_nobody_listens():
    session = worlds.session()
    state = page(session)
    session.step()
    assert state.picture.step == 0
    assert len(session._listeners) == 0
    state.open()
    assert state.picture.step == 1


def test_what_others_do_while_a_page_works_is_looked_at_when_it_ends():
    async def main():
        session = worlds.session()
        state = page(session)
        await settled(state)

        def slow():
            yield Progress(0, 1, "working")
            done = threading.Thread(target=session.step, name=f"{WORK} of another page")
            done.start()
            done.join()
            yield Progress(1, 1, "worked")

        state.start("slow work", slow(), quiet=True)
        await settled(state)
        assert (state.error, session.head, state.picture.step) == (None, 1, 1)
        assert state.picture.now("perplexity") is not None
        state.close()

    in_a_loop(main)


def test_wishes_that_are_done_at_once_do_not_hold_up_the_others():
    async def main():
        state = page(worlds.session())
        await settled(state)
        did = []
        state.step(STEP)
        state.soon(lambda: did.append("one"), "one")
        state.soon(lambda: did.append("two"), "two")
        state.go_to(0)
        await settled(state)
        assert (did, state.picture.step, state.waits("move")) == (["one", "two"], 0, False)
        state.close()

    in_a_loop(main)
