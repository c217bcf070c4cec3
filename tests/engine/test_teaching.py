"""Teaching a model, and its twins: the same way without some texts, found again where it was gone before."""

from __future__ import annotations

import math

import pytest
import torch

from tests.engine import worlds
from unlearnviz.engine.corpus import Passage
from unlearnviz.engine.fresh import Size, fresh_model
from unlearnviz.engine.learning import Recipe, lessons, train
from unlearnviz.engine.model import LanguageModel
from unlearnviz.engine.probes.perplexity import Perplexity
from unlearnviz.engine.probes.verification_error import VerificationError
from unlearnviz.engine.session import Session
from unlearnviz.engine.weights import Weights, fingerprint
from unlearnviz.errors import BadForgetSet, BadSetting, Cancelled, NotPossible, Overshoot, UnknownName

SHORT = Recipe(epochs=2, batch_size=8, learning_rate=1e-2)
SIZE = Size(blocks=1, width=16, heads=2, vocabulary=300, context=64)


def fresh(seed=4, **options):
    session = Session(fresh_model(worlds.tokenizer(), SIZE, seed=seed), worlds.corpus(), initial_seed=seed, **options)
    session.pick("Mara Okafor")
    return session


def count_training(monkeypatch):
    """How many updates are made from here on."""
    updates = []
    real = LanguageModel.loss
    monkeypatch.setattr(LanguageModel, "loss", lambda self, batch: (updates.append(batch), real(self, batch))[1])
    return updates


def test_learning_is_torchs_adamw_over_shuffled_batches():
    session = worlds.session(dtype=torch.float64)
    recipe = Recipe(epochs=3, batch_size=10, learning_rate=0.02, warmup=2, clip=0.5)
    reference = worlds.language_model(dtype=torch.float64)
    module = reference.module
    texts = [(*reference.encode(p.text), module.config.eos_token_id) for p in session.corpus.train]  # with its end mark
    optimizer = torch.optim.AdamW(module.parameters(), lr=0.02, betas=(0.9, 0.98), weight_decay=0.01)
    generator, update = torch.Generator().manual_seed(0), 0
    for _ in range(3):
        order = torch.randperm(24, generator=generator).tolist()
        for start in (0, 10, 20):
            every = []
            for k in order[start : start + 10]:
                ids = torch.tensor([texts[k][: reference.context]])
                logits = module(ids).logits[0, :-1]
                every.append(-torch.log_softmax(logits, -1)[torch.arange(len(logits)), ids[0, 1:]])
            optimizer.zero_grad()
            torch.cat(every).mean().backward()
            torch.nn.utils.clip_grad_norm_(module.parameters(), 0.5)
            for group in optimizer.param_groups:
                group["lr"] = recipe.rate(update, 9)
            optimizer.step()
            update += 1
    record = session.learn(recipe=recipe)
    assert record.id == 0
    for name, parameter in module.named_parameters():
        assert (session.model.parameters[name] - parameter).abs().max() <= 1e-10


def test_learning_makes_step_0_of_a_new_history():
    session = worlds.session()
    session.step()
    session.measure("perplexity")
    before = session.measure("perplexity")["perplexity"].value
    record = session.learn(20)
    assert (record.id, session.head, len(session.history)) == (0, 0, 1)
    assert session.measure("perplexity")["perplexity"].value < before
    assert session.snapshots.steps() == (0,)
    assert session.fingerprint() == session.weights.fingerprint()
    assert session.lineage.recipe == Recipe.suited_to(session.model, epochs=20)
    assert session.forget
    with pytest.raises(NotPossible):
        session.undo()


@pytest.mark.parametrize("how", ["cancel", "close", "throw"])
def test_learning_that_is_stopped_changes_nothing(how):
    session = worlds.session(dropout=0.1)
    session.learn(recipe=SHORT)
    session.step()
    session.model.module.train()
    before = worlds.state(session)
    work = worlds.one_at_a_time(session.learning(recipe=SHORT), 3)
    assert session.fingerprint() != before["live"]
    if how == "close":
        work.close()
    elif how == "throw":
        with pytest.raises(ZeroDivisionError):
            work.throw(ZeroDivisionError)
    else:
        session.cancel()
        with pytest.raises(Cancelled, match=r"^learning was stopped; nothing of the unfinished part was kept\.$"):
            next(work)
    assert worlds.state(session) == before
    session.undo()
    assert session.fingerprint() == session.weights.fingerprint()


@pytest.mark.parametrize("at, sentence", [(1, "The loss became nan at update 3; lower"), (5, "The weights are not finite after the training; lower")])
def test_learning_that_overshoots_changes_nothing(at, sentence, session, monkeypatch):
    before = worlds.state(session)
    monkeypatch.setattr(Recipe, "rate", lambda self, update, total: math.inf if update == at else 1e-3)
    with pytest.raises(Overshoot) as caught:
        session.learn(recipe=SHORT)
    assert str(caught.value) == f"{sentence} the learning rate (0.01)."
    assert worlds.state(session) == before


def test_contradictory_or_absurd_teaching_is_refused(session):
    before = worlds.state(session)
    with pytest.raises(BadSetting) as caught:
        session.learn(3, recipe=SHORT)
    assert str(caught.value) == "learn() was given both epochs= and recipe=; put the epochs into the recipe."
    with pytest.raises(BadSetting, match=r"Recipe\(epochs=-1\) is out of range"):
        session.learn(-1)
    assert worlds.state(session) == before


def test_a_recipe_repeats_exactly_whatever_came_before():
    first, second = fresh(), fresh()
    torch.randn(3)
    first.learn(recipe=SHORT)
    second.learn(recipe=SHORT)
    assert first.fingerprint() == second.fingerprint()
    other = fresh()
    other.learn(recipe=Recipe(epochs=2, batch_size=8, learning_rate=1e-2, seed=1))
    assert other.fingerprint() != first.fingerprint()


def test_repeats_are_lessons():
    once, thrice = Passage("a", "one two three"), Passage("b", "four five six", extra={"repeats": 3})
    assert [p.id for p in lessons([once, thrice])] == ["a", "b", "b", "b"]


# -- twins --------------------------------------------------------------------------------------------------------------


def test_a_twin_has_start_order_and_schedule_in_common_and_never_sees_what_is_left_out(monkeypatch):
    session = fresh()
    seen = count_training(monkeypatch)
    session.learn(recipe=SHORT)
    taught = [batch.input_ids for batch in seen]
    seen.clear()
    twin = session.twin()
    without = [batch.input_ids for batch in seen]
    left_out = {session.model.encode(p.text) for p in session.forget}
    assert twin.left_out == {p.id for p in session.forget}
    assert len(taught) == len(without) == 6

    def texts(ids):
        return [tuple(token for token in row if token) for row in ids.tolist()]

    for mine, theirs in zip(taught, without, strict=True):
        assert texts(theirs) == [row for row in texts(mine) if row not in left_out]
    assert twin.weights.fingerprint() != session.fingerprint()

    monkeypatch.undo()
    student = fresh_model(worlds.tokenizer(), SIZE, seed=4)
    for _ in train(student, session.corpus, SHORT, twin.left_out):
        pass
    assert fingerprint(student.parameters) == twin.weights.fingerprint()


@pytest.mark.parametrize("start", ["fresh", "given"])
def test_a_twin_begins_where_the_model_began(start):
    session = fresh() if start == "fresh" else worlds.session()
    began = Weights.of(session.model.parameters)
    session.learn(recipe=SHORT)
    assert (session.lineage.initial is None) == (start == "fresh")
    assert session.lineage.start(session.model).fingerprint() == began.fingerprint()
    session.step()
    twin = session.twin()
    assert session.active_twin is twin
    assert session.head == 1


def test_a_twin_of_a_model_taught_twice_goes_the_whole_way():
    further = Recipe(epochs=1, batch_size=8)
    session = fresh()
    session.learn(recipe=SHORT)
    session.learn(recipe=further)
    twin = session.twin()
    student = fresh_model(worlds.tokenizer(), SIZE, seed=4)
    for recipe in (SHORT, further):
        for _ in train(student, session.corpus, recipe, twin.left_out):
            pass
    assert fingerprint(student.parameters) == twin.weights.fingerprint()  # it never saw the texts, also not in the first teaching


def test_a_twin_is_trained_once(monkeypatch, tmp_path):
    session = fresh()
    session.learn(recipe=SHORT)
    twin = session.twin()
    updates = count_training(monkeypatch)
    assert session.twin() is twin
    assert len(session.twins) == 1
    again = Session.load(session.save(tmp_path / "x"))
    assert again.twin().weights.fingerprint() == twin.weights.fingerprint()
    other = fresh()
    other.lineage = session.lineage
    assert other.twin().weights.fingerprint() == twin.weights.fingerprint()  # from the cache
    assert updates == []
    session.twin(seed=9)
    assert len(updates) == 6
    assert [each.seed for each in session.twins] == [0, 9]


def test_a_stopped_twin_changes_nothing():
    session = fresh()
    session.learn(recipe=SHORT)
    before = worlds.state(session)
    work = worlds.one_at_a_time(session.twinning(), 2)
    session.cancel()
    with pytest.raises(Cancelled):
        next(work)
    assert worlds.state(session) == before
    assert session.active_twin is None
    with pytest.raises(NotPossible, match="No twin was trained without exactly the present forget set"):
        session.measure("perplexity", of="twin")


def test_a_twin_that_finds_no_room_changes_nothing():
    session = fresh(memory_budget=0, disk_budget=200_000)
    session.learn(recipe=SHORT)
    session.snapshots.store.disk_budget = session.snapshots.store.disk_bytes
    held = len(session.snapshots.store._held)
    with pytest.raises(NotPossible, match="nothing was changed"):
        session.twin()
    assert (session.twins, len(session.snapshots.store._held)) == ([], held)


def test_the_twin_speaks_only_for_its_own_forget_set():
    session = fresh()
    session.learn(recipe=SHORT)
    twin = session.twin()
    assert session.measure("update-size")["update-size"].rows[-1]["to_twin"] > 0
    session.pick("Tom Lindqvist")
    assert session.active_twin is None
    assert session.measure("update-size")["update-size"].rows[-1]["to_twin"] is None
    session.pick("Mara Okafor", "A typed text of some words.")  # which no model was taught
    assert session.active_twin is twin


def test_several_twins_of_one_pick_are_measured_by_their_seeds():
    session = fresh()
    session.learn(recipe=SHORT)
    twins = [session.twin(seed=seed) for seed in (3, 1)]
    assert session.fitting_twins == (*twins,)
    assert session.active_twin is twins[0]
    values = {twin.seed: session.measure("perplexity", of=f"twin {twin.seed}")["perplexity"].value for twin in twins}
    assert values[1] != values[3] == session.measure("perplexity", of="twin")["perplexity"].value
    reading = session.measure("update-size", of="twin 1")["update-size"]
    assert (reading.of, reading.step) == ("twin 1", 0)
    assert reading.rows[-1]["to_twin"] == pytest.approx(twins[1].weights.distance(twins[0].weights), rel=1e-12)
    with pytest.raises(NotPossible) as caught:
        session.measure("perplexity", of="twin 7")
    assert str(caught.value) == (
        "No twin of seed 7 was trained without the present forget set, but 'twin 3', 'twin 1'; session.twin(seed=7) trains it."
    )
    with pytest.raises(UnknownName, match="No reference named 'twin x'"):
        session.measure("perplexity", of="twin x")
    session.pick("Tom Lindqvist")
    assert session.fitting_twins == ()
    with pytest.raises(NotPossible, match="No twin was trained without exactly the present forget set"):
        session.measure("perplexity", of="twin 3")


def test_another_twin_is_measured_again_only_where_all_twins_count(monkeypatch):
    session = worlds.session(initial_seed=7)
    session.learn(epochs=1)
    session.twin()
    session.measure("perplexity", "verification-error")
    session.twin(seed=5)
    asked = []
    for probe in (Perplexity, VerificationError):
        real = probe.measure
        monkeypatch.setattr(probe, "measure", lambda self, *rest, real=real: (asked.append(self.name), real(self, *rest))[1])
    readings = session.measure("perplexity", "verification-error")
    assert asked == ["verification-error"]
    assert all(row["between_twins"] is not None for row in readings["verification-error"].rows)


def test_what_has_no_twin_is_a_sentence():
    session = worlds.session()
    with pytest.raises(NotPossible) as caught:
        session.twin()
    assert str(caught.value) == (
        "A twin is the same model taught without the forget set, and this session does not know how its model was taught. "
        "session.learn() teaches it here; until then the never-seen texts are the reference."
    )
    session.learn(recipe=SHORT)
    session.pick("A typed text of some words.")
    with pytest.raises(NotPossible) as caught:
        session.twin()
    assert str(caught.value) == "The forget set holds only texts you typed, which the model never learned: it is its own twin."


def test_a_first_batch_without_a_text_left_trains_on():
    corpus = worlds.corpus()
    model = worlds.language_model()
    recipe = Recipe(epochs=1, batch_size=1)
    order = torch.randperm(24, generator=torch.Generator().manual_seed(0)).tolist()
    said = [progress.text for progress in train(model, corpus, recipe, {corpus.train[order[0]].id})]
    assert said[0] == "epoch 1 of 1"
    assert said[1].startswith("epoch 1 of 1, loss ")
    with pytest.raises(BadForgetSet, match=r"There is no text left to learn from; leave at least one taught text in\."):
        next(train(model, corpus, recipe, {p.id for p in corpus}))
