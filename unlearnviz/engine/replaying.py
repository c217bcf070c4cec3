"""Replaying: a training done once more on a copy, to record what was not recorded the first time."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from typing import TYPE_CHECKING

from unlearnviz.engine.learning import Training
from unlearnviz.engine.ledger import Ledger
from unlearnviz.engine.ledger_folder import LedgerFolder
from unlearnviz.engine.progress import Progress
from unlearnviz.engine.recorder import Recorder
from unlearnviz.engine.tracking import Tracking, chosen_epochs
from unlearnviz.errors import NotPossible

if TYPE_CHECKING:
    from unlearnviz.engine.corpus import Corpus
    from unlearnviz.engine.model import LanguageModel


def replay(student: LanguageModel, corpus: Corpus, ledger: Ledger, tracking: Tracking) -> Generator[Progress, None, Ledger]:
    """Add to a ledger what `tracking` asks for; returns the ledger with it.

    Goes from the nearest checkpoint before each asked epoch, and checks after each epoch that the weights are those of the
    first time.

    Args:
        student: a copy of the model, whose weights are lost.

    Raises:
        BadLedger: the weights come out differently on this machine, or a file is damaged.
        SaveFailed: the disk refuses.
    """
    if ledger.stopped is not None:
        raise NotPossible("This ledger ended where the disk was full; learn again to record more.")
    folder = LedgerFolder.open(ledger.path)
    training = Training(student, corpus, ledger.recipe)
    recorder = Recorder(training, tracking, folder)
    try:
        for epoch in chosen_epochs(tracking.epochs, ledger.recipe.epochs):
            training = _at_latest(training, folder, before=epoch)
            training.watching = recorder
            with contextlib.closing(training.running(until=epoch)) as running:
                yield from running
    except BaseException:
        _drop(ledger, folder)
        raise
    recorder.finish()
    return Ledger(folder)


def _at_latest(training: Training, folder: LedgerFolder, *, before: int) -> Training:
    """A training at the latest known moment before an epoch: where it is already, or at a checkpoint."""
    kept = folder.content["checkpoints"]
    epoch = max((int(each) for each in kept if int(each) < before and (each == "0" or "state" in kept[each])), default=0)
    if epoch * training.per_epoch < training.done < before * training.per_epoch:
        return training
    fresh = Training(training.model, training.corpus, training.recipe)
    weights = folder.read(*kept[str(epoch)]["weights"])
    fresh.restore(weights, folder.read(*kept[str(epoch)]["state"]) if epoch else fresh.state())
    return fresh


def _drop(ledger: Ledger, folder: LedgerFolder) -> None:
    """Remove the files of a replay that did not come to its end; the ledger never named them."""
    named = {name for step in ledger.steps for name in step.files}
    for step in folder.content["steps"]:
        for name in step["files"]:
            if name not in named:
                (folder.path / name).unlink(missing_ok=True)
