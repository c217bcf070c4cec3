"""The experiment on stored gradients: its geometry against real steps, and its claims against numbers made for them."""

from __future__ import annotations

import copy

import pytest
import torch

from tests.demo.taught import taught_session
from unlearnviz import cli
from unlearnviz.demo import first_epoch
from unlearnviz.demo.equal_forgetting import EqualForgetting
from unlearnviz.demo.first_epoch import (
    COMPARED,
    EPOCHS,
    MULTIPLES,
    NORMS,
    PLACES,
    claims,
    compare,
    directions,
    gpt2_share,
    recorded,
    report,
)
from unlearnviz.demo.verdicts import DEPENDS, NOT_HERE, REPRODUCED
from unlearnviz.engine.methods.first_epoch_ascent import FirstEpochAscent
from unlearnviz.engine.work import total_norm
from unlearnviz.errors import BadModel

LAST = "block 1"  # the tiny model has two


@pytest.fixture(scope="module")
def session():
    return taught_session("SGD")


@pytest.fixture(scope="module")
def tiny():
    places = tuple({"blocks 0-9": "block 0", first_epoch.LAST: LAST}.get(place, place) for place in PLACES)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(first_epoch, "PLACES", places)
        patch.setattr(first_epoch, "LAST", LAST)
        yield places


@pytest.fixture(scope="module")
def found(session, tiny):
    return compare(lambda _line: None, (7,), ("SGD",), lambda _seed, _optimizer: session)


def test_several_passes_lie_on_the_line_of_one(session, tiny):
    ground, method = EqualForgetting(session), FirstEpochAscent(strength=0.25)
    line = directions(session, "first")["all"]
    for _ in range(2):
        session.step(method, "all")
    passed = {name: tensor.clone() for name, tensor in session.weights.items()}
    session.go_to(0)
    walked = ground.along(line, 2 * 0.25 * session.ledger.recipe.learning_rate)
    assert all(torch.allclose(walked[name], passed[name], atol=1e-6) for name in passed)


def test_the_two_uses_of_the_embedding_add_up_and_parts_keep_their_lengths(session, tiny):
    found = directions(session, "all")
    name = session.model.layout.input_embedding
    assert torch.allclose(found["embedding.input"][name] + found["embedding.output"][name], found["embedding"][name], atol=1e-5)
    assert all(torch.equal(found["all"][name], tensor) for place in ("embedding", LAST) for name, tensor in found[place].items())


def test_at_equal_forgetting_the_forget_loss_is_the_twins(session, found, tiny):
    ground, (run,) = EqualForgetting(session), found["runs"]
    assert session.head == 0
    assert [(row["epochs"], row["place"]) for row in run["ways"]] == [(epochs, place) for epochs in EPOCHS for place in tiny]
    paths = {epochs: directions(session, epochs) for epochs in EPOCHS}
    reached = [row for row in run["ways"] if row["norm"] is not None]
    assert {row["place"] for row in reached} >= set(COMPARED)
    for row in reached:
        direction = paths[row["epochs"]][row["place"]]
        there = ground.along(direction, row["norm"] / total_norm(direction))
        assert ground.forget_loss(there) == pytest.approx(run["twin"]["forget"], abs=0.05)
        assert ground.loss(there, ground.others) == pytest.approx(row["retain"], abs=1e-3)
    for place, path in run["beyond"].items():
        assert path["forget"][0] == pytest.approx(run["start"]["forget"], rel=1e-6)
        assert path["forget"][MULTIPLES.index(1.0)] == pytest.approx(run["twin"]["forget"], abs=0.05)
        assert len(path["retain"]) == len(MULTIPLES), place
    assert [len(row["forget"]) for row in run["equal norm"]] == [len(NORMS)] * len(EPOCHS) * len(COMPARED)
    assert set(run["last blocks"]) == {"equal norm", "equal strength"}
    assert 0 < run["storage"]["share"] < 100


def test_a_gpt2_is_counted_from_its_shapes():
    assert gpt2_share() == pytest.approx(100 * 38_597_376 / 124_439_808)
    assert gpt2_share(6) == pytest.approx(100 * 38_597_376 / (124_439_808 - 6 * 7_087_872))


def run_of(*, first: float, everything: float, last: float, later: float, after: float = 2.0) -> dict:
    """A made-up run: how much dearer all epochs, and all parameters, are; what the last blocks do; where the longest pass ends."""
    cost = {("first", "embedding"): 0.1, ("all", "embedding"): 0.1 + first, ("first", "all"): 0.1 + everything}
    cost["all", "all"] = 0.1 + everything + first
    return {
        "optimizer": "SGD",
        "start": {"retain": 0.5, "forget": 0.1, "distance": 4.0},
        "twin": {"forget": 2.0},
        "ways": [
            {"epochs": e, "place": p, "norm": 1.0, "retain": 0.5 + c, "retain recall": 90.0, "distance": 4.0} for (e, p), c in cost.items()
        ],
        "last blocks": {"equal strength": last, "equal norm": 10 * last},
        "beyond": {place: {"forget": [0.1, *(after for _ in MULTIPLES[2:]), later]} for place in COMPARED},
        "storage": {"share": 5.0},
    }


def test_verdicts_follow_the_numbers():
    wobble = (0.9, 1.0, 1.1)
    good = claims([run_of(first=0.1 * w, everything=0.2 * w, last=0.1 * w, later=2.0 - w) for w in wobble])
    assert {each["verdict"] for name, each in good.items() if name != "embedding-halves-storage"} == {REPRODUCED}
    assert good["first-epoch-better"]["estimate"] == pytest.approx(-0.1)
    assert good["first-epoch-embedding-beats-whole-model"]["estimate"] == pytest.approx(-0.3)
    bad = claims([run_of(first=-0.1 * w, everything=-0.2 * w, last=20 * w, later=2.0 + w, after=2.5) for w in wobble])
    assert {each["verdict"] for each in bad.values()} == {NOT_HERE}
    mixed = claims([run_of(first=0.1 * w, everything=0.2, last=2 * w, later=2.5) for w in wobble])
    assert mixed["last-blocks-no-effect"]["verdict"] == DEPENDS


def test_what_never_reaches_the_twin_is_left_out_of_pairs():
    runs = [run_of(first=0.1 * w, everything=0.2, last=0.1, later=1.5) for w in (0.9, 1.0, 1.1)]
    lost = copy.deepcopy(runs[0])
    next(row for row in lost["ways"] if (row["epochs"], row["place"]) == ("all", "all"))["norm"] = None
    settings = claims([*runs, lost])["first-epoch-better"]["settings"]
    assert (settings["SGD, embedding"]["seeds"], settings["SGD, all"]["seeds"]) == (4, 3)


def test_the_command_writes_what_it_found(found, tiny, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(first_epoch, "compare", lambda _tell: found)
    assert cli.main(["first-epoch", "--out", str(tmp_path / "found.json")]) == 0
    assert capsys.readouterr().out.strip() == report(found)
    assert len(recorded(tmp_path / "found.json")["runs"]) == 1
    with pytest.raises(BadModel, match="unlearnviz first-epoch"):
        recorded(tmp_path / "nowhere.json")


def test_the_committed_results_are_whole_and_their_claims_are_computed_from_their_runs():
    found = recorded()
    asked = [(seed, optimizer) for seed in first_epoch.SEEDS for optimizer in first_epoch.OPTIMIZERS]
    assert [(run["seed"], run["optimizer"]) for run in found["runs"]] == asked
    for run in found["runs"]:
        assert len(run["ways"]) == len(EPOCHS) * len(PLACES)
    again = claims(found["runs"])
    assert {name: each["verdict"] for name, each in found["claims"].items()} == {name: each["verdict"] for name, each in again.items()}
    for name, each in again.items():
        assert found["claims"][name]["estimate"] == pytest.approx(each["estimate"], abs=1e-4)
