"""LedgerFolder: a ledger on disk, as safetensors and one JSON that is exchanged in one move.

    ledger.json                     what was trained, what was recorded, and the SHA-256 of every file
    step-000017-0.safetensors       what recording number 0 kept of update 17
    checkpoint-003.safetensors      all weights at the end of epoch 3 (000: before the training)
    state-003.safetensors           the optimizer's and the random state at the same moment

A file counts when `ledger.json` names it: what a killed run left over is overwritten or ignored.
"""

from __future__ import annotations

import bisect
import itertools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from unlearnviz.engine.atomic import digest, exchange
from unlearnviz.engine.pruning import kept
from unlearnviz.errors import BadLedger

SCHEMA = 1
JOURNAL = "ledger.json"
OPEN = 256  # files held open; each is a map into memory and the list of its keys


class LedgerFolder:
    """Reads and writes the files of one ledger; each file is checked against its hash when it is first read."""

    def __init__(self, path: Path, content: dict[str, Any]) -> None:
        self.path, self.content = path, content
        self._checked: set[str] = set()
        self._opened: dict[str, tuple[Any, list[str]]] = {}  # hash -> the file and its keys: methods come back for every layer

    @classmethod
    def open(cls, path: Path) -> LedgerFolder:
        """The ledger in a folder, finished or not.

        Raises:
            BadLedger: there is none, or its JSON is of another schema, cut short or edited.
        """
        try:
            content = json.loads((path / JOURNAL).read_text(encoding="utf-8"))
            schema, said = content["schema"], content.pop("digest")
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BadLedger(f"{str(path)!r} holds no ledger that can be read ({JOURNAL}): {type(error).__name__}: {error}.") from error
        if schema != SCHEMA:
            raise BadLedger(f"The ledger in {str(path)!r} has schema {schema!r}; this version reads schema {SCHEMA}.")
        if said != _digest_of(content):
            raise BadLedger(f"The ledger in {str(path)!r} was edited or cut short after it was written ({JOURNAL}); record it again.")
        return cls(path, content)

    def flush(self) -> None:
        """Write `ledger.json`: from now on what it names counts. OSError where the disk refuses."""
        exchange(self.path / JOURNAL, json.dumps({**self.content, "digest": _digest_of(self.content)}).encode())

    def write(self, name: str, tensors: Mapping[str, torch.Tensor]) -> str:
        """Write a file of tensors; returns its hash. OSError where the disk refuses."""
        content = save({key: tensor.detach().cpu().contiguous() for key, tensor in tensors.items()})
        (self.path / name).write_bytes(content)
        return digest(content)

    def read(self, name: str, sha: str, beginning: str = "") -> dict[str, torch.Tensor]:
        """The tensors of a file whose keys begin in a certain way; the rest of the keys -> tensor.

        Raises:
            BadLedger: the file is missing, cut short or edited.
        """
        file = self.path / name
        try:
            if name not in self._checked:
                if digest(file.read_bytes()) != sha:
                    raise BadLedger(f"The ledger in {str(self.path)!r} is damaged: {name} holds something else than was recorded.")
                self._checked.add(name)
            if sha not in self._opened:
                if len(self._opened) == OPEN:
                    self._opened.clear()
                opened = safe_open(file, framework="pt")
                self._opened[sha] = (opened, sorted(opened.keys()))
            opened, keys = self._opened[sha]
            first = bisect.bisect_left(keys, beginning)
            found = itertools.takewhile(lambda key: key.startswith(beginning), itertools.islice(keys, first, None))
            return {key[len(beginning) :]: opened.get_tensor(key) for key in found}
        except (OSError, SafetensorError) as error:
            raise BadLedger(f"The ledger in {str(self.path)!r} misses {name}, or it is damaged: {error}.") from error


def pack(
    values: torch.Tensor, *, keep: float = 1.0, pruning: str = "magnitude", half: bool = False, turn: int = 0, seed: int = 0
) -> dict[str, torch.Tensor]:
    """A layer's update as it is kept: whole, or the places and values of the entries that stay."""
    values = values.detach()
    if keep == 1:
        return {"whole": _narrowed(values, half=half)}
    positions = kept(values, keep, pruning, turn=turn, seed=seed)
    return {**_places(positions, values.numel()), "values": _narrowed(values.flatten()[positions], half=half)}


def pack_rows(
    values: torch.Tensor, *, keep: float = 1.0, pruning: str = "magnitude", half: bool = False, turn: int = 0, seed: int = 0
) -> dict[str, torch.Tensor]:
    """The same of a matrix of which only some rows are not zero: only those are kept, and of them a share."""
    rows = values.detach().abs().sum(dim=1).nonzero().flatten()
    block = values.detach()[rows]
    if keep == 1 or not len(rows):
        return {"rows": rows.int(), "values": _narrowed(block, half=half)}
    inside = kept(block, keep, pruning, turn=turn, seed=seed)
    positions = rows[inside // block.shape[1]] * block.shape[1] + inside % block.shape[1]
    return {**_places(positions, values.numel()), "values": _narrowed(block.flatten()[inside], half=half)}


def bytes_of_places(count: int, entries: int) -> int:
    """Bytes that say where `count` of `entries` values belong: an int32 each, or a bit for every entry where that is less."""
    return min(4 * count, -(-entries // 8))


def _places(positions: torch.Tensor, entries: int) -> dict[str, torch.Tensor]:
    if 4 * len(positions) <= bytes_of_places(len(positions), entries):
        return {"positions": positions.int()}
    mask = np.zeros(entries, dtype=bool)
    mask[positions.cpu().numpy()] = True
    return {"mask": torch.from_numpy(np.packbits(mask))}


def unpack(parts: Mapping[str, torch.Tensor], shape: tuple[int, ...]) -> torch.Tensor:
    """A whole tensor again, at least in float32; entries that were not kept are 0."""
    if "whole" in parts:
        return _widened(parts["whole"]).reshape(shape)
    values = _widened(parts["values"])
    whole = values.new_zeros(shape)
    if "rows" in parts:
        whole[parts["rows"].long()] = values
    elif "mask" in parts:
        mask = np.unpackbits(parts["mask"].numpy(), count=whole.numel()).astype(bool)
        whole.view(-1)[torch.from_numpy(mask)] = values
    else:
        whole.view(-1)[parts["positions"].long()] = values
    return whole


def _narrowed(values: torch.Tensor, *, half: bool) -> torch.Tensor:
    return values.half() if half else _widened(values)


def _widened(values: torch.Tensor) -> torch.Tensor:
    return values.to(torch.promote_types(values.dtype, torch.float32))


def _digest_of(content: Mapping[str, Any]) -> str:
    return digest(json.dumps(content, sort_keys=True).encode())
