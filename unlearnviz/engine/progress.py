"""Progress: how far a piece of long work has come, as plain data."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


class Enough(Exception):
    """Somebody pressed Stop: return what is done."""


@dataclass(frozen=True)
class Progress:
    """One report from long work; every report is also a point at which the work may be cancelled.

    Attributes:
        done: units finished.
        total: units in all; None where unknown.
        text: what is being done, a few words.
        seconds: time since the work began; None where the worker does not say.
    """

    done: int
    total: int | None = None
    text: str = ""
    seconds: float | None = None

    @property
    def fraction(self) -> float | None:
        """done / total, from 0 to 1; None where the total is unknown."""
        return None if not self.total else min(1.0, self.done / self.total)


def drain(work: Generator[Progress, None, T]) -> T:
    """Run work to its end and hand back what it returns."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
