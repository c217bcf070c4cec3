"""Sessions with a ledger for the tests of the methods that use one, and the plain arithmetic that they are compared with."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch

from tests.engine import worlds
from unlearnviz.engine.learning import Recipe
from unlearnviz.engine.session import Session
from unlearnviz.engine.tracking import Tracking

SGD = Recipe(epochs=3, learning_rate=0.05, batch_size=10, optimizer="SGD", clip=0.8)
ADAMW = Recipe(epochs=2, learning_rate=2e-3, batch_size=10)


@cache
def _learned(recipe: Recipe, tracking: Tracking, dtype: torch.dtype) -> Session:
    session = worlds.session(taught=True, dtype=dtype, pick=None)
    session.learn(recipe=recipe, track=tracking)
    return session


def learned(recipe: Recipe = SGD, *, pick: Any = "Mara Okafor", dtype: torch.dtype = torch.float32, **tracking: Any) -> Session:
    """A session after a training that was recorded whole, in every parameter and epoch, unless `tracking` says otherwise."""
    taught = _learned(recipe, Tracking(**({"where": "all", "checkpoints": "epochs"} | tracking)), dtype)
    model = worlds.language_model(dtype=dtype)
    with torch.no_grad():
        for name, parameter in model.parameters.items():
            parameter.copy_(taught.model.parameters[name])
    session = Session(model, worlds.corpus())
    session.ledger = taught.ledger
    session.pick(*([pick] if isinstance(pick, str) else pick))
    return session


def weights(session: Session) -> dict[str, torch.Tensor]:
    """The live weights in float64, copied."""
    return {name: parameter.detach().double().clone() for name, parameter in session.model.parameters.items()}


def farthest(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor], names: Any = None) -> float:
    """The largest difference of two entries."""
    return max(float((one[name].double() - other[name].double()).abs().max()) for name in (names or one))


def climbed(session: Session, ids: Any, epochs: Any, *, use: str = "both") -> dict[str, torch.Tensor]:
    """Parameter -> sum of rate x share x clip x gradient over every use of some texts in some epochs, by a plain loop."""
    ledger = session.ledger
    found = {name: torch.zeros(parameter.shape, dtype=torch.float64) for name, parameter in session.model.parameters.items()}
    for step in ledger.steps:
        for each, share in step.weights.items():
            if each in ids and step.epoch in epochs:
                for name in found:
                    gradient = ledger.gradient(step, each, name, use if name == session.model.layout.input_embedding else "both")
                    found[name] += step.rate * share * step.clip * gradient.double()
    return found


def plus(session: Session, update: dict[str, torch.Tensor], factor: float = 1.0) -> dict[str, torch.Tensor]:
    """The live weights, and an update times a factor, in float64."""
    return {name: now + factor * update[name] for name, now in weights(session).items()}
