"""Branching: the named ends of a tree of steps; every step lies on the way to one of them, unless it was forgotten."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING

from unlearnviz.errors import NotPossible

if TYPE_CHECKING:
    from unlearnviz.engine.history import StepRecord


class Branching:
    """The part of a history that begins, names, renames and forgets branches.

    Attributes:
        branches: name -> id of the last step.
        branch: the one we are on.
        head: the step we stand on.
    """

    records: list[StepRecord]
    branches: dict[str, int]
    branch: str
    head: int
    _visited: dict[int, int]

    def __getitem__(self, step: int) -> StepRecord:
        raise NotImplementedError

    def path(self, step: int | None = None) -> tuple[int, ...]:
        """Step ids from the start to a step."""
        raise NotImplementedError

    def children(self, step: int) -> tuple[int, ...]:
        """Steps made from a step."""
        raise NotImplementedError

    def find(self, target: int | str) -> int:
        """A step id from a step id or a branch name."""
        raise NotImplementedError

    def next_branch(self) -> str:
        """The branch of a step taken now: the present one where it ends here, else a new one, so that no step loses its branch."""
        return self.branch if self.branches[self.branch] == self.head else self._name_from(self.head)

    def _name_from(self, step: int) -> str:
        """A name for a branch that begins at a step: "from step 3", then "from step 3, 2nd try"."""
        place = f"from step {step}" if step else "from the start"
        tries = (f"{place}, {_ordinal(count)} try" if count > 1 else place for count in itertools.count(1))
        return next(name for name in tries if name not in self.branches)

    def _branch_through(self, step: int) -> str:
        """The branch to be on at a step: its own, another that passes through it, or a new one that ends there if none does."""
        own = self[step].branch
        through = [name for name, tip in self.branches.items() if step in self.path(tip)]
        if not through:  # its branch was forgotten, or an earlier version left the step without one
            through = [own if own not in self.branches else self._name_from(self[step].parent or 0)]
            self.branches[through[0]] = step
        return own if own in through else through[0]

    def name_branch(self, name: str) -> None:
        """Name a new branch at the head and switch to it."""
        self._check_free(name)
        self.branches[name] = self.head
        self.branch = name

    def rename_branch(self, old: str, new: str) -> None:
        """Call a branch something else, also in the records of its steps.

        Raises:
            UnknownName: no branch is called `old`.
            NotPossible: `new` is no name, or is taken.
        """
        tip = self.find(str(old))
        self._check_free(new)
        for step in self.path(tip):
            if self[step].branch == old:
                self.records[step] = replace(self[step], branch=new)
        self.branches = {new if name == old else name: tip for name, tip in self.branches.items()}
        self.branch = new if self.branch == old else self.branch

    def forget_branch(self, name: str) -> tuple[int, ...]:
        """Give up a branch; returns the steps that were only on it. Their records stay, but no way leads there.

        Raises:
            UnknownName: no such branch.
            NotPossible: it is the one we are on.
        """
        tip = self.find(str(name))
        if name == self.branch:
            raise NotPossible(f"We are on the branch {name!r}; go to another one first.")
        del self.branches[name]
        kept = {step for end in self.branches.values() for step in self.path(end)}
        gone = tuple(step for step in self.path(tip) if step not in kept)
        fork = self[gone[0]].parent if gone else None
        if fork is not None and self._visited.get(fork) in gone:  # redo goes another way from now on, where there is one
            del self._visited[fork]
            for child in self.children(fork):
                if child in kept:
                    self._visited[fork] = child
        return gone

    def _check_free(self, name: str) -> None:
        """NotPossible unless a branch can be called so."""
        if not isinstance(name, str) or not name.strip() or name in self.branches:
            problem = "is no text" if not isinstance(name, str) else "is taken" if name in self.branches else "is empty"
            raise NotPossible(f"The branch name {name!r} {problem}; known branches: {', '.join(map(repr, self.branches))}. Choose another.")


def _ordinal(count: int) -> str:
    """2nd, 3rd, 4th, 11th, 21st."""
    return f"{count}{'th' if 10 < count % 100 < 14 else {1: 'st', 2: 'nd', 3: 'rd'}.get(count % 10, 'th')}"
