"""TwinTraining: a twin on its way; it needs nobody's turn, so that steps can go on beside it."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Generator
from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from unlearnviz.engine.model import LanguageModel
from unlearnviz.engine.progress import Progress
from unlearnviz.engine.references import pace
from unlearnviz.engine.twin import Twin
from unlearnviz.engine.twin_cache import train_cached
from unlearnviz.engine.weights import Weights
from unlearnviz.errors import BadForgetSet, NotPossible

if TYPE_CHECKING:
    from unlearnviz.engine.session import Session
    from unlearnviz.engine.teaching import Lineage


class TwinTraining:
    """The training of the model that never saw the present forget set.

    It begins with a copy of the session's model, works on that alone, and ends when the session is given the twin.

    Args:
        session: whose twin it is; nobody may write to it until the copy is made.
        seed: of the order of the texts; None: that of the session's own training.

    Attributes:
        left_out: ids of the passages that the twin never sees.
        seed: of the order of its texts.
        pace: seconds per update, as they were last timed here; None before the first update.

    Raises:
        BadForgetSet: nothing is picked.
        NotPossible: the session does not know how its model was taught, or all that is picked was typed.
    """

    def __init__(self, session: Session, seed: int | None = None) -> None:
        lineage = session.lineage
        if not session.forget:
            raise BadForgetSet("Nothing is picked, so there is nothing a twin could be trained without; call session.pick(...) first.")
        if lineage is None:
            raise NotPossible(
                "A twin is the same model taught without the forget set, and this session does not know how its model was taught. "
                "session.learn() teaches it here; until then the never-seen texts are the reference."
            )
        self.left_out = session.taught_forget
        if not self.left_out:
            raise NotPossible("The forget set holds only texts you typed, which the model never learned: it is its own twin.")
        self._session, self._lineage, self._corpus = session, lineage, session.corpus
        self._recipes = [each if seed is None else replace(each, seed=seed) for each in (lineage.recipe, *lineage.further)]
        self.seed = self._recipes[0].seed
        self.pace: float | None = None
        self._ended = False
        self._made = self._ready() or student_of(session.model, lineage)

    def _ready(self) -> Twin | None:
        """The twin, where the session has it already."""
        return next((twin for twin in self._session.twins if (twin.left_out, twin.seed) == (self.left_out, self.seed)), None)

    def running(self) -> Generator[Progress, None, None]:
        """Train, one report per update; nothing is left to do where the session, or the cache, has it already."""
        if isinstance(self._made, Twin):
            return
        for recipe in self._recipes:
            with contextlib.closing(train_cached(self._made, self._corpus, recipe, self.left_out)) as training:
                for progress in training:
                    self.pace = pace(progress) or self.pace
                    yield progress
        self._ended = True

    def handed_over(self) -> Twin:
        """Give the session the twin; nobody else may write to it meanwhile.

        Raises:
            NotPossible: the session's model was taught anew since this began, or there is no room for the twin.
        """
        session = self._session
        if session.lineage is not self._lineage:
            raise NotPossible("The model was taught anew while this twin was trained, so it is a twin of what is gone; train it once more.")
        session.pace = self.pace or session.pace
        made = self._ready() or self._made
        if isinstance(made, Twin):
            return made
        if not self._ended:
            raise NotPossible("This twin is not trained to its end, so it is none yet; run all of its training first.")
        store = session.snapshots.store
        weights = Weights({name: store.adopt(p) for name, p in made.parameters.items()})
        try:
            store.fit()
        except BaseException:
            store.discard(weights.stored.values())
            raise
        twin = Twin(weights, self.left_out, self.seed)
        session.twins.append(twin)
        session.snapshots.references.append(weights)
        return twin


def student_of(model: LanguageModel, lineage: Lineage) -> LanguageModel:
    """A second model with the weights from before the teaching."""
    student = copied(model, name="twin")
    start = lineage.start(model)
    with torch.no_grad():
        for name, parameter in student.parameters.items():
            parameter.copy_(start[name])
    return student


def copied(model: LanguageModel, name: str) -> LanguageModel:
    """A model of its own with the same weights."""
    return LanguageModel(copy.deepcopy(model.module), model.tokenizer, name=name)
