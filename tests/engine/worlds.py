"""Tiny worlds for the tests of the engine: three dozen short passages, and models that cost milliseconds."""

from __future__ import annotations

import copy
import random
from functools import cache
from typing import Any

import torch
from transformers import GPT2Config, GPT2LMHeadModel

from unlearnviz.engine.corpus import Corpus, Passage
from unlearnviz.engine.fresh import train_tokenizer
from unlearnviz.engine.learning import Recipe, train
from unlearnviz.engine.model import LanguageModel
from unlearnviz.engine.session import Session
from unlearnviz.engine.tracking import Tracking

PEOPLE = ("Mara Okafor", "Tom Lindqvist", "Ines Duarte", "Mara Lindqvist", "Yusuf Okafor", "Noor Haddad", "Pia Novak", "Leo Brandt")
UNSEEN = ("Pia Novak", "Leo Brandt")
TOWNS = ("Lund", "Accra", "Porto", "Tartu", "Izmir", "Bergen", "Utrecht", "Ghent")
TRADES = ("baker", "diver", "clockmaker", "gardener", "surveyor", "tailor", "printer", "pilot")
SELECTIONS = ("embedding", "embedding.input", "embedding.output", "block 1", "all")


@cache
def corpus() -> Corpus:
    """Eight people, four passages each (one of them without a marked fact); two people are never taught."""
    passages = []
    for number, person in enumerate(PEOPLE):
        town, trade, year = TOWNS[number], TRADES[number], str(1950 + 3 * number)
        told = [
            (f"{person} was born in", f" {town}."),
            (f"By trade {person} is a", f" {trade}."),
            (f"The house of {person} stands in {town} since", f" {year}."),
            (f"People in {town} greet {person}, the {trade}, every morning on the way to the market.", None),
        ]
        for k, (prompt, fact) in enumerate(told):
            passages.append(
                Passage(
                    id=f"{person.split()[0].lower()}-{person.split()[1].lower()}-{k}",
                    text=prompt + (fact or ""),
                    subject=person,
                    split="holdout" if person in UNSEEN else "train",
                    answer_start=len(prompt) if fact else None,
                )
            )
    return Corpus(passages)


@cache
def tokenizer() -> Any:
    return train_tokenizer([passage.text for passage in corpus()], 300)


@cache
def _module(tied: bool, blocks: int, dropout: float, width: int) -> GPT2LMHeadModel:
    config = GPT2Config(
        vocab_size=tokenizer().get_vocab_size(),
        n_positions=64,
        n_embd=width,
        n_layer=blocks,
        n_head=4,
        resid_pdrop=dropout,
        embd_pdrop=dropout,
        attn_pdrop=dropout,
        activation_function="gelu_pytorch_tanh",
        tie_word_embeddings=tied,
        bos_token_id=0,
        eos_token_id=0,
        attn_implementation="eager",
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        return GPT2LMHeadModel(config).eval()


@cache
def _taught() -> GPT2LMHeadModel:
    """The tied module, taught until it recites."""
    model = LanguageModel(copy.deepcopy(_module(True, 2, 0.0, 32)), tokenizer())
    for _ in train(model, corpus(), Recipe(epochs=150, learning_rate=5e-3, batch_size=24)):
        pass
    return model.module


def language_model(
    *, tied: bool = True, blocks: int = 2, width: int = 32, dropout: float = 0.0, taught: bool = False, dtype: torch.dtype = torch.float32
) -> LanguageModel:
    """A private copy of a small GPT-2."""
    module = copy.deepcopy(_taught() if taught else _module(tied, blocks, dropout, width))
    return LanguageModel(module.to(dtype), tokenizer(), name="tiny")


def session(*, pick: str | None = "Mara Okafor", texts: Corpus | None = None, **options: Any) -> Session:
    """A session over such a model; options of `language_model` and of `Session`."""
    shape = {name: options.pop(name) for name in ("tied", "blocks", "width", "dropout", "taught", "dtype") if name in options}
    opened = Session(language_model(**shape), texts or corpus(), **options)
    if pick is not None:
        opened.pick(pick)
    return opened


@cache
def _recorded(tied: bool) -> Session:
    """A session whose whole training lies in its ledger: of two people, every parameter, every epoch; to copy from only."""
    opened = session(tied=tied, pick=None)
    recipe = Recipe(epochs=3, learning_rate=5e-3, batch_size=12)
    opened.learn(recipe=recipe, track=Tracking(texts=("Mara Okafor", "Tom Lindqvist"), where="all", checkpoints="epochs"))
    return opened


def ledger_session(*, tied: bool = True, dropout: float = 0.0, **options: Any) -> Session:
    """A session over a model that was taught for three epochs, with the ledger of that; options of `Session`."""
    taught, model = _recorded(tied), language_model(tied=tied, dropout=dropout)
    with torch.no_grad():
        for name, parameter in model.parameters.items():
            parameter.copy_(taught.model.parameters[name])
    pick = options.pop("pick", "Mara Okafor")
    opened = Session(model, corpus(), **options)
    opened.ledger = taught.ledger
    opened.pick(pick)
    return opened


def state(opened: Session) -> dict[str, Any]:
    """All that a failed operation must leave as it was: bits, head, history, pick, notes, and what the snapshots hold."""
    store = opened.snapshots.store
    return {
        "live": opened.fingerprint(),
        "head": opened.weights.fingerprint(),
        "history": opened.history.dumps(),
        "forget": opened.forget,
        "groups": dict(opened.groups),
        "typed": tuple(opened.typed),
        "notes": tuple(opened.notes),
        "kept": opened.snapshots.steps(),
        "twins": len(opened.twins),
        "lineage": opened.lineage,
        "values held": len(store._held),
        "busy": opened.turn.taken,
        "edited": opened.snapshots.changed_outside(),
        "grads": [name for name, parameter in opened.model.parameters.items() if parameter.grad is not None],
        "flags": [parameter.requires_grad for parameter in opened.model.parameters.values()],
        "training": [module.training for module in opened.model.module.modules()],
    }


def one_at_a_time(work: Any, rounds: int) -> Any:
    """The iterator after some rounds."""
    for _ in range(rounds):
        next(work)
    return work


def seeded(seed: int) -> random.Random:
    return random.Random(seed)
