"""Atomic: files that are either as they were or as they shall be, known by the hash of their content."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path


def exchange(file: Path, content: bytes) -> None:
    """Write a file in one move: whatever interrupts it, either the old content is there or the new one."""
    part = file.with_name(f"{file.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as handle:
            handle.write(content)
            handle.flush()
            os.fsync(handle.fileno())
        part.replace(file)
    except OSError:
        part.unlink(missing_ok=True)
        raise


def digest(content: bytes) -> str:
    """SHA-256 (hex) of bytes."""
    return hashlib.sha256(content).hexdigest()
