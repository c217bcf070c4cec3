"""Autosave: the recipe of a session in a file that is always the latest, whatever happens to the process."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from unlearnviz.engine.events import Event, Learned, Measured, Repeated
from unlearnviz.engine.given import OPENED
from unlearnviz.engine.recipe_reading import read_recipe
from unlearnviz.engine.session_recipe import SessionRecipe
from unlearnviz.engine.twin_cache import cache_folder
from unlearnviz.errors import BadRecipe

if TYPE_CHECKING:
    from unlearnviz.engine.session import Session

KEPT = 20  # files of one model over one corpus in one working directory; older ones go
SPARED = 24 * 3600.0  # seconds that a file stays in any case
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
    a process that is killed loses the step in flight and no other. There is no file before the first step or training: a pick alone
    is nothing to continue.

    Args:
        session: whose.
        refused: called once, with a sentence, when the storage refuses.

    Attributes:
        path: of the file; another one after a recipe was taken up or the model learned.
        begun: whether something was written there, or is about to be.
    """

    def __init__(self, session: Session, refused: Callable[[str], None]) -> None:
        self._session, self._refused = session, refused
        self._name = f"{time.strftime('%Y-%m-%d-%H%M%S')}-{os.getpid()}-{id(session):x}"
        self._files = 0  # that this one has written
        self.begun = False
        self._prompts: tuple[str, ...] = ()  # as they were written
        self._directory = working_directory()  # also where a cell goes elsewhere later
        self.path = self._place()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="unlearnviz-autosave")
        self._lock = threading.Lock()  # of the two below
        self._writing: Future[None] | None = None  # None where nothing is being written
        self._waiting: dict[Path, SessionRecipe] = {}  # of each file the latest
        self._complained = False

    def on_event(self, event: Event) -> None:
        """Something happened in the session."""
        if isinstance(event, Repeated | Learned) and self.begun:  # a new history: what is there of the old one stays
            self._files += 1
            self.begun = False
        # a reading changes no state and is written with the next step, unless it answers prompts that were edited
        if not isinstance(event, Measured) or self._session.prompts != self._prompts:
            self.write()

    def _place(self) -> Path:
        """Where to write now; in another folder where a model was taught after steps."""
        return home(self._session, self._directory) / f"{self._name}-{self._files}.json"

    def write(self) -> None:
        """Write the recipe as it is now, soon, if there is something to continue."""
        self.path = self._place()
        if not (self.begun or self._session.history.own or self._session.learned):
            return
        self.begun, self._prompts = True, self._session.prompts
        recipe = self._session.keeping.quickly(self._session)
        with self._lock:
            self._waiting[self.path] = recipe
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
                if not self._waiting:
                    self._writing = None
                    return
                path = next(iter(self._waiting))
                recipe = self._waiting.pop(path)
            part = path.with_suffix(".part")
            try:
                new = not path.exists()
                path.parent.mkdir(parents=True, exist_ok=True)
                part.write_text(recipe.to_text(), encoding="utf-8")  # not forced onto the disk: a killed process loses nothing by that
                part.replace(path)
                if new:
                    _tidy(path.parent)
            except Exception as error:  # noqa: BLE001 - whatever it is, the steps go on, and what can be written later is
                if not self._complained:
                    self._complained = True
                    why = getattr(error, "strerror", None) or error
                    self._refused(
                        f"The recipe cannot be saved to {str(path.parent)!r} ({why}), so nothing is there to continue from "
                        "if the kernel ends; Download keeps it, or session.save_recipe(path)."
                    )


def _tidy(folder: Path) -> None:
    """Remove the oldest files of a folder; those of the last day stay, however many they are."""
    now = time.time()
    for file in _by_age(folder)[KEPT:]:
        with contextlib.suppress(FileNotFoundError):  # another process tidies the same folder
            if now - file.stat().st_mtime > SPARED:
                file.unlink()


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
    """The latest autosave but `own` with a step or training that this session has not; None where there is none that can be read."""
    try:
        files = _by_age(home(session))
    except OSError:
        return None
    present = session.keeping.quickly(session)
    for file in files:
        if file != own:
            try:
                recipe, saved = read_recipe(file), file.stat().st_mtime
            except (BadRecipe, OSError):  # of another version, or tidied away meanwhile: an older one may do
                continue
            if _says_more(recipe, present):
                return Continuable(file, recipe, saved)
    return None


def _says_more(recipe: SessionRecipe, present: SessionRecipe) -> bool:
    """Whether a recipe has a step that the present one has not, or other trainings; that a model was opened is no step to take again."""
    known = {step.core for step in present.steps}
    if any(step.method != OPENED and step.core not in known for step in recipe.steps):
        return True
    there, here = (json.dumps(each.learned, sort_keys=True) for each in (recipe, present))
    return bool(recipe.learned) and there != here
