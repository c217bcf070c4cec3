"""SessionRecipe: a whole session in a few kB of JSON: not its weights, but all that leads to them, and what to check them by.

Not to be confused with `learning.Recipe`, which says how a model is taught: that is one line of this one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

FORMAT = 1
SHOWN = 12  # hex digits of the hash that a page shows


@dataclass(frozen=True)
class RecipeStep:
    """One step as it can be taken again.

    Attributes:
        id, parent, branch, method, settings, where, seed, mark: as in `StepRecord`.
        pick: which of the recipe's `picks` was to be forgotten.
        norm: L2 norm of the step's change over all parameters, to the last bit of a float64; None where it is not known.
        perplexity: of the forget texts after the step, where it was measured.
        fingerprint: SHA-256 over the weights after the step, where it was taken.
    """

    id: int
    parent: int
    branch: str
    method: str
    settings: Mapping[str, Any]
    where: str
    pick: int
    seed: int
    mark: str = ""
    norm: float | None = None
    perplexity: float | None = None
    fingerprint: str = ""

    @cached_property
    def core(self) -> str:
        """What makes the step, without what came of it."""
        made = (self.parent, self.branch, self.method, self.settings, self.where, self.pick, self.seed)
        return json.dumps(made, sort_keys=True)

    @cached_property
    def text(self) -> str:
        """The step as JSON in one line; what was not measured is left out."""
        found = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return json.dumps({name: value for name, value in found.items() if value not in (None, "")})


@dataclass(frozen=True)
class SessionRecipe:
    """A session without its weights.

    Attributes:
        model: {"name", "parameters" (how many), "start" (SHA-256 of the weights of step 0)}.
        corpus: SHA-256 of the texts.
        source: where the model came from, if that is known: {"world": "shipped"}, {"session": folder} or {"model": folder or name}.
        seed, update_fraction: of the session.
        learned: trainings that led to the start: {"start" (SHA-256 before), "recipe" (of `learning.Recipe`), "track" (of `Tracking`)}.
        twins: references: {"left_out" (passage ids), "seed", "weights" (SHA-256; "" where it was not taken)}.
        typed: texts that a person typed: {"id", "text", ...}, as `Passage` takes them.
        picks: every forget set that a step had, and the present one: passage ids.
        forget: which of `picks` is picked now; None where nothing is.
        prompts: of the page.
        steps: in order of creation, 1, 2, ...
        branches, branch, head, visited: the tree, as in `History`.
        given_up: steps whose weights were not kept.
        made: where it was made: versions, threads, machine.
        stated: the hash that the file itself states; another than `hash` where it was edited.
    """

    model: Mapping[str, Any]
    corpus: str
    source: Mapping[str, str] = field(default_factory=dict)
    seed: int = 0
    update_fraction: float = 0.0
    learned: tuple[Mapping[str, Any], ...] = ()
    twins: tuple[Mapping[str, Any], ...] = ()
    typed: tuple[Mapping[str, Any], ...] = ()
    picks: tuple[tuple[str, ...], ...] = ()
    forget: int | None = None
    prompts: tuple[str, ...] = ()
    steps: tuple[RecipeStep, ...] = ()
    branches: Mapping[str, int] = field(default_factory=lambda: {"main": 0})
    branch: str = "main"
    head: int = 0
    visited: Mapping[int, int] = field(default_factory=dict)
    given_up: tuple[int, ...] = ()
    made: Mapping[str, Any] = field(default_factory=dict)
    stated: str = ""

    @cached_property
    def hash(self) -> str:
        """SHA-256 (hex) over what makes the session, not over what was measured or where."""
        digest = hashlib.sha256()
        made = (FORMAT, self.model["start"], self.corpus, self.seed, self.update_fraction, self.learned, self.typed, self.picks)
        where = (self.forget, self.branches, self.branch, self.head)
        digest.update(json.dumps((made, where), sort_keys=True).encode())
        for step in self.steps:
            digest.update(step.core.encode())
        return digest.hexdigest()

    @property
    def path(self) -> tuple[RecipeStep, ...]:
        """The steps from the start to the head."""
        return tuple(self.steps[step - 1] for step in self.line(self.head))

    def line(self, step: int) -> tuple[int, ...]:
        """Ids of the steps from the first through `step`; the start is left out."""
        found: list[int] = []
        while step:
            found.append(step)
            step = self.steps[step - 1].parent
        return tuple(reversed(found))

    @property
    def needed(self) -> frozenset[int]:
        """The steps that the head or a branch stands on; the others belong to branches that were forgotten."""
        return frozenset(step for tip in (self.head, *self.branches.values()) for step in self.line(tip))

    def to_text(self) -> str:
        """The recipe as JSON, one step a line."""
        rows = {
            "unlearnviz": json.dumps("recipe"),
            "format": json.dumps(FORMAT),
            "recipe": json.dumps(self.hash),
            **{name: json.dumps(getattr(self, name)) for name in self.__dataclass_fields__ if name not in ("steps", "stated")},
            "steps": "[" + ",".join(f"\n    {step.text}" for step in self.steps) + "]",
        }
        return "{\n" + ",\n".join(f'  "{name}": {text}' for name, text in rows.items()) + "\n}\n"
