"""Weights: an immutable map from parameter name to tensor, sharing what did not change."""

from __future__ import annotations

import hashlib
import math
import weakref
from collections.abc import Iterable, Iterator, Mapping

import torch

from unlearnviz.engine.storage import StoredTensor, TensorStore

_ROW, _FEW, _PIECE = 2**10, 2**16, 2**20  # entries: summed in float32; few enough for float64; looked at together


class Weights(Mapping[str, torch.Tensor]):
    """The weights of a model at one moment; two moments share the tensors in which they agree.

    Read a tensor with `weights[name]` and never edit it in place.
    """

    def __init__(self, stored: Mapping[str, StoredTensor]) -> None:
        self.stored = dict(stored)
        self._square_norms: dict[str, float] = {}
        # of other values of the same name to ours: most of a model is the same stored value at the next step
        self._square_distances: weakref.WeakKeyDictionary[StoredTensor, float] = weakref.WeakKeyDictionary()

    @classmethod
    def of(cls, tensors: Mapping[str, torch.Tensor], store: TensorStore | None = None) -> Weights:
        """Weights from plain tensors, copied."""
        keeper = store or TensorStore()
        return cls({name: keeper.put(tensor) for name, tensor in tensors.items()})

    def __getitem__(self, name: str) -> torch.Tensor:
        return self.stored[name].value()

    def __iter__(self) -> Iterator[str]:
        return iter(self.stored)

    def __len__(self) -> int:
        return len(self.stored)

    def __repr__(self) -> str:
        return f"Weights({len(self)} tensors)"

    def replaced(self, changes: Mapping[str, StoredTensor]) -> Weights:
        """The same weights with some tensors exchanged; all others are shared."""
        return Weights({**self.stored, **changes})

    def shares(self, other: Weights, name: str) -> bool:
        """Whether a tensor is one and the same in both."""
        return self.stored[name] is other.stored[name]

    def distance(self, other: Weights, names: Iterable[str] | None = None) -> float:
        """L2 norm of the difference over `names` (all by default), accumulated in float64; shared tensors cost nothing.

        The distance of two stored values is computed once; that of the live parameters, which somebody may edit, every time.
        """
        total = 0.0
        for name in self.stored if names is None else names:
            if name in other.stored and not self.shares(other, name):
                total += self._square_distance(other, name)
        return math.sqrt(total)

    def _square_distance(self, other: Weights, name: str) -> float:
        stored = self.stored[name]
        if stored.is_live or other.stored[name].is_live:
            return square_norm(self[name], minus=other[name])
        if stored not in other._square_distances:
            other._square_distances[stored] = square_norm(self[name], minus=other[name])
        return other._square_distances[stored]

    def norm(self, names: Iterable[str] | None = None) -> float:
        """L2 norm over `names` (all by default), accumulated in float64."""
        asked = list(self.stored if names is None else names)
        for name in asked:
            if name not in self._square_norms:  # of the start it is asked at every step, and the start may lie on disk
                self._square_norms[name] = square_norm(self[name])
        return math.sqrt(sum(self._square_norms[name] for name in asked))

    def fingerprint(self) -> str:
        """SHA-256 over names, kinds, shapes and bytes: equal means bit-identical."""
        return fingerprint(self)


def fingerprint(tensors: Mapping[str, torch.Tensor]) -> str:
    """SHA-256 (hex) over sorted names, dtypes, shapes and raw bytes of tensors."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name}|{tensor.dtype}|{tuple(tensor.shape)}|".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def square_norm(tensor: torch.Tensor, *, minus: torch.Tensor | None = None) -> float:
    """Sum of the squares of a tensor, or of its difference to another, accumulated in float64.

    Large tensors go in pieces, float32 within 1024 entries and float64 from there on: exact to 1e-8. On an embedding of
    GPT-2's size this takes a fiftieth of the time of a float64 norm, and no second embedding for the difference.
    """
    flat = tensor.detach().reshape(-1)
    base = None if minus is None else minus.detach().reshape(-1).to(flat.device)
    total = 0.0
    for start in range(0, flat.numel(), _PIECE):
        piece = _at_least_float32(flat[start : start + _PIECE])
        if base is not None:
            piece = piece - _at_least_float32(base[start : start + _PIECE])
        total += _square_norm(piece)
    return total


def _square_norm(piece: torch.Tensor) -> float:
    whole = len(piece) // _ROW * _ROW
    if len(piece) > _FEW:
        rows = torch.linalg.vector_norm(piece[:whole].view(-1, _ROW), dim=1).double()
        found = float(rows @ rows) + float(torch.linalg.vector_norm(piece[whole:], dtype=torch.float64)) ** 2
        if 1e-12 < found < 1e30:  # far from where squares in float32 vanish or overflow
            return found
    return float(torch.linalg.vector_norm(piece, dtype=torch.float64)) ** 2


def _at_least_float32(tensor: torch.Tensor) -> torch.Tensor:
    return tensor if tensor.dtype in (torch.float32, torch.float64) else tensor.float()
