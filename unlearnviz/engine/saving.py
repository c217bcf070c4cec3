"""Saving and loading a whole session: safetensors and JSON, content-addressed, atomic.

    session.json              the history, the corpus, the pick, and which file holds which tensor
    tensors/<sha256>.safetensors
    model-<sha256>/           config.json, tokenizer.json

`session.json` is exchanged in one move after everything it names is written, and what it names is never written over, so a
crash leaves the earlier save readable. Files carry the hash of their content: a damaged one is noticed.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import load as from_bytes
from safetensors.torch import save as to_bytes

from unlearnviz.engine.atomic import digest, exchange
from unlearnviz.engine.corpus import Corpus, Passage
from unlearnviz.engine.history import History
from unlearnviz.engine.learning import Recipe
from unlearnviz.engine.ledger import Ledger
from unlearnviz.engine.ledger_folder import JOURNAL
from unlearnviz.engine.loading import load_tokenizer
from unlearnviz.engine.model import LanguageModel
from unlearnviz.engine.snapshots import Snapshot
from unlearnviz.engine.storage import StoredTensor, TensorStore
from unlearnviz.engine.teaching import Lineage
from unlearnviz.engine.twin import Twin
from unlearnviz.engine.weights import Weights
from unlearnviz.errors import BadModel, SaveFailed, UnlearnvizError

if TYPE_CHECKING:
    from unlearnviz.engine.session import Session

FORMAT = 1


def save(session: Session, path: Path) -> Path:
    """Write a session to the folder `path`; returns it.

    Raises:
        SaveFailed: the disk refuses; what was saved there before is untouched.
    """
    session.snapshots.check(session.head)
    writer = _Writer(path)
    try:
        (path / "tensors").mkdir(parents=True, exist_ok=True)
        kept = {step: session.snapshots[step] for step in session.snapshots.steps()}
        content = {
            "format": FORMAT,
            "model": writer.model(session.model),
            "model_name": session.model.name,
            "fused": session.model.fused,
            "dtype": str(next(iter(session.model.parameters.values())).dtype).removeprefix("torch."),
            "attention": getattr(session.model.module.config, "_attn_implementation", "eager"),
            "seed": session.seed,
            "update_fraction": session.update_fraction,
            "initial_seed": session.initial_seed,
            "corpus": session.corpus.to_rows(),
            "corpus_notes": session.corpus.notes,
            "notes": session.notes,
            "warnings": session.warnings,
            "typed": [asdict(passage) for passage in session.typed],
            "groups": {group: [passage.id for passage in members] for group, members in session.groups.items()},
            "history": session.history.to_json(),
            "weights": {step: writer.all(snapshot.weights.stored) for step, snapshot in kept.items()},
            "states": {step: writer.all(snapshot.state) for step, snapshot in kept.items() if snapshot.state},
            "twins": [
                {
                    "left_out": sorted(twin.left_out),
                    "seed": twin.seed,
                    "siblings": {group: list(values) for group, values in twin.siblings.items()},
                    "weights": writer.all(twin.weights.stored),
                }
                for twin in session.twins
            ],
            "lineage": _lineage_to_json(session.lineage, writer),
            "ledger": writer.ledger(session.ledger),
        }
        exchange(path / "session.json", json.dumps(content).encode())
    except OSError as error:
        raise SaveFailed(
            f"The session could not be saved to {str(path)!r}: {error.strerror or error}. Nothing saved there before was lost; "
            "free some room or choose another place."
        ) from error
    writer.tidy()
    return path


class _Writer:
    """Writes each distinct tensor once, under the hash of its content."""

    def __init__(self, path: Path) -> None:
        self.path, self.folder = path, path / "tensors"
        self._model, self._ledger = "", ""
        self._written: dict[int, dict[str, Any]] = {}
        self._alive: list[StoredTensor] = []  # ids stay unique while we hold them

    def model(self, model: LanguageModel) -> str:
        """Write config and tokenizer; returns the name of their folder."""
        files = {"config.json": model.module.config.to_json_string(use_diff=False), "tokenizer.json": model.tokenizer.to_str()}
        self._model = f"model-{digest(json.dumps(files).encode())}"
        (self.path / self._model).mkdir(exist_ok=True)
        for name, content in files.items():
            exchange(self.path / self._model / name, content.encode())
        return self._model

    def ledger(self, ledger: Ledger | None) -> str | None:
        """Copy the ledger; returns the name of its folder."""
        if ledger is None:
            return None
        self._ledger = f"ledger-{digest((ledger.path / JOURNAL).read_bytes())}"
        if ledger.path != self.path / self._ledger:
            ledger.copy_to(self.path / self._ledger)
        return self._ledger

    def all(self, stored: Mapping[str, StoredTensor]) -> dict[str, dict[str, Any]]:
        """Name -> where its tensor lies."""
        return {name: self._one(each) for name, each in stored.items()}

    def _one(self, stored: StoredTensor) -> dict[str, Any]:
        if id(stored) in self._written:
            return self._written[id(stored)]
        place: dict[str, Any] = {}
        if stored.base is not None:
            place["base"] = self._one(stored.base)
        content = stored.file.read_bytes() if stored.file is not None else to_bytes(_parts(stored))
        place["file"] = f"{digest(content)}.safetensors"
        file = self.folder / place["file"]
        if not file.exists() or digest(file.read_bytes()) != digest(content):  # damaged since: written anew
            exchange(file, content)
        self._written[id(stored)] = place
        self._alive.append(stored)
        return place

    def tidy(self) -> None:
        """Remove what only an earlier save needed; failing to is no loss."""
        needed = {place["file"] for place in self._written.values()}
        with contextlib.suppress(OSError):
            for file in self.folder.iterdir():
                if file.name not in needed:
                    file.unlink(missing_ok=True)
            for folder in (*self.path.glob("model-*"), *self.path.glob("ledger-*")):
                if folder.name not in (self._model, self._ledger):
                    shutil.rmtree(folder, ignore_errors=True)


def _parts(stored: StoredTensor) -> dict[str, torch.Tensor]:
    parts = {"value": stored.tensor, "rows": stored.rows, "row_values": stored.row_values}
    return {name: part.detach().cpu().contiguous() for name, part in parts.items() if part is not None}


def _siblings(value: Any) -> dict[str, tuple[float, ...]]:
    """Group -> perplexities; sessions saved before there were groups hold those of the forget texts alone."""
    return {group: tuple(each) for group, each in (value if isinstance(value, dict) else {"forget": value}).items()}


def _lineage_to_json(lineage: Lineage | None, writer: _Writer) -> dict[str, Any] | None:
    if lineage is None:
        return None
    return {
        "recipe": asdict(lineage.recipe),
        "initial": writer.all(lineage.initial.stored) if lineage.initial is not None else None,
        "initial_seed": lineage.initial_seed,
        "further": [asdict(recipe) for recipe in lineage.further],
    }


def _lineage_from_json(data: Mapping[str, Any] | None, reader: _Reader) -> Lineage | None:
    if data is None:
        return None
    return Lineage(
        Recipe(**data["recipe"]),
        initial=Weights(reader.all(data["initial"])) if data["initial"] is not None else None,
        initial_seed=data["initial_seed"],
        further=tuple(Recipe(**recipe) for recipe in data["further"]),
    )


def load(path: Path, *, device: str = "cpu", memory_budget: int | None = None, disk_budget: int | None = None) -> Session:
    """Open a saved session.

    Raises:
        BadModel: the folder holds no session, or one of another format, or a file of it is missing or damaged.
    """
    try:
        content = json.loads((path / "session.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadModel(f"{str(path)!r} holds no saved session that can be read (session.json): {error}.") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        found = content.get("format") if isinstance(content, dict) else None
        raise BadModel(f"{str(path)!r} was saved in format {found!r}; this version reads format {FORMAT}.")
    try:
        return _assemble(path, content, device, memory_budget, disk_budget)
    except (OSError, KeyError, TypeError, AttributeError, ValueError) as error:
        if isinstance(error, UnlearnvizError):
            raise
        raise BadModel(f"The session saved in {str(path)!r} is damaged: {type(error).__name__}: {error}.") from error


def _assemble(path: Path, content: Mapping[str, Any], device: str, memory_budget: int | None, disk_budget: int | None) -> Session:
    from transformers import AutoConfig, AutoModelForCausalLM

    from unlearnviz.engine.session import Session

    config = AutoConfig.from_pretrained(path / content["model"], trust_remote_code=False, local_files_only=True)
    module = AutoModelForCausalLM.from_config(config, attn_implementation=content["attention"], dtype=getattr(torch, content["dtype"]))
    model = LanguageModel(module.to(device).eval(), load_tokenizer(path / content["model"]), name=content["model_name"], fused=content.get("fused"))
    corpus = Corpus.from_rows(content["corpus"], notes=content["corpus_notes"])
    session = Session(
        model,
        corpus,
        seed=content["seed"],
        update_fraction=content["update_fraction"],
        initial_seed=content["initial_seed"],
        memory_budget=memory_budget,
        disk_budget=disk_budget,
    )
    session.history = History.from_json(content["history"])
    session.history.given = len(session.history)
    session.notes = list(content["notes"])
    session.warnings = list(content.get("warnings", ()))  # sessions saved before there were any have none
    session.typed = [Passage(**row) for row in content["typed"]]
    by_id = {passage.id: passage for passage in (*corpus, *session.typed)}
    session.groups = {group: tuple(by_id[each] for each in ids) for group, ids in content["groups"].items()}
    reader = _Reader(path, session.snapshots.store, device)
    session.twins = [
        Twin(Weights(reader.all(each["weights"])), frozenset(each["left_out"]), each["seed"], _siblings(each["siblings"]))
        for each in content["twins"]
    ]
    session.lineage = _lineage_from_json(content["lineage"], reader)
    if content.get("ledger") is not None:
        session.ledger = Ledger.open(path / content["ledger"])
    session.snapshots.references = [twin.weights for twin in session.twins]
    if session.lineage is not None and session.lineage.initial is not None:
        session.snapshots.references.append(session.lineage.initial)
    states = content["states"]
    kept = {
        int(step): Snapshot(Weights(reader.all(places)), reader.all(states.get(step, {}))) for step, places in content["weights"].items()
    }
    session.snapshots.replace_all(kept, session.head)
    return session


class _Reader:
    """Reads each file once; tensors that were shared are shared again."""

    def __init__(self, path: Path, store: TensorStore, device: str) -> None:
        self.folder, self.store, self.device = path / "tensors", store, device
        self._read: dict[str, StoredTensor] = {}

    def all(self, places: Mapping[str, dict[str, Any]]) -> dict[str, StoredTensor]:
        """Name -> stored tensor."""
        return {name: self._one(place) for name, place in places.items()}

    def _one(self, place: Mapping[str, Any]) -> StoredTensor:
        key = json.dumps(place, sort_keys=True)
        if key not in self._read:
            from safetensors import SafetensorError

            try:
                data = (self.folder / place["file"]).read_bytes()
                parts = {name: part.to(self.device) for name, part in from_bytes(data).items()}
            except (OSError, SafetensorError) as error:
                raise BadModel(f"The saved session misses {place['file']} or it is damaged: {error}.") from error
            if f"{digest(data)}.safetensors" != place["file"]:
                raise BadModel(f"The saved session is damaged: {place['file']} holds something else than was saved.")
            if "value" in parts:
                self._read[key] = self.store.adopt(parts["value"])
            else:
                self._read[key] = self.store.adopt_rows(self._one(place["base"]), parts["rows"], parts["row_values"])
            self.store.fit()  # a long history never lies in memory as a whole
        return self._read[key]
