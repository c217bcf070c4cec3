"""Branches: the runs of a history, and how far each step of them is from the start in two measures."""

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


def runs(picture: Picture, measure: Measure) -> list[Run]:
    """Every branch that has steps of its own, in the order of the branches, and what was left behind by who went back and elsewhere.

    The step that a run begins at comes first.
    """
    records = {record.id: record for record in picture.tree}
    parents = {record.parent for record in picture.tree}
    ends = [each for each in picture.tree if each.id not in parents and each.branch in picture.branches]
    left = {f"{each.branch}, left at step {each.id}": each.id for each in ends}
    found, drawn = [], {0}
    for name, tip in (*picture.branches.items(), *left.items()):
        way = _way(records, tip)
        own = [step for step in way if step not in drawn]
        if not own:
            continue
        drawn.update(own)
        steps = tuple(way[way.index(own[0]) - 1 :])
        points = [point for step in steps if (point := _point(picture, step, measure)) is not None]
        only = {records[step].method for step in way[1:]} == {"fine-tune"}
        found.append(Run(name, steps, tuple(points), only))
    return found


def _way(records: Mapping[int, StepRecord], tip: int) -> list[int]:
    here: int | None = tip
    way = []
    while here is not None:
        way.append(here)
        here = records[here].parent
    return way[::-1]


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
