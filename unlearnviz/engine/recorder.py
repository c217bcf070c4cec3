"""Recorder: watches a model learn and writes down what an unlearning method may want to take back."""

from __future__ import annotations

import contextlib
import math
import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch

from unlearnviz.engine.checkpoints import checkpoint, prepared, tidy, writing
from unlearnviz.engine.deviation import loss_with_penalty
from unlearnviz.engine.ledger_folder import LedgerFolder, pack, pack_rows
from unlearnviz.engine.selection import ParameterSelection
from unlearnviz.engine.tracking import Tracking, chosen_epochs
from unlearnviz.engine.weights import fingerprint, square_norm
from unlearnviz.engine.work import recording
from unlearnviz.errors import BadLedger, BadSelection, SaveFailed

if TYPE_CHECKING:
    from unlearnviz.engine.learning import Training, Update
    from unlearnviz.engine.model import LanguageModel


class Recorder:
    """Keeps, of every update that uses a tracked text, that text's gradient before and what the update changed.

    Args:
        training: the training to be watched; it has to be given this recorder as `watching`.
        tracking: what to record.
        folder: the ledger that a replay adds to; None for a first recording.

    Raises:
        UnknownName, BadForgetSet, BadSelection, BadSetting: `tracking` asks for what is not there.
        BadLedger: its folder is taken by something else.
        SaveFailed: the disk refuses.
    """

    def __init__(self, training: Training, tracking: Tracking, folder: LedgerFolder | None = None) -> None:
        model, corpus = training.model, training.corpus
        self.tracking, self.model = tracking, model
        selection = ParameterSelection.parse(tracking.where, model.layout)
        if selection.use != "both":
            raise BadSelection(f"where={tracking.where!r} is one use of the tied embedding; a ledger of 'embedding' keeps both uses apart.")
        self.names = selection.names
        self.tracked = frozenset(tracking.ids(corpus))
        self.epochs = frozenset(chosen_epochs(tracking.epochs, training.recipe.epochs))
        self.first = folder is None
        self.private = self.first and tracking.folder is None
        note = tracking.to_json(corpus, self.names)
        self.folder = prepared(training, tracking, note) if folder is None else folder
        self.content = self.folder.content
        if folder is not None:
            self.content["recordings"].append(note)
        self.number = len(self.content["recordings"]) - 1
        known = self.content["tracked"]
        known += [each for each in note["texts"] if each not in set(known)]
        self._place = {each: k for k, each in enumerate(known)}
        self._group = {name: group for group, names in model.layout.groups.items() for name in names}
        self._entries: dict[int, dict[str, Any]] = {step["index"]: step for step in self.content["steps"]}
        self._turn = sum(len(step["files"]) for step in self.content["steps"])
        self._texts: dict[str, tuple[float, float, dict[tuple[str, str], torch.Tensor]]] = {}
        self._before: dict[str, torch.Tensor] = {}

    # -- while it learns ------------------------------------------------------------------------------------------------

    def before(self, training: Training, update: Update) -> None:
        """Take the gradients of the tracked texts of this batch, and copies of what will change."""
        self._texts, self._before = {}, {}
        found = {p.id: p for p in update.passages if p.id in self.tracked}
        if not found or update.epoch not in self.epochs or self.content["stopped"]:
            return
        predicted = {passage.id: self._predicted(passage.text) for passage in update.passages}
        total = sum(predicted[passage.id] for passage in update.passages)
        for each, passage in found.items():
            times = sum(other.id == each for other in update.passages)
            loss, gradient = self._gradient(passage.text, training.recipe.deviation_penalty)
            self._texts[each] = (times * predicted[each] / total, loss, gradient)
        if self.tracking.deltas:
            self._before = {name: self.model.parameters[name].detach().clone() for name in self.names}

    def after(self, training: Training, update: Update) -> None:
        """Write down what the update did."""
        if self.first:
            self.content["curve"].append(update.loss)
        if self._texts:
            try:
                self._write(update, seed=training.recipe.seed)
            except OSError as error:
                self._full(error, update)
        self._texts, self._before = {}, {}

    def epoch_ended(self, training: Training, epoch: int) -> None:
        """Note where the weights are; a replay has to be at the same place."""
        now = fingerprint(self.model.parameters)
        if not self.first:
            if now != self.content["fingerprints"][epoch - 1]:
                raise BadLedger(
                    f"Epoch {epoch} was trained again and ended at other weights than were recorded: this machine, its libraries or its "
                    "number of threads differ. What was recorded before is whole; learn again to record more."
                )
            return
        self.content["fingerprints"].append(now)
        every = self.tracking.checkpoints == "epochs"
        if self.content["stopped"] or not (every or not self.private or epoch == training.recipe.epochs):
            return
        try:
            checkpoint(self.folder, training, epoch, with_state=every or epoch < training.recipe.epochs)
            self.folder.flush()
            if not every:
                tidy(self.folder, keep=(0, epoch))
        except OSError as error:
            self._full(error, None)

    def finish(self) -> None:
        """The training is done: the ledger is complete."""
        self.content["complete"] = True
        with writing(self.folder.path):
            self.folder.flush()

    def abandon(self) -> None:
        """The training ended early: a private folder goes, one with a name stays to be resumed."""
        if self.private:
            shutil.rmtree(self.folder.path, ignore_errors=True)

    # -- one step -------------------------------------------------------------------------------------------------------

    def _predicted(self, text: str) -> int:
        """Tokens that are predicted of a text, its end mark included where there is room."""
        return min(len(self.model.encode(text)) + (self.model.end is not None), self.model.context) - 1

    def _gradient(self, text: str, penalty: float) -> tuple[float, dict[tuple[str, str], torch.Tensor]]:
        """Loss of a text in nats per token, and (parameter, use) -> gradient of what was descended, at the present weights."""
        with _uses_apart(self.model) as (tied, output), recording():
            loss, objective = loss_with_penalty(self.model, self.model.batch([text], with_end=True), penalty)
            if not self.tracking.gradients:
                return loss.item(), {}
            wanted: dict[tuple[str, str], torch.Tensor] = {
                (name, "both"): self.model.parameters[name] for name in self.names if name != tied
            }
            if tied in self.names and output is not None:
                wanted |= {(tied, "input"): self.model.parameters[tied], (tied, "output"): output}
            found = torch.autograd.grad(objective, list(wanted.values()), allow_unused=True)
        return loss.item(), {
            key: torch.zeros_like(wanted[key]) if gradient is None else gradient.detach().to_dense()
            for key, gradient in zip(wanted, found, strict=True)
        }

    def _write(self, update: Update, seed: int) -> None:
        """One file, and the entry that names it."""
        norms: dict[str, dict[str, float]] = {"gradients": {}, "deltas": {}}
        sizes: dict[str, dict[str, int]] = {"gradients": {}, "deltas": {}}
        tensors: dict[str, torch.Tensor] = {}
        how: dict[str, Any] = {"keep": self.tracking.keep, "pruning": self.tracking.pruning, "half": self.tracking.dtype == "half"}

        def put(what: str, owner: str, name: str, use: str, values: torch.Tensor) -> None:
            parts = (pack_rows if use == "input" else pack)(values, turn=self._turn, seed=seed, **how)
            group = self._group[name]
            norms[what][group] = norms[what].get(group, 0.0) + square_norm(values)
            sizes[what][group] = sizes[what].get(group, 0) + sum(part.numel() * part.element_size() for part in parts.values())
            tensors.update({f"{what}/{owner}/{name}/{use}/{part}": tensor for part, tensor in parts.items()})

        for each, (_, _, gradient) in self._texts.items():
            for (name, use), values in gradient.items():
                put("gradients", str(self._place[each]), name, use, values)
        for name, before in self._before.items():
            now = self.model.parameters[name].detach()
            kind = torch.promote_types(now.dtype, torch.float32)
            put("deltas", "-", name, "both", now.to(kind) - before.to(kind))
        file = f"step-{update.index:06d}-{self.number}.safetensors"
        entry = self._entry(update)
        entry["weights"] |= {each: share for each, (share, _, _) in self._texts.items()}
        entry["losses"] |= {each: loss for each, (_, loss, _) in self._texts.items()}
        entry["files"] |= {file: self.folder.write(file, tensors)}
        for what, found in norms.items():
            entry["norms"][what] |= {group: math.sqrt(square) for group, square in found.items()}
            for group, size in sizes[what].items():
                entry["bytes"][what][group] = entry["bytes"][what].get(group, 0) + size
        self._turn += 1

    def _entry(self, update: Update) -> dict[str, Any]:
        """What `ledger.json` says of an update; a replay adds to what is there."""
        if update.index not in self._entries:
            self._entries[update.index] = {
                "index": update.index,
                "epoch": update.epoch,
                "rate": update.rate,
                "clip": update.clip,
                "texts": [passage.id for passage in update.passages],
                "loss": update.loss,
                "weights": {},
                "losses": {},
                "files": {},
                "norms": {"gradients": {}, "deltas": {}},
                "bytes": {"gradients": {}, "deltas": {}},
            }
            self.content["steps"].append(self._entries[update.index])
        return self._entries[update.index]

    def _full(self, error: OSError, update: Update | None) -> None:
        """The disk refuses: end the training, or only the recording, as was asked."""
        said = error.strerror or str(error)
        if self.tracking.when_full == "stop":
            raise SaveFailed(
                f"The ledger in {str(self.folder.path)!r} could not be written ({said}), so the training was stopped and the model is as it was "
                "before; free some room, record less, or say when_full='go on'."
            ) from error
        self.content["stopped"] = {"update": -1 if update is None else update.index, "why": said}


@contextlib.contextmanager
def _uses_apart(model: LanguageModel) -> Iterator[tuple[str, torch.Tensor | None]]:
    """Inside, the two uses of a tied matrix are two tensors over one storage; yields its name ("" if nothing is tied) and the output's."""
    if not model.layout.tied:
        yield "", None
        return
    head = model.module.get_output_embeddings()
    tied = head.weight
    output = torch.nn.Parameter(tied.detach(), requires_grad=True)
    head.weight = output
    try:
        yield model.layout.input_embedding, output
    finally:
        head.weight = tied
