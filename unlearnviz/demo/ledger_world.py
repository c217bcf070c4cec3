"""The ledger world: new people in the same country, whom the shipped model is taught in a fine-tuning that can be written down.

As Zagardo fine-tunes GPT-2, a model that knows the language and 120 other people learns a few new ones in a few epochs. The
training takes seconds, so that a twin without the forget texts, and several seeds, take minutes.
"""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

from unlearnviz.demo.shipped import FOLDER, facts, open_shipped
from unlearnviz.demo.world import world
from unlearnviz.engine.corpus import Corpus
from unlearnviz.engine.learning import Recipe
from unlearnviz.engine.session import Session

TAUGHT, NEVER_SEEN = 24, 40  # people, of five passages each
FIRST_WORLD = 1000  # seeds of the worlds that new people come from start here, far from the shipped one's
RATES = {"AdamW": 1e-3, "SGD": 0.6}


def ledger_corpus(seed: int = 0, *, taught: int = TAUGHT, never_seen: int = NEVER_SEEN) -> Corpus:
    """New people, none of whom the shipped model met, five passages each; the same seed gives the same people.

    Args:
        seed: of the people, and of who of them is taught.
        taught: people to be taught.
        never_seen: people who never are.
    """
    met = set(world(facts()["seed"]).subjects)
    told = [p for p in world(FIRST_WORLD + seed) if p.subject not in met and not {"canary", "near_duplicate_of"} & p.extra.keys()]
    people = sorted({passage.subject for passage in told})
    random.Random(seed).shuffle(people)
    taught_people, others = set(people[:taught]), set(people[taught : taught + never_seen])
    chosen = [p for p in told if p.subject in taught_people | others]
    return Corpus([replace(p, split="train" if p.subject in taught_people else "holdout") for p in chosen])


def ledger_recipe(optimizer: str = "AdamW", **given: Any) -> Recipe:
    """Five epochs in batches of four: few texts share an update, so that what one of them taught can be told from the others."""
    defaults: dict[str, Any] = {"epochs": 5, "batch_size": 4, "learning_rate": RATES[optimizer], "optimizer": optimizer}
    return Recipe(**{**defaults, **given})


def ledger_session(seed: int = 0, *, folder: Path = FOLDER, taught: int = TAUGHT, never_seen: int = NEVER_SEEN) -> Session:
    """The shipped model before it learns the new people: `session.learn(recipe=ledger_recipe(), track=...)` is the next line."""
    base = open_shipped(folder)
    corpus = ledger_corpus(seed, taught=taught, never_seen=never_seen)
    return Session(base.model, corpus, seed=seed, update_fraction=base.update_fraction)


def people_to_forget(corpus: Corpus, number: int, seed: int = 0) -> list[str]:
    """Some of the taught people, drawn with a seed."""
    taught = sorted({passage.subject for passage in corpus.train})
    return random.Random(seed).sample(taught, number)
