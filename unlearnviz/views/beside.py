"""Beside: a twin is trained while everything else goes on, and taken in when nothing else runs."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING

import traitlets

from unlearnviz.engine.progress import Progress
from unlearnviz.engine.twin_training import TwinTraining
from unlearnviz.views.runner import Outcome, Runner, in_event_loop

if TYPE_CHECKING:
    from unlearnviz.engine.session import Session
    from unlearnviz.views.picture import Picture
    from unlearnviz.views.readouts import Readouts


class Beside(traitlets.HasTraits):
    """The part of a page's state that trains twins. Steps go on meanwhile, more slowly, since both share the cores.

    Attributes:
        training: what is trained, or "".
        trained: the latest report of it, or None.
    """

    training = traitlets.Unicode("")
    trained = traitlets.Any(None)

    session: Session
    runner: Runner
    picture: Picture
    error: BaseException | None
    _readouts: Readouts
    _judged: tuple[str, ...]
    _done: str
    _failure: BaseException | None
    _ready: TwinTraining | None = None  # trained, and not taken in yet: something else runs
    _alone = False  # whether no event loop runs

    def __init__(self) -> None:
        super().__init__()
        self.trainer = Runner(self._on_training, self._on_trained)

    def start(self, title: str, work: Iterator[Progress], *, quiet: bool = False) -> None:
        """Run a piece of work."""
        raise NotImplementedError

    def _measuring(self) -> Generator[Progress, None, None]:
        raise NotImplementedError

    def _judging(self, labels: tuple[str, ...]) -> Generator[Progress, None, None]:
        raise NotImplementedError

    def _picture(self) -> Picture:
        raise NotImplementedError

    def train_twin(self, *, another: bool = False) -> None:
        """Train the model that never saw the forget set, or another one of these with a seed that none has yet."""
        if self.trainer.running or self._ready is not None:
            return
        self.error = self._failure = None
        self.training = "another twin" if another and self.session.fitting_twins else "the twin"
        self._alone = not in_event_loop()
        self.trainer.start(self._training(another=another), "training a twin")
        if self._alone:  # plain Python: it is trained by now
            self.take_in()

    def stop_training(self) -> None:
        """Ask the training to stop; nothing of it is kept."""
        self.trainer.stop()

    def take_in(self) -> None:
        """Make a trained twin one of the session's, if there is one and nothing runs."""
        training = self._ready
        if training is not None and not self.runner.running:
            self._ready = None
            self.start("measuring beside the new twin", self._taking_in(training), quiet=True)

    def _training(self, *, another: bool) -> Generator[Progress, None, TwinTraining]:
        seeds = [twin.seed for twin in self.session.fitting_twins]
        training = self.session.twin_training(seed=1 + max(seeds) if another and seeds else None)
        yield from training.running()
        return training

    def _taking_in(self, training: TwinTraining) -> Iterator[Progress]:
        twin = self.session.adopt(training)
        self._readouts.clear()
        fitting = self.session.fitting_twins
        self._done = "The twin is ready: it never saw the texts to forget."
        if twin not in fitting:
            self._done = "The twin of the texts that were picked before is ready; it is there when they are picked again."
        elif len(fitting) > 1:
            self._done = f"The twin of seed {twin.seed} is ready; there are {len(fitting)} twins of this forget set now."
        yield from self._measuring()
        yield from self._judging(self._judged)

    def _on_training(self, progress: Progress) -> None:
        self.trained = progress

    def _on_trained(self, outcome: Outcome) -> None:
        """On the event loop."""
        self.training, self.trained = "", None
        if outcome.error is not None:
            self.error = self._failure = outcome.error
        elif outcome.state == "done":
            self._ready = outcome.value
            if not self._alone:
                self.take_in()
        elif not self.runner.running:
            self._done, self._readouts.news = "The training of the twin was stopped; nothing of it was kept.", ""
            self.picture = self._picture()
