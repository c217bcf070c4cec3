"""The step that shows what a claim speaks of: its method, and what is in its way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from unlearnviz.engine.methods.method import registry
from unlearnviz.engine.selection import ParameterSelection
from unlearnviz.engine.tracking import chosen_epochs
from unlearnviz.errors import UnlearnvizError

if TYPE_CHECKING:
    from unlearnviz.engine.ledger import Ledger
    from unlearnviz.engine.methods.method import Method
    from unlearnviz.engine.session import Session
    from unlearnviz.papers.claim import Trial

PICK = "Pick texts to forget first; Run then takes a step."
NEVER_SEEN = (
    "This step needs texts that the model never saw, and this corpus holds none: mark some with split='holdout', or read it with holdout=0.1."
)
TYPED = "You typed some of these texts: the model was never taught them, so nothing can have been recorded of them. Pick taught texts."
LEARN = (
    "This step works from what was recorded while the model learned, and nothing was. In a cell, session.learn({how}, "
    "track=uv.Tracking(texts={texts!r}, where={where!r})) teaches the model again and records it; then run dashboard.refresh()."
)
PLAIN_SGD = "recipe=uv.Recipe(epochs=5, optimizer='SGD', learning_rate=0.05)"  # a step that counts uses is derived for nothing else
TAKEN = "This step was taken already, on the way here (step {step}); Undo it, and Run takes it again."


def method_of(trial: Trial) -> Method:
    """The method with its settings."""
    return registry[trial.method](**trial.settings)


def in_the_way(session: Session, trial: Trial) -> str:
    """Why the step cannot be taken now, and what to do; "" where nothing is in its way."""
    if not session.forget:
        return PICK
    if trial.needs == "never seen":
        return "" if session.corpus.holdout else NEVER_SEEN
    try:
        names = ParameterSelection.parse(trial.where, session.model.layout).names
        if trial.needs and any(passage.extra.get("typed") for passage in session.forget):
            return TYPED
        if trial.needs and session.ledger is None:
            texts = tuple(dict.fromkeys(passage.subject or passage.id for passage in session.forget))
            return LEARN.format(how=PLAIN_SGD if trial.needs == "schedule" else "5", texts=texts, where=trial.where)
        if trial.needs and session.ledger is not None:
            _recorded(session, session.ledger, trial, names)
    except UnlearnvizError as error:
        return str(error)
    taken = _taken(session, trial)
    return "" if taken is None else TAKEN.format(step=taken)


def _recorded(session: Session, ledger: Ledger, trial: Trial, names: tuple[str, ...]) -> None:
    """NotPossible unless the ledger holds what the step takes from it."""
    epochs = chosen_epochs(trial.settings.get("epochs", "all"), ledger.epochs)
    what, wanted = trial.needs, names
    if trial.needs == "schedule":  # of either kind one parameter tells when a text was used
        what, wanted = "gradients" if ledger.tracking.gradients else "deltas", ledger.names[:1]
    ledger.require([passage.id for passage in session.forget], wanted, what, epochs)


def _taken(session: Session, trial: Trial) -> int | None:
    """The step of the present path that did this to its end; it would have nothing left to do."""
    asked = trial.method, trial.where, method_of(trial).settings
    for step in session.history.path():
        record = session.history[step]
        if record.mark == "reached" and (record.method, record.where, dict(record.settings)) == asked:
            return step
    return None
