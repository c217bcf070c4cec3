"""PartialAmnesiac: take back only the largest part of each update, layer by layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from unlearnviz.engine.methods.amnesiac import Amnesiac
from unlearnviz.engine.pruning import PRUNINGS, kept
from unlearnviz.engine.settings import setting
from unlearnviz.numbers import number

if TYPE_CHECKING:
    from unlearnviz.engine.ledger import Ledger, LedgerStep


@dataclass(frozen=True, kw_only=True)
class PartialAmnesiac(Amnesiac):
    """theta <- theta - sum of the layer-wise pruned deltas of all updates whose batch held a forget text, the newest first.

    Of each delta and each layer the share `keep` (rho) of its entries is taken back, and the rest left as it was learned. A layer is
    one parameter tensor. Pruning what was recorded whole gives what a ledger recorded with the same share and pruning holds,
    which is how the storage is saved. With `keep` 1 it is Amnesiac, bit for bit.
    """

    source = "Gogineni and Nadimi 2024, arXiv 2403.07611, partial amnesiac unlearning (reconstruction: the paper's pruning rule is not known)"

    keep: float = setting(0.1, help="Share of each layer's entries to take back (rho).", above=0, maximum=1)
    pruning: str = setting("magnitude", help="Which entries: the largest, drawn at random, or block after block.", choices=PRUNINGS)

    def delta(self, ledger: Ledger, step: LedgerStep, name: str) -> torch.Tensor:
        """The entries that stay, and 0 elsewhere."""
        whole = ledger.delta(step, name)
        turn = next(k for k, each in enumerate(ledger.steps) if each.index == step.index)
        places = kept(whole, self.keep, self.pruning, turn=turn, seed=ledger.recipe.seed)
        flat = torch.zeros_like(whole).view(-1)
        flat[places] = whole.reshape(-1)[places]
        return flat.view_as(whole)

    def whole(self, ledger: Ledger) -> bool:
        """Only with all entries."""
        return self.keep == 1 and super().whole(ledger)

    def share(self, ledger: Ledger) -> str:
        """Of the pruning, and of that which the ledger did already."""
        taken = "" if self.keep == 1 else f"{number(self.keep)} of each layer"
        return "; ".join(filter(None, (taken, super().share(ledger))))
