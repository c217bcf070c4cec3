"""Runs that end where something is reached: a number, the twin, one of several groups, or what a function says."""

from __future__ import annotations

import pytest

from tests.engine import worlds
from unlearnviz.engine.methods.gradient_ascent import GradientAscent
from unlearnviz.engine.twin import Twin
from unlearnviz.errors import BadSetting, NotPossible, UnknownName

ALLOWED = (
    "allowed are a perplexity of the forget texts, 'twin' (theirs by the twin), a mapping from groups to perplexities, one of which is to be "
    "reached, or a function of the readings that says True."
)


def perplexities(session, group="forget"):
    found = []
    for step in session.history.path():
        for reading in session.history.readings[step]:
            if reading.of == "now" and reading.label == "perplexity":
                found += [row["perplexity"] for row in reading.rows if row["group"] == group]
    return found


@pytest.fixture
def session(taught):
    return taught


def test_a_number_is_reached_and_not_gone_past(session):
    records = session.run(GradientAscent(), where="embedding", until=3.0, stop_at=1e9)
    found = perplexities(session)
    assert len(records) == len(found) - 1 > 1
    assert all(value < 3.0 for value in found[:-1])
    assert found[-1] >= 3.0
    assert [record.mark for record in records] == [*([""] * (len(records) - 1)), "reached"]
    assert session.run("gradient-ascent", until=3.0) == ()  # it is reached already


def test_the_twin_is_reached(session):
    with pytest.raises(NotPossible, match="No twin was trained"):
        session.run(until="twin")
    assert session.head == 0
    session.twins.append(Twin(worlds.session().weights, frozenset(passage.id for passage in session.forget)))
    wanted = session.measure("perplexity", of="twin")["perplexity"].value
    records = session.run(GradientAscent(update_norm=2.0), until="twin", stop_at=1e9)
    assert records[-1].mark == "reached"
    assert perplexities(session)[-1] >= wanted > perplexities(session)[-2]


def test_one_of_several_groups_is_enough(session):
    start = session.measure("perplexity")["perplexity"]
    limits = {row["group"]: row["perplexity"] * (1.3 if row["group"] == "neighbours" else 1e6) for row in start.rows}
    records = session.run("gradient-ascent", until=limits, stop_at=1e9)
    assert records[-1].mark == "reached"
    assert perplexities(session, "neighbours")[-1] >= limits["neighbours"]


def test_a_function_sees_the_readings(session):
    seen = []
    records = session.run(4, until=lambda readings: seen.append(readings["perplexity"].value))
    assert len(records) == 4
    assert seen == perplexities(session)
    assert not records[-1].mark  # it never said True
    with pytest.raises(ZeroDivisionError):
        session.run(until=lambda readings: 1 / 0)
    assert len(session.history) == 5
    assert not session.turn.taken


@pytest.mark.parametrize(
    "asked, error, sentence",
    [
        ({}, BadSetting, "A run needs a number of steps, or until=, which says when it has gone far enough."),
        ({"steps": 0}, BadSetting, "A run of 0 steps was asked for; a run has at least 1."),
        ({"until": "twins"}, BadSetting, f"until='twins' does not say when to stop; {ALLOWED}"),
        ({"until": True}, BadSetting, f"until=True does not say when to stop; {ALLOWED}"),
        ({"until": {}}, BadSetting, f"until={{}} does not say when to stop; {ALLOWED}"),
        ({"until": 0.5}, BadSetting, "until=0.5 asks for a perplexity that no model has; it is a finite number, at least 1."),
        ({"until": float("nan")}, BadSetting, "until=nan asks for a perplexity that no model has; it is a finite number, at least 1."),
        (
            {"until": {"forget": "3"}},
            BadSetting,
            "until={'forget': '3'} asks for a perplexity that no model has; it is a finite number, at least 1.",
        ),
        (
            {"until": {"forgot": 3.0}},
            UnknownName,
            "No group of texts named 'forgot'. Did you mean 'forget'? Known: 'forget', 'neighbours', 'retain', 'never seen'.",
        ),
    ],
)
def test_what_says_nothing_is_a_sentence(session, asked, error, sentence):
    before = worlds.state(session)
    with pytest.raises(error) as caught:
        session.run(**asked)
    assert str(caught.value) == sentence
    assert worlds.state(session) == before
