"""Amnesiac, whole and partial, against plain sums of deltas and against checkpoints."""

from __future__ import annotations

from functools import partial

import pytest
import torch

from tests.engine import worlds
from tests.engine.methods import recorded
from tests.engine.methods.recorded import ADAMW, SGD, farthest, weights
from unlearnviz.engine.learning import Recipe
from unlearnviz.engine.methods.amnesiac import Amnesiac
from unlearnviz.engine.methods.partial_amnesiac import PartialAmnesiac
from unlearnviz.engine.pruning import PRUNINGS, how_many
from unlearnviz.engine.session import Session
from unlearnviz.errors import BadSetting, Cancelled, NotPossible

WHOLE = Recipe(epochs=3, learning_rate=0.05, batch_size=100, optimizer="SGD")  # one batch per epoch, so every update holds every text
EMBEDDING = "transformer.wte.weight"
learned = partial(recorded.learned, gradients=False)


def without(session, ids, *, use=lambda delta: delta, names=None):
    """The live weights less the deltas of every update that used one of some texts, the oldest first."""
    found = weights(session)
    for step in session.ledger.steps:
        if any(each in step.texts for each in ids):
            for name in names or found:
                found[name] -= use(session.ledger.delta(step, name).double())
    return found


def ids(session):
    return [passage.id for passage in session.forget]


# -- what is taken back -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("recipe", [SGD, ADAMW], ids=["SGD", "AdamW"])
def test_it_takes_back_every_update_that_held_a_forget_text(recipe):
    session = learned(recipe, pick="mara-okafor-0")
    steps = session.ledger.touching(ids(session))
    assert [step.index for step in steps] == [step.index for step in session.ledger.steps if "mara-okafor-0" in step.texts]
    assert len(steps) == recipe.epochs
    wanted = without(session, ids(session))
    record = session.step(Amnesiac(), "all")
    assert farthest(weights(session), wanted) <= 1e-7
    others = len({each for step in steps for each in step.texts}) - 1
    assert record.narration == (
        f"amnesiac: took back {recipe.epochs} recorded updates (shared with {others} other texts) of all, to forget 1 text. The stop rule is "
        "reached: all recorded updates that used these texts are taken back."
    )
    assert {name: record.trajectory[0][name] for name in ("updates", "others", "exact")} == {
        "updates": recipe.epochs,
        "others": others,
        "exact": False,
    }
    assert record.mark == "reached"


@pytest.mark.parametrize("dtype, tolerance", [(torch.float32, 1e-8), (torch.float64, 1e-15)])
def test_all_updates_the_newest_first_lead_back_to_the_start(dtype, tolerance):
    session = learned(WHOLE, dtype=dtype)
    with torch.no_grad():  # away from the end of the training and back in all but one bit: no checkpoint may stand in
        session.step("gradient-ascent", "final norm")
        session.step(Amnesiac(), "embedding, position, block 0, block 1")
    start = session.ledger.checkpoint(0)
    names = [name for group in ("embedding", "position", "block 0", "block 1") for name in session.model.layout.groups[group]]
    assert farthest(weights(session), start, names) <= tolerance


def test_a_part_at_a_time_the_order_is_the_newest_first_and_the_sum_is_the_same():
    session = learned(pick="mara-okafor-0", dtype=torch.float64)
    wanted, before = without(session, ids(session)), weights(session)
    newest = session.ledger.touching(ids(session))[-1]
    records = [session.step(Amnesiac(updates=1), "all")]
    less = {name: now - session.ledger.delta(newest, name) for name, now in before.items()}
    assert farthest(weights(session), less) <= 1e-15
    records += session.run(5, Amnesiac(updates=1), "all", stop_at=1e9)
    assert [record.mark for record in records] == ["", "", "reached"]
    assert farthest(weights(session), wanted) <= 5e-15
    with pytest.raises(NotPossible) as caught:
        session.step(Amnesiac(updates=1), "all")
    assert str(caught.value) == (
        "A further step of amnesiac was asked for, but all recorded updates that used these texts are taken back on this path. Pick other "
        "texts, undo a step, or go on with another method."
    )


def used(session, name):
    return {step.index for step in session.ledger.steps if name in step.texts}


def test_two_picks_one_after_the_other_are_both_at_once(tmp_path):
    one = learned(pick="mara-okafor-0")
    first = used(one, "mara-okafor-0")
    other = next(each for each in one.ledger.tracked if 0 < len(used(one, each) & first) < len(first))
    one.step(Amnesiac(), "all")
    one = Session.load(one.save(tmp_path / "saved"))
    one.pick(other)
    # an update that both share is not taken back twice
    assert one.step(Amnesiac(), "all").trajectory[0]["updates"] == len(used(one, other) - first)
    both = learned(pick=("mara-okafor-0", other))
    both.step(Amnesiac(), "all")
    assert farthest(weights(one), weights(both)) <= 1e-7


@pytest.mark.parametrize("again", [Amnesiac(), Amnesiac(updates=1), PartialAmnesiac(keep=1)], ids=["the same", "other settings", "partial"])
def test_a_repair_in_between_does_not_make_it_take_anything_back_twice(again):
    session = learned(pick="mara-okafor-0")
    session.step(Amnesiac(), "all")
    session.step("fine-tune", "all")
    before = session.fingerprint()
    with pytest.raises(NotPossible, match="are taken back on this path"):
        session.step(again, "all")
    assert session.fingerprint() == before


@pytest.mark.parametrize("first", ["embedding", "block 0"])
def test_what_was_taken_back_of_a_part_is_not_taken_back_again_of_the_whole(first):
    session = learned(pick="mara-okafor-0")
    session.step(Amnesiac(), first)
    record = session.step(Amnesiac(), "all")
    assert record.trajectory[0]["updates"] == len(used(session, "mara-okafor-0"))
    at_once = learned(pick="mara-okafor-0")
    at_once.step(Amnesiac(), "all")
    assert farthest(weights(session), weights(at_once)) == 0
    with pytest.raises(NotPossible, match="are taken back on this path"):
        session.step(Amnesiac(), "block 1")


def test_chosen_epochs_only():
    session = learned(pick="mara-okafor-0", texts=("Mara Okafor",), epochs="1, 2")
    with pytest.raises(NotPossible, match="in epoch 3"):
        session.step(Amnesiac(), "all")
    assert session.step(Amnesiac(epochs="1-2"), "all").trajectory[0]["updates"] == 2


def test_it_can_be_stopped_at_every_report_and_a_preview_takes_nothing():
    session, method = learned(pick="mara-okafor-0"), Amnesiac(updates=1)
    before = worlds.state(session)
    assert session.preview(method, "block 0").predicted["forget"] > 0
    assert worlds.state(session) == before
    session.step(method, "block 0")
    reports = len(list(session.stepping(method, "block 0")))
    assert reports > len(session.model.layout.groups["block 0"])
    session.undo()
    before = worlds.state(session)
    for done in range(1, reports):
        work = worlds.one_at_a_time(session.stepping(method, "block 0"), done)
        session.cancel()
        with pytest.raises(Cancelled):
            next(work)
        assert worlds.state(session) == before
    assert session.step(method, "block 0").trajectory[0]["updates"] == 1  # the second of three, as if nothing had been tried


# -- to the bit ---------------------------------------------------------------------------------------------------------


def bits(session, names=None):
    return {name: session.model.parameters[name].detach().clone() for name in (names or session.model.parameters)}


@pytest.mark.parametrize("recipe", [WHOLE, Recipe(epochs=2, batch_size=100)], ids=["SGD", "AdamW"])
def test_without_all_updates_it_is_where_it_began_bit_for_bit(recipe):
    session = learned(recipe)
    record = session.step(Amnesiac(), "all")
    start = session.ledger.checkpoint(0)
    assert all(torch.equal(now, start[name]) for name, now in bits(session).items())
    assert record.trajectory[0]["exact"]
    often = f"{recipe.epochs} recorded updates (shared with 20 other texts; exactly the weights before the training)"
    assert f"took back {often} of all" in record.narration


def test_after_every_epoch_it_is_at_that_checkpoint_bit_for_bit(tmp_path):
    session = learned(WHOLE)
    for epoch in (2, 1, 0):
        record = session.step(Amnesiac(updates=1), "embedding")
        kept = session.ledger.checkpoint(epoch)
        assert torch.equal(session.model.parameters[EMBEDDING], kept[EMBEDDING])
        assert record.trajectory[0]["exact"]
        assert ("after epoch" in record.narration) == (epoch > 0)
        session = Session.load(session.save(tmp_path / str(epoch)))


def test_the_last_epochs_updates_are_taken_back_exactly():
    session = learned(WHOLE)
    session.step(Amnesiac(epochs="3"), "all")
    kept = session.ledger.checkpoint(2)
    assert all(torch.equal(now, kept[name]) for name, now in bits(session).items())


def test_a_checkpoint_stands_in_only_for_what_it_is():
    for prepared, settings in (
        (lambda session: session.step("gradient-ascent", "all"), {}),  # the weights are no longer those of the end
        (lambda session: None, {"epochs": "1"}),  # the first epoch, and not the last
    ):
        session = learned(WHOLE)
        prepared(session)
        assert not session.step(Amnesiac(**settings), "all").trajectory[0]["exact"]
    record = learned(WHOLE, where="block 0", keep=0.5).step(Amnesiac(), "block 0")  # a pruned ledger holds something else
    assert not record.trajectory[0]["exact"]
    assert "(0.5 of each layer recorded; shared with" in record.narration


def test_the_tied_embedding_is_changed_once():
    session = learned(pick="mara-okafor-0")
    steps = session.ledger.touching(ids(session))
    total = sum(session.ledger.delta(step, EMBEDDING).double() for step in steps)
    record = session.step(Amnesiac(), "embedding")
    assert record.update_norm == {"embedding": pytest.approx(float(total.norm()), rel=1e-5)}
    (one,) = session.ledger.touching(ids(session), (2,))
    session.undo()
    record = session.step(Amnesiac(epochs="2"), "embedding")
    assert record.update_norm["embedding"] == pytest.approx(one.norms["deltas"]["embedding"], rel=1e-5)
    assert session.model.module.lm_head.weight is session.model.module.transformer.wte.weight


# -- a part of each update ----------------------------------------------------------------------------------------------


def test_with_all_entries_partial_is_whole_bit_for_bit():
    for recipe in (SGD, WHOLE):
        prints = []
        for method in (Amnesiac(), PartialAmnesiac(keep=1.0), PartialAmnesiac(keep=1.0, pruning="random")):
            session = learned(recipe)
            record = session.step(method, "all")
            prints.append((session.fingerprint(), record.trajectory[0]["exact"], record.narration.partition(":")[2]))
        assert len(set(prints)) == 1


def test_the_largest_entries_of_each_layer_are_taken_back():
    session = learned(pick="mara-okafor-0")

    def largest(delta):
        flat = delta.flatten().tolist()
        largest_first = sorted(range(len(flat)), key=lambda k: (-abs(flat[k]), k))
        found = torch.zeros_like(delta)
        for k in largest_first[: how_many(len(flat), 0.2)]:
            found.view(-1)[k] = flat[k]
        return found

    names = session.model.layout.groups["block 0"]
    wanted = without(session, ids(session), use=largest, names=names)
    record = session.step(PartialAmnesiac(keep=0.2), "block 0")
    assert farthest(weights(session), wanted) <= 1e-7
    assert "took back 3 recorded updates (0.2 of each layer; shared with" in record.narration


@pytest.mark.parametrize("pruning", PRUNINGS)
def test_pruning_what_was_recorded_whole_is_what_a_pruned_ledger_holds(pruning):
    whole, pruned = learned(where="block 0"), learned(where="block 0", keep=0.3, pruning=pruning)
    assert pruned.ledger.tracking.keep == 0.3
    whole.step(PartialAmnesiac(keep=0.3, pruning=pruning), "block 0")
    pruned.step(Amnesiac(), "block 0")
    assert whole.fingerprint() == pruned.fingerprint()


def test_rotating_blocks_take_every_entry_once_in_a_period():
    session, name = learned(WHOLE, pick="mara-okafor-0"), "transformer.h.0.attn.c_attn.weight"
    before = weights(session)
    session.step(PartialAmnesiac(keep=1 / 3, pruning="rotating"), "h.0.attn.c_attn.weight")
    moved = before[name] - weights(session)[name]
    thirds = torch.arange(moved.numel()).view_as(moved) * 3 // moved.numel()
    deltas = torch.stack([session.ledger.delta(step, name).double() for step in session.ledger.steps])  # one for each third
    assert float((moved - deltas.gather(0, thirds[None])[0]).abs().max()) <= 1e-7
    assert bool((moved != 0).float().mean() > 0.9)


def test_a_ledger_that_was_pruned_more_is_said():
    record = learned(where="block 0", keep=0.1).step(PartialAmnesiac(keep=0.5), "block 0")
    assert "(0.5 of each layer; 0.1 of each layer recorded; shared with" in record.narration


@pytest.mark.parametrize("keep", [0, -0.1, 1.01, float("nan")])
def test_a_share_outside_0_to_1_is_refused(keep):
    with pytest.raises(BadSetting, match=r"PartialAmnesiac\(keep="):
        PartialAmnesiac(keep=keep)


@pytest.mark.parametrize("method", [Amnesiac(), PartialAmnesiac()])
def test_one_use_of_a_tied_embedding_cannot_be_asked_for(method):
    session = learned()
    before = worlds.state(session)
    with pytest.raises(NotPossible, match="in the tied embedding as a whole, and not what its input part did"):
        session.step(method, "embedding.input")
    assert worlds.state(session) == before
