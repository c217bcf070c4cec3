"""Amnesiac: take back every update of the training whose batch held a forget text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
        earlier = _earlier(work)
        removed = {index for record in earlier for row in record.trajectory for index in row.get("removed", ())}
        left = [step for step in reversed(ledger.touching(ids, epochs)) if step.index not in removed]
        if not left:
            raise NotPossible(
                f"A further step of {self.name} was asked for, but all recorded updates that used these texts are taken back on this path. "
                "Pick other texts, undo a step, or go on with another method."
            )
        chosen = left[: self.updates]
        only_this = bool(earlier) and all(row.get("from the end") for record in earlier for row in record.trajectory or ({},))
        from_the_end = self.whole(ledger) and (only_this if earlier else self._at_the_end(work, ledger))
        terms = [(-1.0, partial(self.delta, ledger, step)) for step in chosen]
        apply(work, (yield from summed(work, terms)))
        removed |= {step.index for step in chosen}
        exact = self._exactly(work, ledger, removed) if from_the_end else None
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

    def _at_the_end(self, work: Work, ledger: Ledger) -> bool:
        """Whether the selected weights are, bit for bit, those that the training ended with."""
        end = ledger.checkpoint(ledger.epochs)
        return all(torch.equal(parameter.detach().cpu(), end[name]) for name, parameter in work.parameters.items())

    @torch.no_grad()
    def _exactly(self, work: Work, ledger: Ledger, removed: set[int]) -> int | None:
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


def _earlier(work: Work) -> list[StepRecord]:
    """The steps on the path that changed any selected parameter.

    Raises:
        NotPossible: updates were taken back of some of the selected parameters and not of others.
    """
    earlier = []
    for record in work.path:
        names = set(ParameterSelection.parse(record.where, work.model.layout).names)
        if names & work.parameters.keys():
            earlier.append(record)
            if names != work.parameters.keys() and any(row.get("removed") for row in record.trajectory):
                raise NotPossible(
                    f"Recorded updates of {record.where!r} were taken back in step {record.id}, and what is asked for now holds some of those "
                    f"parameters without the others, or more. Choose {record.where!r} again, or parameters apart from it, or undo that step."
                )
    return earlier
