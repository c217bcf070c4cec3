"""Collateral: how much the texts to keep moved, for what the forget texts moved."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from unlearnviz.engine.probes.probe import Probe, Reading, View
from unlearnviz.numbers import number

if TYPE_CHECKING:
    from unlearnviz.engine.corpus import Corpus
    from unlearnviz.engine.model import LanguageModel

KEPT = ("neighbours", "retain")
MOVED = 0.01  # nats per token: about 1 % of perplexity; below, a ratio of two small changes says nothing


@dataclass(frozen=True)
class Collateral(Probe):
    """100 x (rise of the mean token loss of neighbours and retain together) / (rise of that of the forget texts), since the start.

    Token-weighted means, as in Perplexity: a rise in nats is the logarithm of the factor by which perplexity grew. 0: nothing else
    was touched. 100: the texts to keep are forgotten as fast as those to forget. Below 0: they are known better than at the start.

    Rows: one per group that has texts, {"group", "rise" (now - start), "start", "now" (nats per token), "tokens", "per_text": {id: rise}}.
    The headline is None, with a note, while the forget loss has risen by less than MOVED.
    """

    unit = "% of the rise of the forget loss"
    direction = "lower = more selective"
    beside = ("twin",)

    def measure(self, model: LanguageModel, corpus: Corpus, view: View) -> Reading:  # noqa: ARG002
        """One row per group; the start is read with the same model."""
        passages = [passage for members in view.groups.values() for passage in members]
        texts = [passage.text for passage in passages]
        now, start = ([row.double() for row in each.token_losses(texts)] for each in (model, model.at(view.start)))
        by_id = {passage.id: pair for passage, *pair in zip(passages, start, now, strict=True) if len(pair[0])}
        rows: list[dict[str, Any]] = []
        for group, members in view.groups.items():
            found = {passage.id: by_id[passage.id] for passage in members if passage.id in by_id}
            if found:
                before, after = _means(found.values())
                each = {name: float((pair[1] - pair[0]).mean()) for name, pair in found.items()}
                tokens = sum(len(pair[0]) for pair in found.values())
                rows.append(
                    {"group": group, "rise": after - before, "start": before, "now": after, "tokens": tokens, "per_text": each}
                )
        kept = [by_id[p.id] for group in KEPT for p in view.groups.get(group, ()) if p.id in by_id]
        rise = next((row["rise"] for row in rows if row["group"] == "forget"), 0.0)
        if not kept:
            return self.reading(None, rows, "There is no text to keep: the groups 'neighbours' and 'retain' are empty.")
        if not rise >= MOVED:
            still = f"The forget loss has not risen by {MOVED} nats per token since the start, so there is nothing to compare with."
            return self.reading(None, rows, still)
        before, after = _means(kept)
        said = f"neighbours and retain rose by {number(after - before)} nats, that of the forget texts by {number(rise)}."
        return self.reading(100 * (after - before) / rise, rows, f"Since the start the mean token loss of {said}")


def _means(pairs: Iterable[list[torch.Tensor]]) -> tuple[float, float]:
    """Mean over all tokens of all texts, at the start and now."""
    start, now = (torch.cat(side) for side in zip(*pairs, strict=True))
    return float(start.mean()), float(now.mean())
