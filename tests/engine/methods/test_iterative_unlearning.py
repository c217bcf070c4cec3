"""Iterative unlearning against a loop that asks every candidate by hand; its stop rules, and what it remembers on a path."""

from __future__ import annotations

import json

import pytest
import torch

from tests.engine import worlds
from tests.engine.methods.by_hand import ByHand, opened
from unlearnviz.engine.corpus import Corpus
from unlearnviz.engine.history import History
from unlearnviz.engine.methods.iterative_unlearning import IterativeUnlearning
from unlearnviz.engine.session import Session
from unlearnviz.errors import BadSetting, Cancelled, NotPossible
from unlearnviz.numbers import number


def taken(session, step=None):
    """Passage ids in the order in which they were taken on the path."""
    records = [session.history[each] for each in session.history.path(step)]
    return [each for record in records for round_ in record.trajectory for each in round_["taken"]]


def score_by_hand(hand, score, passage):
    if score == "loss":
        return float(hand.mean([passage]).detach())
    ours, theirs = hand.gradient([passage]), hand.gradient(hand.session.forget)
    return -float(sum((ours[name] * theirs[name]).sum() for name in ours))


# -- what a round does --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "score, among, where",
    [
        ("loss", "picked texts", "embedding"),
        ("loss", "all taught texts", "block 0"),
        ("influence", "picked texts", "embedding"),
        ("influence", "picked texts", "embedding.input"),
        ("influence", "picked texts", "embedding.output"),
        ("influence", "all taught texts", "embedding.input, norm"),
        ("influence", "all taught texts", "block 0"),
    ],
)
def test_the_order_is_that_of_a_loop_by_hand(score, among, where):
    session = opened(blocks=1, width=16)
    hand = ByHand(session, where)
    left = [*session.forget, *(each for each in session.corpus.train if each not in session.forget)]
    left = left[: len(session.forget)] if among == "picked texts" else left
    method = IterativeUnlearning(score=score, among=among, take=2)
    for _ in range(2):
        scores = [score_by_hand(hand, score, each) for each in left]
        first = sorted(range(len(left)), key=lambda k: scores[k])[:2]
        hand.climb([left[k] for k in first])
        (round_,) = session.step(method, where).trajectory
        assert round_["taken"] == [left[k].id for k in first]
        sign = 1 if score == "loss" else -1
        assert round_["scores"] == pytest.approx([sign * scores[k] for k in first], rel=1e-9)
        hand.agree(1e-11)
        left = [each for k, each in enumerate(left) if k not in first]


def test_several_rounds_in_one_step_are_that_many_steps():
    several, one = worlds.session(), worlds.session()
    for optimizer in ({}, {"optimizer": "AdamW", "learning_rate": 0.01}):
        for session in (several, one):
            session.go_to(0)
        record = several.step(IterativeUnlearning(rounds=3, **optimizer))
        for _ in range(3):
            one.step(IterativeUnlearning(**optimizer))
        assert several.fingerprint() == one.fingerprint()
        assert taken(several) == taken(one)
        assert len(record.trajectory) == 3
        names = ", ".join(map(repr, taken(several)))
        assert record.narration == f"iterative-unlearning: took {names} (known best) in 3 updates of embedding, to forget 4 texts."


def test_the_trajectory_says_what_each_round_cost(taught):
    method = IterativeUnlearning(stop="extraction", rounds=2)
    record = taught.step(method)
    after = taught.measure("perplexity", "exact-recall")
    assert [set(round_) for round_ in record.trajectory] == [{"taken", "scores", "updates", "losses", "recited"}] * 2
    assert record.trajectory[-1]["losses"] == pytest.approx({row["group"]: row["nll"] for row in after["perplexity"].rows})
    assert record.trajectory[-1]["recited"] == after["exact-recall"].value
    assert json.loads(json.dumps(record.trajectory)) == list(record.trajectory)


# -- stop rules ---------------------------------------------------------------------------------------------------------


def refused(session, method, sentence):
    before = worlds.state(session)
    for attempt in (session.step, lambda method: session.run(3, method), session.preview):
        with pytest.raises(NotPossible) as caught:
            attempt(method)
        assert str(caught.value) == (
            f"A further step of iterative-unlearning was asked for, but its stop rule is reached: {sentence}. Undo a step, go on with "
            "other settings (with them it begins anew), or with another method."
        )
        assert {**worlds.state(session), "history": ""} == {**before, "history": ""}  # a run measures the start first
    assert len(session.history) == len(json.loads(before["history"])["records"])


def test_without_a_budget_each_candidate_is_taken_once_and_the_run_ends(session):
    records = session.run(10, IterativeUnlearning())
    assert [record.mark for record in records] == ["", "", "", "reached"]
    assert sorted(taken(session)) == sorted(each.id for each in session.forget)
    assert records[-1].narration.endswith("to forget 4 texts. The stop rule is reached: each of the 4 picked texts was taken once.")
    refused(session, IterativeUnlearning(), "each of the 4 picked texts was taken once")


def test_a_budget_counts_texts(session):
    method = IterativeUnlearning(among="all taught texts", take=3, budget=7)
    records = session.run(10, method)
    assert [len(record.trajectory[0]["taken"]) for record in records] == [3, 3, 1]
    refused(session, method, "the budget of 7 texts is spent")


def test_a_budget_above_the_number_of_texts_takes_them_again_after_all_were_taken(session):
    session.run(10, IterativeUnlearning(budget=9))
    texts = sorted(each.id for each in session.forget)
    assert [sorted(taken(session)[:4]), sorted(taken(session)[4:8]), len(taken(session))] == [texts, texts, 9]


def test_a_round_ends_with_the_pass(session):
    session.run(4, IterativeUnlearning(take=3, budget=7))
    assert [len(record.trajectory[0]["taken"]) for record in session.history.records[1:]] == [3, 1, 3]


def test_it_ends_when_the_forget_texts_are_as_surprising_as_texts_never_seen(taught):
    method = IterativeUnlearning(stop="never-seen loss", update_norm=1.0, rounds=2)
    records = taught.run(100, method, stop_at=1e9)
    rounds = [round_["losses"] for record in records for round_ in record.trajectory]
    assert [losses["forget"] >= losses["never seen"] for losses in rounds] == [False] * (len(rounds) - 1) + [True]
    assert [record.mark for record in records] == [""] * (len(records) - 1) + ["reached"]
    rows = {row["group"]: row["nll"] for row in taught.measure("perplexity")["perplexity"].rows}
    sentence = f"the forget texts surprise the model by {rows['forget']:.3g} nats a token, texts that it never saw by {rows['never seen']:.3g}"
    refused(taught, method, sentence)
    taught.undo()
    assert taught.step(method).mark == "reached"


def test_it_ends_when_few_enough_facts_are_recited(taught):
    assert taught.measure("exact-recall")["exact-recall"].value == 100
    method = IterativeUnlearning(stop="extraction", extraction_below=40, update_norm=1.0)
    records = taught.run(100, method, stop_at=1e9)
    assert records[-1].mark == "reached"
    now = taught.measure("exact-recall")["exact-recall"].value
    assert now <= 40 < taught.measure("exact-recall", of=records[-2].id)["exact-recall"].value
    refused(taught, method, f"{number(now)} % of the forget facts are recited, and the rule allows 40 %")


def test_a_rule_that_holds_from_the_start_leaves_nothing_to_do(taught):
    refused(taught, IterativeUnlearning(stop="extraction", extraction_below=100), "100 % of the forget facts are recited, and the rule allows 100 %")


def test_a_budget_ends_another_rule(taught):
    records = taught.run(9, IterativeUnlearning(stop="never-seen loss", budget=1, update_norm=1e-3))
    assert (len(records), records[0].mark) == (1, "reached")
    assert records[0].narration.endswith("The stop rule is reached: the budget of 1 text is spent.")


def test_a_rule_needs_something_to_look_at():
    known = worlds.session(texts=Corpus(worlds.corpus().train))
    with pytest.raises(BadSetting, match="the model never saw, and this corpus holds none; choose another stop rule, or read the texts with holdout"):
        known.step(IterativeUnlearning(stop="never-seen loss"))
    plain = worlds.session(pick="mara-okafor-3")
    with pytest.raises(BadSetting, match="asks which facts are recited, and none is marked in the forget texts; choose another stop rule"):
        plain.step(IterativeUnlearning(stop="extraction"))
    assert len(known.history) == len(plain.history) == 1


# -- what it remembers, and where ---------------------------------------------------------------------------------------


def test_what_was_taken_belongs_to_the_path(session, tmp_path):
    method = IterativeUnlearning()
    session.run(3, method)
    order, prints = taken(session), session.fingerprint()

    session.undo()
    assert session.step(method).trajectory[0]["taken"] == order[2:]  # not the fourth: the third is not taken on this path
    assert session.fingerprint() == prints

    session.go_to(1)
    session.branch("other")
    session.step(method)
    assert taken(session) == order[:2]
    session.undo()
    session.redo()
    assert session.step(method).trajectory[0]["taken"] == order[2:]

    session.go_to(2)
    loaded = Session.load(session.save(tmp_path / "saved"))
    loaded.step(method)
    assert taken(loaded) == order
    assert loaded.fingerprint() == prints


def test_other_settings_places_and_methods_start_anew(session):
    session.step(IterativeUnlearning())
    for settings, where in (({"update_norm": 0.01}, "embedding"), ({}, "block 0")):
        session.step(IterativeUnlearning(**settings), where)
        session.step(IterativeUnlearning(**settings), where)
        assert len(set(taken(session)[-2:])) == 2
        state = session.snapshots[session.head].state["taken"].value()
        assert json.loads(bytes(state.tolist())) == taken(session)[-2:]


def test_texts_of_another_pick_have_a_budget_of_their_own(session):
    method = IterativeUnlearning(budget=2)
    session.run(5, method)
    session.pick("Tom Lindqvist")
    assert [record.mark for record in session.run(5, method)] == ["", "reached"]
    assert all(each.startswith("tom-lindqvist") for each in taken(session)[2:])
    session.pick("Mara Okafor")
    refused(session, method, "the budget of 2 texts is spent")


@pytest.mark.parametrize("settings", [{"among": "all taught texts", "rounds": 2}, {"score": "influence", "stop": "extraction"}])
def test_it_can_be_stopped_at_every_report(settings, taught):
    method = IterativeUnlearning(**settings)
    taught.step(method)
    reports = len(list(taught.stepping(method)))
    assert reports > 5
    taught.undo()
    before = worlds.state(taught)
    for done in range(1, reports):
        work = worlds.one_at_a_time(taught.stepping(method), done)
        taught.cancel()
        with pytest.raises(Cancelled):
            next(work)
        assert worlds.state(taught) == before


# -- the record and the model -------------------------------------------------------------------------------------------


def test_a_history_saved_before_there_were_trajectories_still_opens(session, tmp_path):
    session.step(IterativeUnlearning())
    data = session.history.to_json()
    for record in data["records"]:
        del record["trajectory"]
    assert [record.trajectory for record in History.from_json(data)] == [(), ()]
    again = History.from_json(json.loads(session.history.dumps()))
    assert list(again) == list(session.history)
    assert len(again.to_frame()) == 2
    assert list(Session.load(session.save(tmp_path / "saved")).history) == list(session.history)


def test_a_preview_takes_nothing(session):
    method = IterativeUnlearning()
    before = worlds.state(session)
    preview = session.preview(method)
    assert worlds.state(session) == before
    assert preview.predicted["forget"] > 0
    session.step(method)
    assert len(taken(session)) == 1


@pytest.mark.parametrize("where", ["embedding.input", "embedding.output"])
def test_looking_while_one_use_of_the_embedding_is_followed_spoils_nothing(where):
    session, other = worlds.session(), worlds.session()
    wanted = other.measure("perplexity", of="start")["perplexity"].rows
    record = session.step(IterativeUnlearning(), where)  # the first that looks, while the head is a parameter of its own
    other.step(IterativeUnlearning(), where)
    assert session.measure("perplexity", of="start")["perplexity"].rows == wanted
    now = {row["group"]: row["nll"] for row in session.measure("perplexity")["perplexity"].rows}
    assert record.trajectory[0]["losses"] == pytest.approx(now)
    assert session.fingerprint() == other.fingerprint()
    assert torch.equal(session.model._shadow.module.lm_head.weight, session.model._shadow.module.transformer.wte.weight)
