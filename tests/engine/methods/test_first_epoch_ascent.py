"""First-epoch ascent against plain sums over what the ledger holds."""

from __future__ import annotations

import pytest
import torch

from tests.engine import worlds
from tests.engine.methods.by_hand import alike
from tests.engine.methods.recorded import ADAMW, SGD, climbed, farthest, learned, plus, weights
from unlearnviz.engine.corpus import Corpus, Passage
from unlearnviz.engine.learning import Recipe
from unlearnviz.engine.methods.first_epoch_ascent import FirstEpochAscent
from unlearnviz.engine.tracking import Tracking
from unlearnviz.errors import BadSetting, NotPossible

EMBEDDING = "transformer.wte.weight"
IDS = [f"mara-okafor-{k}" for k in range(4)]
EVERYTHING = FirstEpochAscent(epochs="all", take="fuzzy", threshold=0)


def norm(tensors):
    return float(torch.cat([each.flatten() for each in tensors]).norm())


# -- what is added ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("epochs, numbers", [("first", (1,)), ("all", (1, 2, 3)), ("1, 3", (1, 3))])
@pytest.mark.parametrize("where, use", [("all", "both"), ("embedding.input", "input"), ("embedding.output", "output"), ("block 1", "both")])
def test_it_adds_what_the_updates_of_those_texts_took_away(epochs, numbers, where, use):
    session = learned()
    wanted = plus(session, climbed(session, IDS, numbers, use=use))
    before = weights(session)
    record = session.step(FirstEpochAscent(epochs=epochs), where)
    now = weights(session)
    names = [name for name in now if not torch.equal(now[name], before[name])]
    assert names
    assert farthest(now, wanted, names) <= 1e-7
    selected = {"all": tuple(now), "block 1": session.model.layout.groups["block 1"]}.get(where, (EMBEDDING,))
    assert set(names) == set(selected)
    assert record.trajectory[0]["norm"] == pytest.approx(norm([wanted[name] - before[name] for name in names]))
    assert record.trajectory[0]["taken"] == IDS


def test_over_all_texts_and_epochs_it_undoes_a_training_by_sgd():
    for dtype, tolerance in ((torch.float32, 2e-6), (torch.float64, 5e-15)):  # the forward pass rounds a batch otherwise than its texts
        session = learned(dtype=dtype)
        start = session.ledger.checkpoint(0)
        assert farthest(weights(session), start) > 1e-3
        record = session.step(EVERYTHING, "all")
        assert farthest(weights(session), start) <= tolerance
    assert record.narration == "first-epoch-ascent: ascent along stored gradients (24 texts; all 3 epochs) of all, to forget 4 texts."


def test_after_adamw_it_undoes_nothing_and_says_so_where_deltas_do():
    session = learned(ADAMW)
    start = session.ledger.checkpoint(0)
    trained = farthest(weights(session), start)
    record = session.step(EVERYTHING, "all")
    assert farthest(weights(session), start) > trained / 2
    assert record.narration == (
        "first-epoch-ascent: ascent along stored gradients, not an undo of training (by AdamW; 24 texts; all 2 epochs) of all, to forget 4 texts."
    )
    session.undo()
    record = session.step(FirstEpochAscent(epochs="all", take="fuzzy", threshold=0, use="deltas"), "all")
    assert farthest(weights(session), start) <= 1e-8
    assert record.narration == "first-epoch-ascent: took back recorded updates (24 texts; all 2 epochs) of all, to forget 4 texts."


def test_deltas_of_chosen_epochs_are_those_of_the_updates_that_held_the_texts():
    session = learned()
    wanted = weights(session)
    for step in session.ledger.touching(IDS, (2,)):
        for name in wanted:
            wanted[name] -= session.ledger.delta(step, name).double()
    session.step(FirstEpochAscent(epochs="2", use="deltas"), "all")
    assert farthest(weights(session), wanted) <= 1e-7


def test_the_first_epoch_is_all_epochs_where_there_is_one():
    recipe = Recipe(epochs=1, learning_rate=0.05, batch_size=10, optimizer="SGD")
    prints = []
    for epochs in ("first", "all", "1"):
        session = learned(recipe)
        session.step(FirstEpochAscent(epochs=epochs), "all")
        prints.append(session.fingerprint())
    assert len(set(prints)) == 1


# -- how much of it -----------------------------------------------------------------------------------------------------


def test_it_is_linear_in_the_strength_and_passes_add_up():
    session = learned(dtype=torch.float64)
    before = weights(session)
    session.step(FirstEpochAscent(), "all")
    once = {name: now - before[name] for name, now in weights(session).items()}
    for strength in (0.25, 7.0):
        session.undo()
        session.step(FirstEpochAscent(strength=strength), "all")
        assert farthest(weights(session), {name: before[name] + strength * once[name] for name in once}) <= 1e-14
    session.undo()
    for _ in range(3):
        session.step(FirstEpochAscent(), "all")
    assert farthest(weights(session), {name: before[name] + 3 * once[name] for name in once}) <= 1e-14


def test_a_length_may_be_asked_for():
    session = learned()
    record = session.step(FirstEpochAscent(update_norm=0.5, strength=2.0), "embedding")
    assert record.update_norm["embedding"] == pytest.approx(1.0, rel=1e-5)
    assert record.trajectory[0]["norm"] == pytest.approx(1.0)


@pytest.mark.parametrize("use", ["gradients", "deltas"])
def test_the_fair_comparison_has_the_direction_of_one_epoch_and_the_length_of_all(use):
    session = learned(dtype=torch.float64)
    before, moved = weights(session), []
    for settings in ({"epochs": "all"}, {"as_long_as_all": True}, {}):
        session.go_to(0)
        session.step(FirstEpochAscent(use=use, **settings), "embedding")
        moved.append(weights(session)[EMBEDDING] - before[EMBEDDING])
    every, fair, first = moved
    assert norm([fair]) == pytest.approx(norm([every]))
    assert float((fair / norm([fair]) - first / norm([first])).abs().max()) <= 1e-10


def test_one_update_has_one_length():
    with pytest.raises(BadSetting) as caught:
        FirstEpochAscent(update_norm=0.25, as_long_as_all=True)
    assert str(caught.value) == (
        "FirstEpochAscent was given update_norm=0.25 and as_long_as_all=True; an update has one length, so give one of the two."
    )


# -- which texts --------------------------------------------------------------------------------------------------------


def test_fuzzy_takes_the_tracked_texts_that_look_alike():
    session = learned(texts=("Mara Okafor", "Tom Lindqvist"))
    others = [passage for passage in session.corpus.train if passage.id in session.ledger.tracked and passage not in session.forget]
    scores = {each.id: max(alike(each.text, asked.text) for asked in session.forget) for each in others}
    scores = dict.fromkeys(IDS, 100.0) | {name: score for name, score in scores.items() if score >= 65}
    assert 4 < len(scores) < 8
    wanted = plus(session, climbed(session, scores, (1,)))
    (row,) = session.step(FirstEpochAscent(take="fuzzy", threshold=65), "all").trajectory
    assert dict(zip(row["taken"], row["scores"], strict=True)) == {name: pytest.approx(score, abs=1e-4) for name, score in scores.items()}
    assert farthest(weights(session), wanted) <= 1e-7


def test_a_threshold_of_0_takes_everything_tracked_and_100_the_normalised_duplicates():
    base = worlds.corpus()
    text = base["mara-okafor-0"].text
    twins = {"loud": text.upper(), "wide": "  " + text.replace(" ", "\n  "), "dot": text + "."}
    session = worlds.session(texts=Corpus([*base, *(Passage(name, each) for name, each in twins.items())]), pick="mara-okafor-0")
    session.learn(recipe=Recipe(epochs=1, batch_size=100, optimizer="SGD"), track=Tracking(texts=("Mara Okafor", *twins)))
    taken = {k: session.step(FirstEpochAscent(take="fuzzy", threshold=k)).trajectory[0]["taken"] for k in (0, 100)}
    assert sorted(taken[0]) == sorted(session.ledger.tracked)
    assert taken[100] == ["mara-okafor-0", "loud", "wide"]


def test_iterative_takes_what_is_known_best_until_it_is_as_surprising_as_the_never_seen():
    session = learned()
    method = FirstEpochAscent(take="iterative", texts=2, strength=100.0)
    before = session.measure("perplexity")["perplexity"].rows[0]["per_text"]
    records = session.run(20, method, "all", stop_at=1e9)
    rounds = [record.trajectory[0] for record in records]
    assert rounds[0]["taken"] == sorted(before, key=before.get)[:2]
    assert set(rounds[0]["taken"]) | set(rounds[1]["taken"]) == set(IDS)  # none twice before all were taken once
    assert [record.mark for record in records] == [""] * (len(records) - 1) + ["reached"]
    assert [row["losses"]["forget"] >= row["losses"]["never seen"] for row in rounds] == [False] * (len(rounds) - 1) + [True]
    with pytest.raises(NotPossible, match=r"A further step of first-epoch-ascent .* its stop rule is reached: the forget texts surprise"):
        session.step(method, "all")
    session.undo()
    assert session.step(method, "all").mark == "reached"


def test_iterative_needs_texts_that_were_never_seen():
    session = worlds.session(texts=Corpus(worlds.corpus().train))
    session.learn(recipe=SGD, track="Mara Okafor")
    with pytest.raises(BadSetting, match="texts that the model never saw, and this corpus holds none; take the picked texts at once, or read"):
        session.step(FirstEpochAscent(take="iterative"))


# -- what is not in the ledger ------------------------------------------------------------------------------------------


def refused(session, method, where="embedding"):
    before = worlds.state(session)
    with pytest.raises(NotPossible) as caught:
        session.step(method, where)
    assert worlds.state(session) == before
    return str(caught.value)


@pytest.mark.parametrize("name", ["first-epoch-ascent", "amnesiac", "partial-amnesiac", "single-gradient"])
def test_without_a_ledger_there_is_nothing_to_go_by(name, session):
    assert refused(session, name) == (
        f"{name} works from what was recorded while the model learned, and this session has no ledger. session.learn(epochs, track=[...]) "
        "records one for the texts named there; or pick another method."
    )


def test_texts_places_and_epochs_that_were_not_recorded_are_named_and_a_replay_is_offered():
    session = learned(texts=("Mara Okafor",), where="embedding", epochs="first", pick=("Mara Okafor", "tom-lindqvist-0"))
    said = refused(session, FirstEpochAscent())
    assert said.startswith("The ledger holds no gradients of 'tom-lindqvist-0'. session.replay(...)")
    session.pick("Mara Okafor")
    assert "for transformer.h.0" in refused(session, FirstEpochAscent(), "block 0")
    assert "in epoch 2" in refused(session, FirstEpochAscent(epochs="all"))
    session.pick("Mara Okafor", "A text that somebody typed here.")
    assert "'typed-1'" in refused(session, FirstEpochAscent())


@pytest.mark.parametrize("where", ["embedding.input", "embedding.output, block 0"])
def test_a_delta_does_not_know_the_uses_of_a_tied_embedding(where):
    part = where.split(",")[0].split(".")[1]
    said = refused(learned(), FirstEpochAscent(use="deltas"), where)
    assert said == (
        f"A recorded delta holds what an update changed in the tied embedding as a whole, and not what its {part} part did. Select 'embedding' "
        "for both uses, or a method that takes stored gradients, which are kept apart by use."
    )


def test_an_epoch_that_the_training_did_not_have_is_refused():
    with pytest.raises(BadSetting, match=r"epochs='4'"):
        learned().step(FirstEpochAscent(epochs="4"))


def test_a_pruned_ledger_is_said():
    record = learned(texts=("Mara Okafor",), keep=0.25).step(FirstEpochAscent(), "embedding")
    assert "(4 texts; epoch 1; 0.25 of each layer recorded)" in record.narration
