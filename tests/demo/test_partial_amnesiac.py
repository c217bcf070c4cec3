"""The experiment on partial updates: its rows against the methods and the weights, and its claims against numbers made for them."""

from __future__ import annotations

import pytest

from tests.demo.taught import taught_session
from unlearnviz import cli
from unlearnviz.demo import partial_amnesiac
from unlearnviz.demo.equal_forgetting import EqualForgetting, change
from unlearnviz.demo.partial_amnesiac import (
    ASKED,
    NEAR,
    PARTIAL,
    REPAIR,
    TENTH,
    WHOLE,
    claims,
    compare,
    recorded,
    repaired,
    report,
    taken,
    updated,
)
from unlearnviz.demo.verdicts import DEPENDS, NOT_HERE, REPRODUCED
from unlearnviz.engine.methods.amnesiac import Amnesiac
from unlearnviz.engine.methods.label_flipping import LabelFlipping
from unlearnviz.engine.methods.partial_amnesiac import PartialAmnesiac
from unlearnviz.engine.work import total_norm
from unlearnviz.errors import BadModel


@pytest.fixture(scope="module")
def session():
    return taught_session()


@pytest.fixture(scope="module")
def found(session):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(partial_amnesiac, "ASKED", {"AdamW": (WHOLE, (0.5, "magnitude"), TENTH)})
        patch.setattr(partial_amnesiac, "REPAIRS", 5)
        patch.setattr(partial_amnesiac, "PARTIAL", {words: type(each)(keep=each.keep, update_norm=2.0) for words, each in PARTIAL.items()})
        found = compare(lambda _line: None, (7,), lambda _seed, _optimizer: session)
        return found, report(found)


def test_rows_are_what_the_method_does(session, found):
    ground, (run,) = EqualForgetting(session), found[0]["runs"]
    assert session.head == 0
    whole = change(session, Amnesiac(), "all")
    assert taken(run, WHOLE)["norm"] == pytest.approx(total_norm(whole), rel=1e-5)
    assert taken(run, WHOLE)["retain"] == pytest.approx(ground.loss(ground.along(whole, 1.0), ground.others), rel=1e-5)
    tenth = change(session, PartialAmnesiac(keep=0.1), "all")
    assert taken(run, TENTH)["forget"] == pytest.approx(ground.forget_loss(ground.along(tenth, 1.0)), rel=1e-5)
    norms = [row["norm"] for row in run["taken back"] if row["pruning"] == "magnitude"]
    assert norms == sorted(norms, reverse=True)
    storage = [row["storage"] for row in run["taken back"] if row["pruning"] == "magnitude"]
    assert storage[0] == 1
    assert storage == sorted(storage, reverse=True)
    for row in run["taken back"]:
        near = row["after repair"]["retain"] <= NEAR * run["start"]["retain"]
        assert near == (row["repairs"] is not None)


def test_a_repair_is_counted_update_by_update(session, monkeypatch):
    ground = EqualForgetting(session)
    assert repaired(ground) == 0
    session.step(LabelFlipping(update_norm=0.3), "all")
    start = ground.loss(session.weights, ground.others)
    monkeypatch.setattr(partial_amnesiac, "REPAIRS", 2)
    monkeypatch.setattr(partial_amnesiac, "NEAR", 1e-6)
    assert repaired(ground) is None
    assert [session.history[k].method for k in (session.head - 1, session.head)] == [REPAIR.name] * 2
    assert ground.loss(session.weights, ground.others) < start
    session.go_to(0)


def test_updates_end_where_the_forget_loss_is_the_twins(session, monkeypatch):
    ground = EqualForgetting(session)
    one = updated(ground, LabelFlipping(update_norm=0.5))
    finer = updated(ground, LabelFlipping(update_norm=0.25))
    assert 1 <= one["updates"] <= finer["updates"]
    assert session.head == 0
    monkeypatch.setattr(partial_amnesiac, "UPDATES", 1)
    assert updated(ground, LabelFlipping(update_norm=1e-3)) == {"updates": None}


def run_of(*, whole: float, tenth: float, repairs: int, forget: float, naive: float, storage: float = 0.13, optimizer: str = "SGD") -> dict:
    """A made-up run: what taking back everything and a tenth costs the others, and what naive and partial updates do."""

    def row(keep: float, retain: float, updates: int) -> dict:
        at_twin = {"retain": 1.0 + 2 * retain, "retain recall": 50.0}
        told = {"storage": storage, "forget": forget, "retain": retain, "repairs": updates, "scale": 3.0, "at twin": at_twin}
        return {"keep": keep, "pruning": "magnitude", **told, "after repair": {"forget": forget + 0.1, "retain": 0.1}}

    updates = {words: {"updates": 3, "retain": naive if words.endswith(" 1") else 0.3} for words in PARTIAL}
    rows = [row(1.0, whole, 9), row(0.1, tenth, repairs)]
    return {"optimizer": optimizer, "start": {"retain": 0.1}, "twin": {"forget": 2.0}, "taken back": rows, "updates": updates}


def test_verdicts_follow_the_numbers():
    wobble = (0.9, 1.0, 1.1)
    good = claims([run_of(whole=0.5 + w, tenth=0.2, repairs=0, forget=2.5 + w, naive=0.5 + w) for w in wobble])
    assert {each["verdict"] for each in good.values()} == {REPRODUCED}
    bad = claims([run_of(whole=0.1, tenth=0.2 + w, repairs=8, forget=1.5 - w, naive=0.2 - w / 9, storage=0.5) for w in wobble])
    assert {each["verdict"] for each in bad.values()} == {NOT_HERE}
    assert bad["partial-amnesiac-needs-no-repair"]["estimate"] == 8
    other = [run_of(whole=0.1, tenth=0.2 + w, repairs=8, forget=1.5 - w, naive=0.5 + w, optimizer="AdamW") for w in wobble]
    mixed = claims([*(run_of(whole=0.5 + w, tenth=0.2, repairs=0, forget=2.5 + w, naive=0.5 + w) for w in wobble), *other])
    asked = ("partial-amnesiac-keeps-quality", "partial-amnesiac-needs-no-repair", "partial-amnesiac-still-unlearns")
    assert {mixed[name]["verdict"] for name in asked} == {DEPENDS}
    assert mixed["partial-amnesiac-still-unlearns"]["because"].startswith("forget loss minus the twin's, a tenth: SGD 1.5 (")


def test_the_command_writes_what_it_found(found, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(partial_amnesiac, "compare", lambda _tell: found[0])
    monkeypatch.setattr(partial_amnesiac, "report", lambda _found: found[1])
    assert cli.main(["partial-amnesiac", "--out", str(tmp_path / "found.json")]) == 0
    assert capsys.readouterr().out.strip() == found[1]
    assert len(recorded(tmp_path / "found.json")["runs"]) == 1
    with pytest.raises(BadModel, match="unlearnviz partial-amnesiac"):
        recorded(tmp_path / "nowhere.json")


def test_the_committed_results_are_whole_and_their_claims_are_computed_from_their_runs():
    found = recorded()
    assert [(run["seed"], run["optimizer"]) for run in found["runs"]] == [(seed, each) for seed in partial_amnesiac.SEEDS for each in ASKED]
    for run in found["runs"]:
        assert [(row["keep"], row["pruning"]) for row in run["taken back"]] == list(ASKED[run["optimizer"]])
        assert set(run["updates"]) == (set(PARTIAL) if run["optimizer"] == "AdamW" else set())
    again = claims(found["runs"])
    assert {name: each["verdict"] for name, each in found["claims"].items()} == {name: each["verdict"] for name, each in again.items()}
    for name, each in again.items():
        assert found["claims"][name]["estimate"] == pytest.approx(each["estimate"], abs=1e-4)
