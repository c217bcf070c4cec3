"""Teachable: the verbs of a session that train: learning, recording a ledger, and twins."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from unlearnviz.engine import teaching
from unlearnviz.engine.events import Event, Learned, TwinReady
from unlearnviz.engine.ledger import Ledger
from unlearnviz.engine.progress import Progress, drain
from unlearnviz.engine.tracking import Tracking
from unlearnviz.engine.twin_training import TwinTraining

if TYPE_CHECKING:
    from unlearnviz.engine.corpus import Corpus, Passage
    from unlearnviz.engine.history import StepRecord
    from unlearnviz.engine.learning import Recipe
    from unlearnviz.engine.session import Session
    from unlearnviz.engine.snapshots import Snapshots
    from unlearnviz.engine.turn import Turn
    from unlearnviz.engine.twin import Twin


class Teachable:
    """What a `Session` can do about how its model came to know its texts."""

    corpus: Corpus
    snapshots: Snapshots
    turn: Turn
    twins: list[Twin]
    ledger: Ledger | None
    pace: float | None = None  # seconds per update of a training, as they were last timed here

    def _emit(self, event: Event) -> None:
        raise NotImplementedError

    @property
    def head(self) -> int:
        """Id of the step we stand on."""
        raise NotImplementedError

    @property
    def forget(self) -> tuple[Passage, ...]:
        """The passages picked to be forgotten."""
        raise NotImplementedError

    @property
    def fitting_twins(self) -> tuple[Twin, ...]:
        """The twins that never saw exactly the present forget set, the first one trained first; they differ in their seeds."""
        asked = self.taught_forget
        return tuple(twin for twin in self.twins if twin.left_out == asked) if asked else ()

    @property
    def active_twin(self) -> Twin | None:
        """The first of them, which stands for all where one is enough; None where there is none."""
        return next(iter(self.fitting_twins), None)

    @property
    def siblings(self) -> Mapping[str, Sequence[float]]:
        """Group -> perplexities of further twins of the present forget set, whose weights are not here; {} where none were measured."""
        twin = self.active_twin
        exactly = twin is not None and twin.left_out == {passage.id for passage in self.forget}  # with a typed text it is another group
        return twin.siblings if twin is not None and exactly else {}

    @property
    def taught_forget(self) -> frozenset[str]:
        """Ids of the forget set without typed texts: what a twin has to be taught without."""
        return frozenset(passage.id for passage in self.forget) & {passage.id for passage in self.corpus}

    def learn(
        self, epochs: int | None = None, *, recipe: Recipe | None = None, track: Tracking | str | Iterable[str] | None = None
    ) -> StepRecord:
        """Train the model on the taught texts; the result is step 0 of a new history. Stopping keeps the old one whole.

        Args:
            epochs: passes over the texts, with the default recipe; or give a `recipe`.
            track: texts (subjects or ids), or a `Tracking`: what to write into a ledger while it learns; see `session.ledger`.
        """
        return drain(self.learning(epochs, recipe=recipe, track=track))

    def learning(
        self, epochs: int | None = None, *, recipe: Recipe | None = None, track: Tracking | str | Iterable[str] | None = None
    ) -> Generator[Progress, None, StepRecord]:
        """`learn` as an iterator; returns the record of step 0."""
        tracking = None if track is None else Tracking.of(track)
        with self.turn.take("learning"):
            record = yield from teaching.learn(cast("Session", self), epochs, recipe, tracking)
        self._emit(Learned(self.head))
        return record

    def replay(self, track: Tracking | str | Iterable[str]) -> Ledger:
        """Train a copy once more, exactly as before, and add to the ledger what was not recorded; returns the ledger.

        Raises:
            NotPossible: there is no ledger.
            BadLedger: this machine does not come to the weights that were recorded.
        """
        return drain(self.replaying(track))

    def replaying(self, track: Tracking | str | Iterable[str]) -> Generator[Progress, None, Ledger]:
        """`replay` as an iterator; returns the Ledger."""
        with self.turn.take("a replay of the training"):
            ledger = yield from teaching.replay(cast("Session", self), Tracking.of(track))
        return ledger

    def open_ledger(self, path: str | Path) -> Ledger:
        """Use a ledger that was recorded with `folder=` while this model learned; BadLedger if it is of another model or other texts."""
        ledger = Ledger.open(path)
        ledger.check(self.snapshots[0].weights, self.corpus)
        self.ledger = ledger
        return ledger

    def twin(self, *, seed: int | None = None) -> Twin:
        """The model retrained by the same recipe without the present forget set; found again where it was trained before.

        Raises:
            BadForgetSet: nothing is picked.
            NotPossible: the session does not know how its model was taught.
        """
        return drain(self.twinning(seed=seed))

    def twinning(self, *, seed: int | None = None) -> Generator[Progress, None, Twin]:
        """`twin` as an iterator; returns the Twin."""
        with self.turn.take("training a twin"):
            twin = yield from teaching.train_twin(cast("Session", self), seed)
        self._emit(TwinReady(self.head, tuple(sorted(twin.left_out))))
        return twin

    def twin_training(self, *, seed: int | None = None) -> TwinTraining:
        """The training of a twin for whoever goes on meanwhile: run it, on another thread say, and then `adopt` it.

        Raises:
            BadForgetSet, NotPossible: as `twin`.
        """
        with self.turn.take("a copy of the model for a twin"):
            return TwinTraining(cast("Session", self), seed)

    def adopt(self, training: TwinTraining) -> Twin:
        """The twin whose training has run to its end is a twin of this session from now on, whatever is picked by now.

        Raises:
            NotPossible: the model was taught anew since the training began, or there is no room for the twin.
        """
        with self.turn.take("taking in a twin"):
            twin = training.handed_over()
        self._emit(TwinReady(self.head, tuple(sorted(twin.left_out))))
        return twin
