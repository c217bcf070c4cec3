"""Moving the head: undo, redo, go to and branches, also past steps whose weights were given up, and giving up to make room."""

from __future__ import annotations

from typing import TYPE_CHECKING

from unlearnviz.engine.events import Event, Moved, Renamed, Thinned
from unlearnviz.errors import BadSetting

if TYPE_CHECKING:
    from unlearnviz.engine.history import History, StepRecord
    from unlearnviz.engine.snapshots import Snapshots
    from unlearnviz.engine.turn import Turn


class Moving:
    """The verbs of a session that move its head over its history; nothing is computed."""

    history: History
    snapshots: Snapshots
    turn: Turn

    def _emit(self, event: Event) -> None:
        raise NotImplementedError

    @property
    def head(self) -> int:
        """Id of the step we stand on."""
        return self.history.head

    def undo(self) -> StepRecord:
        """Back to the step before (the nearest whose weights were kept), exactly; NotPossible at the start."""
        with self.turn.take("undo"):
            return self._move(back(self.history, self.snapshots))

    def redo(self) -> StepRecord:
        """Forward to the child visited last (past steps whose weights were given up), exactly; NotPossible where none was undone."""
        with self.turn.take("redo"):
            return self._move(forward(self.history, self.snapshots))

    def go_to(self, target: int | str) -> StepRecord:
        """To any step by id, or to the tip of a branch by name, exactly; UnknownName or NotPossible (its weights were given up)."""
        with self.turn.take("go to"):
            return self._move(self.history.find(target), target if isinstance(target, str) else None)

    def branch(self, name: str) -> None:
        """Name a new branch at the head and switch to it."""
        with self.turn.take("branch"):
            self.history.name_branch(name)
        self._emit(Moved(self.head, name))

    def rename_branch(self, old: str, new: str) -> None:
        """Call a branch something else, also in the records of its steps; UnknownName, or NotPossible (`new` is no name, or taken)."""
        with self.turn.take("rename a branch"):
            self.history.rename_branch(old, new)
        self._emit(Renamed(self.head, old, new))

    def _move(self, target: int, branch: str | None = None) -> StepRecord:
        self.snapshots.load(target)
        self.history.move(target, branch)
        self._emit(Moved(target, self.history.branch))
        return self.history[target]

    def keep_every(self, k: int) -> tuple[int, ...]:
        """Give up the weights of all steps but every `k`-th, the start, the head and the branch tips; returns their ids."""
        with self.turn.take("keep every"):
            dropped = keep_every(self.history, self.snapshots, k)
        self._emit(Thinned(self.head, dropped))
        return dropped

    def forget_branch(self, name: str) -> tuple[int, ...]:
        """Give up a branch and the weights of the steps that only it needs; returns their ids.

        Raises:
            UnknownName: no such branch.
            NotPossible: it is the one we are on.
        """
        with self.turn.take("forget a branch"):
            gone = self.history.forget_branch(name)
            dropped = tuple(step for step in gone if self.snapshots.holds(step))
            self.snapshots.drop(dropped)
        self._emit(Thinned(self.head, dropped))
        return dropped


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
