"""Weights: an immutable map from parameter name to tensor, sharing what did not change."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator, Mapping

import torch

from unlearnviz.engine.storage import StoredTensor, TensorStore


class Weights(Mapping[str, torch.Tensor]):
    """The weights of a model at one moment; two moments share the tensors in which they agree.

    Read a tensor with `weights[name]` and never edit it in place.
    """

    def __init__(self, stored: Mapping[str, StoredTensor]) -> None:
        self.stored = dict(stored)

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
        """L2 norm of the difference over `names` (all by default), accumulated in float64; shared tensors cost nothing."""
        total = 0.0
        for name in self.stored if names is None else names:
            if name in other.stored and not self.shares(other, name):
                mine = _at_least_float32(self[name])
                difference = mine - _at_least_float32(other[name]).to(mine.device)
                total += float(torch.linalg.vector_norm(difference, dtype=torch.float64)) ** 2
        return math.sqrt(total)

    def norm(self, names: Iterable[str] | None = None) -> float:
        """L2 norm over `names` (all by default), accumulated in float64."""
        asked = self.stored if names is None else names
        return math.sqrt(sum(float(torch.linalg.vector_norm(_at_least_float32(self[name]), dtype=torch.float64)) ** 2 for name in asked))

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


def _at_least_float32(tensor: torch.Tensor) -> torch.Tensor:
    return tensor if tensor.dtype in (torch.float32, torch.float64) else tensor.float()
