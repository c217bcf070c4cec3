"""A tiny session as the experiments on ledgers want it: taught with everything recorded, one person picked, her twin at hand."""

from __future__ import annotations

from tests.engine import worlds
from unlearnviz.engine.learning import Recipe
from unlearnviz.engine.session import Session
from unlearnviz.engine.tracking import Tracking

PERSON = "Mara Okafor"


def taught_session(optimizer: str = "AdamW") -> Session:
    """Half a hundred updates of eight texts; a second or two."""
    session = worlds.session(pick=None)
    recipe = Recipe(epochs=12, learning_rate={"AdamW": 1e-2, "SGD": 1.0}[optimizer], batch_size=8, optimizer=optimizer)
    session.learn(recipe=recipe, track=Tracking(texts=(PERSON,), where="all"))
    session.pick(PERSON)
    session.twin()
    return session
