"""Autosave: whatever happens to the process or its storage, the work is there again, and no step ever fails for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading

import pytest

from tests.clean_environment import ROOT
from tests.engine import worlds
from tests.engine.test_given import folder
from unlearnviz.engine import autosave as module
from unlearnviz.engine.autosave import KEPT, home
from unlearnviz.engine.corpus import Passage
from unlearnviz.engine.learning import Recipe
from unlearnviz.engine.recipe_reading import read_recipe
from unlearnviz.engine.session import Session
from unlearnviz.errors import NotPossible

TIMES = 50


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a system without fork")
def test_killed_at_fifty_moments_at_most_the_step_in_flight_is_lost(tmp_path):
    command = [sys.executable, "-m", "tests.engine.killed", str(TIMES), str(tmp_path)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=True)
    found = json.loads(ended.stdout)
    hashes = [each for each, _ in found["states"]]
    assert len(set(hashes)) == len(hashes)
    assert len(found["kills"]) == TIMES
    in_flight = resumed = 0
    for kill in found["kills"]:
        begun = [line.split("-") for line in kill["begun"]]
        last = int(begun[-1][0]) if begun else 0
        steps = [int(number) for number, kind in begun if kind in ("step", "end")]
        safe = steps[-1] if steps else 0  # what was done before the last step began
        where = hashes.index(kill["offered"]) if kill["offered"] else 0
        assert safe <= where <= last + 1, kill
        assert kill["offered"] or safe == 0
        in_flight += bool(begun) and begun[-1][1] == "step"
        if kill["resumed"] is not None:
            assert kill["resumed"] == ["True", dict(found["states"])[kill["offered"]]]
            resumed += 1
    assert in_flight > TIMES // 5  # most moments lie within a step
    assert resumed >= 4


def test_an_earlier_session_is_offered_and_continued():
    session = worlds.session()
    assert session.continuable() is None
    path = session.autosave()
    assert session.autosave() == path
    session.step()
    session.step("npo", "block 1")
    session.undo()
    session.settle()
    assert session.continuable() is None  # its own work is no earlier session
    other = worlds.session(pick=None)
    offer = other.continuable()
    assert offer.path == path
    assert offer.recipe.head == 1
    assert abs(offer.saved - path.stat().st_mtime) < 1
    own = other.autosave()
    assert other.resume().sentence == "Replayed 2 steps, bit for bit as they were."
    assert other.recipe_hash() == session.recipe_hash()
    other.settle()
    assert own.exists()
    assert worlds.session().continuable().recipe.hash == session.recipe_hash()
    assert worlds.session(tied=False).continuable() is None  # another model
    assert worlds.session(texts=type(session.corpus)(tuple(session.corpus)[:-1])).continuable() is None  # other texts


def test_what_a_model_learned_is_learned_again():
    session = worlds.session()
    session.autosave()
    session.learn(recipe=Recipe(epochs=1, batch_size=12))
    session.step()
    session.settle()
    other = worlds.session()
    assert other.continuable().recipe.head == 1
    assert other.resume().identical
    assert other.fingerprint() == session.fingerprint()


def test_nothing_to_continue_is_a_sentence():
    with pytest.raises(NotPossible) as caught:
        worlds.session().resume()
    assert str(caught.value) == "There is no earlier session of this model and these texts to continue, in this working directory."


def test_another_working_directory_is_another_work(tmp_path, monkeypatch):
    session = worlds.session()
    session.autosave()
    session.step()
    session.settle()
    monkeypatch.chdir(tmp_path)
    assert worlds.session().continuable() is None


def test_a_damaged_autosave_is_passed_over():
    older, newer = worlds.session(), worlds.session()
    for session in (older, newer):
        session.autosave()
        session.step()
        session.settle()
    damaged = newer._autosave.path
    damaged.write_text(damaged.read_text()[:200])
    assert worlds.session().continuable().path == older._autosave.path


def test_refused_storage_is_said_once_and_fails_no_step(tmp_path, monkeypatch):
    (tmp_path / "a file").write_text("")
    monkeypatch.setenv("UNLEARNVIZ_CACHE", str(tmp_path / "a file"))
    session = worlds.session()
    assert session.continuable() is None
    session.autosave()
    for _ in range(3):
        session.step()
    session.pick("Tom Lindqvist")
    session.settle()
    (refusal,) = [note for note in session.notes if "cannot be saved" in note]
    assert refusal == (
        f"The recipe cannot be saved to {str(home(session))!r} (Not a directory), so nothing is there to continue from if the kernel ends; "
        "Download keeps it, or session.save_recipe(path)."
    )
    assert session.head == 3


def test_slow_storage_holds_no_step_up_and_gets_the_latest(monkeypatch):
    session, go = worlds.session(), threading.Event()
    path = session.autosave()
    monkeypatch.setattr(module, "PATIENCE", 0.0)
    real = module.SessionRecipe.to_text
    monkeypatch.setattr(module.SessionRecipe, "to_text", lambda recipe: (go.wait(10), real(recipe))[1])
    for _ in range(4):
        session.step()
    assert not path.exists()
    go.set()
    monkeypatch.setattr(module, "PATIENCE", 10.0)
    session.settle()
    assert worlds.session().continuable().recipe.hash == session.recipe_hash()


def test_old_files_go():
    for number in range(KEPT + 3):
        session = worlds.session(seed=number)
        path = session.autosave()
        session.step()
        session.settle()
        if number < 2:
            os.utime(path, (number, number))  # long ago
    left = list(home(session).iterdir())
    assert len(left) == KEPT + 1  # those of the last day stay, however many they are
    assert min(file.stat().st_mtime for file in left) > KEPT


def test_a_pick_alone_makes_no_file():
    session = worlds.session()
    path = session.autosave()
    session.pick("Tom Lindqvist")
    session.settle()
    assert not session.autosaved
    assert not path.exists()
    session.step()
    session.settle()
    assert session.autosaved
    assert path.exists()


def test_what_was_done_before_it_began_is_saved_at_once():
    session = worlds.session()
    session.step()
    path = session.autosave()
    session.settle()
    assert read_recipe(path).hash == session.recipe_hash()


def test_a_new_history_begins_a_new_file_and_the_old_one_stays(monkeypatch):
    session, go = worlds.session(), threading.Event()
    empty = session.recipe().to_text()
    old = session.autosave()
    monkeypatch.setattr(module, "PATIENCE", 0.0)
    real = module.SessionRecipe.to_text
    monkeypatch.setattr(module.SessionRecipe, "to_text", lambda recipe: (go.wait(10), real(recipe))[1])
    session.step()
    session.step()
    before = session.recipe_hash()
    session.repeat(empty)  # before the storage has taken the second step
    go.set()
    monkeypatch.setattr(module, "PATIENCE", 10.0)
    session.settle()
    assert read_recipe(old).hash == before
    assert session.autosave() != old
    session.step()
    session.settle()
    assert read_recipe(session.autosave()).hash == session.recipe_hash()
    taught = session.autosave()
    session.learn(recipe=Recipe(epochs=1, batch_size=12))
    session.settle()
    assert read_recipe(old).hash == before
    assert len(read_recipe(taught).steps) == 1
    assert session.autosave() != taught


def test_that_a_model_was_opened_is_nothing_to_continue(tmp_path):
    folder(tmp_path / "start", worlds.language_model())
    folder(tmp_path / "opened", worlds.language_model(taught=True))

    def opened():
        return Session.from_pretrained(str(tmp_path / "opened"), corpus=worlds.corpus(), start=tmp_path / "start")

    session = opened()
    path = session.autosave()
    session.pick("Tom Lindqvist")
    session.settle()
    assert not path.exists()
    session.step()
    session.undo()
    session.settle()
    assert worlds.session().continuable().recipe.hash == session.recipe_hash()
    path.write_text(opened().recipe().to_text())
    assert worlds.session().continuable() is None


def test_whatever_cannot_be_written_is_said_once_and_the_next_is_written(monkeypatch):
    session, real = worlds.session(), module.SessionRecipe.to_text

    def broken(recipe):
        raise TypeError("no JSON")

    path = session.autosave()
    monkeypatch.setattr(module.SessionRecipe, "to_text", broken)
    session.step()
    session.step()
    session.settle()
    (said,) = [note for note in session.notes if "cannot be saved" in note]
    assert "(no JSON)" in said
    monkeypatch.setattr(module.SessionRecipe, "to_text", real)
    session.step()
    session.settle()
    assert read_recipe(path).hash == session.recipe_hash()


def test_a_typed_passage_comes_without_what_is_no_json():
    session = worlds.session()
    session.pick(Passage("mine", "A text that somebody typed just now.", extra={"made by": object()}))
    path = session.autosave()
    session.step()
    session.settle()
    assert read_recipe(path).hash == session.recipe_hash()


def test_writing_a_recipe_is_one_move(tmp_path, monkeypatch):
    from unlearnviz.engine import atomic
    from unlearnviz.errors import SaveFailed

    session = worlds.session()
    session.step()
    file = session.save_recipe(tmp_path / "run.json")
    before = file.read_text()
    session.step()

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(atomic.os, "fsync", full)
    with pytest.raises(SaveFailed) as caught:
        session.save_recipe(file)
    assert str(caught.value) == f"{str(file)!r} could not be written: No space left on device. Choose another place."
    assert file.read_text() == before
    assert [each.name for each in tmp_path.iterdir() if each.suffix != ""] == ["run.json"]
