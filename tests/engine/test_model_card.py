"""The card says what the model is; its counts are those that torch counts; and what it calls impossible is refused."""

from __future__ import annotations

import copy
import json
from dataclasses import asdict

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from tests.engine import families, worlds
from unlearnviz.engine.learning import Recipe
from unlearnviz.engine.model import LanguageModel
from unlearnviz.engine.model_card import TEXTS, UNTIMED, model_card, multiplications
from unlearnviz.engine.selection import ParameterSelection
from unlearnviz.engine.session import Session
from unlearnviz.errors import BadSelection, NotPossible

SHAPES = [("GPT-2", True), ("GPT-2", False), ("Llama", True), ("Llama", False), ("OPT", True), ("GPT-NeoX", False), ("Qwen3", True), ("Bloom", True)]
EVERY_SHAPE = pytest.mark.parametrize(
    "shape, tied", SHAPES, ids=[f"{shape}, {'tied' if tied else 'untied'}" for shape, tied in SHAPES]
)


def opened(shape, *, tied, **options):
    module = families.module(shape, tied=tied, vocabulary=worlds.tokenizer().get_vocab_size(), attn_implementation="eager")
    session = Session(LanguageModel(copy.deepcopy(module).eval(), worlds.tokenizer()), worlds.corpus(), **options)
    session.pick("Tom Lindqvist")
    return session


def place(card, where):
    return next(each for each in card.places if each.where == where)


def counted(session, selection):
    """Multiplications, and texts and tokens, of one update as torch counts them."""
    model, texts = session.model, [passage.text for passage in session.forget[:TEXTS]]
    with model.following(selection.names, selection.use) as parameters, FlopCounterMode(display=False) as counter:
        batch = model.batch(texts)
        torch.autograd.grad(model.loss(batch), list(parameters.values()), allow_unused=True)
    return counter.get_total_flops() / 2, tuple(batch.input_ids.shape)


@EVERY_SHAPE
def test_the_multiplications_of_a_step_are_those_that_torch_counts(shape, tied):
    session = opened(shape, tied=tied)
    for where in ("embedding", "embedding.input", "embedding.output", "block 1", "all"):
        selection = ParameterSelection.parse(where, session.model.layout)
        expected, shape_of_batch = counted(session, selection)
        assert multiplications(session.model, selection, *shape_of_batch) == pytest.approx(expected, rel=0.15), where


@EVERY_SHAPE
def test_the_card_says_what_the_model_is(shape, tied):
    session = opened(shape, tied=tied)
    before = worlds.state(session)
    card = model_card(session)
    assert worlds.state(session) == before
    module = session.model.module
    assert card.parameters == sum(parameter.numel() for parameter in module.parameters())
    assert card.memory == 4 * card.parameters
    assert card.tied is (module.get_output_embeddings().weight is module.get_input_embeddings().weight) is tied
    assert (card.blocks, card.vocabulary) == (session.model.layout.blocks, module.get_input_embeddings().weight.shape[0])
    assert (card.family, card.dtype, card.device) == (type(module).__name__, "float32", "cpu")
    assert json.loads(json.dumps(asdict(card)))["parameters"] == card.parameters
    embedding = module.get_input_embeddings().weight.numel()
    assert [place(card, where).parameters for where in ("embedding", "embedding.output", "all")] == [embedding, embedding, card.parameters]
    assert not card.cramped


@EVERY_SHAPE
def test_what_is_called_impossible_is_refused_in_the_same_words_and_the_rest_is_done(shape, tied):
    session = opened(shape, tied=tied)
    for each in model_card(session).places:
        if each.impossible:
            with pytest.raises(BadSelection) as refused:
                session.step(where=each.where)
            assert str(refused.value) == each.impossible
        else:
            session.step(where=each.where)
    assert bool(place(model_card(session), "position").impossible) is (shape not in ("GPT-2", "OPT"))


def test_memory_covers_what_the_backward_pass_keeps_and_is_no_wild_guess():
    session = opened("GPT-2", tied=True)
    for where in ("embedding", "block 2", "all"):
        selection = ParameterSelection.parse(where, session.model.layout)
        own = {parameter.untyped_storage().data_ptr() for parameter in session.model.parameters.values()}
        saved: dict[int, int] = {}

        def keep(tensor, saved=saved):
            saved[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        batch = session.model.batch([passage.text for passage in session.forget])
        with session.model.following(selection.names, selection.use), torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            session.model.loss(batch)
        kept = sum(size for pointer, size in saved.items() if pointer not in own)
        card = model_card(session)
        if where in [each.where for each in card.places]:
            copies = 2 * 4 * place(card, where).parameters
            assert 0.5 * kept < place(card, where).memory - copies < 2.5 * kept


def test_seconds_come_from_what_was_timed_anyway_and_the_card_says_from_what():
    session = worlds.session(taught=True)
    card = model_card(session)
    assert card.timed == UNTIMED
    assert {each.seconds for each in card.places} == {None}
    session.measure("perplexity")
    card = model_card(session)
    assert card.timed.startswith("Seconds are estimated from the reading of perplexity, which took 0.")
    seconds = {each.where: each.seconds for each in card.places}
    assert 0 < seconds["embedding.output"] < seconds["embedding"] < seconds["all"]
    record = session.step(where="embedding")
    card = model_card(session)
    assert card.timed.startswith("Seconds are estimated from step 1, which took 0.0")
    assert (place(card, "embedding").seconds, place(card, "embedding").measured) == (record.seconds, True)
    assert not place(card, "all").measured
    assert place(card, "all").seconds > record.seconds


def test_where_the_copies_that_undo_needs_find_no_room_the_card_says_so_and_the_step_is_refused():
    session = worlds.session(memory_budget=0, disk_budget=0)
    card = model_card(session)
    assert card.cramped
    size = 4 * session.model.size
    assert place(card, "all").impossible == f"a step keeps copies of {2 * size:,} bytes to be undone; allowed are 0"
    with pytest.raises(NotPossible):
        session.step(where="all")
    roomy = worlds.session(memory_budget=size)
    assert [place(model_card(roomy), where).on_disk for where in ("embedding.output", "all")] == [False, True]
    roomy.step(where="all")
    assert roomy.snapshots.store.disk_bytes > 0


def test_what_a_session_lacks_is_said_with_what_to_do():
    bare = model_card(worlds.session())
    assert bare.impossible["amnesiac, first-epoch-ascent, partial-amnesiac, single-gradient"].startswith("no ledger: ")
    assert "cannot be retrained" in bare.impossible["a twin"]
    assert bare.knows == ""
    assert "nabla-tau, membership inference" not in bare.impossible
    unseen = [passage for passage in worlds.corpus() if passage.split == "train"]
    assert "holdout=0.1" in model_card(worlds.session(texts=type(worlds.corpus())(unseen))).impossible["nabla-tau, membership inference"]
    assert list(model_card(worlds.ledger_session()).impossible) == ["a twin"]


def test_a_model_that_was_taught_these_texts_only_says_so_and_offers_a_beginning_of_some_people():
    session = worlds.session(initial_seed=3, pick=None)
    session.learn(recipe=Recipe(epochs=1))
    card = model_card(session)
    assert card.knows == "This small model was taught these 24 texts and nothing else: it knows only the 6 people in them."
    assert "a twin" not in card.impossible
    assert card.prompts == ("Mara Okafor was born in", "Ines Duarte was born in", "Yusuf Okafor was born in")
    assert all(any(passage.text.startswith(prompt) for passage in session.corpus.train) for prompt in card.prompts)
