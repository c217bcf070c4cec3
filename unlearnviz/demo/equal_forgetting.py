"""EqualForgetting: how far to go until the texts to forget surprise as much as the twin, and what that costs the others.

Ways to forget differ in how far a step goes, so at one step they are not alike. Where the forget loss is that of the twin, which
never saw the texts, they are: what they did to everything else is then what tells them apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from unlearnviz.demo.ledger_world import ledger_recipe, ledger_session, people_to_forget
from unlearnviz.engine.corpus import Passage
from unlearnviz.engine.methods.method import Method
from unlearnviz.engine.probes.exact_recall import exact_recall
from unlearnviz.engine.session import Session
from unlearnviz.engine.tracking import Tracking
from unlearnviz.engine.work import total_norm
from unlearnviz.errors import NotPossible

Direction = Mapping[str, torch.Tensor]  # parameter name -> what is added to it at scale 1
NEAREST, FARTHEST = 0.0625, 64.0  # L2 norms between which the twin's forget loss is looked for
HALVINGS = 8


def recorded_world(seed: int, optimizer: str = "AdamW", *, taught: int = 24, never_seen: int = 40, **tracking: Any) -> Session:
    """The ledger world of a seed: one person picked, her texts tracked in every parameter while the model learned, and the twin trained."""
    session = ledger_session(seed, taught=taught, never_seen=never_seen)
    (person,) = people_to_forget(session.corpus, 1, seed)
    session.pick(person)
    session.learn(recipe=ledger_recipe(optimizer), track=Tracking(**{"texts": (person,), "where": "all", **tracking}))
    session.twin()
    return session


def change(session: Session, method: Method, where: str) -> dict[str, torch.Tensor]:
    """What one real step of a method adds to the selected weights; the session is back where it was."""
    head, before = session.head, session.weights
    session.step(method, where)
    after = session.weights
    found = {name: after[name] - before[name] for name in after if not after.shares(before, name)}
    session.go_to(head)
    return found


class EqualForgetting:
    """Reads a session's model at other weights than its own.

    Args:
        session: with a pick and its twin; stands at the weights that ways to forget start from.

    Attributes:
        start, twin: weights; those where the session stands, and those of the model that never saw the forget texts.
        others: texts to keep, the 20 most alike and 20 more, as the session groups them.
        target: forget loss of the twin, nats per token.
    """

    def __init__(self, session: Session) -> None:
        twin = session.active_twin
        if twin is None:
            raise NotPossible("There is no twin to compare with; session.twin() trains the model that never saw the forget texts.")
        self.session, self.start, self.twin = session, session.weights, twin.weights
        self.others = [*session.groups["neighbours"], *session.groups["retain"]]
        self.target = self.loss(self.twin, session.forget)

    def loss(self, weights: Direction, passages: Sequence[Passage]) -> float:
        """Mean loss over all tokens of some texts, nats per token."""
        losses = self.session.model.at(weights).token_losses([passage.text for passage in passages])
        return float(torch.cat(losses).double().mean())

    def forget_loss(self, weights: Direction) -> float:
        """Loss of the texts to forget, nats per token."""
        return self.loss(weights, self.session.forget)

    def along(self, direction: Direction, scale: float, origin: Direction | None = None) -> dict[str, torch.Tensor]:
        """All weights, from the start (or another origin) so far along a direction."""
        first = self.start if origin is None else origin
        return {name: first[name] + scale * direction[name] if name in direction else first[name] for name in first}

    def reach(self, direction: Direction, *, farthest: float = FARTHEST) -> float | None:
        """The scale at which the forget loss is the twin's; None where it is not up to an L2 norm of `farthest`.

        Norms are doubled until it is, and then the last doubling is halved: of several crossings one of the first is found.
        """
        length = total_norm(direction)
        near, norm = 0.0, NEAREST
        while length and norm <= farthest:
            far = norm / length
            if self.forget_loss(self.along(direction, far)) >= self.target:
                return self.between(direction, near, far)
            near, norm = far, 2 * norm
        return None

    def between(self, direction: Direction, near: float, far: float, origin: Direction | None = None) -> float:
        """The scale between two, of which only the farther one forgets as much as the twin, at which that is reached."""
        for _ in range(HALVINGS):
            middle = (near + far) / 2
            if self.forget_loss(self.along(direction, middle, origin)) < self.target:
                near = middle
            else:
                far = middle
        return far

    def reading(self, weights: Direction) -> dict[str, float]:
        """Losses in nats per token, greedy recall of the marked facts in percent, and the L2 distance to the twin (verification error)."""
        shown = self.session.model.at(weights)
        recalled = {group: exact_recall(shown, texts) for group, texts in (("forget", self.session.forget), ("others", self.others))}
        share = {group: 100 * sum(known.values()) / max(1, len(known)) for group, known in recalled.items()}
        return {
            "forget": self.forget_loss(weights),
            "retain": self.loss(weights, self.others),
            "never seen": self.loss(weights, self.session.groups["never seen"]),
            "forget recall": share["forget"],
            "retain recall": share["others"],
            "distance": total_norm({name: weights[name] - self.twin[name] for name in weights}),
        }
