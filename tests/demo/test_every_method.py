"""The table of every method, on a tiny world, and what the committed one holds."""

from __future__ import annotations

import math

import pytest

from tests.clean_environment import ROOT
from tests.demo.taught import taught_session
from unlearnviz import cli
from unlearnviz.demo import every_method
from unlearnviz.demo.every_method import NOTHING, RETRAINED, Way, compare, recorded, report, summary, table, ways
from unlearnviz.engine.methods.amnesiac import Amnesiac
from unlearnviz.engine.methods.fine_tune import FineTune
from unlearnviz.engine.methods.gradient_ascent import GradientAscent
from unlearnviz.engine.methods.method import registry
from unlearnviz.engine.probes.exact_recall import ExactRecall
from unlearnviz.engine.probes.perplexity import Perplexity
from unlearnviz.engine.probes.verification_error import VerificationError
from unlearnviz.errors import BadModel

TRIED = {
    "ascent": Way(GradientAscent(update_norm=0.5)),
    "never there": Way(FineTune(update_norm=1e-6)),
    "amnesiac": Way(Amnesiac(epochs="1-3")),
}


@pytest.fixture(scope="module")
def compared():
    session, told = taught_session(), []
    before = session.fingerprint()
    found = compare(told.append, (0,), TRIED, lambda _seed: session)
    assert session.fingerprint() == before  # every way went back
    return found, told, session


def test_a_way_is_gone_until_the_forget_texts_surprise_as_they_do_the_twin(compared):
    found, told, session = compared
    assert told == ["1 of 1 models made to forget in 3 ways"]
    rows = {row["way"]: row for row in found["rows"]}
    assert list(rows) == [NOTHING, RETRAINED, *TRIED]
    assert rows["ascent"]["forget"] >= rows["ascent"]["target"] > rows[NOTHING]["forget"]
    assert rows["never there"]["steps"] == every_method.MOST
    assert rows["never there"]["forget"] < rows["never there"]["target"]
    assert rows["amnesiac"]["steps"] == 1  # it says itself that it is done
    for _ in range(rows["ascent"]["steps"]):
        session.step(TRIED["ascent"].method, "all")
    readings = session.measure(Perplexity(), VerificationError(), ExactRecall())
    assert readings["perplexity"].value == pytest.approx(rows["ascent"]["forget"], rel=1e-5)
    assert readings["verification-error"].value == pytest.approx(rows["ascent"]["error"], rel=1e-6)
    assert readings["exact-recall"].value == rows["ascent"]["forget recall"]
    session.go_to(0)
    assert session.measure(VerificationError())["verification-error"].value == pytest.approx(rows[NOTHING]["error"], rel=1e-6)


def test_doing_nothing_is_what_all_are_measured_against(compared):
    found, _, session = compared
    rows = {row["way"]: row for row in found["rows"]}
    assert (rows[NOTHING]["rise"], rows[NOTHING]["ratio"], rows[NOTHING]["steps"]) == (0, 1, 0)
    assert rows[RETRAINED]["error"] == pytest.approx(session.twins[0].weights.distance(session.twins[1].weights))
    for row in rows.values():
        assert row["ratio"] == pytest.approx(row["error"] / rows[NOTHING]["error"])


def test_the_summary_has_geometric_means_and_says_which_side_of_doing_nothing():
    values = {"forget": (4.0, 16.0), "rise": (0.0, 300.0), "ratio": (2.0, 2.2), "error": (1.0, 3.0)}
    rows = [
        {"way": "a", "target": 5.0, **dict.fromkeys(every_method.MEASURED, 1.0), **{name: each[seed] for name, each in values.items()}}
        for seed in range(2)
    ]
    (line,) = summary(rows)
    assert line["reached"] == 1
    assert line["forget"]["mean"] == pytest.approx(8)
    assert line["rise"]["mean"] == pytest.approx(100)
    assert line["error"]["mean"] == pytest.approx(2)
    assert (line["side"], line["ratio"]["mean"]) == ("farther", pytest.approx(math.sqrt(4.4)))
    assert summary([row | {"ratio": row["ratio"] / 4} for row in rows])[0]["side"] == "nearer"
    assert summary([row | {"ratio": row["ratio"] / 2.1} for row in rows])[0]["side"] == "undecided"


def test_the_ways_are_registered_methods_each_with_a_line_of_its_own():
    tried = {way.method.name for way in ways().values()}
    assert tried <= set(registry)
    assert len(tried) >= 14
    assert not {NOTHING, RETRAINED} & set(ways())


def test_the_command_writes_what_it_found(compared, tmp_path, monkeypatch, capsys):
    found, _, _ = compared
    monkeypatch.setattr(every_method, "compare", lambda _tell: found)
    assert cli.main(["every-method", "--out", str(tmp_path / "found.json")]) == 0
    assert len(recorded(tmp_path / "found.json")["rows"]) == 5
    assert capsys.readouterr().out.strip() == report(found)
    with pytest.raises(BadModel, match="unlearnviz every-method"):
        recorded(tmp_path / "nowhere.json")


def test_the_table_of_the_readme_is_the_committed_one():
    found = recorded()
    assert found["settings"] == {name: {"method": way.method.name, "where": way.where, **way.method.settings} for name, way in ways().items()}
    assert len(found["rows"]) == len(found["seeds"]) * (len(ways()) + 2)
    assert len(found["seeds"]) >= 5
    assert [line["way"] for line in summary(found["rows"])] == [line["way"] for line in found["summary"]]
    assert table(found) in (ROOT / "README.md").read_text(encoding="utf-8")
    assert every_method.FILE.stat().st_size < 60_000
