"""Keeping: the recipe of a session as it stands, and what of it costs time, taken once."""

from __future__ import annotations

import math
import platform
import threading
import weakref
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import torch

import unlearnviz
from unlearnviz.engine.session_recipe import RecipeStep, SessionRecipe

if TYPE_CHECKING:
    from unlearnviz.engine.history import History, StepRecord
    from unlearnviz.engine.session import Session
    from unlearnviz.engine.weights import Weights


class Keeping:
    """Makes the recipes of one session. Hashes of the model, the texts and the steps are remembered: a page asks after every step."""

    def __init__(self) -> None:
        self._fingerprints: dict[int, tuple[weakref.ref[Weights], str]] = {}
        self._corpus: tuple[object, str] = (None, "")
        self._steps: list[_Known] = []
        self._lock = threading.Lock()  # of what is remembered: several pages ask, each from its own thread

    def fingerprint(self, weights: Weights) -> str:
        """SHA-256 over the weights of a step or of a twin, which nobody edits."""
        if not self._known(weights):
            self._fingerprints = {key: each for key, each in self._fingerprints.items() if each[0]() is not None}
            self._fingerprints[id(weights)] = weakref.ref(weights), weights.fingerprint()
        return self._known(weights)

    def _known(self, weights: Weights) -> str:
        """The fingerprint if it was taken, else ""."""
        whose, found = self._fingerprints.get(id(weights), (None, ""))
        return found if whose is not None and whose() is weights else ""

    def corpus(self, session: Session) -> str:
        """SHA-256 over the texts."""
        if self._corpus[0] is not session.corpus:
            self._corpus = session.corpus, session.corpus.digest()
        return self._corpus[1]

    def hash(self, session: Session) -> str:
        """The hash of the recipe; nothing that was measured goes into it."""
        return self._recipe(session, measured=False).hash

    def quickly(self, session: Session) -> SessionRecipe:
        """The recipe with those fingerprints only that were taken before: fast enough for every step."""
        return self._recipe(session, measured=True)

    def fully(self, session: Session) -> SessionRecipe:
        """The recipe with the fingerprints of the head, of the tips of all branches, and of the twins."""
        for step in {session.head, *session.history.branches.values()}:
            if session.snapshots.holds(step):
                self.fingerprint(session.snapshots[step].weights)
        for twin in session.twins:
            self.fingerprint(twin.weights)
        return self.quickly(session)

    def _recipe(self, session: Session, *, measured: bool) -> SessionRecipe:
        with self._lock:
            return self._made(session, measured=measured)

    def _made(self, session: Session, *, measured: bool) -> SessionRecipe:
        history, snapshots = session.history, session.snapshots
        picks: dict[tuple[str, ...], int] = {}
        known = self._taken(history, picks)
        now = tuple(passage.id for passage in session.forget)
        forget = picks.setdefault(now, len(picks)) if now else None
        visited = ((record.id, history.child_visited_last(record.id)) for record in history)
        return SessionRecipe(
            model={"name": session.model.name, "parameters": session.model.size, "start": self.fingerprint(snapshots[0].weights)},
            corpus=self.corpus(session),
            source=dict(session.source),
            seed=session.seed,
            update_fraction=session.update_fraction,
            learned=tuple(session.learned),
            twins=tuple(
                {"left_out": sorted(twin.left_out), "seed": twin.seed, "weights": self._known(twin.weights)} for twin in session.twins
            ),
            typed=tuple({"id": each.id, "text": each.text, "extra": dict(each.extra)} for each in session.typed),
            picks=tuple(picks),
            forget=forget,
            prompts=tuple(session.prompts),
            steps=tuple(self._measured(session, each) if measured else each.step for each in known),
            branches=dict(history.branches),
            branch=history.branch,
            head=session.head,
            visited={step: child for step, child in visited if child is not None},
            given_up=tuple(record.id for record in history if not snapshots.holds(record.id)),
            made=made(),
        )

    def _taken(self, history: History, picks: dict[tuple[str, ...], int]) -> list[_Known]:
        """The steps of a history; those that were seen before are not made again."""
        records, known = history.records[1:], self._steps
        for place, record in enumerate(records):
            pick = picks.setdefault(record.forget, len(picks))
            if place == len(known) or known[place].record is not record:
                del known[place:]
                known.append(_Known(record, _step(record, pick)))
        del known[len(records) :]
        return known

    def _measured(self, session: Session, known: _Known) -> RecipeStep:
        """A step with what was found out about it since it was taken."""
        held = session.snapshots.holds(known.record.id)
        found = (
            _forget_perplexity(session.history, known.record),
            self._known(session.snapshots[known.record.id].weights) if held else "",
        )
        if found != (known.step.perplexity, known.step.fingerprint):
            known.step = replace(known.step, perplexity=found[0], fingerprint=found[1])
        return known.step


@dataclass
class _Known:
    """A step of the history, and the same in the recipe."""

    record: StepRecord
    step: RecipeStep


def _step(record: StepRecord, pick: int) -> RecipeStep:
    return RecipeStep(
        id=record.id,
        parent=record.parent or 0,
        branch=record.branch,
        method=record.method,
        settings=dict(record.settings),
        where=record.where,
        pick=pick,
        seed=record.seed,
        mark=record.mark,
        norm=norm(record),
    )


def norm(record: StepRecord) -> float:
    """L2 norm of a step's change over all parameters."""
    return math.sqrt(sum(each**2 for each in record.update_norm.values()))


def made() -> dict[str, Any]:
    """What bit-identity hangs on: versions, the number of threads, the machine."""
    return {**_versions(), "threads": torch.get_num_threads(), "machine": f"{platform.system()} {platform.machine()}"}


@cache
def _versions() -> dict[str, str]:
    return {"unlearnviz": unlearnviz.__version__, "torch": str(torch.__version__), "transformers": version("transformers")}


def _forget_perplexity(history: History, record: StepRecord) -> float | None:
    """Perplexity of the forget texts after a step, on the texts that it was to forget; None where it was not measured or is not finite."""
    for reading in history.readings[record.id]:
        theirs = reading.passages.get("forget") == record.forget  # another pick may have been measured here since
        if theirs and (reading.label, reading.probe, reading.of) == ("perplexity", "perplexity", "now") and reading.value is not None:
            return reading.value if math.isfinite(reading.value) else None
    return None
