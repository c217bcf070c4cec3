"""Each panel over a state, without a page: what it shows and what its controls do."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import ipywidgets as widgets

from tests.engine import worlds
from unlearnviz.engine.corpus import Corpus, Passage
from unlearnviz.engine.events import Learned
from unlearnviz.engine.learning import Recipe
from unlearnviz.engine.methods.fine_tune import FineTune
from unlearnviz.engine.methods.gradient_ascent import GradientAscent
from unlearnviz.engine.probes.probe import Reading
from unlearnviz.errors import BadForgetSet, BadSetting, UnknownName
from unlearnviz.views.panels import all_panels
from unlearnviz.views.panels.about import About
from unlearnviz.views.panels.claims import Claims
from unlearnviz.views.panels.closer import Closer
from unlearnviz.views.panels.distance import Distance
from unlearnviz.views.panels.drift import Drift
from unlearnviz.views.panels.forget_set import ForgetSet
from unlearnviz.views.panels.influence import Influence
from unlearnviz.views.panels.keep import Keep
from unlearnviz.views.panels.layers import Layers
from unlearnviz.views.panels.leak import Leak
from unlearnviz.views.panels.ledger import Ledger
from unlearnviz.views.panels.map import Map
from unlearnviz.views.panels.membership import Membership
from unlearnviz.views.panels.neighbours import Neighbours
from unlearnviz.views.panels.panel import Panel
from unlearnviz.views.panels.paths import Paths
from unlearnviz.views.panels.perplexity import PerplexityPanel
from unlearnviz.views.panels.preview import Preview
from unlearnviz.views.panels.push import Push
from unlearnviz.views.panels.sayings import HINT, SILENT, UNPICKED, Sayings, _marked
from unlearnviz.views.panels.start import Start
from unlearnviz.views.panels.steering import Steering, _lost, _passes
from unlearnviz.views.panels.steps import Steps
from unlearnviz.views.panels.timeline import Timeline
from unlearnviz.views.panels.try_claim import TryClaim
from unlearnviz.views.panels.verdict import Verdict
from unlearnviz.views.picture import Picture
from unlearnviz.views.showing import VIEWS

STEP = GradientAscent()


def test_the_panels_in_reading_order():
    order = {
        "": [Steps, Timeline, Keep],
        "Start": [Start, Steering, PerplexityPanel, Sayings, TryClaim, About],
        "Neighbours": [ForgetSet, Neighbours, Map],
        "Where": [Layers, Preview, Drift, Closer, Push],
        "Who": [Influence],
        "Judge": [Verdict, Leak, Paths, Membership, Distance, Ledger, Claims],
    }
    assert {view: [cls for cls in all_panels() if cls.view == view] for view in ("", *VIEWS)} == order
    assert all(cls.title for cls in all_panels())


class Counted(Panel):
    """A panel that tells what is asked of it."""

    title = "Counted"
    folded = True

    def build(self):
        self.told = []
        return [widgets.Label("seen")]

    def turned(self, *, unfolded):
        self.told.append(("turned", unfolded))

    def show(self, picture):
        self.told.append(("show", picture.step))
        if picture.step == 2:
            raise ZeroDivisionError

    def enable(self, *, idle):
        self.told.append(("enable", idle))


def test_a_folded_panel_is_one_line_until_it_is_opened_and_keeps_what_it_built(shown):
    panel, state = shown(Counted)
    state.step(STEP)
    state.lasting = "work"
    assert (panel.built, len(panel.widget.children), panel.fold.title) == (False, 1, "Counted")
    panel.fold.unfolded = True
    assert panel.told == [("turned", True), ("show", 1), ("enable", False)]
    state.lasting = ""
    panel.fold.unfolded = False
    body = panel.widget.children[1]
    assert body.layout.display == "none"
    state.undo()
    assert panel.told[3:] == [("enable", True), ("turned", False)]
    panel.fold.unfolded = True
    assert panel.told[5:] == [("turned", True), ("show", 0), ("enable", True)]
    assert (panel.widget.children[1], body.layout.display) == (body, None)
    panel.fold.unfolded = False
    state.redo()
    state.step(STEP)
    assert state.error is None
    panel.fold.unfolded = True
    assert isinstance(state.error, ZeroDivisionError)


# -- Forget set -------------------------------------------------------------------------------------------------------


def test_forget_set_lists_what_is_picked_with_its_perplexity_and_what_could_be(shown):
    panel, state = shown(ForgetSet)
    assert panel.count.text == "4 texts to forget about Mara Okafor."
    assert [row["id"] for row in panel.picked.rows] == [passage.id for passage in state.session.forget]
    assert all(row["badge"] and row["picked"] for row in panel.picked.rows)
    assert panel.found.value == "20 other taught texts"
    assert not {row["id"] for row in panel.results.rows} & {row["id"] for row in panel.picked.rows}
    before = [row["badge"] for row in panel.picked.rows]
    state.step(STEP)
    assert [row["badge"] for row in panel.picked.rows] != before


def test_forget_set_searches_by_words_and_person(shown):
    panel, _ = shown(ForgetSet)
    panel.search.value = "BAKER"
    assert panel.results.count == 0  # Mara Okafor, the only baker, is picked
    panel.search.value = "accra diver"
    assert [row["id"] for row in panel.results.rows] == ["tom-lindqvist-3"]
    panel.search.value = ""
    assert panel.whole.disabled
    panel.person.value = "Ines Duarte"
    assert [row["id"] for row in panel.results.rows] == [f"ines-duarte-{k}" for k in range(4)]
    panel.whole.click()
    assert panel.count.text == "4 texts to forget about Ines Duarte."


def test_a_click_adds_a_text_and_another_takes_it_out(shown):
    panel, state = shown(ForgetSet)
    before = state.session.forget
    panel.results._handle_custom_msg({"kind": "toggle", "id": "tom-lindqvist-1"}, [])
    assert [passage.id for passage in state.session.forget] == [*(each.id for each in before), "tom-lindqvist-1"]
    assert panel.count.text == "5 texts to forget about 2 people."
    panel.picked._handle_custom_msg({"kind": "toggle", "id": "tom-lindqvist-1"}, [])
    assert state.session.forget == before
    panel.results._handle_custom_msg({"kind": "toggle", "id": "not on show"}, [])
    panel.results._handle_custom_msg({"kind": "toggle", "id": None}, [])
    assert state.session.forget == before


def test_the_last_text_cannot_be_taken_out(shown):
    panel, state = shown(ForgetSet, pick="mara-okafor-0")
    panel.picked._handle_custom_msg({"kind": "toggle", "id": "mara-okafor-0"}, [])
    assert isinstance(state.error, BadForgetSet)
    assert len(panel.picked.rows) == 1


def test_a_typed_text_is_added_and_one_that_is_refused_stays_to_be_mended(shown):
    panel, state = shown(ForgetSet)
    panel.typed.value = "two words"
    panel.add.click()
    assert isinstance(state.error, UnknownName)
    assert panel.typed.value == "two words"
    panel.typed.value = "  <b>Mara</b> was seen on the moon  "
    panel.add.click()
    assert state.error is None
    assert panel.typed.value == ""
    assert panel.picked.rows[-1]["text"] == "<b>Mara</b> was seen on the moon"
    panel.add.click()
    assert len(panel.picked.rows) == 5


def test_the_note_on_a_text_goes_when_the_text_is_taken_out(shown):
    texts = Corpus(worlds.corpus(), notes=["A column was left out."])
    panel, state = shown(ForgetSet, texts=texts)
    assert panel.notes.text == "1 note on how the texts were read."
    panel.typed.value = "Mara was seen on the moon"
    panel.add.click()
    typed = state.session.forget[-1].id
    assert panel.notes.text == f"{typed} is a text you typed: the model was never trained on it."
    assert panel.notes.details.startswith("A column was left out.")
    panel.picked._handle_custom_msg({"kind": "toggle", "id": typed}, [])
    assert (panel.notes.text, panel.notes.details) == ("1 note on how the texts were read.", "A column was left out.")


def test_nothing_can_be_picked_while_work_runs(shown):
    panel, state = shown(ForgetSet)
    panel.person.value = "Ines Duarte"
    state.lasting = "one step"
    assert [panel.picked.disabled, panel.results.disabled, panel.add.disabled, panel.whole.disabled] == [True] * 4
    state.lasting = ""
    assert [panel.picked.disabled, panel.results.disabled, panel.add.disabled, panel.whole.disabled] == [False] * 4


# -- Steering ---------------------------------------------------------------------------------------------------------


def test_steering_takes_method_settings_and_place_from_its_controls(shown):
    panel, state = shown(Steering)
    panel.method.value = "fine-tune"
    panel.controls.by_name["learning_rate"].value = "0,01"
    panel.where.value = " block 1 "
    assert (state.method, state.where) == (FineTune(learning_rate=0.01), "block 1")
    panel.where.value = "  "
    assert (state.where, panel.where.value) == ("embedding", "embedding")
    state.where = "mlp"
    assert panel.where.value == "mlp"


def test_the_state_knows_what_is_chosen_or_what_is_wrong_with_it(shown):
    panel, state = shown(Steering)
    assert state.method == STEP
    panel.controls.by_name["update_norm"].value = "0,5"
    assert state.method == GradientAscent(update_norm=0.5)
    panel.controls.by_name["update_norm"].value = "much"
    assert isinstance(state.method, BadSetting)
    assert state.error is None  # nobody asked for a step yet
    panel.method.value = "fine-tune"
    assert state.method.name == "fine-tune"


def test_training_waits_for_work_and_a_twin_for_a_pick(shown):
    panel, state = shown(Steering)
    state.lasting = "one step"
    assert [panel.learn.disabled, panel.twin.disabled] == [True, True]
    state.lasting = ""
    assert [panel.learn.disabled, panel.twin.disabled] == [False, True]  # nothing is known of how it was taught
    panel, _ = shown(Steering, pick=None)
    assert [panel.twin.disabled, panel.learn.disabled] == [True, False]


def test_learn_asks_first_where_something_would_be_lost(shown):
    panel, state = shown(Steering)
    hidden, learned = "none", []
    state.session.listen(lambda event: learned.append(event) if isinstance(event, Learned) else None)
    panel.epochs.value = 1
    panel.learn.click()  # nothing was learned yet, so nothing is lost
    assert (panel.question, len(learned)) == (None, 1)
    state.step(STEP)
    panel.learn.click()
    assert panel.question.layout.display is None
    assert panel.doubt.text == (
        "Teach all texts again? It goes on from its present weights, and a new history starts: "
        "the 1 step of this history cannot be brought back."
    )
    panel.no.click()
    assert (panel.question.layout.display, panel.doubt.text, len(learned), state.session.head) == (hidden, "", 1, 1)
    panel.learn.click()
    state.undo()
    assert panel.question.layout.display == hidden  # the question is gone with what it was about
    panel.learn.click()
    panel.teach_again.click()
    assert (panel.question.layout.display, len(learned), len(state.session.history)) == (hidden, 2, 1)


def test_learn_asks_where_the_model_knows_its_texts():
    groups = {"forget": 1.5, "neighbours": 2.0, "retain": 2.0, "never seen": 20.0}
    rows = [{"group": g, "perplexity": p, "per_text": {str(k): p for k in range(4)}} for g, p in groups.items()]
    reading = Reading("perplexity", "perplexity", 0, "start", "unit", "direction", 1.5, tuple(rows))
    passage = Passage(id="a", text="b", split="train")
    assert _lost(Picture(forget=(passage,), start={"perplexity": reading}), 0) == (
        "This model knows them already. It goes on from its present weights, and a new history starts: "
        "these weights cannot be brought back."
    )
    said = _lost(Picture(forget=(passage,), start={"perplexity": reading}, has_twin=True), 3)
    assert said.endswith(": the 3 steps of this history and the twins cannot be brought back.")
    assert _lost(Picture(), 0) == ""


def test_the_passes_offered_are_those_of_the_sessions_own_recipe_or_fit_the_model(shown):
    panel, state = shown(Steering)
    assert panel.epochs.value == 60
    state.session.learn(recipe=Recipe(epochs=2))
    assert _passes(state.session) == 2
    state.session.learn(3)
    assert _passes(state.session) == 3
    big = SimpleNamespace(lineage=None, model=SimpleNamespace(size=124_000_000))
    assert _passes(big) == 9


def test_every_place_that_is_offered_can_be_read(shown):
    for options in ({}, {"tied": False}, {"blocks": 1}):
        panel, state = shown(Steering, **options)
        for place in panel.where.options:
            state.where = place
            state.step(STEP)
            assert state.error is None


# -- Timeline ---------------------------------------------------------------------------------------------------------


def test_scrubbing_moves_and_moving_sets_the_slider(shown):
    panel, state = shown(Timeline)
    assert panel.slider.disabled
    state.run(3, STEP)
    assert (panel.slider.value, panel.slider.maximum, panel.slider.disabled) == (3, 3, False)
    assert panel.slider.words == "step 3, 3 of 3 on this path. gradient-ascent: one update of embedding, to forget 4 texts."
    panel.slider.value = 1
    assert (state.session.head, state.picture.step, panel.slider.value) == (1, 1, 1)
    state.go_to(3)
    assert panel.slider.value == 3
    panel.slider.value = 99
    assert state.session.head == 3


# -- What it says now -------------------------------------------------------------------------------------------------


def cells(answer):
    return {row["label"]: "".join(token[0] for token in row["tokens"]) for row in answer.rows}


def test_sayings_answer_the_prompts_of_the_picked_texts(shown):
    panel, state = shown(Sayings)
    assert [prompt.value for prompt in panel.prompts][:3] == [
        "Mara Okafor was born in",
        "By trade Mara Okafor is a",
        "The house of Mara Okafor stands in Lund since",
    ]
    assert panel.prompts[4].value == ""
    assert list(cells(panel.answers[0])) == ["at the start", "now", "twin"]
    assert cells(panel.answers[0])["twin"] == "(no twin for these texts)"
    assert panel.answers[4].rows == []
    state.pick(["Tom Lindqvist"])
    assert panel.prompts[0].value == "Tom Lindqvist was born in"
    assert cells(panel.answers[0])["now"]


def test_an_edited_prompt_is_answered_and_goes_with_its_texts(shown):
    panel, state = shown(Sayings)
    panel.prompts[0].value = "<b>Who</b> are you?"
    assert state.picture.now("generation").rows[0]["prompt"] == "<b>Who</b> are you?"
    assert cells(panel.answers[0])["now"]
    state.step(STEP)
    assert cells(panel.answers[0])["now"]
    state.pick(["Tom Lindqvist"])
    assert panel.prompts[0].value == "Tom Lindqvist was born in"
    assert cells(panel.answers[0])["now"]
    panel.prompts[0].value = "   "
    assert panel.answers[0].rows == []


def test_answers_are_long_but_no_prompt_is_cut_for_them(shown):
    panel, state = shown(Sayings)
    model = state.session.model
    longest = max(len(model.encode(prompt.value)) for prompt in panel.prompts)
    wanted = min(40, max(24, model.context - longest), model.context - 1)
    assert panel._asking().max_new_tokens == wanted
    assert max(row["tokens"] for row in state.picture.now("generation").rows) <= wanted
    assert panel.hint.value == HINT
    panel.prompts[1].value = " ".join(["Mara"] * model.context)
    count = panel._asking().max_new_tokens
    assert count == min(24, model.context - 1)
    assert panel.hint.value == f"{HINT} Of prompt 2 the model reads the last {model.context - count} tokens alone: more do not fit."
    assert state.error is None
    panel.prompts[1].value = "Mara"
    assert panel.hint.value == HINT


def test_a_blank_answer_is_said(shown):
    panel, state = shown(Sayings)
    taken = state.picture.now("generation")
    blank = replace(taken, rows=tuple({**row, "text": " "} for row in taken.rows))
    panel.show(replace(state.picture, readings={"generation": {0: blank}}, start={"generation": blank}))
    assert cells(panel.answers[0]) == {"at the start": SILENT, "now": SILENT, "twin": "(no twin for these texts)"}


def test_with_nothing_picked_a_prompt_is_told_why_it_has_no_answer(shown):
    panel, state = shown(Sayings, pick=None)
    panel.prompts[1].value = "Who is Mara?"
    assert cells(panel.answers[1]) == {"now": UNPICKED}
    assert panel.answers[0].rows == []
    state.pick(["Mara Okafor"])
    assert UNPICKED not in str([answer.rows for answer in panel.answers])


def test_on_request_the_start_stays_and_now_waits_to_be_asked(shown):
    panel, state = shown(Sayings)
    state.live("generation", live=False)
    assert panel.request.live.value is False
    start = cells(panel.answers[0])["at the start"]
    state.step(STEP)
    assert cells(panel.answers[0]) == {
        "at the start": start,
        "now": "(not measured at this step)",
        "twin": "(no twin for these texts)",
    }
    state.pick(["Tom Lindqvist"])
    panel.request.measure.click()
    assert cells(panel.answers[0])["now"] not in ("", "(not measured at this step)")
    panel.request.live.value = True
    assert state.on_request == ()
    state.step(STEP)
    assert cells(panel.answers[0])["now"] != "(not measured at this step)"


def test_changed_words_are_marked_and_the_spaces_between_them_are_not():
    marked = _marked("a small town by the sea", "a big town near the sea <b>")
    assert "".join(token for token, _, _ in marked) == "a big town near the sea <b>"
    assert [token for token, _, mark in marked if mark == "changed"] == ["big", "near", "<b>"]
    assert _marked("", " ") == [(SILENT, None, "")]
    assert _marked("so it was", "") == [(SILENT, None, "changed")]
    assert [mark for _, _, mark in _marked("", "all new")] == ["changed", "", "changed"]


# -- charts -----------------------------------------------------------------------------------------------------------


def test_charts_follow_every_step(shown):
    for cls in (PerplexityPanel, Drift):
        panel, state = shown(cls)
        before = panel.chart.revision
        state.step(STEP)
        assert panel.chart.revision > before
        assert panel.chart.summary


def test_a_click_in_layers_chooses_the_place_and_outlines_it(shown):
    panel, state = shown(Layers)
    panel.bars._tell({"customdata": "block 1"})
    assert state.where == "block 1"
    assert 3 in panel.bars.figure.data[0].marker.line.width
    panel.map._tell({"customdata": ["embedding", "1.5", 0]})
    assert state.where == "embedding"
    for odd in (None, [], ["nowhere"], 7, {"a": 1}):
        panel.bars._tell({"customdata": odd})
    assert state.where == "embedding"
    panel.bars._tell({"customdata": "embedding.input"})
    state.step(STEP)
    assert state.session.history[1].where == "embedding.input"
    assert 3 in panel.bars.figure.data[0].marker.line.width
    assert panel.bars.notice == ""
