"""Keepable: the verbs of a session that keep its recipe, take it up again, and write it as Python."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from unlearnviz.engine.keeping import Keeping

if TYPE_CHECKING:
    from unlearnviz.engine.session import Session
    from unlearnviz.engine.session_recipe import SessionRecipe
    from unlearnviz.engine.turn import Turn


class Keepable:
    """What a `Session` can say of itself in a few kB.

    Attributes:
        source: where the model came from, if that is known: {"world": "shipped"}, {"session": folder} or {"model": folder or name}.
        learned: the trainings that led to step 0, as `SessionRecipe.learned`.
        prompts: what a page asks the model, kept in the recipe.
    """

    turn: Turn

    def __init__(self) -> None:
        self.source: Mapping[str, str] = {}
        self.learned: list[Mapping[str, Any]] = []
        self.prompts: tuple[str, ...] = ()
        self.keeping = Keeping()

    def recipe(self) -> SessionRecipe:
        """All that leads to the present state, with the fingerprints of the head, of all branches and of the twins."""
        return self.keeping.fully(cast("Session", self))

    def recipe_hash(self) -> str:
        """SHA-256 (hex) of the recipe; equal means the same model, texts, picks and steps. Cheap at every step."""
        return self.keeping.hash(cast("Session", self))
