"""References in the page: a twin goes with the pick that it belongs to, at once, and the page says what can be done."""

from __future__ import annotations

import asyncio

import pytest

from tests.engine import worlds
from unlearnviz.engine.fresh import Size, fresh_model
from unlearnviz.engine.learning import Recipe
from unlearnviz.engine.methods.gradient_ascent import GradientAscent
from unlearnviz.engine.session import Session
from unlearnviz.views.panels.perplexity import PerplexityPanel
from unlearnviz.views.perplexity_figure import perplexity
from unlearnviz.views.state import SessionState

SIZE = Size(blocks=1, width=16, heads=2, vocabulary=300, context=64)


@pytest.fixture
def session():
    opened = Session(fresh_model(worlds.tokenizer(), SIZE, seed=4), worlds.corpus(), initial_seed=4)
    opened.pick("Mara Okafor")
    opened.learn(recipe=Recipe(epochs=2, batch_size=8, learning_rate=1e-2))
    opened.twin()
    return opened


def seen_while(session, *verbs):
    """Every picture that the page is given while these things are asked of a state, one after the other."""

    async def main():
        state = SessionState(session)
        state.open()
        await state.idle()
        pictures = []
        state.observe(lambda change: pictures.append(change["new"]), "picture")
        for verb in verbs:
            verb(state)
            await state.idle()
        return pictures

    return asyncio.run(asyncio.wait_for(main(), 60))


def test_with_another_pick_all_that_belonged_to_the_twin_goes_before_anything_is_measured(session):
    pictures = seen_while(session, lambda state: state.pick(["Tom Lindqvist"]))
    first = next(picture for picture in pictures if picture.forget[0].subject == "Tom Lindqvist")
    assert first.now("perplexity") is None  # nothing was measured of him yet
    assert (dict(first.twin), dict(first.start), dict(first.twins), first.has_twin) == ({}, {}, {}, False)
    figure, said = perplexity(first)
    assert not figure.layout.annotations
    assert "is being measured. This twin still met Tom Lindqvist; compare with the never-seen texts, or train the twin" in said
    assert "Perplexity: forget" not in first.sentence  # of the texts before
    last = pictures[-1]
    assert last.now("perplexity").passages["forget"] == tuple(passage.id for passage in last.forget)
    assert last.start["perplexity"].value == last.now("perplexity").value
    assert dict(last.twin) == {}


def test_with_the_pick_taken_back_its_twin_is_there_again(session):
    pictures = seen_while(session, lambda state: state.pick(["Tom Lindqvist"]), lambda state: state.unpick())
    assert pictures[-1].no_twin == ""
    assert pictures[-1].twin["perplexity"].value > 0


def test_a_second_twin_gives_the_lines_their_range_without_being_asked(session):
    pictures = seen_while(session, lambda state: state.train_twin(another=True))
    values = [twin["perplexity"].value for twin in pictures[-1].twins.values()]
    assert pictures[-1].spread["forget"] == (min(values), max(values), 2)
    assert set(pictures[-1].spread) == {"forget", "neighbours", "never seen"}  # this world has no text left to retain
    _, said = perplexity(pictures[-1])
    assert "; 2 twins that differ in their seeds alone lie between " in said


def test_the_pools_that_the_groups_were_chosen_from_are_those_of_the_corpus(session):
    state = SessionState(session)
    state.open()
    assert state.picture.pools == {"forget": 4, "neighbours": 20, "retain": 0, "never seen": 8}
    state.pick(["mara-okafor-0"])
    assert state.picture.pools == {"forget": 1, "neighbours": 23, "retain": 3, "never seen": 8}
    assert {group: len(members) for group, members in state.picture.groups.items()} == {
        "forget": 1, "neighbours": 20, "retain": 3, "never seen": 8
    }  # fmt: skip


def test_a_step_that_changed_nothing_says_so_in_the_page():
    state = SessionState(worlds.session())
    state.open()
    state.step(GradientAscent(learning_rate=1e-30))
    assert state.picture.sentence.startswith("This step changed nothing: gradient-ascent left all weights of embedding as they were")
    assert "; neighbours still " in state.picture.sentence
    state.step(GradientAscent())
    assert "changed nothing" not in state.picture.sentence


# -- the panel --------------------------------------------------------------------------------------------------------


def pressed(each):
    assert each.layout.display is None
    assert not each.disabled
    each.click()


def test_the_twin_is_trained_where_the_page_says_that_there_is_none(session):
    state = SessionState(session)
    panel = PerplexityPanel(state)
    state.open()
    assert panel.twin.layout.display == "none"
    state.pick(["Tom Lindqvist"])
    assert panel.chart.summary.endswith("or train the twin of these texts (about 1 s).")
    pressed(panel.twin)
    assert panel.twin.layout.display == "none"
    assert "Aim for the twin, which never saw the forget texts" in panel.chart.summary
    state.pick(["Words that nobody has taught it before."])
    assert panel.twin.layout.display == "none"
    panel.close()


def test_check_this_number_shows_both_and_goes_with_the_number(shown):
    panel, state = shown(PerplexityPanel)
    assert panel.checked.text == ""
    pressed(panel.check)
    value = state.picture.now("perplexity").value
    assert panel.checked.text.startswith("Perplexity at step 0, recomputed by a plain GPT2LMHeadModel, one text and one token at a time: forget ")
    assert f"forget {value:.7g} here, " in panel.checked.text
    state.step(GradientAscent())
    assert panel.checked.text == ""
    state.undo()
    assert panel.checked.text != ""  # the same number, checked already
    state.pick(["Tom Lindqvist"])
    assert panel.checked.text == ""


def test_without_a_pick_there_is_nothing_to_check(shown):
    panel, state = shown(PerplexityPanel, pick=None)
    assert panel.check.disabled
    state.check("perplexity")
    assert (state.error, panel.checked.text) == (None, "")
