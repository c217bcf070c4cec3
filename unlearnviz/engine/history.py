"""StepRecord and History: an append-only tree of commits, with branches and readings, JSON-safe throughout."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unlearnviz.engine.branching import Branching
from unlearnviz.engine.probes.probe import Reading
from unlearnviz.errors import NotPossible, SaveFailed, unknown

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True)
class StepRecord:
    """One commit: what was done, to what, and how far it moved. No tensors.

    Attributes:
        id: integer in order of creation; 0 is the start.
        parent: id of the step before; None for the start.
        branch: the branch it was made on, as that is called now.
        method: name of the method ("start" for step 0).
        settings: the method's settings.
        where: the selection, as text.
        forget: passage ids of the forget set.
        seed: of this step.
        seconds: how long the step took.
        update_norm: L2 norm of the change, per parameter group; groups that did not move are left out.
        mark: why a run ended here: "overshoot" where the retain texts suffered, "reached" where the method's stop rule was; else "".
        narration: what was done, in a sentence; and why the stop rule was reached, where it was.
        trajectory: what a method did round by round, JSON-safe, for those that choose what to take: {"taken" (passage ids),
            "scores" (what each was chosen by), "losses" (group of texts -> mean token loss in nats after the round), and more}.
    """

    id: int
    parent: int | None
    branch: str
    method: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    where: str = ""
    forget: tuple[str, ...] = ()
    seed: int = 0
    seconds: float = 0.0
    update_norm: Mapping[str, float] = field(default_factory=dict)
    mark: str = ""
    narration: str = ""
    trajectory: tuple[Mapping[str, Any], ...] = ()


class History(Branching):
    """The tree of steps, the branches, and where we stand."""

    def __init__(self) -> None:
        self.records: list[StepRecord] = [StepRecord(0, None, "main", "start", narration="The start: nothing has been forgotten yet.")]
        self.readings: dict[int, list[Reading]] = {0: []}
        self.branches: dict[str, int] = {"main": 0}
        self.branch = "main"
        self.head = 0
        self.given = 1  # how many records were there when the session was opened; the others are its own
        self._visited: dict[int, int] = {}  # parent -> the child visited last

    def __len__(self) -> int:
        return len(self.records)

    def __iter__(self) -> Iterator[StepRecord]:
        return iter(self.records)

    def __getitem__(self, step: int) -> StepRecord:
        if not isinstance(step, int) or not 0 <= step < len(self.records):
            raise unknown("step", step, range(len(self.records)))
        return self.records[step]

    @property
    def own(self) -> int:
        """How many steps were taken here, not by whoever saved or made what was opened."""
        return len(self.records) - self.given

    def path(self, step: int | None = None) -> tuple[int, ...]:
        """Step ids from the start to `step` (the head by default)."""
        here: int | None = self.head if step is None else step
        steps = []
        while here is not None:
            steps.append(here)
            here = self[here].parent
        return tuple(reversed(steps))

    def depth(self, step: int | None = None) -> int:
        """Number of steps between the start and `step`."""
        return len(self.path(step)) - 1

    def children(self, step: int) -> tuple[int, ...]:
        """Steps made from `step`."""
        return tuple(record.id for record in self.records if record.parent == step)

    def add(self, record: StepRecord) -> None:
        """Append a commit, made from the head on the branch that `next_branch` says, and make it the head."""
        self.records.append(record)
        self.readings[record.id] = []
        self.branches[record.branch] = record.id
        self.move(record.id, record.branch)

    def mark(self, step: int, mark: str) -> StepRecord:
        """Mark a step ("overshoot", "reached")."""
        self.records[step] = replace(self[step], mark=mark)
        return self.records[step]

    def parent(self) -> int:
        """Where undo goes.

        Raises:
            NotPossible: at the start.
        """
        parent = self[self.head].parent
        if parent is None:
            raise NotPossible("There is nothing to undo: this is the start. Take a step first.")
        return parent

    def next(self) -> int:
        """Where redo goes: the child visited last.

        Raises:
            NotPossible: nothing was undone here.
        """
        if self.head not in self._visited:
            raise NotPossible("There is nothing to redo: no step was undone from here.")
        return self._visited[self.head]

    def child_visited_last(self, step: int) -> int | None:
        """Where redo would go from `step`, or None."""
        return self._visited.get(step)

    @property
    def can_undo(self) -> bool:
        """Whether the head has a parent."""
        return self[self.head].parent is not None

    @property
    def can_redo(self) -> bool:
        """Whether a step was undone from the head."""
        return self.head in self._visited

    def find(self, target: int | str) -> int:
        """A step id from a step id or a branch name."""
        if isinstance(target, str):
            if target not in self.branches:
                raise unknown("branch", target, self.branches)
            return self.branches[target]
        return self[target].id

    def move(self, step: int, branch: str | None = None) -> None:
        """Make `step` the head; the branch stays where it passes through `step`."""
        self.head = step
        if branch is not None:
            self.branch = branch
        elif step not in self.path(self.branches[self.branch]):
            self.branch = self._branch_through(step)
        self._visited.update(itertools.pairwise(self.path(step)))

    def keep(self, reading: Reading) -> None:
        """Keep a reading with its step, in place of an older one of the same label and reference."""
        kept = [r for r in self.readings[reading.step] if (r.label, r.of) != (reading.label, reading.of)]
        self.readings[reading.step] = [*kept, reading]

    def to_json(self) -> dict[str, Any]:
        """Everything, as JSON-safe values."""
        return {
            "records": [asdict(record) for record in self.records],
            "readings": {str(step): [asdict(reading) for reading in kept] for step, kept in self.readings.items()},
            "branches": self.branches,
            "branch": self.branch,
            "head": self.head,
            "visited": {str(parent): child for parent, child in self._visited.items()},
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> History:
        """The inverse of `to_json`."""
        history = cls()
        history.records = [
            StepRecord(**{**record, "forget": tuple(record["forget"]), "trajectory": tuple(record.get("trajectory", ()))})
            for record in data["records"]  # those of earlier versions have no trajectory
        ]
        history.readings = {
            int(step): [Reading.from_json(reading) for reading in kept]
            for step, kept in data["readings"].items()
        }
        history.branches, history.branch, history.head = dict(data["branches"]), data["branch"], data["head"]
        history._visited = {int(parent): child for parent, child in data["visited"].items()}
        return history

    def rows(self) -> list[dict[str, Any]]:
        """One flat dictionary per step and reading row; steps without readings give one row."""
        flat = []
        for record in self.records:
            about: dict[str, Any] = {"step": record.id, "parent": record.parent, "branch": record.branch, "method": record.method}
            about |= {"where": record.where, "mark": record.mark, "seconds": record.seconds}
            about["update_norm"] = sum(norm**2 for norm in record.update_norm.values()) ** 0.5
            rows = [
                about | {"probe": reading.label, "of": reading.of, "unit": reading.unit} | _scalars(row)
                for reading in self.readings[record.id]
                for row in reading.rows
            ]
            flat.extend(rows or [about])
        return flat

    def to_frame(self) -> pandas.DataFrame:
        """One row per step and reading, as a pandas frame."""
        try:
            import pandas as pd
        except ImportError as error:
            from unlearnviz.errors import MissingExtra

            raise MissingExtra("to_frame() needs pandas: pip install 'unlearnviz[data]'. to_csv() works without it.") from error
        return pd.DataFrame(self.rows())

    def to_csv(self, path: str | Path) -> None:
        """Write `rows()` as a CSV file.

        Raises:
            SaveFailed: the disk refuses.
        """
        import csv

        rows = self.rows()
        columns = list(dict.fromkeys(name for row in rows for name in row))
        try:
            with Path(path).open("w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, columns)
                writer.writeheader()
                writer.writerows(rows)
        except OSError as error:
            raise SaveFailed(f"{str(path)!r} could not be written: {error.strerror or error}. Choose another place.") from error

    def dumps(self) -> str:
        """`to_json` as text."""
        return json.dumps(self.to_json())


def _scalars(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if not isinstance(value, (dict, list, tuple))}
