"""What the last step pushed: rows that moved and words that rose and fell, as text that nobody obeys, only while it is open."""

from __future__ import annotations

import pytest

from unlearnviz.engine.methods.gradient_ascent import GradientAscent
from unlearnviz.engine.probes.probe import Reading
from unlearnviz.views.chart import wire
from unlearnviz.views.panels.push import Push
from unlearnviz.views.push_figures import moved, next_words, prompts

STEP = GradientAscent()
NASTY = "<img src=x onerror=alert(1)>%{y}"


@pytest.fixture
def opened(shown):
    return lambda **options: shown(Push, taught=True, **options)


def test_folded_it_measures_nothing_and_open_it_follows_every_step(opened):
    panel, state = opened()
    state.step(STEP)
    assert "push" not in state.picture.readings
    panel.fold.unfolded = True
    reading = state.picture.now("push")
    bars = panel.rows.figure.data[0]
    assert list(reversed(bars.x)) == [row["moved"] for row in reading.rows if row["kind"] == "token"]
    assert {trace.name for trace in panel.rows.figure.data} == {"moved", "as input", "as output"}
    assert "in the embedding moved furthest: " in panel.rows.summary
    assert "parts add up as vectors" in panel.rows.summary
    assert [value for _, value in panel.prompt.options] == list(prompts(reading))
    state.step(STEP)
    assert list(state.picture.readings["push"]) == [1, 2]
    panel.fold.unfolded = False
    state.step(STEP)
    assert list(state.picture.readings["push"]) == [1, 2]


def test_a_prompt_is_chosen_and_its_words_have_before_and_after(opened):
    panel, state = opened()
    panel.fold.unfolded = True
    assert panel.rows.summary == "This is the start: no step has pushed anything yet."
    assert panel.words.summary == panel.rows.summary
    state.step(STEP)
    panel.prompt.value = panel.prompt.options[1][1]
    rows = [row for row in state.picture.now("push").rows if row.get("prompt") == panel.prompt.value][::-1]
    ends = {trace.name: list(trace.x) for trace in panel.words.figure.data}
    assert ends["before"] == [row["before"] for row in rows]
    assert ends["after"] == [row["after"] for row in rows]
    assert " fell most, from " in panel.words.summary
    assert " rose most, from " in panel.words.summary
    state.step(STEP)
    assert panel.prompt.value == panel.prompt.options[1][1]


def test_a_step_that_left_the_embedding_says_so(opened):
    panel, state = opened()
    panel.fold.unfolded = True
    state.where = "block 0"
    state.step(STEP)
    assert panel.rows.figure is None
    assert "left the embedding as it was" in panel.rows.summary
    assert panel.words.figure is not None


def test_without_a_split_there_are_no_marks_and_the_note_says_why():
    row = {"kind": "token", "token": NASTY, "id": 3, "moved": 0.5, "input": None, "output": None}
    word = {"kind": "next", "passage": "a", "prompt": NASTY, "token": NASTY, "id": 3, "before": 0.75, "after": 0.25, "change": -0.5}
    reading = Reading("push", "push", 1, "now", "", "", 0.5, (row, word), note="Not split: two updates.")
    figure, said = moved(reading)
    assert [trace.name for trace in figure.data] == ["moved"]
    assert said.endswith("0.5, of 0.5 for all rows together (L2 norms). Not split: two updates.")
    words, fell = next_words(reading, NASTY)
    assert fell.endswith("fell most, from 0.75 to 0.25 (−0.5).")
    assert "rose" not in fell
    for each in (figure, words):
        assert "<img" not in str(wire(each)[0]["layout"])
        assert "%{y}" not in str(wire(each)[0]["layout"])
    assert moved(None)[0] is None
    assert next_words(None, "")[0] is None
    assert next_words(reading, "another")[1] == "No next token became more or less likely."
