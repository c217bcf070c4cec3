"""What is compared with while no twin fits, and what training one would take."""

from __future__ import annotations

import pytest

from tests.engine import worlds
from unlearnviz.engine.corpus import Corpus, Passage
from unlearnviz.engine.fresh import Size, fresh_model
from unlearnviz.engine.learning import Recipe
from unlearnviz.engine.progress import Progress, drain
from unlearnviz.engine.references import pace, seconds_of_a_twin, timing, why_no_twin
from unlearnviz.engine.session import Session

SIZE = Size(blocks=1, width=16, heads=2, vocabulary=300, context=64)
SHORT = Recipe(epochs=2, batch_size=10, learning_rate=1e-2)


def fresh(texts=None):
    session = Session(fresh_model(worlds.tokenizer(), SIZE, seed=4), texts or worlds.corpus(), initial_seed=4)
    session.pick("Mara Okafor")
    return session


def test_a_twin_belongs_to_one_forget_set():
    session = fresh()
    assert why_no_twin(session) == "No twin was trained without these texts; compare with the never-seen texts."
    session.learn(recipe=SHORT)
    assert why_no_twin(session).startswith("No twin was trained without these texts; compare with the never-seen texts, or train the twin")
    session.twin()
    assert why_no_twin(session) == ""
    session.pick("Tom Lindqvist")
    assert why_no_twin(session).startswith(
        "This twin still met Tom Lindqvist; compare with the never-seen texts, or train the twin of these texts (about 1 s)."
    )
    session.pick("Tom Lindqvist", "Mara Okafor", "Noor Haddad")
    assert why_no_twin(session).startswith("This twin still met Tom Lindqvist and Noor Haddad; ")
    session.pick("Tom Lindqvist", "Ines Duarte", "Noor Haddad", "Mara Lindqvist", "Yusuf Okafor")
    assert why_no_twin(session).startswith("This twin still met Tom Lindqvist, Ines Duarte, Noor Haddad and 2 more; ")
    session.pick("mara-okafor-0", "mara-okafor-1")
    assert why_no_twin(session).startswith("This twin never met 2 other texts either; ")
    session.pick("Words that nobody has taught it before.")
    assert why_no_twin(session) == "You typed these texts and the model was never taught them: compare with the never-seen texts."
    session.lineage = None
    session.pick("Tom Lindqvist")
    assert why_no_twin(session) == "This twin still met Tom Lindqvist; compare with the never-seen texts."


def test_people_without_names_are_counted_and_long_names_are_cut():
    texts = [Passage(f"t{k}", f"This is text number {k}.", "x\n" * 90 if k == 1 else None) for k in range(6)]
    session = fresh_of(texts)
    session.twin()
    session.pick("t1", "t2", "t3")
    said = why_no_twin(session)
    assert " and 2 of these texts; " in said
    assert "\n" not in said
    assert len(said) < 250


def fresh_of(texts):
    session = Session(fresh_model(worlds.tokenizer(), SIZE, seed=4), Corpus(texts), initial_seed=4)
    session.pick("t0")
    session.learn(recipe=SHORT)
    return session


def test_the_time_of_a_twin_is_its_updates_as_fast_as_they_were_timed_last():
    session = fresh()
    assert seconds_of_a_twin(session) is None
    session.learn(recipe=SHORT)
    session.pace = 2.0
    assert seconds_of_a_twin(session) == 2.0 * 2 * 3  # 24 texts, 10 at once, 2 passes
    assert "(about 12 s)" in why_no_twin(session)
    session.pace = 60.0
    assert "(about 6 min)" in why_no_twin(session)
    session.pace = 3600.0
    assert "(about 6 h)" in why_no_twin(session)
    session.pace = None
    assert "(as long as the model itself took)" in why_no_twin(session)


def test_learning_and_training_a_twin_are_timed():
    session = fresh()
    session.learn(recipe=SHORT)
    assert session.pace > 0
    session.pace = None
    session.twin()
    assert session.pace > 0
    assert pace(Progress(4, 8, "", 2.0)) == 0.5
    assert pace(Progress(0, 8, "", 2.0)) is None


def test_an_update_is_timed_on_a_copy_once_and_only_where_a_twin_is_missing(monkeypatch):
    session = fresh()
    session.learn(recipe=SHORT)
    session.twin()
    session.pace = None
    drain(timing(session))
    assert session.pace is None
    session.pick("Tom Lindqvist")
    before = worlds.state(session)
    drain(timing(session))
    assert session.pace > 0
    assert worlds.state(session) == before
    found = session.pace
    drain(timing(session))
    assert session.pace == found
    session.pace = None
    monkeypatch.setattr("unlearnviz.engine.references.QUICK", session.model.size - 1)
    drain(timing(session))
    assert session.pace is None


@pytest.mark.parametrize("rounds", [1, 2])
def test_timing_can_be_stopped(rounds):
    session = fresh()
    session.learn(recipe=SHORT)
    session.pace = None
    before = worlds.state(session)
    worlds.one_at_a_time(timing(session), rounds).close()
    assert worlds.state(session) == before
