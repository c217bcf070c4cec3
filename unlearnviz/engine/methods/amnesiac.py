"""Amnesiac: take back every update of the training whose batch held a forget text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import torch

from unlearnviz.engine.methods.ledger_method import LedgerMethod, counted, details, pruned
from unlearnviz.engine.progress import Progress
from unlearnviz.engine.selection import ParameterSelection
from unlearnviz.engine.settings import setting
from unlearnviz.engine.stored_sums import apply, summed
from unlearnviz.errors import NotPossible

if TYPE_CHECKING:
    from unlearnviz.engine.history import StepRecord
    from unlearnviz.engine.ledger import Ledger, LedgerStep
    from unlearnviz.engine.work import Work


@dataclass(frozen=True, kw_only=True)
class Amnesiac(LedgerMethod):
    """theta <- theta - sum of the recorded deltas of all updates whose batch held a forget text, the newest first.

    A batch holds other texts too, and what the model learned of them in it goes as well; fine-tuning on the texts to keep
    repairs that. Works after any optimizer, weight decay being part of a delta.

    What was subtracted is part of the commit: a later step on the same path, whatever lies between, leaves those updates out, so that
    none is taken back twice.

    Where the updates taken back are exactly all of the training after the end of an epoch (or all of it), from the weights that
    the training ended with, the weights are those of that moment, bit for bit; that epoch's checkpoint has to be in the ledger,
    and the ledger not pruned. Otherwise a sum of deltas is right to rounding, about 1e-9 in float32.
    """

    source = "Graves, Nagisetty and Ganesh 2020, arXiv 2010.10981"

    epochs: str = setting("all", help="Whose epochs' updates: all, first, or numbers such as 1, 3-5.")
    updates: int | None = setting(None, help="Updates to take back in one step, the newest first; empty: all that are left.", minimum=1)

    def run(self, work: Work) -> Iterator[Progress]:
        """Find the updates, sum their deltas, subtract."""
        ids = [passage.id for passage in work.forget]
        epochs = self.ledger(work).chosen_epochs(self.epochs)
        ledger = self.deltas(work, ids, epochs)
        touched = _touched(work)
        removed = {name: {k for record in touched[name] for row in record.trajectory for k in row.get("removed", ())} for name in touched}
        # newest first; what was taken back of one parameter may be left of another
        left = [step for step in reversed(ledger.touching(ids, epochs)) if any(step.index not in each for each in removed.values())]
        if not left:
            raise NotPossible(
                f"A further step of {self.name} was asked for, but all recorded updates that used these texts are taken back on this path. "
                "Pick other texts, undo a step, or go on with another method."
            )
        chosen = left[: self.updates]
        from_the_end = self.whole(ledger) and self._from_the_end(work, ledger, touched)

        def still(step: LedgerStep, name: str) -> torch.Tensor:
            return torch.zeros(work.parameters[name].shape) if step.index in removed[name] else self.delta(ledger, step, name)

        apply(work, (yield from summed(work, [(-1.0, partial(still, step)) for step in chosen])))
        gone = {frozenset(each.union(step.index for step in chosen)) for each in removed.values()}
        exact = self._exactly(work, ledger, gone.pop()) if from_the_end and len(gone) == 1 else None
        others = len({each for step in chosen for each in step.texts} - set(ids))
        losses = yield from work.measuring()
        row = {"updates": len(chosen), "taken": ids, "others": others, "exact": exact is not None, "losses": losses}
        work.trajectory.append({**row, "removed": [step.index for step in chosen], "from the end": from_the_end})
        work.did = self._did(ledger, chosen, others, exact)
        if len(chosen) == len(left):
            work.ended = "all recorded updates that used these texts are taken back"

    def delta(self, ledger: Ledger, step: LedgerStep, name: str) -> torch.Tensor:
        """What is taken back of a step, in one parameter."""
        return ledger.delta(step, name)

    def share(self, ledger: Ledger) -> str:
        """How much of the deltas that is, in words; "" where it is all."""
        return pruned(ledger)

    def whole(self, ledger: Ledger) -> bool:
        """Whether the deltas are taken back as they were, so that a checkpoint may stand for their sum."""
        return ledger.tracking.keep == 1

    def _from_the_end(self, work: Work, ledger: Ledger, touched: Mapping[str, Sequence[StepRecord]]) -> bool:
        """Whether the selected weights are those that the training ended with, less whole updates that were taken back since."""
        end = ledger.checkpoint(ledger.epochs)
        return all(
            all(row.get("from the end") for record in touched[name] for row in record.trajectory or ({},))
            if touched[name]
            else torch.equal(parameter.detach().cpu(), end[name])
            for name, parameter in work.parameters.items()
        )

    @torch.no_grad()
    def _exactly(self, work: Work, ledger: Ledger, removed: frozenset[int]) -> int | None:
        """Put the values of a checkpoint where exactly all updates after it are gone; returns its epoch, None where there is none."""
        first, per_epoch = min(removed), ledger.updates // ledger.epochs
        epoch = first // per_epoch
        if first % per_epoch or len(removed) != ledger.updates - first or epoch not in ledger.checkpoints:
            return None
        kept = ledger.checkpoint(epoch)
        for name, parameter in work.parameters.items():
            parameter.copy_(kept[name])
        return epoch

    def _did(self, ledger: Ledger, chosen: Sequence[LedgerStep], others: int, exact: int | None) -> str:
        shared = f"shared with {counted(others, 'other text')}" if others else ""
        where = "" if exact is None else f"exactly the weights {f'after epoch {exact}' if exact else 'before the training'}"
        return f"took back {counted(len(chosen), 'recorded update')}{details(self.share(ledger), shared, where)}"


def _touched(work: Work) -> dict[str, list[StepRecord]]:
    """Selected parameter -> the steps on the path that could change it."""
    found: dict[str, list[StepRecord]] = {name: [] for name in work.parameters}
    for record in work.path:
        for name in ParameterSelection.parse(record.where, work.model.layout).names:
            if name in found:
                found[name].append(record)
    return found
