"""Branching: the verbs of a page that begin, name, compare and forget branches."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING

import traitlets

from unlearnviz.engine.progress import Progress
from unlearnviz.errors import NotPossible
from unlearnviz.views.ledger_figures import size_in_words

if TYPE_CHECKING:
    from collections.abc import Callable

    from unlearnviz.engine.history import StepRecord
    from unlearnviz.engine.session import Session


class Branching(traitlets.HasTraits):
    """The part of a page's state that knows branches."""

    session: Session
    _done: str
    _acting: bool
    _compared: str = ""  # the branch that charts show beside the present one

    def start(self, title: str, work: Iterator[Progress], *, quiet: bool = False) -> None:
        """Run a piece of work."""
        raise NotImplementedError

    def soon(self, action: Callable[[], None], kind: str) -> None:
        """Do it now, or when what runs has ended."""
        raise NotImplementedError

    def _measuring(self) -> Generator[Progress, None, None]:
        raise NotImplementedError

    def branch(self, name: str) -> None:
        """A new branch from here."""

        def work() -> Iterator[Progress]:
            self.session.branch(name)
            self._done = f"You are on the new branch {name!r}, which starts at step {self.session.head}."
            yield Progress(1, 1, "branched")

        self.start("branch", work())

    def rename_branch(self, old: str, new: str) -> None:
        """Another name for a branch."""

        def work() -> Iterator[Progress]:
            self.session.rename_branch(old, new)
            self._compared = new if self._compared == old else self._compared
            self._done = f"The branch {old!r} is called {new!r} now."
            yield Progress(1, 1, "renamed")

        self.start("renaming a branch", work())

    def compare(self, name: str) -> None:
        """Show a branch beside the present one in every chart; "" for none. While work runs the latest wish waits and wins."""

        def work() -> Iterator[Progress]:
            if name:
                self.session.history.find(name)  # UnknownName
            self._compared = name
            self._done = f"Every chart shows the branch {name!r} too; its lines are dashed." if name else "No branch is compared any more."
            yield Progress(1, 1, "compared")

        self.soon(lambda: self.start("comparing", work()), "compare")

    def forget_branch(self, name: str) -> None:
        """Give a branch up for good; from the one we are on it goes back to where that left the others."""

        def work() -> Iterator[Progress]:
            store = self.session.snapshots.store
            moved = name == self.session.history.branch
            if moved:
                self._acting = True
                self._leave(name)
            before = store.memory_bytes + store.disk_bytes
            dropped = self.session.forget_branch(name)
            freed = size_in_words(before - store.memory_bytes - store.disk_bytes)
            self._compared = "" if self._compared == name else self._compared
            self._done = f"The branch {name!r} is forgotten; the weights of its {len(dropped)} step{'s' * (len(dropped) != 1)} gave back {freed}."
            if moved:
                self._done += f" You are at step {self.session.head}, on {self.session.history.branch!r}."
            yield Progress(0, 1, "forgotten")
            yield from self._measuring()

        self.start("forgetting a branch", work())

    def _leave(self, name: str) -> None:
        """To the last kept step that a branch has in common with another one, and onto that one."""
        history = self.session.history
        path = history.path(history.branches[name])
        others = {each: set(history.path(tip)) & set(path) for each, tip in history.branches.items() if each != name}
        if not others:
            raise NotPossible(f"{name!r} is the only branch, so it cannot be forgotten. Start again goes back to the start and keeps it.")
        other = max(others, key=lambda each: len(others[each]))
        step = max(each for each in others[other] if self.session.snapshots.holds(each))
        self.session.go_to(other)
        self.session.go_to(step)

    def _began(self, branch: str, record: StepRecord) -> str:
        """That a step from `branch` began a branch of its own, and why; "" where it did not."""
        if record.branch == branch or record.parent is None:
            return ""
        history = self.session.history
        path = history.path(history.branches[branch])
        there = path[path.index(record.parent) + 1]
        return f"This is a new branch, {record.branch!r}, because step {there} was already there; that stays on {branch!r}."
