"""Conflict: where forgetting and keeping pull at the same weights."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import torch

from unlearnviz.engine.mean_gradient import INPUT, OUTPUT, batches_of, inner_product, mean_gradient_by_use
from unlearnviz.engine.probes.probe import Probe, Reading, View
from unlearnviz.engine.progress import Progress, drain
from unlearnviz.engine.settings import setting
from unlearnviz.engine.weights import square_norm

if TYPE_CHECKING:
    from unlearnviz.engine.corpus import Corpus
    from unlearnviz.engine.model import LanguageModel

Gradients = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Conflict(Probe):
    """Cosine between the gradients of the forget texts' and the retain texts' mean token loss, per parameter group.

    Rows: {"group" (of parameters), "cosine" (of the two gradients there), "forget_norm", "retain_norm" (L2, nats per unit of
    weight), "along_retain"}; a tied embedding is followed by its two uses, "embedding.input" and "embedding.output", which say
    so by "part_of": "embedding"; the last row is the whole model, "all".

    "along_retain" is the share of a default ascent step on that group which lies along the retain gradient, from -1 to 1: a step of length s
    changes the retain texts' mean loss by s * along_retain * (norm of that loss's gradient), to first order. Positive: this step also
    raises the retain loss. Negative: it lowers it. It is the cosine, except in the uses of a tied embedding: a step that follows one use moves
    the matrix in both, so it is held against the retain gradient of the whole matrix. None where a gradient is 0.

    The headline is "along_retain" of the embedding, where a step goes by default. Sums are accumulated in float64.
    """

    unit = "cosine"
    direction = "positive = a step here that raises the forget loss raises the retain loss too"
    cost: ClassVar[Literal["cheap", "slow"]] = "slow"
    beside = ("start",)

    keep: str = setting("retain", help="Which texts are to be kept.", choices=("retain", "neighbours"))

    def measure(self, model: LanguageModel, corpus: Corpus, view: View) -> Reading:
        """One row per parameter group, two for the uses of a tied embedding, and one for the whole model."""
        return drain(self.measuring(model, corpus, view))

    def measuring(self, model: LanguageModel, corpus: Corpus, view: View) -> Generator[Progress, None, Reading]:  # noqa: ARG002
        """The same in batches; half of a gradient says nothing, so stopped there is no reading."""
        batches = {
            group: batches_of(model, [passage.text for passage in view.groups.get(group, ())])
            for group in ("forget", self.keep)
        }
        empty = next((group for group, found in batches.items() if not found), None)
        if empty is not None:
            return self.reading(
                None, [], f"There is no text to compare with: the group {empty!r} has none of two tokens or more."
            )
        forget = yield from mean_gradient_by_use(model, batches["forget"], model.layout.names)
        retain = yield from mean_gradient_by_use(model, batches[self.keep], model.layout.names)
        rows: list[dict[str, Any]] = []
        for group, names in model.layout.groups.items():
            rows.append(_row(group, forget, retain, names))
            if group == "embedding" and model.layout.tied:
                rows += [_use_row(use, forget, retain, names[0]) for use in (INPUT, OUTPUT)]
        rows.append(_row("all", forget, retain, model.layout.names))
        return self.reading(rows[[row["group"] for row in rows].index("embedding")]["along_retain"], rows)


def _row(group: str, forget: Gradients, retain: Gradients, names: Iterable[str]) -> dict[str, Any]:
    members = tuple(names)
    ours, theirs = (math.sqrt(math.fsum(square_norm(side[name]) for name in members)) for side in (forget, retain))
    cosine = _cosine(math.fsum(inner_product(forget[name], retain[name]) for name in members), ours, theirs)
    return {"group": group, "cosine": cosine, "forget_norm": ours, "retain_norm": theirs, "along_retain": cosine}


def _use_row(use: str, forget: Gradients, retain: Gradients, embedding: str) -> dict[str, Any]:
    row = _row(use, forget, retain, [use])
    along = _cosine(
        inner_product(forget[use], retain[embedding]), row["forget_norm"], math.sqrt(square_norm(retain[embedding]))
    )
    return {**row, "along_retain": along, "part_of": "embedding"}


def _cosine(product: float, ours: float, theirs: float) -> float | None:
    return product / ours / theirs if ours > 0 and theirs > 0 else None
