"""Single-gradient unlearning verified: on a training of seconds, and the rules of the verdicts on numbers that were made up."""

from __future__ import annotations

import math

import pytest
from scipy.stats import spearmanr

from unlearnviz import cli
from unlearnviz.demo import unrolling_sgd
from unlearnviz.demo.unrolling_sgd import (
    PENALISED,
    PENALTIES,
    Training,
    claims,
    compare,
    correlations,
    penalties,
    recorded,
    report,
    trainings,
)
from unlearnviz.engine.probes.unlearning_error import UnlearningError
from unlearnviz.errors import BadModel


def made_up(*, worse=2.0, penalty=0.5, seeds=5):
    """Rows in which the error is `worse` times that of doing nothing, the proxy goes with it, and the penalty changes it by a factor."""
    rows = []
    for seed in range(seeds):
        for training in (Training(1, 0.1), Training(2, 0.1), Training(3, 0.1), Training(1, 0.1, 2.0)):
            nothing = training.epochs * (1 + 0.01 * seed) * (penalty if training.penalty else 1.0)
            row = {"seed": seed, "epochs": training.epochs, "learning_rate": 0.1, "penalty": training.penalty}
            row |= dict.fromkeys(("sigma", "distance", "others recall", "trained forget perplexity"), 1.0 + 0.01 * (seed + training.epochs))
            row |= {"do nothing": nothing, "single gradient": worse * nothing * (1 + 0.01 * seed), "proxy": nothing**2}
            rows.append(row | {"rate x updates": float(training.epochs), "others perplexity": 1.02 if training.penalty else 1.0})
    return rows


@pytest.fixture(scope="module")
def compared():
    told = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(unrolling_sgd, "PROXY", UnlearningError(sample=2, products=2))
        found = compare(told.append, (0,), [Training(1, 0.02), Training(1, 0.02, 0.5)], taught=3)
    return found, told


def test_every_training_is_verified_against_its_twin(compared):
    found, told = compared
    assert told[-1] == "2 of 2 trainings verified"
    plain, penalised = found["rows"]
    for row in (plain, penalised):
        assert 0 < row["do nothing"] < row["distance"]
        assert row["single gradient"] > 0
        assert row["rate x updates"] == pytest.approx(0.02 * math.ceil(15 / 4))
        updates = math.ceil(15 / 4)
        assert row["proxy"] == pytest.approx(0.02**2 * row["distance"] / updates * row["sigma"] * (updates**2 - updates) / 2)
        assert row["trained forget perplexity"] < row["twin forget perplexity"]
    assert plain["single gradient"] != penalised["single gradient"]
    assert found["summary"]["correlations"] == {}  # two trainings have no correlation
    assert {each["verdict"] for each in found["claims"].values()} == {"undecided here"}  # a single seed decides nothing


def test_the_trainings_are_plain_sgd_at_one_rate():
    for training in trainings():
        recipe = training.recipe
        assert (recipe.optimizer, recipe.seed) == ("SGD", 0)
        assert {recipe.rate(update, 50) for update in range(50)} == {training.learning_rate}
        assert recipe.clip > 1e5
    assert {each.penalty for each in trainings()} == {0.0, *PENALTIES}
    assert {each.epochs for each in trainings() if each.penalty} == set(PENALISED)


def test_correlations_are_taken_within_each_seed():
    rows = made_up()
    found = correlations(rows)
    mine = [row for row in rows if row["seed"] == 0]
    for predictor in found:
        expected = spearmanr([row[predictor] for row in mine], [row["single gradient"] for row in mine]).statistic
        assert found[predictor]["spearman"]["mean"] == pytest.approx(expected)
        assert found[predictor]["spearman"]["high"] <= 1
    assert found["proxy"]["pearson"]["mean"] == pytest.approx(1)


def test_the_penalty_is_compared_with_the_same_training_without_it():
    rows = made_up(penalty=0.5)
    for line in penalties(rows):
        assert line["single gradient"]["mean"] == pytest.approx(0.5)
        assert line["proxy"]["mean"] == pytest.approx(0.25)
        assert line["others perplexity"]["mean"] == pytest.approx(1.02)
    assert [line["penalty"] for line in penalties(rows)] == [None, 2.0]
    assert penalties([row for row in rows if not row["penalty"]]) == []


@pytest.mark.parametrize("worse, nearer", [(2.0, "not here"), (0.5, "reproduced here")])
@pytest.mark.parametrize("penalty, lower", [(2.0, "not here"), (0.5, "reproduced here")])
def test_verdicts_follow_the_numbers(worse, nearer, penalty, lower):
    said = {name: each["verdict"] for name, each in claims(made_up(worse=worse, penalty=penalty)).items()}
    assert said == {
        "unrolling-sgd-proxy": "reproduced here",
        "unrolling-sgd-nearer": nearer,
        "unrolling-sgd-penalty-error": lower,
        "unrolling-sgd-penalty-proxy": lower,
        "unrolling-sgd-penalty-cost": "reproduced here",
    }


def test_the_command_writes_what_it_found(compared, tmp_path, monkeypatch, capsys):
    found, _ = compared
    monkeypatch.setattr(unrolling_sgd, "compare", lambda _tell: found)
    assert cli.main(["unrolling-sgd", "--out", str(tmp_path / "found.json")]) == 0
    assert len(recorded(tmp_path / "found.json")["rows"]) == 2
    assert capsys.readouterr().out.strip() == report(found)
    with pytest.raises(BadModel, match="unlearnviz unrolling-sgd"):
        recorded(tmp_path / "nowhere.json")


def test_the_committed_measurements_say_what_their_rows_say():
    found = recorded()
    assert len(found["rows"]) == len(trainings()) * len(found["seeds"]) >= 60
    again = claims(found["rows"])
    assert list(again) == list(found["claims"])
    for name, claim in again.items():
        assert claim["verdict"] == found["claims"][name]["verdict"]
        for side in ("estimate", "low", "high"):
            assert claim[side] == pytest.approx(found["claims"][name][side], rel=1e-3, abs=1e-4)
    assert len(found["summary"]["trainings"]) == len(trainings())
    assert unrolling_sgd.FILE.stat().st_size < 60_000
