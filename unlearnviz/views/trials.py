"""Trials: runs from the same start, and the twins that all of them are judged by."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from typing import TYPE_CHECKING

import traitlets

from unlearnviz.engine.progress import Progress
from unlearnviz.views.runner import part

if TYPE_CHECKING:
    from unlearnviz.engine.methods.method import Method
    from unlearnviz.engine.probes.probe import Probe
    from unlearnviz.engine.session import Session
    from unlearnviz.views.picture import Picture
    from unlearnviz.views.readouts import Readouts


class Trials(traitlets.HasTraits):
    """The part of a page's state that compares: several methods with each other, and each with the twins."""

    session: Session
    where: str
    _readouts: Readouts
    _done: str
    _acting: bool
    _fresh: Picture | None
    _judged: tuple[str, ...] = ()  # labels of what was compared with every twin so far

    def start(self, title: str, work: Iterator[Progress], *, quiet: bool = False) -> None:
        """Run a piece of work."""
        raise NotImplementedError

    def probe(self, probe: Probe, view: str = "") -> None:
        """Measure a probe after every step."""
        raise NotImplementedError

    def live(self, label: str, *, live: bool) -> None:
        """Whether a probe is measured after every step."""
        raise NotImplementedError

    def _measuring(self, only: tuple[str, ...] = (), since: int | None = None) -> Generator[Progress, None, None]:
        raise NotImplementedError

    def _running(self, steps: int, method: Method) -> Iterator[Progress]:
        raise NotImplementedError

    def _picture(self) -> Picture:
        raise NotImplementedError

    def check(self, label: str) -> None:
        """Recompute the reading at the head by a plain loop; the picture has both then."""
        if self.session.forget:
            self.start("checking a number", self.session.checking(label), quiet=True)

    def offer(self, probe: Probe, view: str = "") -> None:
        """Measure a probe when it is asked for, while `view` is shown, unless there is one of its label already."""
        label = probe.label or probe.name
        if label not in self._readouts:
            self.probe(probe, view)
            self.live(label, live=False)

    def judge(self, labels: Sequence[str]) -> None:
        """Measure these probes, now, at the start, and of every twin of this forget set; each is drawn when it is done."""
        if self.session.forget:
            self.start("measuring", self._judging(tuple(labels)), quiet=True)

    def _judging(self, labels: tuple[str, ...]) -> Generator[Progress, None, None]:
        self._judged = tuple(dict.fromkeys((*self._judged, *labels)))
        for done, label in enumerate(labels):
            yield from part(self._against_twins(label), done, len(labels), "measure")
            self._fresh = self._picture()
            yield Progress(done + 1, len(labels), f"{label} measured")

    def _against_twins(self, label: str) -> Generator[Progress, None, None]:
        yield from self._measuring(only=(label,))
        yield from self._readouts.of_every_twin(label)

    def run_from_start(self, steps: int, method: Method, name: str = "") -> None:
        """Back to the start, and from there a run on a branch of its own, named after method and place where no name is given.

        A name that is taken gets a number. A run that ends before its first step leaves no branch, and the head where it was.
        """
        self.start(f"{steps} steps of {method.name} from the start", self._running_anew(steps, method, name.strip()))

    def _running_anew(self, steps: int, method: Method, name: str) -> Iterator[Progress]:
        session, self._acting = self.session, True
        before = session.history.branch, session.head
        branch = _free(name or f"{method.name}, {self.where}", session.history.branches)
        session.go_to(0)
        session.branch(branch)
        try:
            yield Progress(0, steps, "back at the start")
            yield from self._running(steps, method)
        finally:
            if session.head == 0 and session.history.branch == branch:
                for place in before:
                    session.go_to(place)
                session.forget_branch(branch)


def _free(name: str, taken: object) -> str:
    """The name, or with the first number that makes it a new one."""
    names, number, free = set(taken), 2, name  # type: ignore[call-overload]
    while free in names:
        free, number = f"{name} {number}", number + 1
    return str(free)
