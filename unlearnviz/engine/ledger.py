"""Ledger: what was recorded while a model learned, read from its folder piece by piece."""

from __future__ import annotations

import shutil
import weakref
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from unlearnviz.engine.learning import Recipe
from unlearnviz.engine.ledger_folder import JOURNAL, LedgerFolder, unpack
from unlearnviz.engine.tracking import Tracking, chosen_epochs
from unlearnviz.engine.weights import fingerprint
from unlearnviz.errors import BadLedger, NotPossible

if TYPE_CHECKING:
    from unlearnviz.engine.corpus import Corpus

WHATS = ("gradients", "deltas")


@dataclass(frozen=True)
class LedgerStep:
    """One recorded update of the training.

    Attributes:
        index: number of the update, from 0, over the whole training.
        epoch: number of its epoch, from 1.
        rate: the learning rate that it used.
        clip: the factor by which clipping shortened its gradient; 1.0 where it did not.
        texts: ids of the texts of its batch.
        weights: tracked id -> its share of the batch's predicted tokens; the batch gradient is the sum over *all* texts of share x
            gradient.
        loss: mean loss of the batch before the update, nats per token.
        losses: tracked id -> its own loss before the update, nats per token.
        norms: "gradients" and "deltas" -> group -> L2 norm, before pruning; of the gradients, the root of the sum of squares over texts
            (and over the two uses of a tied embedding).
        bytes: the same -> bytes on disk.
        files: the files that hold the tensors, with their hashes.
    """

    index: int
    epoch: int
    rate: float
    clip: float
    texts: tuple[str, ...]
    weights: Mapping[str, float]
    loss: float
    losses: Mapping[str, float]
    norms: Mapping[str, Mapping[str, float]]
    bytes: Mapping[str, Mapping[str, int]]
    files: Mapping[str, str]


class Ledger:
    """Gradients, deltas and checkpoints of one training.

    Attributes:
        recipe: of the training.
        tracking: of the first recording.
        tracked: ids of the tracked texts.
        names: the recorded parameters.
        groups: group -> those of its parameters that are recorded.
        epochs, updates: of the whole training.
        steps: the recorded updates, oldest first.
        curve: batch loss of every update, nats per token.
        stopped: number of the update at which a full disk ended the recording, or None.
    """

    def __init__(self, folder: LedgerFolder, *, private: bool = False) -> None:
        self._read(folder)
        if private:  # nobody gave the folder a name: it goes with the last who knows of it
            weakref.finalize(self, shutil.rmtree, folder.path, ignore_errors=True)

    def _read(self, folder: LedgerFolder) -> None:
        content = folder.content
        if not content["complete"]:
            raise BadLedger(
                f"The ledger in {str(folder.path)!r} is of a training that was not finished; session.learn(...) with the same recipe and the same "
                "tracking goes on with it."
            )
        self._folder = folder
        self.recipe = Recipe(**content["recipe"])
        self.tracking = Tracking(**{name: value for name, value in content["recordings"][0].items() if name != "names"})
        self.tracked = tuple(content["tracked"])
        recorded = {name for each in content["recordings"] for name in each["names"]}
        self.groups = {g: tuple(n for n in names if n in recorded) for g, names in content["groups"].items() if recorded & set(names)}
        self.names = tuple(name for names in self.groups.values() for name in names)
        self.epochs, self.updates = self.recipe.epochs, int(content["updates"])
        steps = sorted(content["steps"], key=lambda step: step["index"])
        self.steps = tuple(LedgerStep(**{**step, "texts": tuple(step["texts"])}) for step in steps)
        self.curve = tuple(content["curve"])
        self.stopped: int | None = content["stopped"]["update"] if content["stopped"] else None
        self._place = {each: str(k) for k, each in enumerate(self.tracked)}

    def follow(self, later: Ledger) -> None:
        """Know what a replay added to the same folder."""
        self._read(later.folder)

    @classmethod
    def open(cls, path: str | Path) -> Ledger:
        """A ledger that was recorded with `folder=`.

        Raises:
            BadLedger: there is none, it is unfinished, of another schema, cut short or edited.
        """
        folder = LedgerFolder.open(Path(path))
        try:
            return cls(folder)
        except (KeyError, TypeError, AttributeError) as error:
            raise BadLedger(f"The ledger in {str(path)!r} is damaged: {type(error).__name__}: {error}.") from error

    def __repr__(self) -> str:
        kept = sum(self.measured_bytes().values())
        return f"Ledger({len(self.tracked)} texts, {len(self.steps)} of {self.updates} updates, {kept / 1e6:.1f} MB, in {str(self.path)!r})"

    @property
    def path(self) -> Path:
        """Where it lies."""
        return self._folder.path

    @property
    def folder(self) -> LedgerFolder:
        """Its files, for a replay to add to."""
        return self._folder

    def check(self, weights: Mapping[str, torch.Tensor], corpus: Corpus) -> None:
        """BadLedger unless these are the weights that the training ended with, and the texts that it taught."""
        content = self._folder.content
        if content["corpus"] != corpus.digest():
            raise BadLedger(
                f"The ledger in {str(self.path)!r} was recorded over other texts (its corpus digest differs); open it with its own corpus."
            )
        if fingerprint(weights) != content["fingerprints"][-1]:
            raise BadLedger(
                f"The ledger in {str(self.path)!r} belongs to another model: its training did not end at the weights of step 0 (fingerprints differ)."
            )

    # -- what is in it ----------------------------------------------------------------------------------------------------

    def chosen_epochs(self, text: str) -> tuple[int, ...]:
        """Epochs of "first", "all", or numbers such as "1, 3-5"; BadSetting otherwise."""
        return chosen_epochs(text, self.epochs)

    def touching(self, ids: Iterable[str], epochs: Sequence[int] | None = None) -> tuple[LedgerStep, ...]:
        """The recorded steps whose batch held any of some texts, oldest first."""
        asked = frozenset(ids)
        return tuple(step for step in self.steps if asked & step.weights.keys() and (epochs is None or step.epoch in epochs))

    def require(self, ids: Iterable[str], names: Iterable[str], what: str, epochs: Sequence[int] | None = None) -> None:
        """NotPossible unless "gradients" or "deltas" of all these texts, parameters and epochs were recorded; the message offers a replay."""
        asked, wanted = list(ids), list(names)
        needed = range(1, self.epochs + 1) if epochs is None else epochs
        recordings = [each for each in self._folder.content["recordings"] if each[what]]
        untracked = [each for each in asked if not any(each in set(r["texts"]) for r in recordings)]
        if untracked:
            said = ", ".join(repr(each) for each in untracked[:4]) + (f" and {len(untracked) - 4} more" if len(untracked) > 4 else "")
            raise NotPossible(
                f"The ledger holds no {what} of {said}. session.replay(...) trains a copy once more and records them, "
                "or pick texts that were tracked."
            )
        for each in asked:
            for epoch in needed:
                held = {n for r in recordings if each in r["texts"] and epoch in chosen_epochs(r["epochs"], self.epochs) for n in r["names"]}
                missing = [name for name in wanted if name not in held]
                if missing:
                    raise NotPossible(
                        f"The ledger holds no {what} of {each!r} for {missing[0]} in epoch {epoch}. session.replay(...) trains a copy once more and "
                        "records them, or choose among what was recorded."
                    )
        last = max(needed, default=0) * self._folder.content["per_epoch"]
        if self.stopped is not None and self.stopped < last:
            raise NotPossible(
                f"The disk was full at update {self.stopped + 1} of {self.updates}, and nothing was recorded from there on; choose earlier epochs."
            )

    # -- its tensors ------------------------------------------------------------------------------------------------------

    def gradient(self, step: LedgerStep, passage_id: str, name: str, use: str = "both") -> torch.Tensor:
        """Gradient of a text's loss by a parameter, at the weights just before a step, in the parameter's shape, at least float32.

        Args:
            step: one of `steps` that used the text.
            passage_id: a tracked id.
            name: a recorded parameter.
            use: of a tied embedding, the part of the gradient that came through its "input" or its "output"; "both" for their sum.

        Raises:
            NotPossible: it was not recorded.
            BadLedger: a file is damaged.
        """
        tied = self._folder.content["tied"] and name == self._folder.content["embedding"]
        uses = (use,) if use != "both" or not tied else ("input", "output")
        return torch.stack([self._tensor(step, "gradients", self._place.get(passage_id, "?"), name, each) for each in uses]).sum(dim=0)

    def delta(self, step: LedgerStep, name: str) -> torch.Tensor:
        """What a step added to a parameter, in its shape, at least float32; entries that were pruned are 0. Errors as of `gradient`."""
        return self._tensor(step, "deltas", "-", name, "both")

    def _tensor(self, step: LedgerStep, what: str, owner: str, name: str, use: str) -> torch.Tensor:
        for file, sha in step.files.items():
            parts = self._folder.read(file, sha, f"{what}/{owner}/{name}/{use}/")
            if parts:
                return unpack(parts, tuple(self._folder.content["shapes"][name]))
        raise NotPossible(f"The ledger holds no {what} of {name} for update {step.index}; session.replay(...) records what is missing.")

    @property
    def checkpoints(self) -> tuple[int, ...]:
        """The epochs at whose ends all weights were kept, ascending; 0 is before the training."""
        return tuple(sorted(int(epoch) for epoch in self._folder.content["checkpoints"]))

    def checkpoint(self, epoch: int) -> dict[str, torch.Tensor]:
        """All weights at the end of an epoch; 0: before the training. NotPossible where they were not kept."""
        kept = self._folder.content["checkpoints"].get(str(epoch))
        if kept is None:
            known = ", ".join(sorted(self._folder.content["checkpoints"], key=int))
            raise NotPossible(f"The ledger keeps no weights of epoch {epoch}; it has those of {known}. Track with checkpoints='epochs' for all.")
        return self._folder.read(*kept["weights"])

    # -- tables for the page ------------------------------------------------------------------------------------------------

    def measured_bytes(self, what: str | None = None) -> dict[tuple[int, str], int]:
        """(epoch, group) -> bytes on disk, of "gradients", of "deltas", or of both."""
        found: dict[tuple[int, str], int] = {}
        for step in self.steps:
            for each in WHATS if what is None else (what,):
                for group, size in step.bytes[each].items():
                    found[step.epoch, group] = found.get((step.epoch, group), 0) + size
        return found

    def norms(self, what: str) -> dict[tuple[int, str], float]:
        """(epoch, group) -> root of the sum of squares, over the epoch's recorded steps, of the norms of "gradients" or "deltas"."""
        squares: dict[tuple[int, str], float] = {}
        for step in self.steps:
            for group, norm in step.norms[what].items():
                squares[step.epoch, group] = squares.get((step.epoch, group), 0.0) + norm**2
        return {key: square**0.5 for key, square in squares.items()}

    def copy_to(self, path: Path) -> None:
        """Copy all files to another folder; OSError where the disk refuses."""
        path.mkdir(parents=True, exist_ok=True)
        content = self._folder.content
        named = [name for step in content["steps"] for name in step["files"]]
        named += [file for kept in content["checkpoints"].values() for file, _ in kept.values()]
        for name in [*named, JOURNAL]:  # the journal last: what it names is there
            shutil.copyfile(self.path / name, path / name)
