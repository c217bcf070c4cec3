"""The comparison of fuzzy and iterative unlearning, on a tiny world, and what the committed one holds."""

import numpy as np
import pytest

from tests.engine import worlds
from unlearnviz import cli
from unlearnviz.demo import fuzzy_or_iterative, shipped
from unlearnviz.demo.fuzzy_or_iterative import (
    KINDS,
    Target,
    claims,
    compare,
    forgotten,
    recorded,
    report,
    summary,
    targets,
    ways,
)
from unlearnviz.demo.world import world
from unlearnviz.engine.methods.fuzzy_unlearning import FuzzyUnlearning
from unlearnviz.engine.methods.gradient_ascent import GradientAscent
from unlearnviz.engine.methods.iterative_unlearning import IterativeUnlearning
from unlearnviz.errors import BadModel

CHOSEN = [Target("mara-okafor-0", "mara-okafor-3", KINDS[1]), Target("tom-lindqvist-1", "tom-lindqvist-3", KINDS[0])]
TRIED = {
    "alone": GradientAscent(update_norm=2.0),
    "fuzzy": FuzzyUnlearning(threshold=60, batch_size=2, update_norm=2.0),
    "iterative": IterativeUnlearning(score="influence", among="all taught texts", stop="never-seen loss", update_norm=2.0),
}


@pytest.fixture(scope="module")
def compared():
    session, told = worlds.session(taught=True, pick=None), []
    before = session.fingerprint()
    found = compare(session, told.append, CHOSEN, (0, 1), TRIED)
    assert session.fingerprint() == before  # every run went back
    return found, told


def test_every_text_is_forgotten_in_every_way_with_every_seed(compared):
    found, told = compared
    assert told[-1] == "12 of 12 times forgotten"
    asked = [(row["text"], row["seed"], row["way"]) for row in found["rows"]]
    assert asked == [(each.passage, seed, way) for seed in (0, 1) for each in CHOSEN for way in TRIED]
    for row in found["rows"]:
        assert row["ended"] == "as never seen"
        assert row["forget"] >= row["never seen"]
        assert row["updates"] >= 1
        assert row["collateral"] < 100
        assert row["taken"] - row["others"] >= 1
    assert all(row["taken"] == 1 for row in found["rows"] if row["way"] == "alone")
    assert all(row["taken"] > 1 for row in found["rows"] if row["way"] == "fuzzy")
    assert report(found).startswith("2 texts, seeds [0, 1]; mean (95 % interval over the texts)")


def test_one_run_counts_what_its_steps_took():
    session = worlds.session(taught=True, pick="mara-okafor-0", seed=1)
    found = forgotten(session, TRIED["fuzzy"], CHOSEN[0])
    records = [record for record in session.history if record.method == "fuzzy-unlearning"]
    taken = {each for record in records for row in record.trajectory for each in row["taken"]}
    assert found["taken"] == len(taken)
    assert found["others"] == sum(session.corpus[each].subject != "Mara Okafor" for each in taken)
    assert found["updates"] == len(records) * -(-len(taken) // 2)
    assert found["kept taken"] == ("mara-okafor-3" in taken)
    assert session.head == 0


def test_a_way_that_does_not_get_there_is_given_up(monkeypatch):
    monkeypatch.setattr(fuzzy_or_iterative, "MOST", 3)
    session = worlds.session(taught=True, pick="mara-okafor-0")
    found = forgotten(session, GradientAscent(update_norm=1e-4), CHOSEN[0])
    assert (found["ended"], found["updates"], found["collateral"]) == ("given up", 3, None)


def test_intervals_are_over_texts_and_seeds_are_averaged_first():
    measures = dict.fromkeys(fuzzy_or_iterative.MEASURED, 0.0)
    rows = [
        measures | {"kind": KINDS[0], "way": "a", "text": text, "ended": "as never seen", "kept taken": seed == 0, "updates": value + seed}
        for text, value in (("x", 1.0), ("y", 3.0), ("z", 8.0))
        for seed in (0, 1)
    ]
    (line,) = summary(rows)
    assert (line["runs"], line["as never seen"], line["took the other wording"]) == (6, 6, 3)
    assert line["updates"]["mean"] == pytest.approx((1.5 + 3.5 + 8.5) / 3)
    assert 1.5 <= line["updates"]["low"] < line["updates"]["mean"] < line["updates"]["high"] <= 8.5
    assert line["leak"] == {"mean": 0.0, "low": 0.0, "high": 0.0}


def test_the_claim_compares_what_leaks_of_the_same_text():
    leaks = {"x": ((10.0, 20.0), 40.0), "y": ((0.0, 4.0), 32.0), "z": ((7.0, 9.0), 23.0)}  # of iterative with two seeds, of fuzzy with one
    rows = [{"kind": "reworded", "way": "iterative", "text": text, "paraphrase leak": leak} for text, (two, _) in leaks.items() for leak in two]
    rows += [{"kind": "reworded", "way": "fuzzy, from 80", "text": text, "paraphrase leak": one} for text, (_, one) in leaks.items()]
    rows += [{"kind": "reworded", "way": "fuzzy, from 90", "text": "x", "paraphrase leak": None}]
    (found,) = claims(rows).values()
    assert list(found["settings"]) == ["reworded, from 80"]
    assert found["estimate"] == pytest.approx((-25.0 - 30.0 - 15.0) / 3)
    assert found["high"] == pytest.approx(-70 / 3 + 4.302653 * 7.637626 / 3**0.5)  # 4.303 stands in every table for 2 degrees of freedom
    assert found["verdict"] == "reproduced here"
    assert claims([]) == {}


def test_targets_of_the_shipped_world_have_their_fact_told_twice():
    corpus = world(shipped.facts()["seed"])
    chosen = targets(corpus)
    assert [each.kind for each in chosen] == [kind for kind in KINDS for _ in range(fuzzy_or_iterative.TEXTS)]
    for each in chosen:
        one, other = corpus[each.passage], corpus[each.kept]
        assert one.id != other.id
        assert (one.subject, one.answer) == (other.subject, other.answer)
        assert {one.split, other.split} == {"train"}


def test_the_command_writes_what_it_found(compared, tmp_path, monkeypatch, capsys):
    found, _ = compared
    monkeypatch.setattr(shipped, "open_shipped", lambda: None)
    monkeypatch.setattr(fuzzy_or_iterative, "compare", lambda _session, _tell: found)
    assert cli.main(["fuzzy-or-iterative", "--out", str(tmp_path / "found.json")]) == 0
    assert len(recorded(tmp_path / "found.json")["rows"]) == 12
    assert capsys.readouterr().out.strip() == report(found)
    with pytest.raises(BadModel, match="unlearnviz fuzzy-or-iterative"):
        recorded(tmp_path / "nowhere.json")


def test_the_committed_comparison_is_of_the_shipped_world():
    found, corpus = recorded(), world(shipped.facts()["seed"])
    assert found["corpus"] == corpus.digest()
    assert found["texts"] == {kind: [each.passage for each in targets(corpus) if each.kind == kind] for kind in KINDS}
    assert found["settings"] == {way: {"method": method.name, **method.settings} for way, method in ways().items()}
    assert len(found["rows"]) == len(ways()) * len(found["seeds"]) * len(targets(corpus))
    for name, each in claims(found["rows"]).items():
        assert (found["claims"][name]["verdict"], found["claims"][name]["estimate"]) == (each["verdict"], pytest.approx(each["estimate"], abs=1e-4))
    again = summary(found["rows"])
    for line, same in zip(found["summary"], again, strict=True):
        for name in fuzzy_or_iterative.MEASURED:
            assert [np.nan if value is None else value for value in line[name].values()] == pytest.approx(
                [np.nan if value is None else value for value in same[name].values()], rel=1e-2, abs=1e-3, nan_ok=True
            )
