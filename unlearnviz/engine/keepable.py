"""Keepable: the verbs of a session that keep its recipe, take one up again, and write it as Python."""

from __future__ import annotations

import os
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from unlearnviz.engine.events import Event, Listeners, Repeated
from unlearnviz.engine.keeping import Keeping
from unlearnviz.engine.progress import Progress, drain
from unlearnviz.errors import NotPossible, SaveFailed

if TYPE_CHECKING:
    from unlearnviz.engine.autosave import Autosave, Continuable
    from unlearnviz.engine.recipe_replay import Replayed
    from unlearnviz.engine.session import Session
    from unlearnviz.engine.session_recipe import SessionRecipe
    from unlearnviz.engine.turn import Turn


class Keepable:
    """What a `Session` can say of itself in a few kB.

    Attributes:
        source: where the model came from, if that is known: {"world": "shipped"}, {"session": folder} or {"model": folder or name}.
            A training that began after steps leaves it unknown: only a saved session leads to such weights.
        learned: the trainings that led from there to step 0, as `SessionRecipe.learned`.
        prompts: what a person has a page ask the model, beside what it asks by itself; kept in the recipe.
        repeats: how many recipes were taken up.
    """

    turn: Turn
    notes: list[str]

    def __init__(self) -> None:
        self.source: Mapping[str, str] = {}
        self.learned: list[Mapping[str, Any]] = []
        self.prompts: tuple[str, ...] = ()
        self.repeats = 0
        self.keeping = Keeping()
        self._autosave: Autosave | None = None
        self._keepers = Listeners()  # told before everybody else, and not counted among them: they belong to the session

    def _emit(self, event: Event) -> None:
        raise NotImplementedError

    def recipe(self) -> SessionRecipe:
        """All that leads to the present state, with the fingerprints of the head, of all branches and of the twins."""
        return self.keeping.fully(cast("Session", self))

    def recipe_hash(self) -> str:
        """SHA-256 (hex) of the recipe; equal means the same model, texts, picks and steps. Cheap at every step."""
        return self.keeping.hash(cast("Session", self))

    def save_recipe(self, path: str | os.PathLike[str]) -> Path:
        """Write the recipe to a file, in one move; returns its path. `uv.replay(path)` takes all steps again.

        Raises:
            SaveFailed: the disk refuses; a file that was there is untouched.
        """
        from unlearnviz.engine.atomic import exchange

        file = Path(path).expanduser()
        try:
            exchange(file, self.recipe().to_text().encode())
        except OSError as error:
            raise SaveFailed(f"{str(file)!r} could not be written: {error.strerror or error}. Choose another place.") from error
        return file

    def repeat(self, recipe: SessionRecipe | str | os.PathLike[str]) -> Replayed:
        """Take all steps of a recipe (or of its text, or its file) again, in a new history in place of this one.

        A recipe of this session's model and texts leads to the same weights, bit for bit on one machine and number of threads;
        elsewhere the result says how far it is off. What a twin or an opened ledger was made from is not made again.

        Raises:
            BadRecipe: it is damaged, or of another model or other texts; nothing was changed.
            NotPossible: the model would have to learn first, and there are steps already.
        """
        return drain(self.repeating(recipe))

    def repeating(self, recipe: SessionRecipe | str | os.PathLike[str]) -> Generator[Progress, None, Replayed]:
        """`repeat` as an iterator; returns what it found."""
        from unlearnviz.engine.recipe_reading import read_recipe
        from unlearnviz.engine.recipe_replay import replaying

        checked = read_recipe(recipe)
        with self.turn.take("a replay of a recipe"):
            found = yield from replaying(checked, cast("Session", self))
            self.repeats += 1
        self._emit(Repeated(cast("Session", self).head))
        return found

    def autosave(self) -> Path:
        """From now on write the recipe after every step, pick, undo and branch; returns the file, in the user's cache folder.

        There is none before the first step or training of this session; a recipe that is taken up, or a training, begins another
        file, so that the steps of the old history stay in theirs. A storage that refuses fails no step: it is said once, in `notes`.
        """
        from unlearnviz.engine.autosave import Autosave

        if self._autosave is None:
            self._autosave = Autosave(cast("Session", self), self._refused)
            self._keepers.add(self._autosave.on_event)
            self._autosave.write()  # what was done before somebody asked for this
        return self._autosave.path

    @property
    def autosaved(self) -> bool:
        """Whether the file that `autosave` names holds something, or will at once."""
        return self._autosave is not None and self._autosave.begun

    def _refused(self, sentence: str) -> None:
        """The storage refuses."""
        self.notes.append(sentence)

    def settle(self) -> None:
        """Wait until the autosave, if there is one, is written: a step begins when the ones before are in its file."""
        if self._autosave is not None:
            self._autosave.settle()

    def as_python(self) -> str:
        """The short script that rebuilds the present state, without widgets; what was done on other branches is left out."""
        from unlearnviz.engine.as_python import as_python

        return as_python(cast("Session", self))

    def continuable(self) -> Continuable | None:
        """The latest autosave of this model and these texts, from this working directory, that says more than this session; None without one.

        It is of another session, or of a history of this one that another took the place of.
        """
        from unlearnviz.engine.autosave import latest

        return latest(cast("Session", self), None if self._autosave is None else self._autosave.path)

    def resume(self) -> Replayed:
        """Take up what `continuable` found: all its steps are taken again; NotPossible where there is none, else as `repeat`."""
        return drain(self.resuming())

    def resuming(self) -> Generator[Progress, None, Replayed]:
        """`resume` as an iterator; returns what it found."""
        found = self.continuable()
        if found is None:
            raise NotPossible("There is no earlier session of this model and these texts to continue, in this working directory.")
        return (yield from self.repeating(found.recipe))
