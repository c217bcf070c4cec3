"""The cache of trainings: what was trained before is found again by the hash of all that its bits depend on."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Collection, Generator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from unlearnviz.engine.learning import Recipe, train
from unlearnviz.engine.model import LanguageModel
from unlearnviz.engine.progress import Progress
from unlearnviz.engine.weights import fingerprint

if TYPE_CHECKING:
    from unlearnviz.engine.corpus import Corpus

SPACE = 2 * 2**30  # bytes that the cache may fill; what was not used for the longest time goes first
_NOT_THE_MODEL = ("_name_or_path", "architectures", "transformers_version", "dtype", "torch_dtype")
_SEAL = "fingerprint"


def cache_folder() -> Path:
    """Where trainings are kept between sessions: `UNLEARNVIZ_CACHE`, or `unlearnviz` in the user's cache, or temporary, folder."""
    given, caches = os.environ.get("UNLEARNVIZ_CACHE"), os.environ.get("XDG_CACHE_HOME")
    if given:
        return Path(given)
    try:
        return (Path(caches) if caches else Path.home() / ".cache") / "unlearnviz"
    except RuntimeError:  # some hubs run a kernel as a user of whom nothing is known but the number
        return Path(tempfile.gettempdir()) / f"unlearnviz-{os.getuid() if hasattr(os, 'getuid') else 'user'}"


def train_cached(
    student: LanguageModel, corpus: Corpus, recipe: Recipe, left_out: Collection[str] = ()
) -> Generator[Progress, None, None]:
    """`train`, unless the same training was done before: then its result is read from the cache, bit for bit.

    A file that is damaged in any byte is no cache: the model is trained again. A model of which two would not fit into `SPACE`,
    and one for which the disk has no room, is not kept.
    """
    file = cache_folder() / "twins" / f"{_name(student, corpus, recipe, left_out)}.safetensors"
    if not _found(file, student):
        yield from train(student, corpus, recipe, left_out)
        _keep(file, student)


def _name(student: LanguageModel, corpus: Corpus, recipe: Recipe, left_out: Collection[str]) -> str:
    """SHA-256 of what the result is a function of; the same training on another number of threads ends in other bits."""
    import transformers

    config = student.module.config.to_dict()
    content = {
        "model": {name: config[name] for name in sorted(config) if name not in _NOT_THE_MODEL},  # heads and activation show in no shape
        "tokenizer": hashlib.sha256(student.tokenizer.to_str().encode()).hexdigest(),
        "start": fingerprint(student.parameters),
        "recipe": asdict(recipe),
        "corpus": corpus.digest(),
        "left_out": sorted(left_out),
        "made by": {
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            "device": str(student.device),
            "instructions": torch.backends.cpu.get_cpu_capability(),
            "threads": torch.get_num_threads(),
        },
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


@torch.no_grad()
def _found(file: Path, student: LanguageModel) -> bool:
    """Load the student's weights from the cache; False where they are not there, or not as they were written."""
    from safetensors import SafetensorError, safe_open

    if not file.exists():
        return False
    try:
        with safe_open(str(file), "pt") as opened:
            tensors: dict[str, Any] = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 (it is no mapping)
            seal = (opened.metadata() or {}).get(_SEAL)
    except (SafetensorError, OSError):
        return False
    if seal != fingerprint(tensors):
        return False
    if {name: tensor.shape for name, tensor in tensors.items()} != {name: p.shape for name, p in student.parameters.items()}:
        return False
    for name, parameter in student.parameters.items():
        parameter.copy_(tensors[name])
    with contextlib.suppress(OSError):
        os.utime(file)  # used just now: the last to go
    return True


def _keep(file: Path, student: LanguageModel) -> None:
    """Keep trained weights for the next session; a cache that cannot be written is simply not used."""
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    tensors = {name: parameter.detach().cpu().contiguous() for name, parameter in student.parameters.items()}
    size = sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
    if size > SPACE // 2:
        return
    part = file.with_suffix(f".{os.getpid()}.part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        _make_room(file.parent, SPACE - size)
        save_file(tensors, str(part), metadata={_SEAL: fingerprint(tensors)})
        part.replace(file)
    except (OSError, SafetensorError):
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def _make_room(folder: Path, space: int) -> None:
    """Drop what was used least recently until the rest fits into `space` bytes."""
    held = sorted((each.stat().st_mtime, each.stat().st_size, each) for each in folder.glob("*.safetensors"))
    total = sum(size for _, size, _ in held)
    for _, size, each in held:
        if total <= space:
            return
        each.unlink(missing_ok=True)
        total -= size
