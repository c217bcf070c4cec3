"""Preview: what a step would change in each group of texts, before it is taken.

The step is rehearsed by the very code that takes it, and taken back bit for bit. What it would do to the mean loss of a group
is, to first order, the inner product of that loss's gradient with the update: halve the update and the error of this falls to a
quarter, because what is left out grows with the square of the update.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from unlearnviz.engine.mean_gradient import batches_of, inner_product, mean_gradient, predictions
from unlearnviz.engine.probes.probe import Reading
from unlearnviz.engine.progress import Progress
from unlearnviz.engine.stepping import change, json_safe, rehearse
from unlearnviz.engine.weights import square_norm
from unlearnviz.errors import BadSetting

if TYPE_CHECKING:
    from unlearnviz.engine.methods.method import Method
    from unlearnviz.engine.model import Batch
    from unlearnviz.engine.selection import ParameterSelection
    from unlearnviz.engine.session import Session
    from unlearnviz.engine.weights import Weights


@dataclass(frozen=True)
class Preview:
    """What a step would do, JSON-safe.

    Attributes:
        method: name of the method.
        settings: the method's settings.
        where: the selection, as text.
        step: id of the step it would start from.
        forget: passage ids of the forget set.
        predicted: group of texts -> first-order change of its mean token loss, in nats per token; positive: its texts become
            less likely. Groups without texts are left out.
        update_norm: L2 norm of the update, per parameter group; groups that would not move are left out.
        passages: group of texts -> passage ids that were looked at.
    """

    method: str
    settings: Mapping[str, Any]
    where: str
    step: int
    forget: tuple[str, ...]
    predicted: Mapping[str, float]
    update_norm: Mapping[str, float]
    passages: Mapping[str, tuple[str, ...]]


def take_preview(session: Session, method: Method, selection: ParameterSelection) -> Generator[Progress, None, Preview]:
    """Rehearse a step, then follow its update along each group's gradient; returns the Preview.

    Atomic like a step: however it ends, weights, head and history are bit-identical to before.
    """

    def updated(before: Weights) -> Generator[Progress, None, dict[str, torch.Tensor]]:
        """Selected parameter name -> what the step would add to it, at least in float32."""
        yield from ()  # nothing here takes long
        return {name: change(session.model.parameters[name], before[name]) for name in selection.names}

    update = yield from rehearse(session, method, selection, updated)
    batches = [
        (group, batch)
        for group, members in session.groups.items()
        for batch in batches_of(session.model, [p.text for p in members])
    ]
    sums: dict[str, float] = {}
    tokens: dict[str, int] = {}
    for done, (group, batch) in enumerate(batches):
        # a mean over a group is made of those over its batches, by their tokens: no group's whole gradient is ever held
        predicted = predictions(batch)
        sums[group] = sums.get(group, 0.0) + predicted * _along(session, update, batch)
        tokens[group] = tokens.get(group, 0) + predicted
        progress = Progress(done + 1, len(batches), f"{group} predicted")
        session.turn.report(progress)
        yield progress
    return Preview(
        method=method.name,
        settings=json_safe(method),
        where=selection.text,
        step=session.head,
        forget=tuple(passage.id for passage in session.forget),
        predicted={group: sums[group] / tokens[group] for group in sums},
        update_norm=_norms(session, update),
        passages={group: tuple(passage.id for passage in members) for group, members in session.groups.items()},
    )


def _along(session: Session, update: Mapping[str, torch.Tensor], batch: Batch) -> float:
    """The inner product of the gradient of a batch's mean loss with an update.

    A tied embedding counts in both its uses, whichever of them the step follows: the one matrix moves for both.
    """
    gradient = mean_gradient(session.model, [batch], list(update))
    return math.fsum(inner_product(gradient[name], update[name]) for name in update)


def _norms(session: Session, update: Mapping[str, torch.Tensor]) -> dict[str, float]:
    norms = {}
    for group, names in session.model.layout.groups.items():
        square = math.fsum(square_norm(update[name]) for name in names if name in update)
        if square > 0:
            norms[group] = math.sqrt(square)
    return norms


def actual(before: Reading, after: Reading) -> dict[str, float]:
    """What a step did, to compare with `Preview.predicted`: group -> change of its mean token loss, in nats per token.

    Args:
        before: the perplexity reading of the step it started from.
        after: that of the step itself, over the same texts; a group's mean loss is the log of its perplexity.

    Raises:
        BadSetting: the readings are not of perplexity, or not over the same tokens.
    """
    tables = [{row["group"]: row for row in reading.rows} for reading in (before, after)]
    if before.probe != "perplexity" or after.probe != "perplexity":
        other = before.probe if before.probe != "perplexity" else after.probe
        raise BadSetting(f"The change of the mean loss is read off two perplexity readings; one of these is of {other!r}.")
    tokens = [{group: row["tokens"] for group, row in table.items()} for table in tables]
    if dict(before.passages) != dict(after.passages) or tokens[0] != tokens[1]:
        raise BadSetting(
            f"The readings of steps {before.step} and {after.step} are of different texts or tokens; measure both with the same pick."
        )
    return {group: tables[1][group]["nll"] - row["nll"] for group, row in tables[0].items()}
