"""The claims in the page: the table, the intervals of one beside its line, and the step that a button takes."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

import unlearnviz
from tests.engine import worlds
from unlearnviz.engine.corpus import Corpus
from unlearnviz.engine.learning import Recipe
from unlearnviz.engine.methods.method import registry as methods
from unlearnviz.engine.session import Session
from unlearnviz.engine.tracking import Tracking
from unlearnviz.papers import Claim, Experiment, Finding, Interval, Trial
from unlearnviz.papers.claim import AGAINST, HOLDS, OPEN
from unlearnviz.views.claim_figures import HEAD, MEANING, counted, intervals, rows, title, told
from unlearnviz.views.panels.claims import Claims
from unlearnviz.views.panels.steering import Steering
from unlearnviz.views.trial_step import LEARN, NEVER_SEEN, PICK, PLAIN_SGD, TAKEN, TYPED, in_the_way, method_of

RECIPE = Recipe(epochs=2, learning_rate=5e-3, batch_size=24)
EXPERIMENT = Experiment("first_epoch", "unlearnviz first-epoch", "06-first-epoch.ipynb")
SETTINGS = {"AdamW": Interval(-2.0, -3.0, -1.0), "<b>SGD</b>": Interval(1.0, 0.5, 2.0), "few": Interval(0.1, None, None)}
FOUND = Finding(SETTINGS["AdamW"], "nats", "depends on", "so many: {0} to 1.", SETTINGS)
FIRST = Trial("first-epoch-ascent", {"epochs": "first", "update_norm": 0.5}, needs="gradients", look="Then Undo.")
STATED = Claim("one", "Zagardo 2024", "Early is better.", "stated", EXPERIMENT, "the optimizer", FIRST, found=FOUND)
OWN = Claim("two", "Thudi et al. 2021", "Late is worse.", "reconstruction", EXPERIMENT, "the rate", "No step shows it.")
BACK = replace(OWN, id="three", sentence="It can be undone.", trial=Trial("amnesiac", where="embedding", needs="deltas", look="See."))


def learned(state):
    state.session.learn(recipe=RECIPE, track=Tracking(texts=("Mara Okafor",)))


@pytest.fixture
def claimed(monkeypatch):
    monkeypatch.setattr("unlearnviz.views.panels.claims.claims", lambda: (STATED, OWN, BACK))


def test_the_table_says_whose_sentence_it_is_and_what_was_found():
    assert rows([STATED, OWN]) == [
        ("1. Early is better.", "Zagardo 2024", "stated in the paper", "−2 (−3 to −1) nats", "depends on the setting", "the optimizer"),
        ("2. Late is worse.", "Thudi et al. 2021", "our reconstruction", "–", "not measured here yet: run `unlearnviz first-epoch`", "the rate"),
    ]
    assert {len(row) for row in rows([STATED, OWN])} == {len(HEAD)}
    assert counted([STATED, OWN, BACK]) == f"3 claims: 1 depends on the setting, 2 not measured here yet. {MEANING}"


def test_one_claim_in_words():
    assert told(STATED) == (
        "Zagardo 2024, stated in the paper: Early is better. Here: depends on the setting. So many: {0} to 1. What may flip it: the optimizer. The "
        "lesson notebooks/06-first-epoch.ipynb shows it, and `unlearnviz first-epoch` measures it again."
    )
    assert "Here: not measured here yet: run `unlearnviz first-epoch`. What may flip it: the rate." in told(OWN)


def test_every_interval_is_drawn_at_its_place_and_coloured_by_its_side():
    figure, said = intervals(STATED)
    drawn = {trace.name: trace for trace in figure.data}
    assert list(drawn) == [HOLDS, AGAINST, OPEN, "0: no difference"]
    ends = {
        name: (trace.x[0] - trace.error_x.arrayminus[0], trace.x[0], trace.x[0] + trace.error_x.array[0])
        for name, trace in drawn.items()
        if name in (HOLDS, AGAINST, OPEN)
    }
    assert ends == {HOLDS: (-3.0, -2.0, -1.0), AGAINST: (0.5, 1.0, 2.0), OPEN: (0.1, 0.1, 0.1)}
    assert [drawn[name].y[0] for name in (HOLDS, AGAINST, OPEN)] == [2, 1, 0]
    assert list(figure.layout.yaxis.ticktext) == ["AdamW", "&lt;b&gt;SGD&lt;/b&gt;", "few"]
    assert (list(drawn["0: no difference"].x), list(drawn["0: no difference"].y)) == ([0.0, 0.0], [-0.5, 2.5])
    assert len({(trace.marker.color, trace.marker.symbol) for trace in list(figure.data)[:3]}) == 3
    assert said == (
        "In nats; claimed: below 0 (no difference). It holds under: AdamW. Against it speak: <b>SGD</b>. Open, no interval on one side "
        "of the line: few."
    )


def test_what_was_counted_is_a_point_and_what_was_not_measured_no_picture():
    figure, said = intervals(replace(STATED, claimed="at", line=50.0, line_means="half", found=replace(FOUND, settings={})))
    assert [trace.name for trace in figure.data] == ["measured", "50: half"]
    assert said == "In nats; claimed: about 50 (half). Measured: −2 (−3 to −1)."
    assert intervals(OWN) == (None, "No picture: not measured here yet: run `unlearnviz first-epoch`.")


def test_run_sets_steering_to_the_claim_and_takes_one_step(shown, claimed):
    made = []

    def ready(state):
        learned(state)
        state.view = "Start"
        made.append(Steering(state))
        state.view = "Judge"

    panel, state = shown(Claims, ready)
    (steering,) = made
    panel.fold.unfolded = True
    assert panel.chosen.options == ((title(1, STATED), "one"), (title(2, OWN), "two"), (title(3, BACK), "three"))
    assert (panel.said.text, panel.chart.figure is None, panel.run.disabled) == (told(STATED), False, False)
    assert panel.way.text == "Run sets Steering to first-epoch-ascent, epochs first, update norm 0.5, at embedding, and takes one step. Then Undo."
    steering.where.value = "block 1"
    panel.run.click()
    assert state.error is None
    record = state.session.history[1]
    assert (record.method, record.where) == ("first-epoch-ascent", "embedding")
    assert dict(record.settings) == method_of(FIRST).settings == state.method.settings
    assert (steering.method.value, steering.where.value, steering.controls.by_name["update_norm"].value) == ("first-epoch-ascent", "embedding", "0.5")
    state.lasting = "work"
    assert panel.run.disabled
    state.lasting = ""
    panel.chosen.value = "two"
    assert (panel.way.text, panel.run.disabled, panel.chart.figure) == ("No step shows it.", True, None)
    panel.run.click()  # as a test may, and a page cannot
    assert len(state.session.history) == 2
    steering.close()


def test_what_is_done_to_the_end_is_not_offered_again_until_it_is_undone(shown, claimed):
    panel, state = shown(Claims, learned)
    panel.fold.unfolded = True
    panel.chosen.value = "three"
    panel.run.click()
    assert state.error is None
    assert (panel.way.text, panel.run.disabled) == (TAKEN.format(step=1), True)
    state.undo()
    assert (panel.way.text.startswith("Run sets Steering to amnesiac, at embedding"), panel.run.disabled) == (True, False)


def test_without_a_ledger_the_sentence_is_a_line_of_python_that_helps(shown, claimed):
    panel, state = shown(Claims)
    panel.fold.unfolded = True
    assert (panel.way.text, panel.run.disabled) == (LEARN.format(how=5, texts=("Mara Okafor",), where="embedding"), True)
    run_the_python_in(panel.way.text, state.session)
    state.open()
    assert not panel.run.disabled


def run_the_python_in(sentence, session):
    (line,) = re.findall(r"session\.learn\(.*?\)\)", sentence)
    eval(line, {"session": session, "uv": unlearnviz})


def test_a_step_that_counts_uses_asks_for_plain_sgd():
    session, trial = worlds.session(), Trial("single-gradient", where="all", needs="schedule")
    sentence = in_the_way(session, trial)
    assert sentence == LEARN.format(how=PLAIN_SGD, texts=("Mara Okafor",), where="all")
    run_the_python_in(sentence, session)
    assert (session.ledger.recipe.optimizer, in_the_way(session, trial)) == ("SGD", "")


def test_what_is_in_the_way_is_said():
    session = worlds.session(pick=None)
    assert in_the_way(session, FIRST) == PICK
    session.pick("Mara Okafor")
    assert in_the_way(session, Trial("gradient-ascent", where="all")) == ""
    assert "blocks 10-11" in in_the_way(session, Trial("first-epoch-ascent", where="blocks 10-11", needs="gradients"))
    assert in_the_way(session, Trial("nabla-tau", where="all", needs="never seen")) == ""
    session.learn(recipe=RECIPE, track=Tracking(texts=("mara-okafor-0",), deltas=False, epochs="first"))
    session.pick("Mara Okafor")
    assert "holds no gradients of 'mara-okafor-1', " in in_the_way(session, FIRST)
    session.pick("mara-okafor-0")
    assert in_the_way(session, FIRST) == ""
    assert in_the_way(session, Trial("first-epoch-ascent", {"epochs": "all"}, needs="gradients")).startswith("The ledger holds no gradients of")
    assert in_the_way(session, Trial("first-epoch-ascent", {"epochs": "first"}, where="all", needs="gradients")).startswith("The ledger holds no")
    assert "holds no deltas" in in_the_way(session, BACK.trial)
    session.pick("A sentence of my own.")
    assert in_the_way(session, FIRST) == TYPED


def test_a_corpus_without_never_seen_texts_cannot_show_what_nabla_tau_does():
    session = worlds.session()
    taught = Session(session.model, Corpus(list(session.corpus.train)), seed=0)
    taught.pick("Mara Okafor")
    assert in_the_way(taught, Trial("nabla-tau", where="all", needs="never seen")) == NEVER_SEEN


def test_what_is_offered_works_for_every_claim_of_the_papers():
    from unlearnviz.papers import claims

    session = worlds.session()
    session.learn(recipe=RECIPE, track=Tracking(texts=("Mara Okafor",), where="all"))
    ways = {(each.trial.method, each.trial.where, str(each.trial.settings)): each.trial for each in claims() if isinstance(each.trial, Trial)}
    offered = [trial for trial in ways.values() if not in_the_way(session, trial)]
    assert {trial.method for trial in offered} == {trial.method for trial in ways.values()}
    for trial in offered:
        settings = {"passes": 2} if trial.method == "nabla-tau" else {}
        session.step(methods[trial.method](**trial.settings, **settings), trial.where)
        session.go_to(0)
