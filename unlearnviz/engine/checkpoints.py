"""Checkpoints: where a ledger begins, the weights it keeps on the way, and how an interrupted one goes on."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unlearnviz.engine.ledger_folder import JOURNAL, SCHEMA, LedgerFolder
from unlearnviz.engine.weights import fingerprint
from unlearnviz.errors import BadLedger, SaveFailed

if TYPE_CHECKING:
    from unlearnviz.engine.learning import Training
    from unlearnviz.engine.tracking import Tracking


def prepared(training: Training, tracking: Tracking, note: dict[str, Any]) -> LedgerFolder:
    """A new folder, or the unfinished one of the same training: then `training` is put where that one ended.

    Args:
        note: what `Tracking.to_json` says of the tracking.

    Raises:
        BadLedger: the folder is taken by something else.
        SaveFailed: the disk refuses.
    """
    model = training.model
    identity = {
        "schema": SCHEMA,
        "corpus": training.corpus.digest(),
        "start": fingerprint(model.parameters),
        "recipe": asdict(training.recipe),
    }
    path = Path(tempfile.mkdtemp(prefix="unlearnviz-ledger-")) if tracking.folder is None else Path(tracking.folder)
    if (path / JOURNAL).exists():
        return _resumed(LedgerFolder.open(path), training, identity, note)
    with writing(path):
        path.mkdir(parents=True, exist_ok=True)
        if tracking.folder is not None and any(path.iterdir()):
            raise BadLedger(f"{str(path)!r} holds other files; a ledger needs a folder of its own.")
        content = {
            **identity,
            "complete": False,
            "stopped": None,
            "updates": training.total,
            "per_epoch": training.per_epoch,
            "groups": {group: list(names) for group, names in model.layout.groups.items()},
            "shapes": {name: list(parameter.shape) for name, parameter in model.parameters.items()},
            "embedding": model.layout.input_embedding,
            "tied": model.layout.tied,
            "tracked": [],
            "recordings": [note],
            "curve": [],
            "fingerprints": [],
            "steps": [],
            "checkpoints": {},
        }
        folder = LedgerFolder(path, content)
        checkpoint(folder, training, 0, with_state=False)
        folder.flush()
    return folder


def checkpoint(folder: LedgerFolder, training: Training, epoch: int, *, with_state: bool) -> None:
    """Keep the weights at the end of an epoch, and with them what the rest of the training depends on; OSError where the disk refuses."""
    name = f"checkpoint-{epoch:03d}.safetensors"
    found = {"weights": [name, folder.write(name, dict(training.model.parameters))]}
    if with_state:
        name = f"state-{epoch:03d}.safetensors"
        found["state"] = [name, folder.write(name, training.state())]
    folder.content["checkpoints"][str(epoch)] = found


def tidy(folder: LedgerFolder, keep: tuple[int, ...]) -> None:
    """Drop the checkpoints that only a resumed run would have needed."""
    for epoch in [each for each in folder.content["checkpoints"] if int(each) not in keep]:
        for name, _ in folder.content["checkpoints"].pop(epoch).values():
            (folder.path / name).unlink(missing_ok=True)
    folder.flush()


def _resumed(folder: LedgerFolder, training: Training, identity: Mapping[str, Any], note: dict[str, Any]) -> LedgerFolder:
    """An unfinished ledger of the same training, cut back to its last whole epoch, from which the training goes on."""
    content = folder.content
    if content["complete"]:
        raise BadLedger(f"{str(folder.path)!r} holds a complete ledger already; choose another folder, or session.open_ledger(...) opens it.")
    if {key: content[key] for key in identity} != dict(identity) or content["recordings"] != [note]:
        raise BadLedger(f"{str(folder.path)!r} holds an unfinished ledger of another training or another tracking; choose another folder.")
    epoch = max((int(each) for each, kept in content["checkpoints"].items() if "state" in kept), default=0)
    if epoch:
        kept = content["checkpoints"][str(epoch)]
        training.restore(folder.read(*kept["weights"]), folder.read(*kept["state"]))
    content["steps"] = [step for step in content["steps"] if step["epoch"] <= epoch]
    content["curve"] = content["curve"][: epoch * content["per_epoch"]]
    content["fingerprints"] = content["fingerprints"][:epoch]
    content["stopped"] = None
    return folder


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Inside, a disk that refuses is answered with SaveFailed."""
    try:
        yield
    except OSError as error:
        raise SaveFailed(
            f"The ledger in {str(path)!r} could not be written: {error.strerror or error}; free some room or choose another place."
        ) from error
