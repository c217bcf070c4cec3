"""Events: what a session tells its listeners, as frozen values without tensors."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Event:
    """Something happened in a session; `step` is the head afterwards."""

    step: int


@dataclass(frozen=True)
class Picked(Event):
    """The forget set changed."""

    forget: tuple[str, ...]


@dataclass(frozen=True)
class Stepped(Event):
    """A step was added to the history; it is the new head."""


@dataclass(frozen=True)
class Moved(Event):
    """Undo, redo, go_to or branch moved the head or the branch."""

    branch: str


@dataclass(frozen=True)
class Measured(Event):
    """Readings were taken."""

    labels: tuple[str, ...]
    of: str


@dataclass(frozen=True)
class Learned(Event):
    """The model was trained; a new history starts at step 0."""


@dataclass(frozen=True)
class TwinReady(Event):
    """A twin was trained or found; `left_out` are the passages it never saw."""

    left_out: tuple[str, ...]


@dataclass(frozen=True)
class Thinned(Event):
    """Weights of some steps were given up to save room."""

    dropped: tuple[int, ...]
