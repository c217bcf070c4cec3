"""PartialUpdates: of every update only a share of each layer is taken."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from unlearnviz.engine.methods.method import GradientMethod
from unlearnviz.engine.pruning import PRUNINGS, kept
from unlearnviz.engine.settings import setting

if TYPE_CHECKING:
    from unlearnviz.engine.descent import Limit
    from unlearnviz.engine.work import Work

TURN = "turn"  # name of the tensor in which a commit keeps how often entries were chosen on its path


@dataclass(frozen=True, kw_only=True)
class PartialUpdates(GradientMethod, abstract=True):
    """A gradient method of which each update changes ceil(keep * n) of the n entries of every layer, and leaves the others as they are.

    A layer is one parameter tensor. With `keep` 1 it is the naive method, bit for bit. An update is cut down before it is rescaled,
    so partial and naive updates have the same length where that is given. How often entries were chosen is part of the commit:
    rotating blocks go on from step to step of the same method, settings and selection.
    """

    keep: float = setting(1.0, help="Share of each layer that an update changes (rho); 1 is the naive method.", above=0, maximum=1)
    pruning: str = setting("magnitude", help="Which entries an update changes.", choices=PRUNINGS)
    redraw: bool = setting(True, help="Whether they are chosen anew for every update, or once for a step.", advanced=True)

    def limit(self, work: Work) -> Limit | None:
        """The selector of this step; None where all is kept."""
        return None if self.keep == 1 else LayerwiseSelector(self, work)


class LayerwiseSelector:
    """Cuts updates down to the entries whose turn it is.

    Args:
        method: what its settings say is kept.
        work: of a step; its state says how many choices came before.
    """

    def __init__(self, method: PartialUpdates, work: Work) -> None:
        self.method, self.work = method, work
        self.chosen: dict[str, torch.Tensor] = {}

    def __call__(self, update: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """The update, with 0 where an entry is not chosen: parameter name -> tensor of the same shape."""
        if self.method.redraw or not self.chosen:
            self.chosen = self._choose(update)
        cut = {}
        for name, tensor in update.items():
            cut[name] = torch.zeros_like(tensor, memory_format=torch.contiguous_format)
            cut[name].view(-1)[self.chosen[name]] = tensor.flatten()[self.chosen[name]]
        return cut

    def _choose(self, update: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        turn = int(self.work.state.get(TURN, torch.tensor(0)))
        self.work.state[TURN] = torch.tensor(turn + 1)
        return {
            # layers of one size draw apart from each other
            name: kept(tensor, self.method.keep, self.method.pruning, turn=turn, seed=zlib.crc32(f"{self.work.seed}/{name}".encode()))
            for name, tensor in update.items()
        }
