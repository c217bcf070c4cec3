"""TensorStore: keeps the tensors of a history within a memory and a disk budget, each value exact to the bit."""

from __future__ import annotations

import ctypes
import itertools
import shutil
import sys
import tempfile
import weakref
from collections.abc import Iterable
from pathlib import Path

import torch

from unlearnviz.engine.container import memory_limit
from unlearnviz.errors import BadSetting, NotPossible
from unlearnviz.numbers import number

DEFAULT_MEMORY = 128 * 2**20
DEFAULT_DISK = 4 * 2**30
RETURNED = 2**24  # bytes moved to disk before the memory they leave is returned
LARGE = 2**24  # bytes of a value that is better written than copied and then written
_BITS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


def default_memory_budget() -> int:
    """128 MB, or a tenth of what the container allows if that is less (bytes)."""
    limit = memory_limit()
    return DEFAULT_MEMORY if limit is None else min(DEFAULT_MEMORY, limit // 10)


class StoredTensor:
    """One immutable value, held in one of four ways: the live parameter itself, a tensor, changed rows over a base, or a file."""

    __slots__ = (
        "__weakref__", "base", "bytes_on_disk", "device", "dtype", "file", "is_live", "row_values", "rows", "shape", "tensor", "visited",
    )  # fmt: skip

    def __init__(self, *, live: torch.Tensor | None = None, tensor: torch.Tensor | None = None) -> None:
        held = live if live is not None else tensor
        assert held is not None
        self.is_live = live is not None
        self.shape, self.dtype, self.device = tuple(held.shape), held.dtype, held.device
        self.tensor: torch.Tensor | None = held
        self.base: StoredTensor | None = None
        self.rows: torch.Tensor | None = None  # indices, shape (changed,)
        self.row_values: torch.Tensor | None = None  # shape (changed, columns)
        self.file: Path | None = None
        self.bytes_on_disk = 0
        self.visited = 0

    @property
    def bytes_in_memory(self) -> int:
        """Bytes that this value alone occupies; 0 for the live parameter and for files."""
        if self.is_live:
            return 0
        return sum(t.numel() * t.element_size() for t in (self.tensor, self.rows, self.row_values) if t is not None)

    def value(self) -> torch.Tensor:
        """The value, shape `shape`; never edit it in place."""
        if self.tensor is not None:
            return self.tensor
        if self.file is not None:
            from safetensors import SafetensorError
            from safetensors.torch import load_file

            try:
                loaded = load_file(str(self.file), device=str(self.device))
            except (OSError, SafetensorError) as error:
                raise NotPossible(f"A part of the history that lay on disk cannot be read back ({error}); nothing was changed.") from error
            if "value" in loaded:
                return loaded["value"]
            rows, values = loaded["rows"], loaded["row_values"]
        else:
            assert self.rows is not None
            assert self.row_values is not None
            rows, values = self.rows, self.row_values
        assert self.base is not None
        return self.base.value().clone().index_copy_(0, rows, values)


class TensorStore:
    """Holds the tensors of one session.

    Args:
        memory_budget: bytes of snapshots kept in memory; the default is `default_memory_budget()`.
        disk_budget: bytes of snapshots kept on disk beyond that; past both a new snapshot is refused.
    """

    def __init__(self, memory_budget: int | None = None, disk_budget: int = DEFAULT_DISK) -> None:
        for name, budget in (("memory_budget", memory_budget), ("disk_budget", disk_budget)):
            if budget is not None and not budget >= 0:
                raise BadSetting(f"{name}={budget!r} is no number of bytes; allowed is at least 0.")
        self.memory_budget = default_memory_budget() if memory_budget is None else memory_budget
        self.disk_budget = disk_budget
        self.disk_bytes = 0
        self.memory_bytes = 0
        self._freed = 0  # bytes that moved to disk since memory was returned
        self._held: dict[int, StoredTensor] = {}
        self._folder: Path | None = None
        self._clock = itertools.count(1)

    def live(self, parameter: torch.Tensor) -> StoredTensor:
        """A value that is the live parameter itself, until `secure` copies it."""
        return StoredTensor(live=parameter.detach())

    @torch.inference_mode(mode=False)
    def secure(self, stored: StoredTensor) -> None:
        """Give a live value a private copy, before the parameter is edited."""
        if stored.is_live:
            stored.is_live = False
            try:
                self._hold_copy(stored)
            except NotPossible:
                stored.is_live = True
                raise

    @torch.inference_mode(mode=False)
    def put(self, tensor: torch.Tensor, *, rows_over: StoredTensor | None = None) -> StoredTensor:
        """Store a copy of `tensor`; as changed rows over another value where less than a quarter of the rows differ."""
        if rows_over is not None:
            stored = _as_rows(tensor.detach(), rows_over)
            if stored is not None:
                self._hold(stored)
                return stored
        stored = StoredTensor(tensor=tensor.detach())
        self._hold_copy(stored)
        return stored

    def adopt(self, tensor: torch.Tensor) -> StoredTensor:
        """Store a tensor that nobody else will edit, without a copy."""
        stored = StoredTensor(tensor=tensor.detach())
        self._hold(stored)
        return stored

    def adopt_rows(self, base: StoredTensor, rows: torch.Tensor, values: torch.Tensor) -> StoredTensor:
        """Store changed rows, shapes (changed,) and (changed, columns), over a base value."""
        stored = StoredTensor(tensor=base.value())
        stored.tensor, stored.base, stored.rows, stored.row_values = None, base, rows, values
        self._hold(stored)
        return stored

    def visit(self, stored: Iterable[StoredTensor]) -> None:
        """Mark values as just used: they are spilled last."""
        now = next(self._clock)
        for each in stored:
            each.visited = now

    def _hold(self, stored: StoredTensor) -> None:
        stored.visited = next(self._clock)
        self._held[id(stored)] = stored
        self.memory_bytes += stored.bytes_in_memory

    def _hold_copy(self, stored: StoredTensor) -> None:
        """Hold a value whose tensor somebody will edit: a copy of it, or, where even alone it is over the memory budget, its file."""
        assert stored.tensor is not None
        if stored.bytes_in_memory <= max(self.memory_budget, LARGE):
            stored.tensor = stored.tensor.clone()
            self._hold(stored)
            return
        self._hold(stored)
        try:
            self._spill(stored)
        except BaseException:
            self.discard([stored])
            raise

    def fit(self) -> None:
        """Move the least recently visited values to disk until the memory budget holds.

        Raises:
            NotPossible: the disk budget is spent, or the disk refuses; nothing is lost.
        """
        if self.memory_bytes <= self.memory_budget:
            return
        for stored in sorted(self._held.values(), key=lambda each: each.visited):
            if self.memory_bytes <= self.memory_budget:
                break
            if stored.file is None:
                self._spill(stored)
        if self._freed > RETURNED:
            self._freed = 0
            _return_free_memory()

    def _spill(self, stored: StoredTensor) -> None:
        from safetensors import SafetensorError
        from safetensors.torch import save_file

        size = stored.bytes_in_memory
        if size == 0:
            return
        if self.disk_bytes + size > self.disk_budget:
            raise self._spent()
        parts = {"value": stored.tensor, "rows": stored.rows, "row_values": stored.row_values}
        file: Path | None = None
        try:
            if self._folder is None:
                self._folder = Path(tempfile.mkdtemp(prefix="unlearnviz-"))
                weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
            file = self._folder / f"{id(stored):x}-{next(self._clock)}.safetensors"
            save_file({name: part.cpu().contiguous() for name, part in parts.items() if part is not None}, str(file))
            written = file.stat().st_size
        except (OSError, SafetensorError) as error:  # a full disk is a SafetensorError, which is no OSError
            if file is not None:
                file.unlink(missing_ok=True)
            raise NotPossible(
                f"The history outgrew its memory and could not be moved to disk ({error}); nothing was changed. "
                "Free some disk, or make room with session.keep_every(2)."
            ) from error
        if self.disk_bytes + written > self.disk_budget:  # the header counts too
            file.unlink(missing_ok=True)
            raise self._spent()
        stored.file, stored.tensor, stored.rows, stored.row_values = file, None, None, None
        stored.bytes_on_disk = written
        self.memory_bytes -= size
        self._freed += size
        self.disk_bytes += written

    def _spent(self) -> NotPossible:
        return NotPossible(
            f"The history holds {_megabytes(self.memory_bytes)} in memory and {_megabytes(self.disk_bytes)} on disk, and the next value "
            f"would pass its budget of {_megabytes(self.memory_budget)} and {_megabytes(self.disk_budget)}; nothing was changed. "
            "Make room with session.keep_every(2) or session.forget_branch(name)."
        )

    def keep_only(self, needed: Iterable[StoredTensor]) -> None:
        """Let go of every value that is not in `needed` and not the base of one that is."""
        keep: set[int] = set()
        for each in needed:
            stored: StoredTensor | None = each
            while stored is not None:
                keep.add(id(stored))
                stored = stored.base
        for key in [key for key in self._held if key not in keep]:
            self._drop(self._held.pop(key))

    def discard(self, stored: Iterable[StoredTensor]) -> None:
        """Let go of values that never became part of the history."""
        for each in stored:
            if self._held.pop(id(each), None) is not None:
                self._drop(each)

    def _drop(self, stored: StoredTensor) -> None:
        if stored.file is not None:
            self.disk_bytes -= stored.bytes_on_disk
            stored.file.unlink(missing_ok=True)
        self.memory_bytes -= stored.bytes_in_memory


def _return_free_memory() -> None:
    """Give memory that is free inside the process back to the computer: glibc keeps over 100 MB after long runs; elsewhere nothing."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)


def _megabytes(count: float) -> str:
    return f"{number(count / 2**20)} MB"


def _as_rows(tensor: torch.Tensor, over: StoredTensor) -> StoredTensor | None:
    """`tensor` as the rows in which it differs from the root of `over`, or None where that would not be smaller."""
    root = over
    while root.base is not None:
        root = root.base
    if root.is_live or tensor.dim() != 2 or root.shape != tuple(tensor.shape) or root.dtype != tensor.dtype:
        return None
    bits = _BITS[tensor.element_size()]
    changed = (tensor.view(bits) != root.value().view(bits)).any(dim=1).nonzero().squeeze(1)  # by bits: -0.0 is not 0.0
    if len(changed) * 4 >= tensor.shape[0]:
        return None
    stored = StoredTensor(tensor=tensor)
    stored.tensor, stored.base, stored.rows, stored.row_values = None, root, changed, tensor[changed].clone()
    return stored
