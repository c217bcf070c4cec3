"""Where undo and redo lead past steps whose weights were given up, and which weights to give up to make room."""

from __future__ import annotations

from typing import TYPE_CHECKING

from unlearnviz.errors import BadSetting, NotPossible

if TYPE_CHECKING:
    from unlearnviz.engine.history import History
    from unlearnviz.engine.snapshots import Snapshots


def back(history: History, snapshots: Snapshots) -> int:
    """The nearest step before the head whose weights are kept; NotPossible at the start."""
    target = history.parent()
    while not snapshots.holds(target):
        target = history[target].parent or 0
    return target


def forward(history: History, snapshots: Snapshots) -> int:
    """The nearest kept step on the way that was undone last; NotPossible where nothing was undone."""
    target = history.next()
    while not snapshots.holds(target) and (further := history.child_visited_last(target)) is not None:
        target = further
    return target


def keep_every(history: History, snapshots: Snapshots, k: int) -> tuple[int, ...]:
    """Drop the weights of all steps but every k-th on its path, the start, the head and the branch tips; returns their ids."""
    if not isinstance(k, int) or k < 1:
        raise BadSetting(f"keep_every({k!r}) keeps no step; k is a whole number, at least 1.")
    kept = {0, history.head, *history.branches.values()}
    dropped = tuple(r.id for r in history if r.id not in kept and history.depth(r.id) % k and snapshots.holds(r.id))
    snapshots.drop(dropped)
    return dropped


def forget_branch(history: History, snapshots: Snapshots, name: str) -> tuple[int, ...]:
    """Drop a branch and the weights of the steps that only it needs; returns their ids."""
    tip = history.find(str(name))
    if name == history.branch:
        raise NotPossible(f"We are on the branch {name!r}; go to another one first.")
    del history.branches[name]
    needed = {step for end in (*history.branches.values(), history.head) for step in history.path(end)}
    own = {*history.path(tip), *(record.id for record in history if record.branch == name)}
    dropped = tuple(step for step in sorted(own - needed) if snapshots.holds(step))
    snapshots.drop(dropped)
    return dropped
