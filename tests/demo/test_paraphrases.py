"""Which similarity finds a text by its paraphrase: ranks, shares and intervals by hand, the command on a small file, and the committed table."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from rapidfuzz import fuzz
from scipy.stats import binomtest

from unlearnviz import cli
from unlearnviz.demo.paraphrases import FIRST, PARTS, Pairs, ranks, recall, recorded, report, wilson
from unlearnviz.engine.similarity import SCORERS, Similarity
from unlearnviz.errors import BadCorpus, BadModel, UnknownName

ROOT = Path(__file__).parents[2]
TOFU = ROOT.parent / "shared" / "data" / "tofu" / "forget10.jsonl"
TOWNS = ("Lund", "Accra", "Porto", "Tartu", "Izmir", "Bergen", "Utrecht", "Ghent")


def rows():
    for k, town in enumerate(TOWNS):
        yield {
            "question": f"In which town was author {k} born?",
            "answer": f"Author {k} was born in {town}.",
            "paraphrased_question": f"Where does writer {k} come from?",
            "paraphrased_answer": f"{town} is the place where writer {k} came into the world.",
        }
    yield {"question": "Who?", "answer": "Nobody.", "paraphrased_question": "Who is it?", "paraphrased_answer": ""}


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("pairs") / "pairs.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows()), encoding="utf-8")
    return path


def test_the_command_ranks_and_writes(file, tmp_path, capsys):
    out = tmp_path / "found.json"
    assert cli.main(["paraphrases", str(file), "--out", str(out), "--epochs", "1"]) == 0
    found = recorded(out)
    assert (found["texts"], found["first"], found["model"]) == (len(TOWNS), 5, {"size": "tiny", "seeds": [0, 1, 2]})
    assert str(file) not in out.read_text()
    assert [(row["part"], row["scorer"]) for row in found["scorers"][::2]] == [(part, each) for part in PARTS for each in SCORERS]
    assert {row["layer"] for row in found["layers"]} == set(range(7))
    pairs = list(rows())[: len(TOWNS)]
    for row in found["scorers"]:
        if row["scorer"] != "ratio" or "accents" in row["ignoring"]:
            continue
        join = {"question and answer": "{question} {answer}", "question": "{question}", "answer": "{answer}"}[row["part"]]
        originals = [join.format(**each).lower() for each in pairs]
        places = []
        for each, own in zip(pairs, originals, strict=True):
            query = join.format(question=each["paraphrased_question"], answer=each["paraphrased_answer"]).lower()
            listed = sorted(originals, key=lambda text: -fuzz.ratio(query, text))
            places.append(1 + listed.index(own))
        assert row["recall"] == pytest.approx(sum(place <= FIRST for place in places) / len(places))
        assert row["at once"] == pytest.approx(places.count(1) / len(places))
    for row in found["layers"]:
        assert row["recall"] == pytest.approx(np.mean(row["seeds"]), abs=1e-5)
    said = capsys.readouterr().out
    assert "seed 2: every layer read" in said
    assert report(found) in said
    assert "By the answer:" in said


def test_what_a_file_must_hold(file, tmp_path, capsys):
    pairs = Pairs.read(file)
    assert pairs.texts("question")[1][0] == "Where does writer 0 come from?"
    assert pairs.texts("answer")[0][7] == "Author 7 was born in Ghent."
    assert pairs.texts("question and answer")[0][1] == "In which town was author 1 born? Author 1 was born in Accra."
    other = tmp_path / "other.jsonl"
    other.write_text('{"question": "Who?", "answer": "Nobody."}')
    with pytest.raises(UnknownName, match="paraphrased_question"):
        Pairs.read(other)
    assert cli.main(["paraphrases", str(other)]) == 2
    assert capsys.readouterr().err.startswith("unlearnviz: ")
    with pytest.raises(BadCorpus):
        Pairs.read(tmp_path / "nowhere.jsonl")
    with pytest.raises(BadModel, match="unlearnviz paraphrases FILE"):
        recorded(tmp_path / "nowhere.json")


def test_equal_scores_stand_in_the_order_of_the_list():
    scores = np.array([[1, 3, 2], [5, 5, 5], [9, 0, 9]])
    assert ranks(scores).tolist() == [3, 2, 2]


def test_shares_by_hand():
    ratio = np.array([1, 6, 9, 2])
    found = recall([np.array([1, 5, 6, 7]), np.array([2, 1, 1, 9])], ratio)
    assert (found["recall"], found["at once"], found["where ratio misses"]) == (5 / 8, 3 / 8, 3 / 4)
    assert recall([ratio], np.array([1, 1, 1, 1]))["where ratio misses"] is None


@pytest.mark.parametrize("hits, number", [(0, 7), (3, 7), (391, 400), (400, 400)])
def test_intervals_are_wilsons(hits, number):
    truth = binomtest(hits, number).proportion_ci(0.95, method="wilson")
    assert wilson(hits / number, number) == pytest.approx((truth.low, truth.high), abs=1e-6)


def test_the_committed_table_is_complete_and_its_intervals_hold():
    found = recorded()
    assert (found["texts"], found["first"], found["model"]) == (400, 5, {"size": "tiny", "seeds": [0, 1, 2]})
    assert len(found["scorers"]) == len(PARTS) * len(SCORERS) * 2
    assert len(found["layers"]) == len(PARTS) * 7 * 2
    for row in (*found["scorers"], *found["layers"]):
        assert (row["low"], row["high"]) == pytest.approx(wilson(row["recall"], 400), abs=2e-6)
        assert row["at once"] <= row["recall"]


def test_the_committed_table_is_what_the_scorers_say_of_tofu():
    if not TOFU.exists():
        pytest.skip("TOFU is not at ../shared/data/tofu, seen from the project's root")
    pairs, found = Pairs.read(TOFU), recorded()
    assert (found["originals"], found["paraphrases"]) == (pairs.originals.digest(), pairs.paraphrases.digest())
    for row in found["scorers"]:
        if row["scorer"] in ("ratio", "token sort") and "accents" not in row["ignoring"]:
            originals, paraphrases = pairs.texts(row["part"])
            places = ranks(Similarity(row["scorer"]).scores(paraphrases, originals))
            assert row["recall"] == pytest.approx((places <= FIRST).mean(), abs=1e-6)
            assert row["at once"] == pytest.approx((places == 1).mean(), abs=1e-6)
