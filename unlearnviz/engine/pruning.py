"""Pruning: which entries of an update stay, layer by layer, when only a share of it is kept."""

from __future__ import annotations

import math
from typing import Any

import torch

from unlearnviz.errors import BadSetting, nearest

PRUNINGS = ("magnitude", "random", "rotating")


def how_many(entries: int, keep: float) -> int:
    """ceil(keep x entries): a layer that takes part keeps one entry at least."""
    # 0.1 x 10 is a hair above 1 in floating point, and would keep two
    return min(entries, math.ceil(round(keep * entries, 6)))


def kept(values: torch.Tensor, keep: float, pruning: str = "magnitude", *, turn: int = 0, seed: int = 0) -> torch.Tensor:
    """Flat positions, ascending (int64), of the ceil(keep x n) entries of a tensor of n that stay.

    Args:
        values: one layer's update, of any shape.
        keep: share that stays, in (0, 1]; "rho" in the papers.
        pruning: "magnitude" keeps the largest in size, of equal ones those that come first; "random" draws them anew for each
            `turn`; "rotating" takes the block number `turn`, so that all entries have had their turn after one period.
        turn: number of the update.
        seed: of "random".

    Raises:
        BadSetting: `keep` is outside (0, 1], or there is no such pruning.
    """
    check_keep(keep)
    entries = values.numel()
    count = how_many(entries, keep)
    if pruning not in PRUNINGS:
        raise BadSetting(f"pruning={pruning!r} is not a way to prune.{nearest(pruning, PRUNINGS)}")
    if count == entries:
        return torch.arange(entries, device=values.device)
    if pruning == "magnitude":
        return _largest(values.detach().flatten().abs(), count)
    if pruning == "random":
        generator = torch.Generator().manual_seed(seed * 1_000_003 + turn)
        return torch.randperm(entries, generator=generator)[:count].sort().values.to(values.device)
    period = math.ceil(entries / count)
    first = min((turn % period) * count, entries - count)  # the last block reaches back, so that every block has as many
    return torch.arange(first, first + count, device=values.device)


def check_keep(keep: Any) -> None:
    """BadSetting unless `keep` is a share in (0, 1]."""
    if isinstance(keep, bool) or not isinstance(keep, int | float) or not 0 < keep <= 1:
        raise BadSetting(f"keep={keep!r} is out of range; it is the share of each layer that stays, above 0 and at most 1.")


def _largest(sizes: torch.Tensor, count: int) -> torch.Tensor:
    """Positions of the largest entries; of those equal to the smallest that stays, the first ones."""
    limit = torch.topk(sizes, count, sorted=False).values.min()
    above = (sizes > limit).nonzero().flatten()
    equal = (sizes == limit).nonzero().flatten()[: count - len(above)]
    return torch.cat([above, equal]).sort().values
