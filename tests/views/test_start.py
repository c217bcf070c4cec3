"""The Start panel: who is picked, and one fact as the model tells it; a step size found from the page; a prompt put from elsewhere."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from tests.engine import worlds
from unlearnviz.engine.corpus import Corpus, Passage
from unlearnviz.engine.methods.gradient_ascent import GradientAscent
from unlearnviz.engine.probes.perplexity import Perplexity
from unlearnviz.engine.step_size import StepSize
from unlearnviz.errors import BadSetting
from unlearnviz.views.panels.sayings import Sayings
from unlearnviz.views.panels.start import NOBODY, SINGLE, Start
from unlearnviz.views.panels.steering import Steering
from unlearnviz.views.state import SessionState
from unlearnviz.views.told import MORE, SILENT, told

HOSTILE = '<img src=x onerror="alert(1)"> & <b>bold</b>'


def lines(panel):
    return [(row["label"], "".join(text for text, _, _ in row["tokens"])) for row in panel.fact.rows]


def marked(panel, mark):
    return [text for row in panel.fact.rows for text, _, each in row["tokens"] if each == mark]


def test_the_fact_is_told_as_the_text_says_it_until_steps_change_it(shown):
    panel, state = shown(Start, taught=True)
    assert lines(panel) == [("the model tells it now", "Mara Okafor was born in Lund.")]
    assert marked(panel, "said") == ["Lund."]
    before = len(state.picture.taken[0])
    assert len(state.session.history.readings[0]) == before  # it is one of the answers that were written anyway
    for _ in range(3):
        state.step(GradientAscent(update_norm=2.0))
    (label, tells), (beside, says) = lines(panel)
    assert (label, beside, says) == ("the model tells it now", "the text says", "… Lund.")
    assert tells.startswith("Mara Okafor was born in ")
    assert marked(panel, "changed")
    state.go_to(0)
    assert lines(panel) == [("the model tells it now", "Mara Okafor was born in Lund.")]


def test_one_click_picks_another_person_and_the_list_follows_what_is_picked_elsewhere(shown):
    panel, state = shown(Start, taught=True)
    assert panel.person.value == "Mara Okafor"
    panel.person.value = "Tom Lindqvist"
    assert {passage.subject for passage in state.session.forget} == {"Tom Lindqvist"}
    assert lines(panel)[0][1] == "Tom Lindqvist was born in Accra."
    state.pick(["mara-okafor-0"])
    assert (panel.person.value, panel.person.options[0]) == ("", (SINGLE, ""))
    state.pick(["Ines Duarte"])
    assert panel.person.value == "Ines Duarte"
    panel.person.value = ""  # names nobody, so nothing is picked
    assert {passage.subject for passage in state.session.forget} == {"Ines Duarte"}
    panel.single.click()
    assert state.view == "Neighbours"


def test_without_a_pick_it_says_so_and_without_people_it_leads_to_the_texts(shown):
    panel, state = shown(Start, pick=None)
    assert (panel.person.value, panel.person.options[0]) == ("", (NOBODY, ""))
    assert panel.fact.rows == []
    panel.person.value = "Mara Okafor"
    assert state.session.forget
    nameless = Corpus([Passage(id=f"t{k}", text=f"Text number {k} is short.", subject="") for k in range(6)])
    panel, state = shown(Start, texts=nameless, pick="t0")
    assert panel.person.layout.display == "none"
    assert lines(panel)[0][0] == "the model tells it now"


def test_a_choice_made_while_work_runs_is_picked_when_it_ends(living):
    state = SessionState(worlds.session(taught=True))
    panel = Start(state)

    async def main():
        state.open()
        await state.idle()
        state.step(GradientAscent())
        panel.person.value = "Tom Lindqvist"
        while state.busy:
            await state.idle()

    asyncio.run(main())
    assert {passage.subject for passage in state.session.forget} == {"Tom Lindqvist"}
    assert panel.person.value == "Tom Lindqvist"
    panel.close()
    assert living() == []


def test_a_pick_that_is_refused_leaves_the_list_at_who_is_picked(shown, monkeypatch):
    panel, state = shown(Start)

    def refuse(*items):
        raise BadSetting(f"not {items}")

    monkeypatch.setattr(state.session, "pick", refuse)
    panel.person.value = "Tom Lindqvist"
    assert isinstance(state.error, BadSetting)
    assert panel.person.value == "Mara Okafor"


def test_hostile_answers_are_text_and_long_ones_are_cut(shown):
    _, state = shown(Start, taught=True)
    reading = state.picture.now("generation")
    row = reading.rows[0]
    for text, expected in ((HOSTILE, HOSTILE), ("", SILENT), ("far " * 40, "far " * (1 + MORE) + "…")):
        other = replace(reading, rows=({**row, "text": text},))
        picture = replace(state.picture, readings={"generation": {0: other}})
        (_, tokens), (beside, _) = told(picture)
        assert "".join(each if isinstance(each, str) else each[0] for each in tokens) == f"{row['prompt']} {expected}"
        assert beside == "the text says"


def test_an_answer_of_an_earlier_step_is_called_so(shown):
    _, state = shown(Start, taught=True)
    picture = replace(state.picture, step=7, path=(0, 7))
    assert told(picture)[0][0] == "the model told it at step 0"
    assert told(replace(picture, readings={})) == []


def test_find_a_step_size_fills_its_field_says_what_was_found_and_changes_nothing_else(shown):
    panel, state = shown(Steering, taught=True)
    before = worlds.state(state.session)
    panel.find.click()
    assert state.error is None
    found = state.picture.step_size
    assert isinstance(found, StepSize)
    assert {**worlds.state(state.session), "history": before["history"]} == before
    assert panel.controls.by_name["update_norm"].value == repr(found.size)
    assert state.method == GradientAscent(update_norm=found.size)
    assert found.sentence in state.picture.sentence
    nll = [state.session.measure(Perplexity())["perplexity"].rows[0]["nll"]]
    state.step(state.method)
    nll.append(state.session.measure(Perplexity())["perplexity"].rows[0]["nll"])
    assert nll[1] - nll[0] == pytest.approx(0.3, abs=0.03)
    assert state.picture.step_size is None  # it was about the step before
    panel.controls.by_name["update_norm"].value = "7"
    state.undo()
    assert state.picture.step_size is found  # about this step again
    assert panel.controls.by_name["update_norm"].value == "7"  # and what was typed since then stays


def test_a_method_without_a_size_and_settings_that_are_wrong_find_none(shown):
    panel, state = shown(Steering, taught=True)
    panel.method.value = "amnesiac"
    assert panel.find.disabled
    panel.method.value = "npo"
    assert not panel.find.disabled
    panel.controls.by_name["update_norm"].value = "much"
    panel.find.click()
    assert "is not a number" in str(state.error)
    state.pick(["Tom Lindqvist"])
    assert state.picture.step_size is None


def test_a_prompt_put_from_elsewhere_is_answered_beside_the_first_of_the_picked_texts(shown):
    panel, state = shown(Sayings, taught=True)
    first = panel.prompts[0].value
    state.put_prompt("Noor Haddad was born in")
    assert (panel.prompts[0].value, panel.prompts[1].value) == (first, "Noor Haddad was born in")
    assert [row["prompt"] for row in state.picture.now("generation").rows][:2] == [first, "Noor Haddad was born in"]
    panel.prompts[1].value = "other"
    state.put_prompt("Noor Haddad was born in")
    assert panel.prompts[1].value == "Noor Haddad was born in"
