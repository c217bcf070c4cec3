"""Saving: everything comes back; a crash at any moment leaves the earlier save readable; damage is noticed."""

from __future__ import annotations

import json
import shutil

import pytest

from tests.engine import worlds
from unlearnviz.engine import saving
from unlearnviz.engine.session import Session
from unlearnviz.errors import BadModel, SaveFailed


def rich(**options):
    """A session with every kind of thing in it."""
    session = worlds.session(seed=3, **options)
    session.learn(1)
    session.twin()
    session.step(where="embedding.input")
    session.step("gradient-difference", "all")
    session.measure("perplexity", "generation")
    session.undo()
    session.branch("gentle")
    session.step("fine-tune", "block 0")
    session.pick("Tom Lindqvist", "A typed text that nobody was taught.")
    session.keep_every(2)
    return session


def everything(session):
    lineage = session.lineage
    return {
        "history": session.history.dumps(),
        "readings": {step: tuple(readings) for step, readings in session.history.readings.items()},
        "pick": {group: tuple(members) for group, members in session.groups.items()},
        "typed": session.typed,
        "notes": session.notes,
        "corpus": session.corpus.digest(),
        "seed": (session.seed, session.update_fraction, session.initial_seed),
        "steps": {step: session.snapshots[step].weights.fingerprint() for step in session.snapshots.steps()},
        "states": {step: sorted(session.snapshots[step].state) for step in session.snapshots.steps()},
        "twins": [(twin.weights.fingerprint(), twin.left_out, twin.seed, twin.siblings) for twin in session.twins],
        "lineage": lineage and (lineage.recipe, lineage.further, lineage.initial_seed, lineage.initial and lineage.initial.fingerprint()),
        "live": session.fingerprint(),
        "said": [c.text for c in session.model.generate(["Mara Okafor was born in"])],
        "name": session.model.name,
    }


@pytest.mark.parametrize("shape", [{}, {"tied": False}, {"memory_budget": 0}], ids=["tied", "untied", "on disk"])
def test_everything_comes_back(shape, tmp_path):
    session = rich(**shape)
    wanted = everything(session)
    assert session.save(tmp_path / "runs" / "mara") == tmp_path / "runs" / "mara"
    loaded = Session.load(tmp_path / "runs" / "mara", memory_budget=shape.get("memory_budget"))
    assert everything(loaded) == wanted
    assert everything(session) == wanted
    for session_now in (session, loaded):
        session_now.step()
    assert session.fingerprint() == loaded.fingerprint()
    shared = loaded.snapshots[0].weights.shares(loaded.snapshots[3].weights, "transformer.ln_f.weight")
    assert shared == session.snapshots[0].weights.shares(session.snapshots[3].weights, "transformer.ln_f.weight") is True


def test_changed_rows_are_saved_as_rows(tmp_path):
    session = worlds.session()
    session.pick("tom-lindqvist-0")
    session.step(where="embedding.input")
    loaded = Session.load(session.save(tmp_path / "x"))
    stored = loaded.weights.stored[loaded.model.layout.input_embedding]
    assert stored.rows is not None
    assert stored.base is loaded.snapshots[0].weights.stored[loaded.model.layout.input_embedding]


def test_a_second_save_keeps_what_is_needed_and_no_more(tmp_path):
    session = rich()
    session.save(tmp_path / "x")
    first = {file.relative_to(tmp_path) for file in tmp_path.rglob("*")}
    session.save(tmp_path / "x")
    assert {file.relative_to(tmp_path) for file in tmp_path.rglob("*")} == first
    worlds.session(tied=False).save(tmp_path / "x")
    assert Session.load(tmp_path / "x").fingerprint() == worlds.session(tied=False).fingerprint()
    assert len(list((tmp_path / "x").glob("model-*"))) == 1
    assert len(list((tmp_path / "x" / "tensors").iterdir())) <= len(worlds.session(tied=False).model.parameters)


@pytest.mark.parametrize("other", ["further steps", "another model"])
def test_a_crash_at_any_write_leaves_the_earlier_save_readable(other, tmp_path, monkeypatch):
    old = worlds.session()
    old.step()
    old.save(tmp_path / "x")
    wanted = everything(old)
    if other == "further steps":
        old.step(where="all")
    new = old if other == "further steps" else worlds.session(tied=False, blocks=1)
    real, writes = saving.exchange, []
    monkeypatch.setattr(saving, "exchange", lambda *arguments: (writes.append(1), real(*arguments)))
    shutil.copytree(tmp_path / "x", tmp_path / "count")
    new.save(tmp_path / "count")
    total = len(writes)
    assert total > 3
    for failing in sorted({0, 1, 2, total // 2, total - 2, total - 1}):
        place = tmp_path / f"{failing}"
        shutil.copytree(tmp_path / "x", place)
        written = []

        def break_off(file, content, failing=failing, written=written):
            written.append(file)
            if len(written) > failing:  # in the middle of a file
                file.with_name(f"{file.name}.99.part").write_bytes(content[: len(content) // 2])
                raise OSError(28, "No space left on device")
            real(file, content)

        monkeypatch.setattr(saving, "exchange", break_off)
        before = worlds.state(new)
        with pytest.raises(SaveFailed) as caught:
            new.save(place)
        assert str(caught.value) == (
            f"The session could not be saved to {str(place)!r}: No space left on device. Nothing saved there before was lost; "
            "free some room or choose another place."
        )
        assert worlds.state(new) == before
        assert everything(Session.load(place)) == wanted
        monkeypatch.setattr(saving, "exchange", real)
        new.save(place)
        assert Session.load(place).fingerprint() == new.fingerprint()
        assert not list(place.rglob("tensors/*.part"))


def test_a_place_that_cannot_be_written_is_a_sentence(session, tmp_path):
    (tmp_path / "file").write_text("mine")
    before = worlds.state(session)
    with pytest.raises(SaveFailed, match=r"The session could not be saved to '.*file': (File exists|Not a directory)\. Nothing saved"):
        session.save(tmp_path / "file")
    assert (tmp_path / "file").read_text() == "mine"
    assert worlds.state(session) == before


@pytest.fixture
def saved(session, tmp_path):
    session.step()
    return session.save(tmp_path / "saved")


def damage(folder, change):
    content = json.loads((folder / "session.json").read_text())
    change(content)
    (folder / "session.json").write_text(json.dumps(content))


@pytest.mark.parametrize(
    "harm, sentence",
    [
        (lambda f: (f / "session.json").unlink(), r"holds no saved session that can be read \(session.json\): .*No such file"),
        (lambda f: (f / "session.json").write_text('{"format": 1,'), r"holds no saved session that can be read \(session.json\): "),
        (lambda f: (f / "session.json").write_bytes(b"\xff\xfe"), r"holds no saved session that can be read \(session.json\): "),
        (lambda f: (f / "session.json").write_text("[]"), r"was saved in format None; this version reads format 1\."),
        (lambda f: damage(f, lambda c: c.update(format=2)), r"was saved in format 2; this version reads format 1\."),
        (lambda f: damage(f, lambda c: c.pop("history")), r"The session saved in '.*' is damaged: KeyError: 'history'\."),
        (lambda f: next((f / "tensors").iterdir()).unlink(), r"The saved session misses [0-9a-f]{64}\.safetensors or it is damaged: "),
        (lambda f: next((f / "tensors").iterdir()).write_bytes(b"x"), r"The saved session misses [0-9a-f]{64}\.safetensors or it is damaged: "),
        (lambda f: flip(next((f / "tensors").iterdir())), r"The saved session is damaged: [0-9a-f]{64}\.safetensors holds something else than"),
        (lambda f: next(f.glob("model-*/config.json")).unlink(), r"The session saved in '.*' is damaged: "),
        (lambda f: shutil.rmtree(next(f.glob("model-*"))), r"The session saved in '.*' is damaged: "),
    ],
)
def test_damage_is_a_sentence(saved, harm, sentence):
    harm(saved)
    with pytest.raises(BadModel, match=sentence):
        Session.load(saved)


def flip(file):
    """One bit of the last number."""
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(bytes(content))


def test_saving_again_mends_a_damaged_file(saved, session):
    flip(next((saved / "tensors").iterdir()))
    session.save(saved)
    assert Session.load(saved).fingerprint() == session.fingerprint()


def test_a_save_holds_no_pickle(saved):
    assert {file.suffix for file in saved.rglob("*") if file.is_file()} == {".json", ".safetensors"}


def test_an_export_is_an_ordinary_model_folder(session, tmp_path):
    from unlearnviz.engine.model import LanguageModel

    session.step(where="all")
    folder = session.export(tmp_path / "model")
    again = LanguageModel.from_pretrained(folder, local_files_only=True)
    from unlearnviz.engine.weights import fingerprint

    assert fingerprint(again.parameters) == session.fingerprint()
    assert again.encode("Mara Okafor") == session.model.encode("Mara Okafor")
