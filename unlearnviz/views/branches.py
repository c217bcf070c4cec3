"""Branches: the tree of a history, and how far each step of its runs is from the start in two measures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from unlearnviz.engine.history import StepRecord
    from unlearnviz.engine.probes.probe import Reading
    from unlearnviz.views.measures import Measure
    from unlearnviz.views.picture import Picture


@dataclass(frozen=True)
class Point:
    """A step of a run: the change of the perplexity of the texts to keep since the start in %, and the chosen measure."""

    step: int
    damage: float
    value: float


@dataclass(frozen=True)
class Run:
    """A branch, from where it leaves the others, and its points; `reference` where it does nothing but fine-tune."""

    name: str
    steps: tuple[int, ...]
    points: tuple[Point, ...]
    reference: bool


@dataclass(frozen=True)
class Branch:
    """A branch as the tree has it.

    Attributes:
        name: of the branch.
        leaves: name of the branch that it leaves, "" for the first one.
        at: the step where it leaves that.
        deep: how many branches it hangs below.
        steps: those of its own.
        perplexity: of the forget texts at its last step that was measured on the present texts; None where none was.
        measured: that step.
    """

    name: str
    leaves: str
    at: int
    deep: int
    steps: tuple[int, ...]
    perplexity: float | None
    measured: int


def runs(picture: Picture, measure: Measure) -> list[Run]:
    """Every branch that has steps of its own, in the order of the branches; the step that a run begins at comes first."""
    records = {record.id: record for record in picture.tree}
    found = []
    for name, path, own in _apart(picture):
        if own:
            steps = (path[-len(own) - 1], *own)
            points = [point for step in steps if (point := _point(picture, step, measure)) is not None]
            only = {records[step].method for step in path[1:]} == {"fine-tune"}
            found.append(Run(name, steps, tuple(points), only))
    return found


def branches(picture: Picture) -> list[Branch]:
    """All branches, each below the one that it leaves."""
    of, found = {0: ""}, dict[str, Branch]()
    for name, path, own in _apart(picture):
        at = path[-len(own) - 1]
        of.update(dict.fromkeys(own, name))
        leaves = (of[at] or next(iter(found), "")) if found else ""
        measured = next((step for step in reversed(path) if (reading := _taken(picture, step, "perplexity")) and reading.value is not None), -1)
        reading = _taken(picture, measured, "perplexity")
        deep = found[leaves].deep + 1 if leaves else 0
        found[name] = Branch(name, leaves, at, deep, own, None if reading is None else reading.value, measured)
    return [each for first in found.values() if not first.leaves for each in _below(first, found)]


def alone(picture: Picture, name: str) -> tuple[int, ...]:
    """The steps that no other branch passes through."""
    records = {record.id: record for record in picture.tree}
    others = {step for each, tip in picture.branches.items() if each != name for step in way(records, tip)}
    return tuple(step for step in way(records, picture.branches[name]) if step not in others)


def _below(branch: Branch, found: Mapping[str, Branch]) -> list[Branch]:
    return [branch, *(each for child in found.values() if child.leaves == branch.name for each in _below(child, found))]


def _apart(picture: Picture) -> list[tuple[str, tuple[int, ...], tuple[int, ...]]]:
    """(name, path, the steps of it that no earlier branch has) of every branch."""
    records = {record.id: record for record in picture.tree}
    drawn, found = {0}, []
    for name, tip in picture.branches.items():
        path = way(records, tip)
        found.append((name, path, tuple(step for step in path if step not in drawn)))
        drawn.update(path)
    return found


def way(records: Mapping[int, StepRecord], tip: int) -> tuple[int, ...]:
    """Step ids from the start to a step."""
    here: int | None = tip
    path = []
    while here is not None:
        path.append(here)
        here = records[here].parent
    return tuple(reversed(path))


def _point(picture: Picture, step: int, measure: Measure) -> Point | None:
    """A step as far as it was measured on the present groups of texts."""
    damage = change(_taken(picture, step, "perplexity"), picture.start.get("perplexity"), kept(picture))
    reading = _taken(picture, step, measure.name)
    if damage is None or reading is None or reading.value is None:
        return None
    return Point(step, damage, reading.value)


def _taken(picture: Picture, step: int, label: str) -> Reading | None:
    groups = {group: tuple(passage.id for passage in members) for group, members in picture.groups.items()}
    fitting = (each for each in picture.taken.get(step, ()) if (each.label, each.of) == (label, "now") and each.passages == groups)
    return next(fitting, picture.start.get(label) if step == 0 else None)


def kept(picture: Picture) -> str:
    """The group that damage is measured by: retain, or neighbours where a small corpus leaves no others; "" without either."""
    return next((group for group in ("retain", "neighbours") if picture.groups.get(group)), "")


def change(now: Reading | None, start: Reading | None, group: str) -> float | None:
    """By how much the perplexity of a group is above that of the start, in %; None where it was not measured."""
    both = [next((row["perplexity"] for row in each.rows if row["group"] == group), None) for each in (now, start) if each is not None]
    if len(both) < 2 or both[0] is None or not both[1]:
        return None
    return float(100 * (both[0] / both[1] - 1))
