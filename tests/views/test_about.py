"""About this model: the card in the page, its beginnings to click, and when it opens by itself."""

from __future__ import annotations

import pytest

from tests.engine import worlds
from unlearnviz.engine.learning import Recipe
from unlearnviz.engine.methods.gradient_ascent import GradientAscent
from unlearnviz.views.panels.about import TIED, UNTIED, About

HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture
def opened(shown):
    def make(**options):
        panel, state = shown(About, **options)
        panel.fold.unfolded = True
        return panel, state

    return make


def line(panel, where):
    return next(row for row in panel.costs.rows if row[0] == where)


@pytest.mark.parametrize("tied", [True, False], ids=["tied", "untied"])
def test_the_card_says_what_the_model_is_and_what_a_step_costs(opened, tied):
    panel, state = opened(tied=tied)
    assert panel.said.text.startswith(f"Opened is tiny (GPT2LMHeadModel): {state.session.model.size:,} weights in 2 blocks, ")
    assert panel.said.text.endswith(TIED if tied else UNTIED)
    assert line(panel, "embedding")[3].endswith(" (estimate)")  # from the reading of perplexity that the page took anyway
    assert "Seconds are estimated from the reading of perplexity" in panel.costs.summary
    state.step(GradientAscent())
    assert float(line(panel, "embedding")[3]) > 0
    assert "step 1, which took" in panel.costs.summary
    assert [row[0] for row in panel.impossible.rows] == ["amnesiac, first-epoch-ascent, partial-amnesiac, single-gradient", "a twin"]


def test_before_anything_is_picked_nothing_was_timed(opened):
    panel, _ = opened(pick=None)
    assert line(panel, "all")[3] == "not timed yet"


def test_it_is_folded_and_nothing_is_made_for_it_unless_a_step_does_not_fit(shown):
    panel, _ = shown(About)
    assert (panel.open, panel.built) == (False, False)
    panel, _ = shown(About, memory_budget=10_000)
    panel.fold.unfolded = True
    assert ", copies on disk" in line(panel, "all")[2]  # it fits, but takes longer
    panel, _ = shown(About, memory_budget=0, disk_budget=0)
    assert (panel.open, panel.built) == (True, True)
    where, weights, memory, why = line(panel, "all")
    assert (where, memory) == ("all", "impossible")
    assert int(weights.replace(",", "")) > 0
    assert "to be undone; allowed are 0" in why


def test_a_beginning_of_a_text_that_it_knows_is_put_with_one_click(opened):
    panel, state = opened(initial_seed=2)
    assert (panel.prompts.rows, panel.prompts.layout.display) == ([], "none")  # nothing is known of how this one was taught
    state.session.learn(recipe=Recipe(epochs=1))
    state.open()
    assert panel.said.text.startswith("This small model was taught these 24 texts and nothing else: it knows only the 6 people in them.")
    assert panel.prompts.layout.display is None
    panel.prompts._on_page(panel.prompts, {"kind": "click", "row": 1, "token": 0}, [])
    assert state.prompt == "Ines Duarte was born in"


def test_a_hostile_name_stays_text(opened):
    panel, state = opened()
    state.session.model.name = HOSTILE
    state.step(GradientAscent())
    assert panel.said.text.startswith(f"Opened is {HOSTILE} (")
    assert worlds.session().model.name == "tiny"
