"""The check of influence by retraining, on a tiny world, and what the committed one holds."""


import numpy as np
import pytest

from tests.engine import worlds
from unlearnviz import cli
from unlearnviz.demo import removals
from unlearnviz.demo.removals import Plan, check_removals, correlation, recorded, shipped_plan, summary
from unlearnviz.engine.learning import Recipe
from unlearnviz.errors import BadModel

TINY = {"subject": "Mara Okafor", "recipe": Recipe(epochs=2), "removals": 4, "texts": 3, "size": "tiny", "vocabulary": 300}


@pytest.fixture(scope="module")
def checked(tmp_path_factory):
    told = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UNLEARNVIZ_CACHE", str(tmp_path_factory.mktemp("cache")))
        found = check_removals(Plan(worlds.corpus(), seeds=(0, 1), **TINY), told.append)
        again = check_removals(Plan(worlds.corpus(), seeds=(0, 1), **TINY), told.append)
    return found, again, told


def test_every_removal_is_retrained_with_every_seed_and_predicted(checked):
    found, again, told = checked
    assert found == again  # the second time from the cache, the same to the last digit
    assert told[0].startswith("1 of 10 models taught, about ")
    assert [row["left_out"] for row in found["removals"]] == [
        sorted(ids) for ids in Plan(worlds.corpus(), **TINY).left_out()
    ]
    forget = {passage.id for passage in worlds.corpus().about("Mara Okafor")}
    for row in found["removals"]:
        assert len(row["left_out"]) == 3
        assert not forget & set(row["left_out"])
        assert row["actual"].keys() == row["predicted"].keys() == {"0", "1"}
        assert all(np.isfinite(value) and value != 0 for value in row["actual"].values())
        assert set(row["predicted"]["0"]) == {"all parameters", "embedding", "shared words"}
    assert found["forget_loss"]["0"] != found["forget_loss"]["1"]


def test_the_prediction_is_the_sum_over_the_texts_left_out(checked):
    """Removing a set twice as large predicts the sum of its halves."""
    found, _, _ = checked
    plan = Plan(worlds.corpus(), seeds=(0,), **TINY)
    from unlearnviz.engine.fresh import train_tokenizer

    tokenizer = train_tokenizer([p.text for p in plan.corpus.train], 300).to_str()
    first, second = (frozenset(row["left_out"]) for row in found["removals"][:2])
    one, other, both = removals._predict(plan, [first, second, first | second], tokenizer, 0)
    if not first & second:
        assert both["all parameters"] == pytest.approx(one["all parameters"] + other["all parameters"], rel=1e-6)
    assert one["all parameters"] == pytest.approx(found["removals"][0]["predicted"]["0"]["all parameters"], rel=1e-6)


def test_rank_correlation_against_counting_by_hand():
    draw = np.random.default_rng(3)
    one = draw.normal(size=30)
    other = one + draw.normal(size=30)

    def ranks(values):
        return np.array([sum(value > each for each in values) for value in values], dtype=float)

    a, b = ranks(one), ranks(other)
    by_hand = ((a - a.mean()) * (b - b.mean())).sum() / np.sqrt(((a - a.mean()) ** 2).sum() * ((b - b.mean()) ** 2).sum())
    found = correlation(one, other)
    assert found["spearman"] == pytest.approx(by_hand)
    assert -1 <= found["low"] < found["spearman"] < found["high"] <= 1
    assert correlation(one, np.ones(30)) == {"spearman": None, "low": None, "high": None}


def test_perfect_predictions_are_seen_as_such():
    rows = [
        {
            "left_out": ["a"],
            "actual": {"0": float(k), "1": float(k)},
            "predicted": {"0": {"p": 2.0 * k}, "1": {"p": 3.0 * k}},
        }
        for k in range(8)
    ]
    found = summary(rows)
    assert found["predictors"]["p"]["spearman"] == pytest.approx(1)
    assert found["between seeds"]["spearman"] == pytest.approx(1)
    assert found["actual"] == {"mean": 3.5, "least": 0.0, "most": 7.0}


def test_the_command_writes_what_it_found(checked, tmp_path, monkeypatch, capsys):
    found, _, _ = checked
    monkeypatch.setattr(removals, "shipped_plan", lambda: None)
    monkeypatch.setattr(removals, "check_removals", lambda _plan, _tell: found)
    assert cli.main(["removals", "--out", str(tmp_path / "removals.json")]) == 0
    kept = recorded(tmp_path / "removals.json")
    assert kept["removals"][0]["left_out"] == found["removals"][0]["left_out"]
    assert kept["removals"][0]["actual"]["0"] == round(found["removals"][0]["actual"]["0"], 6)
    assert "4 removals of 3 texts, seeds [0, 1], subject Mara Okafor." in capsys.readouterr().out
    with pytest.raises(BadModel, match="unlearnviz removals"):
        recorded(tmp_path / "nowhere.json")


def test_the_committed_check_is_of_the_shipped_world():
    plan, found = shipped_plan(), recorded()
    assert found["corpus"] == plan.corpus.digest()
    assert [row["left_out"] for row in found["removals"]] == [sorted(ids) for ids in plan.left_out()]
    assert len(found["removals"]) == 30
    assert found["recipe"]["epochs"] == 15
    assert found["seeds"] == [0, 1]
    again = summary(found["removals"])
    for name, each in found["summary"]["predictors"].items():
        assert each == pytest.approx(again["predictors"][name], abs=2e-3)
