"""The ledger: what was recorded is what happened, in every form it can be kept, and damage is noticed."""

from __future__ import annotations

import json
import shutil
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.engine import worlds
from unlearnviz.engine.learning import Recipe
from unlearnviz.engine.ledger import Ledger
from unlearnviz.engine.ledger_folder import pack, unpack
from unlearnviz.engine.pruning import how_many
from unlearnviz.engine.pruning import kept as staying
from unlearnviz.engine.session import Session
from unlearnviz.engine.tracking import Tracking, chosen_epochs
from unlearnviz.errors import (
    BadForgetSet,
    BadLedger,
    BadSelection,
    BadSetting,
    Cancelled,
    NotPossible,
    SaveFailed,
    UnknownName,
)

RECIPES = {
    "SGD": Recipe(epochs=3, learning_rate=0.05, batch_size=4, optimizer="SGD", clip=1e6),
    "clipped SGD": Recipe(epochs=3, learning_rate=0.05, batch_size=4, optimizer="SGD", clip=0.5),
    "AdamW": Recipe(epochs=3, learning_rate=1e-3, batch_size=4),
    "SD loss": Recipe(epochs=3, learning_rate=0.05, batch_size=4, optimizer="SGD", deviation_penalty=0.5),
}


def taught(recipe: Recipe = RECIPES["SGD"], track: Any = None, **options: Any) -> Session:
    session = worlds.session(taught="dtype" not in options, pick=None, **options)
    session.learn(recipe=recipe, track=Tracking(where="all") if track is None else track)
    return session


@cache
def everything(recipe: str) -> Session:
    """A session whose whole training lies in its ledger; to look at only."""
    return taught(RECIPES[recipe])


@cache
def in_double() -> Session:
    """The same in double precision, by SGD."""
    return taught(dtype=torch.float64)


def ledger_of(session: Session) -> Ledger:
    assert session.ledger is not None
    return session.ledger


# -- what was recorded is what happened -------------------------------------------------------------------------------------


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_deltas_of_all_steps_newest_first_lead_back_to_the_start(recipe):
    session = everything(recipe)
    ledger = ledger_of(session)
    start = ledger.checkpoint(0)
    for name, parameter in session.model.parameters.items():
        found = parameter.detach().double().clone()
        for step in reversed(ledger.steps):
            found -= ledger.delta(step, name).double()
        assert float((found - start[name].double()).abs().max()) <= 1e-8


@pytest.mark.parametrize("recipe, returns", [("SGD", True), ("clipped SGD", True), ("SD loss", True), ("AdamW", False)])
def test_weighted_gradients_undo_sgd_and_must_not_undo_adamw(recipe, returns):
    session = everything(recipe)
    ledger = ledger_of(session)
    start, worst = ledger.checkpoint(0), 0.0
    for name, parameter in session.model.parameters.items():
        found = parameter.detach().double().clone()
        for step in ledger.steps:
            for passage, share in step.weights.items():
                found += step.rate * step.clip * share * ledger.gradient(step, passage, name).double()
        worst = max(worst, float((found - start[name].double()).abs().max()))
    assert (worst <= 2e-6) is returns


def test_in_double_precision_both_ways_back_are_exact_to_rounding():
    session = in_double()
    ledger = ledger_of(session)
    start = ledger.checkpoint(0)
    for name, parameter in session.model.parameters.items():
        by_delta, by_gradient = parameter.detach().clone(), parameter.detach().clone()
        for step in reversed(ledger.steps):
            by_delta -= ledger.delta(step, name)
            for passage, share in step.weights.items():
                by_gradient += step.rate * step.clip * share * ledger.gradient(step, passage, name)
        assert float((by_delta - start[name]).abs().max()) <= 1e-15
        assert float((by_gradient - start[name]).abs().max()) <= 5e-15  # a batch is rounded otherwise than its texts one by one


@pytest.mark.parametrize("recipe, tolerance", [("SGD", 2e-6), ("AdamW", 2e-6), (None, 5e-15)], ids=["SGD", "AdamW", "in double"])
@pytest.mark.parametrize("order", ["oldest first", "shuffled"])
def test_in_any_other_order_they_lead_back_up_to_rounding(recipe, tolerance, order):
    session = in_double() if recipe is None else everything(recipe)
    ledger = ledger_of(session)
    steps = list(ledger.steps) if order == "oldest first" else worlds.seeded(1).sample(ledger.steps, len(ledger.steps))
    start = ledger.checkpoint(0)
    for name, parameter in session.model.parameters.items():
        found = parameter.detach().clone()  # rounded as the model rounds
        for step in steps:
            found -= ledger.delta(step, name)
        assert float((found - start[name]).abs().max()) <= tolerance


def test_the_two_uses_of_the_tied_embedding_are_kept_apart_and_add_up():
    session = everything("SGD")
    ledger, model = ledger_of(session), session.model
    step, name = ledger.steps[0], model.layout.input_embedding
    passage = next(iter(step.weights))
    by_input, by_output = (ledger.gradient(step, passage, name, use) for use in ("input", "output"))
    assert torch.equal(ledger.gradient(step, passage, name), by_input + by_output)
    ids = model.encode(session.corpus[passage].text)
    assert set(by_input.abs().sum(dim=1).nonzero().flatten().tolist()) == set(ids)
    assert bool(by_output.abs().sum(dim=1).all())
    # an independent oracle: the gradient at the weights of the start, by the model's own rule
    start = worlds.language_model(taught=True)
    with start.following([name], "input") as selected:
        loss = start.loss(start.batch([session.corpus[passage].text], with_end=True))
        expected = torch.autograd.grad(loss, selected[name])[0]
    torch.testing.assert_close(by_input, expected, rtol=1e-5, atol=1e-7)


def test_a_step_says_what_it_used():
    session = taught(RECIPES["clipped SGD"], "Mara Okafor")
    ledger = ledger_of(session)
    assert set(ledger.tracked) == {passage.id for passage in session.corpus.about("Mara Okafor")}
    assert ledger.names == (session.model.layout.input_embedding,)
    seen = [each for step in ledger.steps for each in step.weights]
    assert sorted(seen) == sorted(ledger.tracked * 3)
    assert len(ledger.curve) == ledger.updates == 18
    for step in ledger.steps:
        assert set(step.weights) == set(step.texts) & set(ledger.tracked)
        assert 0 < step.clip <= 1
        assert step.rate == ledger.recipe.rate(step.index, ledger.updates)
        assert ledger.curve[step.index] == step.loss
        tokens = {each: len(session.model.encode(session.corpus[each].text)) for each in step.texts}  # an end mark for the first token
        for each, share in step.weights.items():
            assert share == pytest.approx(tokens[each] / sum(tokens.values()))
    assert [step.index for step in ledger.touching(["mara-okafor-0"], [2])] == [
        step.index for step in ledger.steps if step.epoch == 2 and "mara-okafor-0" in step.texts
    ]


def test_recording_changes_nothing_of_the_training():
    plain = worlds.session(taught=True, pick=None)
    plain.learn(recipe=RECIPES["AdamW"])
    assert plain.ledger is None
    assert plain.fingerprint() == everything("AdamW").fingerprint()


# -- forms ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pruning", ["magnitude", "random", "rotating"])
def test_pruned_entries_are_those_of_the_whole_and_the_others_are_zero(pruning):
    whole = ledger_of(everything("SGD"))
    pruned = ledger_of(taught(RECIPES["SGD"], Tracking(where="all", keep=0.1, pruning=pruning, gradients=False)))
    for name in pruned.names:
        for exact, step in zip(whole.steps, pruned.steps, strict=True):
            full, part = whole.delta(exact, name), pruned.delta(step, name)
            assert int((part != 0).sum()) <= how_many(full.numel(), 0.1)
            assert torch.equal(part[part != 0], full[part != 0])
    dense, sparse = (sum(each.measured_bytes("deltas").values()) for each in (whole, pruned))
    entries = [whole.delta(whole.steps[0], name).numel() for name in whole.names]
    # an int32 for each that stays, or a bit for every entry, whichever is less
    assert sparse == sum(4 * how_many(n, 0.1) + min(4 * how_many(n, 0.1), -(-n // 8)) for n in entries) * len(whole.steps)
    assert sparse <= 0.16 * dense


@pytest.mark.parametrize("keep, kept_as", [(0.5, "mask"), (0.1, "mask"), (0.01, "positions"), (1.0, "whole")])
def test_whatever_says_where_values_belong_puts_them_there(keep, kept_as):
    values = torch.randn(37, 41, generator=torch.Generator().manual_seed(0))
    parts = pack(values, keep=keep)
    assert kept_as in parts
    again = unpack(parts, (37, 41))
    stays = torch.zeros(37 * 41, dtype=torch.bool)
    stays[staying(values, keep)] = True
    assert torch.equal(again.flatten()[stays], values.flatten()[stays])
    assert not again.flatten()[~stays].any()


def test_half_precision_takes_half_the_bytes_and_is_near():
    whole = ledger_of(everything("SGD"))
    half = ledger_of(taught(RECIPES["SGD"], Tracking(where="all", dtype="half", gradients=False)))
    assert 2 * sum(half.measured_bytes("deltas").values()) == sum(whole.measured_bytes("deltas").values())
    name = whole.names[0]
    torch.testing.assert_close(half.delta(half.steps[0], name), whole.delta(whole.steps[0], name), rtol=1e-3, atol=1e-7)


def test_norms_and_bytes_stand_by_epoch_and_group():
    ledger = ledger_of(everything("SGD"))
    squares = {}
    for step in ledger.steps:
        for group, names in ledger.groups.items():
            square = sum(float(ledger.delta(step, name).double().square().sum()) for name in names)
            squares[step.epoch, group] = squares.get((step.epoch, group), 0) + square
    assert ledger.norms("deltas") == pytest.approx({key: square**0.5 for key, square in squares.items()}, rel=1e-6)
    by_hand = sum(parameter.numel() * 4 for parameter in everything("SGD").model.parameters.values()) * len(ledger.steps)
    assert sum(ledger.measured_bytes("deltas").values()) == by_hand
    on_disk = sum(file.stat().st_size for file in ledger.path.glob("step-*"))
    assert sum(ledger.measured_bytes().values()) == pytest.approx(on_disk, rel=0.05)  # the rest are names and shapes


# -- replay -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("checkpoints", ["ends", "epochs"])
def test_a_replay_records_what_a_first_recording_would_have(checkpoints):
    session = taught(RECIPES["AdamW"], Tracking(texts=("Mara Okafor",), checkpoints=checkpoints))
    before, ledger = session.fingerprint(), ledger_of(session)
    ids = [passage.id for passage in session.corpus.about("Tom Lindqvist")]
    with pytest.raises(NotPossible, match=r"no gradients of 'tom-lindqvist-0'.*session.replay"):
        ledger.require(ids, ledger.names, "gradients")
    assert session.replay(Tracking(texts=("Tom Lindqvist",), where="all", epochs="2")) is ledger
    assert session.fingerprint() == before
    ledger.require(ids, session.model.layout.names, "gradients", [2])
    with pytest.raises(NotPossible, match="in epoch 1"):
        ledger.require(ids, ledger.names, "gradients")
    whole = ledger_of(everything("AdamW"))
    for step in ledger.touching(ids, [2]):
        same = next(each for each in whole.steps if each.index == step.index)
        for each in set(step.weights) & set(ids):
            for name in ledger.names:
                assert torch.equal(ledger.gradient(step, each, name), whole.gradient(same, each, name))
                assert torch.equal(ledger.delta(step, name), whole.delta(same, name))


def test_a_replay_that_comes_out_differently_is_refused_and_leaves_nothing():
    session = taught(RECIPES["AdamW"], "Mara Okafor")
    ledger = ledger_of(session)
    ledger.folder.content["fingerprints"][0] = "0" * 64
    ledger.folder.flush()
    files = sorted(file.name for file in ledger.path.iterdir())
    with pytest.raises(BadLedger, match="ended at other weights"):
        session.replay("Tom Lindqvist")
    assert sorted(file.name for file in ledger.path.iterdir()) == files
    assert len(ledger.tracked) == 4


def test_there_is_nothing_to_replay_without_a_ledger():
    with pytest.raises(NotPossible, match=r"session.learn\(epochs, track=...\)"):
        worlds.session().replay("Mara Okafor")


# -- on disk ------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def kept(tmp_path: Path) -> tuple[Session, Path]:
    session = taught(RECIPES["AdamW"], Tracking(texts=("Mara Okafor",), folder=str(tmp_path / "ledger")))
    return session, tmp_path / "ledger"


def test_a_ledger_is_opened_again_by_the_session_it_belongs_to(kept):
    session, folder = kept
    step, name = ledger_of(session).steps[1], session.model.layout.input_embedding
    again = session.open_ledger(folder)
    assert torch.equal(again.delta(again.steps[1], name), Ledger.open(folder).delta(step, name))
    session.pick("Mara Okafor")
    session.step()
    session.open_ledger(folder)  # steps of unlearning make no difference: it belongs to step 0


def test_a_saved_session_takes_its_ledger_along(kept, tmp_path):
    session, folder = kept
    session.save(tmp_path / "saved")
    shutil.rmtree(folder)
    again = Session.load(tmp_path / "saved")
    name = session.model.layout.input_embedding
    assert ledger_of(again).tracked == ledger_of(session).tracked
    assert float(ledger_of(again).delta(ledger_of(again).steps[0], name).abs().sum()) > 0
    again.save(tmp_path / "saved")  # over itself
    assert ledger_of(Session.load(tmp_path / "saved")).tracked == ledger_of(session).tracked


def test_a_ledger_of_another_model_or_other_texts_is_refused(kept):
    _, folder = kept
    other = worlds.session(taught=True, pick=None)
    with pytest.raises(BadLedger, match="another model"):
        other.open_ledger(folder)
    texts = worlds.corpus()
    fewer = worlds.session(taught=True, pick=None, texts=type(texts)(texts[1:]))
    with pytest.raises(BadLedger, match="other texts"):
        fewer.open_ledger(folder)
    assert other.ledger is None


@pytest.mark.parametrize("damage", ["cut", "edited", "missing"])
def test_a_damaged_file_is_noticed_when_it_is_read(kept, damage):
    session, folder = kept
    file = folder / next(iter(ledger_of(session).steps[0].files))
    content = file.read_bytes()
    if damage == "missing":
        file.unlink()
    else:
        file.write_bytes(content[:-8] if damage == "cut" else content[:-1] + bytes([content[-1] ^ 1]))
    ledger = Ledger.open(folder)
    with pytest.raises(BadLedger, match="damaged"):
        ledger.delta(ledger.steps[0], session.model.layout.input_embedding)


def test_an_edited_or_cut_journal_is_refused(kept):
    _, folder = kept
    journal = folder / "ledger.json"
    content = json.loads(journal.read_text())
    journal.write_text(json.dumps({**content, "updates": 17}))
    with pytest.raises(BadLedger, match="edited or cut short"):
        Ledger.open(folder)
    journal.write_text(json.dumps(content)[:-9])
    with pytest.raises(BadLedger, match="no ledger that can be read"):
        Ledger.open(folder)
    journal.write_text(json.dumps({**content, "schema": 99}))
    with pytest.raises(BadLedger, match="schema 99"):
        Ledger.open(folder)
    with pytest.raises(BadLedger, match="no ledger"):
        Ledger.open(folder / "elsewhere")


def test_a_killed_run_goes_on_from_its_last_whole_epoch_to_the_same_weights(tmp_path):
    tracking = Tracking(texts=("Mara Okafor",), folder=str(tmp_path / "ledger"))
    session = worlds.session(taught=True, pick=None)
    before = session.fingerprint()
    running = session.learning(recipe=RECIPES["AdamW"], track=tracking)
    for _ in range(15):  # two epochs of six updates, and half of the third
        next(running)
    running.close()
    assert session.fingerprint() == before
    with pytest.raises(BadLedger, match="not finished"):
        Ledger.open(tmp_path / "ledger")
    (tmp_path / "ledger" / "step-000099-0.safetensors").write_bytes(b"left over")
    again = worlds.session(taught=True, pick=None)
    updates = sum(1 for _ in again.learning(recipe=RECIPES["AdamW"], track=tracking))
    assert updates == 6
    assert again.fingerprint() == everything("AdamW").fingerprint()
    whole = ledger_of(taught(RECIPES["AdamW"], "Mara Okafor"))
    assert [step.index for step in ledger_of(again).steps] == [step.index for step in whole.steps]
    assert ledger_of(again).curve == whole.curve


def test_a_folder_that_is_taken_is_refused_and_nothing_is_trained(kept, tmp_path):
    session, folder = kept
    before = worlds.state(session)
    for where, said in ((folder, "complete ledger already"), (tmp_path, "holds other files")):
        with pytest.raises(BadLedger, match=said):
            session.learn(recipe=RECIPES["AdamW"], track=Tracking(folder=str(where)))
    assert worlds.state(session) == before


def test_an_unfinished_ledger_of_another_training_is_refused(tmp_path):
    session = worlds.session(taught=True, pick=None)
    running = session.learning(recipe=RECIPES["AdamW"], track=Tracking(folder=str(tmp_path / "ledger")))
    next(running)
    running.close()
    with pytest.raises(BadLedger, match="another training"):
        session.learn(recipe=RECIPES["SGD"], track=Tracking(folder=str(tmp_path / "ledger")))


def test_a_private_folder_goes_with_its_session_and_with_a_stopped_training():
    session = taught(RECIPES["AdamW"], "Mara Okafor")
    path = ledger_of(session).path
    assert path.is_dir()
    session.learn(recipe=RECIPES["AdamW"])
    assert session.ledger is None
    assert not path.exists()
    running = session.learning(recipe=RECIPES["AdamW"], track="Mara Okafor")
    next(running)
    session.cancel()
    with pytest.raises(Cancelled):
        next(running)
    assert session.ledger is None


# -- a full disk --------------------------------------------------------------------------------------------------------------


def _full_after(monkeypatch, writes: int) -> None:
    from unlearnviz.engine.ledger_folder import LedgerFolder

    real, done = LedgerFolder.write, []

    def write(folder, name, tensors):
        done.append(name)
        if len(done) > writes:
            raise OSError(28, "No space left on device")
        return real(folder, name, tensors)

    monkeypatch.setattr(LedgerFolder, "write", write)


def test_a_full_disk_stops_the_training_and_the_model_is_as_before(monkeypatch):
    session = worlds.session(taught=True, pick=None)
    before = worlds.state(session)
    _full_after(monkeypatch, 3)
    with pytest.raises(SaveFailed, match=r"No space left on device.*when_full='go on'"):
        session.learn(recipe=RECIPES["AdamW"], track="Mara Okafor")
    assert worlds.state(session) == before
    assert session.ledger is None


def test_or_the_training_goes_on_and_the_ledger_says_where_it_ends(monkeypatch):
    session = worlds.session(taught=True, pick=None)
    _full_after(monkeypatch, 8)
    session.learn(recipe=RECIPES["AdamW"], track=Tracking(texts=("Mara Okafor",), when_full="go on"))
    assert session.fingerprint() == everything("AdamW").fingerprint()
    ledger = ledger_of(session)
    assert ledger.stopped is not None
    ledger.require(ledger.tracked, ledger.names, "deltas", [1])
    with pytest.raises(NotPossible, match="disk was full"):
        ledger.require(ledger.tracked, ledger.names, "deltas", [3])
    with pytest.raises(NotPossible, match="disk was full"):
        session.replay("Tom Lindqvist")


# -- bad input ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "asked, error, said",
    [
        (lambda: Tracking(texts=("Mara Okafur",)), UnknownName, "Did you mean 'Mara Okafor'"),
        (lambda: Tracking(texts=("Pia Novak",)), BadForgetSet, "never taught"),
        (lambda: Tracking(where="h.12"), BadSelection, "blocks run from h.0 to h.1"),
        (lambda: Tracking(where="embedding.input"), BadSelection, "keeps both uses apart"),
        (lambda: Tracking(epochs="4"), BadSetting, "its epochs are 1 to 3"),
        (lambda: Tracking(epochs="some"), BadSetting, "say 'first', 'all'"),
        (lambda: Tracking(keep=0), BadSetting, "keep=0"),
        (lambda: Tracking(keep=1.5), BadSetting, "keep=1.5"),
        (lambda: Tracking(gradients=False, deltas=False), BadSetting, "would be empty"),
        (lambda: Tracking(pruning="largest"), BadSetting, "pruning"),
    ],
)
def test_a_tracking_that_makes_no_sense_is_refused_and_nothing_is_trained(asked, error, said):
    session = worlds.session(taught=True, pick=None)
    before = worlds.state(session)
    with pytest.raises(error, match=said):
        session.learn(recipe=RECIPES["AdamW"], track=asked())
    assert worlds.state(session) == before


def test_epochs_are_read_as_people_write_them():
    assert chosen_epochs("first", 5) == (1,)
    assert chosen_epochs("all", 3) == (1, 2, 3)
    assert chosen_epochs("1, 3-5", 5) == (1, 3, 4, 5)
