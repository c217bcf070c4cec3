"""Autosave: the recipe of a session in a file that is always the latest, whatever happens to the process."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from unlearnviz.engine.events import Event, Measured
from unlearnviz.engine.recipe_reading import read_recipe
from unlearnviz.engine.session_recipe import SessionRecipe
from unlearnviz.engine.twin_cache import cache_folder
from unlearnviz.errors import BadRecipe

if TYPE_CHECKING:
    from unlearnviz.engine.session import Session

KEPT = 20  # files of one model over one corpus in one working directory; older ones go
PATIENCE = 1.0  # seconds a step waits for a storage that has not finished with the last one


def home(session: Session, directory: str | None = None) -> Path:
    """The folder of all autosaves of this model and corpus from a working directory (the present one), by what they are, not by name."""
    keeping = session.keeping
    where = working_directory() if directory is None else directory
    # a model that learned here is opened again as it was before, so there its work has to be found
    start = session.learned[0]["start"] if session.learned else keeping.fingerprint(session.snapshots[0].weights)
    what = f"{start} {keeping.corpus(session)} {where}"
    return cache_folder() / "recipes" / hashlib.sha256(what.encode()).hexdigest()[:16]


def working_directory() -> str:
    """Where this process works; "" where somebody removed that folder."""
    try:
        return str(Path.cwd())
    except OSError:
        return ""


class Autosave:
    """Writes the recipe after every event of a session, on a thread of its own, in one move; a step never fails for it.

    What comes while the storage is slow waits, the latest only. A step begins when what was written before is in its place: so
    a process that is killed loses the step in flight and no other.

    Args:
        session: whose.
        refused: called once, with a sentence, when the storage refuses.
    """

    def __init__(self, session: Session, refused: Callable[[str], None]) -> None:
        self._session, self._refused = session, refused
        self._name = f"{time.strftime('%Y-%m-%d-%H%M%S')}-{os.getpid()}-{id(session):x}.json"
        self._directory = working_directory()  # also where a cell goes elsewhere later
        self.path = home(session, self._directory) / self._name
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="unlearnviz-autosave")
        self._lock = threading.Lock()  # of the two below
        self._writing: Future[None] | None = None  # None where nothing is being written
        self._waiting: tuple[Path, SessionRecipe] | None = None
        self._complained = False

    def on_event(self, event: Event) -> None:
        """Something happened in the session."""
        if not isinstance(event, Measured):  # a reading changes no state; it is written with the next step
            self.write()

    def write(self) -> None:
        """Write the recipe as it is now, soon."""
        self.path = home(self._session, self._directory) / self._name  # another folder where a model was taught after steps
        recipe = self._session.keeping.quickly(self._session)
        with self._lock:
            self._waiting = self.path, recipe
            if self._writing is None:
                self._writing = self._thread.submit(self._write)

    def settle(self) -> None:
        """Wait until all is written; for a storage that hangs not longer than `PATIENCE`."""
        writing = self._writing
        if writing is not None:
            wait([writing], PATIENCE)

    def _write(self) -> None:
        while True:
            with self._lock:
                waiting, self._waiting = self._waiting, None
                if waiting is None:
                    self._writing = None
                    return
            path, recipe = waiting
            part = path.with_suffix(".part")
            try:
                new = not path.exists()
                path.parent.mkdir(parents=True, exist_ok=True)
                part.write_text(recipe.to_text(), encoding="utf-8")  # not forced onto the disk: a killed process loses nothing by that
                part.replace(path)
                if new:
                    _tidy(path.parent)
            except OSError as error:
                if not self._complained:
                    self._complained = True
                    self._refused(
                        f"The recipe cannot be saved to {str(path.parent)!r} ({error.strerror or error}), so nothing is there to continue from "
                        "if the kernel ends; Download keeps it, or session.save_recipe(path)."
                    )


def _tidy(folder: Path) -> None:
    """Remove the oldest files of a folder."""
    for file in _by_age(folder)[KEPT:]:
        file.unlink(missing_ok=True)


def _by_age(folder: Path) -> list[Path]:
    """The autosaves in a folder, the latest first."""
    found = []
    for file in folder.glob("*.json"):
        try:
            found.append((file.stat().st_mtime_ns, file))
        except FileNotFoundError:  # another process tidies the same folder
            continue
    return [file for _, file in sorted(found, reverse=True)]


@dataclass(frozen=True)
class Continuable:
    """An earlier session of the same model and texts that can be continued.

    Attributes:
        path: of its recipe.
        recipe: all of it.
        saved: when it was written, in seconds since 1970.
    """

    path: Path
    recipe: SessionRecipe
    saved: float


def latest(session: Session, own: Path | None) -> Continuable | None:
    """The latest autosave with at least one step or training, by another session than this one; None where there is none that can be read."""
    try:
        files = _by_age(home(session))
    except OSError:
        return None
    for file in files:
        if file != own:
            try:
                recipe, saved = read_recipe(file), file.stat().st_mtime
            except (BadRecipe, OSError):  # of another version, or tidied away meanwhile: an older one may do
                continue
            if recipe.steps or recipe.learned:
                return Continuable(file, recipe, saved)
    return None
