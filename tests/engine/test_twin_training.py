"""TwinTraining: beside steps the twin becomes what it becomes alone, and so do the steps; it is taken in once it is whole."""

from __future__ import annotations

import pytest

from tests.engine.test_teaching import SHORT, count_training, fresh
from unlearnviz.engine.events import TwinReady
from unlearnviz.engine.methods.gradient_ascent import GradientAscent
from unlearnviz.engine.progress import drain
from unlearnviz.engine.session import Session
from unlearnviz.errors import BadForgetSet, NotPossible


def taught(**options):
    session = fresh(**options)
    session.learn(recipe=SHORT)
    return session


@pytest.fixture(autouse=True)
def _no_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("UNLEARNVIZ_CACHE", str(tmp_path / "cache"))


def test_steps_between_its_updates_change_neither_it_nor_them(tmp_path, monkeypatch):
    alone, session, told = taught(), taught(), []
    wanted = alone.twin().weights.fingerprint()
    monkeypatch.setenv("UNLEARNVIZ_CACHE", str(tmp_path / "another"))  # trained here, too
    marks = [alone.fingerprint()]
    session.listen(told.append)
    training = session.twin_training()
    for update, progress in enumerate(training.running()):
        assert not session.turn.taken
        assert progress.total == 6
        if update in (1, 3):
            session.step(GradientAscent())
            alone.step(GradientAscent())
            marks.append(session.fingerprint())
            assert session.fingerprint() == alone.fingerprint()
        if update == 4:
            session.undo()
            assert session.fingerprint() == marks[1]
    assert session.twins == []
    twin = session.adopt(training)
    assert twin.weights.fingerprint() == wanted
    assert (session.active_twin, session.fingerprint()) == (twin, marks[1])
    assert told[-1] == TwinReady(session.head, tuple(sorted(twin.left_out)))
    assert training.pace > 0


def test_it_belongs_to_the_texts_that_were_picked_when_it_began():
    session = taught()
    training = session.twin_training(seed=5)
    session.pick("Tom Lindqvist")
    drain(training.running())
    twin = session.adopt(training)
    assert session.active_twin is None
    session.pick("Mara Okafor")
    assert (session.active_twin, twin.seed) == (twin, 5)


def test_what_the_session_has_is_not_trained_again(monkeypatch):
    session = taught()
    first = session.twin_training()
    twin = session.twin()
    updates = count_training(monkeypatch)
    drain(first.running())  # found in the cache
    assert session.adopt(first) is twin
    second = session.twin_training()
    assert list(second.running()) == updates == []
    assert session.adopt(second) is twin
    assert session.twins == [twin]


def test_half_a_twin_and_one_of_a_model_that_is_gone_are_not_taken_in():
    session = taught()
    training = session.twin_training()
    next(training.running())
    with pytest.raises(NotPossible, match="not trained to its end"):
        session.adopt(training)
    drain(training.running())
    session.learn(recipe=SHORT)
    with pytest.raises(NotPossible, match=r"taught anew while this twin was trained.*train it once more"):
        session.adopt(training)
    assert session.twins == []


def test_without_room_nothing_is_changed():
    session = taught(memory_budget=0, disk_budget=200_000)
    training = session.twin_training()
    drain(training.running())
    session.snapshots.store.disk_budget = session.snapshots.store.disk_bytes
    held = len(session.snapshots.store._held)
    with pytest.raises(NotPossible, match="nothing was changed"):
        session.adopt(training)
    assert (session.twins, len(session.snapshots.store._held)) == ([], held)


def test_what_has_no_twin_begins_no_training():
    session = fresh()
    with pytest.raises(NotPossible, match="does not know how its model was taught"):
        session.twin_training()
    session.learn(recipe=SHORT)
    session.pick("Words that nobody has taught it before.")
    with pytest.raises(NotPossible, match="it is its own twin"):
        session.twin_training()
    with pytest.raises(BadForgetSet, match="Nothing is picked"):
        Session(session.model, session.corpus).twin_training()
    assert not session.turn.taken
