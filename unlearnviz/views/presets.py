"""Presets: claims to try for oneself, as plain data. Which line moves most is asked before, and measured after."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from unlearnviz.engine.methods.method import registry

if TYPE_CHECKING:
    from collections.abc import Mapping

    from unlearnviz.engine.methods.method import Method


@dataclass(frozen=True)
class Preset:
    """One claim and the steps that try it.

    Attributes:
        title: a few words, as in the list.
        claim: what somebody might say; what is measured is compared with the person's own prediction, not with it.
        method, settings: of every step.
        where: the selection; "last two blocks" stands for those of the model at hand.
        steps: how many; a run of them ends earlier where the retain texts suffer.
        damaged: whether it is tried on a model that was hurt before.
    """

    title: str
    claim: str
    method: str
    where: str
    steps: int
    settings: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    damaged: bool = False

    def step(self) -> Method:
        """The method with its settings."""
        return registry[self.method](**self.settings)

    def place(self, blocks: int) -> str:
        """The selection in a model of so many blocks."""
        return f"blocks {max(0, blocks - 2)}-{blocks - 1}" if self.where == "last two blocks" else self.where


PRESETS = (
    Preset(
        title="The embedding alone",
        claim="To forget somebody it is enough to change the embedding, and nobody else is touched.",
        method="gradient-ascent",
        where="embedding",
        steps=3,
    ),
    Preset(
        title="The last two blocks alone",
        claim="The last two blocks have nothing to do with what is remembered.",
        method="gradient-ascent",
        where="last two blocks",
        steps=3,
    ),
    Preset(
        title="Too many steps",
        claim="More steps only make the forgetting more thorough.",
        method="gradient-ascent",
        where="embedding",
        steps=20,
    ),
    Preset(
        title="Repair afterwards",
        claim="What too many steps have hurt, a little training on the other texts mends, and what was forgotten stays forgotten.",
        method="fine-tune",
        where="embedding",
        steps=5,
        damaged=True,
    ),
)
