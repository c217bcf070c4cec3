"""Teaching a session's model, and training its twins: the same recipe, with and without some texts."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from unlearnviz.engine import replaying
from unlearnviz.engine.fresh import fresh_weights
from unlearnviz.engine.history import History
from unlearnviz.engine.learning import Recipe, Training
from unlearnviz.engine.ledger import Ledger
from unlearnviz.engine.model import LanguageModel
from unlearnviz.engine.progress import Progress
from unlearnviz.engine.recorder import Recorder
from unlearnviz.engine.references import pace
from unlearnviz.engine.twin_training import TwinTraining, copied
from unlearnviz.engine.weights import Weights
from unlearnviz.errors import BadSetting, NotPossible

if TYPE_CHECKING:
    from unlearnviz.engine.history import StepRecord
    from unlearnviz.engine.session import Session
    from unlearnviz.engine.tracking import Tracking
    from unlearnviz.engine.twin import Twin


@dataclass(frozen=True)
class Lineage:
    """How a model came to know its texts: where it began, and the recipe.

    Exactly one of `initial` (weights before the teaching) and `initial_seed` (of a fresh random start) is given. `further`
    are the recipes by which it was taught again after the first: a twin goes the whole way.
    """

    recipe: Recipe
    initial: Weights | None = None
    initial_seed: int | None = None
    further: tuple[Recipe, ...] = ()

    def start(self, model: LanguageModel) -> Weights:
        """The weights before the teaching."""
        if self.initial is not None:
            return self.initial
        return fresh_weights(model, seed=self.initial_seed or 0)


def learn(
    session: Session, epochs: int | None, recipe: Recipe | None, tracking: Tracking | None
) -> Generator[Progress, None, StepRecord]:
    """Train the live model; returns the record of the new step 0. Ended early, weights, history and ledger stay as they were."""
    if epochs is not None and recipe is not None:
        raise BadSetting("learn() was given both epochs= and recipe=; put the epochs into the recipe.")
    snapshots, lineage = session.snapshots, session.lineage
    snapshots.check(session.head)
    chosen = recipe or Recipe.suited_to(session.model, **({} if epochs is None else {"epochs": epochs}))
    before = session.weights
    training = Training(session.model, session.corpus, chosen)
    recorder = None
    snapshots.secure(before)
    came_from = session.keeping.fingerprint(before)
    try:
        if tracking is not None:
            training.watching = recorder = Recorder(training, tracking)
        with contextlib.closing(training.running()) as running:
            for progress in running:
                session.pace = pace(progress) or session.pace
                session.turn.report(progress)
                yield progress
        if recorder is not None:
            recorder.finish()
    except BaseException:
        snapshots.restore(before.stored)
        if recorder is not None:
            recorder.abandon()
        raise
    session.ledger = None if recorder is None else Ledger(recorder.folder, private=recorder.private)
    if lineage is not None:  # a twin that began here would have seen the forget texts: it begins where this model began
        session.lineage = replace(lineage, further=(*lineage.further, chosen))
    elif session.initial_seed is not None and len(session.history) == 1:  # the random start can be made again from its seed
        session.lineage = Lineage(chosen, initial_seed=session.initial_seed)
    else:
        session.lineage = Lineage(chosen, initial=before)
    session.initial_seed = None
    lesson = {"start": came_from, "recipe": asdict(chosen), "track": None if tracking is None else {**asdict(tracking), "folder": None}}
    if session.head == 0:
        session.learned = [*session.learned, lesson]
    else:  # no source and no training leads to what was unlearned before: the new start is in a saved session, and nowhere else
        session.source, session.learned = {}, []
    session.history = History()
    session.twins = []
    session.measurements.clear()
    snapshots.references = [] if session.lineage.initial is None else [session.lineage.initial]
    snapshots.reset()
    return session.history[0]


def replay(session: Session, tracking: Tracking) -> Generator[Progress, None, Ledger]:
    """Train a copy once more and add to the session's ledger what `tracking` asks for; returns the ledger."""
    if session.ledger is None:
        raise NotPossible("There is no ledger to add to; session.learn(epochs, track=...) records one while the model learns.")
    student = copied(session.model, name="replay")
    with contextlib.closing(replaying.replay(student, session.corpus, session.ledger, tracking)) as running:
        while True:
            try:
                progress = next(running)
            except StopIteration as end:
                session.ledger.follow(end.value)
                return session.ledger
            session.turn.report(progress)
            yield progress


def train_twin(session: Session, seed: int | None) -> Generator[Progress, None, Twin]:
    """Train (or find) the model that never saw the forget set; returns the Twin."""
    training = TwinTraining(session, seed)
    with contextlib.closing(training.running()) as running:
        for progress in running:
            session.turn.report(progress)
            yield progress
    return training.handed_over()
