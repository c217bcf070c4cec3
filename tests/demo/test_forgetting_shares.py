"""Shares of a world forgotten by nabla-tau: on a tiny world, and the rules of the verdicts on numbers that were made up."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.demo.taught import taught_session
from unlearnviz import cli
from unlearnviz.demo import forgetting_shares, shipped
from unlearnviz.demo.forgetting_shares import (
    claims,
    compare,
    forgotten,
    gathered,
    look,
    people_of,
    recorded,
    report,
    summary,
    ways,
)
from unlearnviz.demo.world import world
from unlearnviz.engine.methods.fine_tune import FineTune
from unlearnviz.engine.methods.gradient_ascent import GradientAscent
from unlearnviz.engine.methods.nabla_tau import NablaTau
from unlearnviz.engine.probes.exact_recall import ExactRecall
from unlearnviz.engine.probes.perplexity import Perplexity
from unlearnviz.errors import BadModel

TRIED = {
    "nabla-tau": NablaTau(passes=10, learning_rate=1e-3),
    "gradient ascent": GradientAscent(update_norm=0.5),
    "fine-tune only": FineTune(update_norm=0.1),
}


@pytest.fixture(scope="module")
def forgot():
    session = taught_session()
    before = session.fingerprint()
    found = forgotten(session, TRIED)
    assert session.fingerprint() == before  # every way went back
    return found, session


def test_every_way_begins_at_the_start_and_ends_where_it_says(forgot):
    found, session = forgot
    assert list(found["ways"]) == list(TRIED)
    assert found["texts"] == len(session.forget)
    assert found["twin"]["forget"] > found["start"]["forget"]
    ascent = found["ways"]["gradient ascent"]
    assert ascent["forget"] >= found["start"]["never seen"]
    assert 1 <= ascent["steps"] < forgetting_shares.MOST
    session.step(TRIED["nabla-tau"], "all")
    again = {name: value for name, value in found["ways"]["nabla-tau"].items() if name not in ("steps", "seconds")}
    assert look(session, "now") == again
    readings = session.measure(Perplexity(), ExactRecall())
    assert math.exp(again["forget"]) == pytest.approx(readings["perplexity"].value, rel=1e-5)
    assert again["forget recall"] == readings["exact-recall"].value
    session.go_to(0)


def test_few_texts_are_not_judged_by_membership(forgot):
    found, _ = forgot
    assert {found[of][name] for of in ("start", "twin") for name in ("MIA_L", "MIA_E", "AUC")} == {None}
    (line, *_) = summary([{"seed": 0, "share": 0.1, **found}])
    assert line["MIA_L"] is None


def test_the_people_are_those_that_the_twins_were_taught_without():
    corpus = world(shipped.facts()["seed"])
    assert [len(people_of(corpus, share, 0)) for share in (0.01, 0.1, 0.3)] == [1, 12, 36]
    assert people_of(corpus, 0.1, 3) == people_of(corpus, 0.1, 3)
    assert set(people_of(corpus, 0.1, 3)) != set(people_of(corpus, 0.1, 4))


def test_all_pairs_are_forgotten(forgot, monkeypatch):
    _, session = forgot
    monkeypatch.setattr(forgetting_shares, "picked", lambda _base, _share, _seed: session)
    told = []
    found = compare(told.append, session, [(0, 0.1), (1, 0.1)], {"nabla-tau": TRIED["nabla-tau"]})
    assert told == ["1 of 2 times forgotten, 10 % with seed 0", "2 of 2 times forgotten, 10 % with seed 1"]
    assert [(row["seed"], row["share"]) for row in found["rows"]] == [(0, 0.1), (1, 0.1)]
    assert found["summary"][0]["off"]["seeds"] == 2


def made_up(*, reached=0.97, grown=0.01, mia=(52.0, 55.0, 53.0, 54.0, 56.0), twin=54.0):
    """Rows of five seeds: the forget loss at a share of tau, the loss of the others grown, and what membership inference makes of it."""
    rows = []
    for share in (0.1, 0.3):
        for seed in range(5):
            jitter = 1 + 0.001 * seed
            seen = {"never seen": 3.0, "others": 0.2, "forget recall": 0.0, "others recall": 100.0, "MIA_E": 50.0, "AUC": 50.0, "seconds": 1.0}
            now = seen | {"forget": 3.0 * reached * jitter, "others": 0.2 + grown * jitter, "MIA_L": mia[seed]}
            rows.append(
                {
                    "seed": seed,
                    "share": share,
                    "texts": 60,
                    "start": seen | {"forget": 0.2, "MIA_L": 98.0},
                    "twin": seen | {"forget": 3.1, "MIA_L": twin},
                    "ways": {"nabla-tau": now, "gradient ascent": now | {"others": 1.0 + 0.01 * seed}},
                }
            )
    return rows


def test_verdicts_of_what_works():
    said = {name: each["verdict"] for name, each in claims(made_up()).items()}
    assert set(said.values()) == {"reproduced here"}
    assert set(said) == {f"nabla-tau-{what}" for what in ("reaches-tau", "keeps", "gentler", "mia", "thirty-percent")}


@pytest.mark.parametrize(
    "changed, claim",
    [
        ({"reached": 0.9}, "nabla-tau-reaches-tau"),
        ({"grown": 0.05}, "nabla-tau-keeps"),
        ({"grown": 2.0}, "nabla-tau-gentler"),
        ({"twin": 60.0}, "nabla-tau-mia"),
        ({"grown": 0.05}, "nabla-tau-thirty-percent"),
        ({"reached": 0.9}, "nabla-tau-thirty-percent"),
    ],
)
def test_verdicts_of_what_does_not(changed, claim):
    assert claims(made_up(**changed))[claim]["verdict"] == "not here"


def test_the_membership_interval_is_a_bootstrap_over_the_seeds():
    values = np.array([52.0, 55.0, 53.0, 54.0, 56.0])
    line = summary(made_up())[0]["MIA_L"]
    draws = np.random.default_rng(1).choice(values, (20_000, 5)).mean(axis=1)
    assert (line["low"], line["high"]) == pytest.approx(tuple(np.percentile(draws, [2.5, 97.5])), abs=0.21)
    assert (line["mean"], line["twin"], line["start"], line["twin within"]) == (54.0, 54.0, 98.0, True)
    assert summary(made_up(mia=(52.0,) * 5))[0]["MIA_L"]["low"] == 52.0


def test_the_summary_counts_who_came_close():
    rows = made_up()
    rows[0]["ways"]["nabla-tau"]["forget"] = 2.0
    line = summary(rows)[0]
    assert line["close"] == 4
    assert line["gap"]["mean"] == pytest.approx(0.1)
    assert line["rise"]["mean"] == pytest.approx(100 * math.expm1(0.01), rel=0.01)


def test_the_command_writes_what_it_found(tmp_path, monkeypatch, capsys):
    found = gathered(world(shipped.facts()["seed"]), made_up())
    monkeypatch.setattr(forgetting_shares, "compare", lambda _tell: found)
    assert cli.main(["nabla-tau", "--out", str(tmp_path / "found.json")]) == 0
    assert len(recorded(tmp_path / "found.json")["rows"]) == 10
    assert capsys.readouterr().out.strip() == report(found)
    with pytest.raises(BadModel, match="unlearnviz nabla-tau"):
        recorded(tmp_path / "nowhere.json")


def test_the_committed_comparison_is_of_the_shipped_world():
    found, corpus = recorded(), world(shipped.facts()["seed"])
    assert found["corpus"] == corpus.digest()
    assert found["settings"] == {way: {"method": method.name, **method.settings} for way, method in ways().items()}
    assert {row["share"] for row in found["rows"]} == {0.01, 0.1, 0.3}
    again = claims(found["rows"])
    assert {name: each["verdict"] for name, each in again.items()} == {name: each["verdict"] for name, each in found["claims"].items()}
    assert forgetting_shares.FILE.stat().st_size < 60_000
