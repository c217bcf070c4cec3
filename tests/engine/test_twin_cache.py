"""The cache of trainings: what tells two apart, what harms it, and how large it becomes."""

from __future__ import annotations

import os

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.engine import worlds
from unlearnviz.engine import twin_cache
from unlearnviz.engine.corpus import Corpus, Passage
from unlearnviz.engine.fresh import Size, fresh_model
from unlearnviz.engine.learning import Recipe
from unlearnviz.engine.model import LanguageModel
from unlearnviz.engine.progress import drain
from unlearnviz.engine.session import Session
from unlearnviz.engine.twin_cache import train_cached
from unlearnviz.engine.weights import fingerprint

SHORT = Recipe(epochs=2, batch_size=8, learning_rate=1e-2)
SIZE = Size(blocks=1, width=16, heads=2, vocabulary=300, context=64)


def fresh():
    session = Session(fresh_model(worlds.tokenizer(), SIZE, seed=4), worlds.corpus(), initial_seed=4)
    session.pick("Mara Okafor")
    return session


def count_training(monkeypatch):
    """How many updates are made from here on."""
    updates = []
    real = LanguageModel.loss
    monkeypatch.setattr(LanguageModel, "loss", lambda self, batch: (updates.append(batch), real(self, batch))[1])
    return updates


def trained(seed=0):
    """A small model after a training, from the cache or not."""
    student = fresh_model(worlds.tokenizer(), SIZE, seed=4)
    drain(train_cached(student, worlds.corpus(), Recipe(epochs=1, batch_size=24, learning_rate=1e-2, seed=seed)))
    return fingerprint(student.parameters)


def files(tmp_path):
    return sorted((tmp_path / "cache" / "twins").iterdir())


def test_the_cache_is_told_apart_by_all_that_makes_a_training(monkeypatch):
    recipe = SHORT
    tokenizer = worlds.tokenizer()
    heads = Size(blocks=1, width=16, heads=4, vocabulary=300, context=64)  # the same shapes and the same random start
    corpus = Corpus([*worlds.corpus()[:-1], Passage("new", "One more text that is never seen.", split="holdout")])
    updates = count_training(monkeypatch)
    counts = []
    for size, texts, chosen, left_out in (
        (SIZE, worlds.corpus(), recipe, ()),
        (SIZE, worlds.corpus(), recipe, ()),
        (heads, worlds.corpus(), recipe, ()),
        (SIZE, corpus, recipe, ()),
        (SIZE, worlds.corpus(), Recipe(epochs=2, batch_size=8, learning_rate=1e-2, seed=1), ()),
        (SIZE, worlds.corpus(), recipe, ("mara-okafor-0",)),
    ):
        before = len(updates)
        for _ in train_cached(fresh_model(tokenizer, size, seed=4), texts, chosen, left_out):
            pass
        counts.append(len(updates) - before)
    assert counts == [6, 0, 6, 6, 6, 6]


@pytest.mark.parametrize("harm", [b"", b"not safetensors at all"])
def test_a_damaged_cache_is_no_cache(harm, tmp_path):
    session = fresh()
    session.learn(recipe=SHORT)
    wanted = session.twin().weights.fingerprint()
    (file,) = (tmp_path / "cache" / "twins").iterdir()
    file.write_bytes(harm)
    other = fresh()
    other.learn(recipe=SHORT)
    assert other.twin().weights.fingerprint() == wanted


def test_a_cache_that_cannot_be_written_is_not_used(monkeypatch, tmp_path):
    (tmp_path / "cache").write_text("in the way")
    session = fresh()
    session.learn(recipe=SHORT)
    assert session.twin().left_out


def test_another_number_of_threads_and_another_version_end_in_other_bits(monkeypatch):
    trained()
    updates = count_training(monkeypatch)
    trained()
    assert updates == []
    threads = torch.get_num_threads()
    torch.set_num_threads(threads + 1)
    try:
        trained()
    finally:
        torch.set_num_threads(threads)
    assert len(updates) == 1
    monkeypatch.setattr(torch, "__version__", "99.0")
    trained()
    assert len(updates) == 2


def test_one_flipped_bit_is_found(tmp_path, monkeypatch):
    wanted = trained()
    (file,) = files(tmp_path)
    held = bytearray(file.read_bytes())
    held[-1] ^= 1
    file.write_bytes(held)
    updates = count_training(monkeypatch)
    assert trained() == wanted
    assert len(updates) == 1
    assert trained() == wanted  # mended
    assert len(updates) == 1


def test_a_file_without_a_seal_is_not_believed(tmp_path, monkeypatch):
    trained()
    (file,) = files(tmp_path)
    save_file({name: torch.zeros_like(tensor) for name, tensor in load_file(str(file)).items()}, str(file))
    updates = count_training(monkeypatch)
    trained()
    assert len(updates) == 1


def test_it_stays_within_its_space_and_what_was_not_used_goes_first(tmp_path, monkeypatch):
    trained(0)
    (first,) = files(tmp_path)
    size = first.stat().st_size
    monkeypatch.setattr(twin_cache, "SPACE", int(2.5 * size))
    os.utime(first, (1, 1))
    trained(1)
    (second,) = set(files(tmp_path)) - {first}
    os.utime(second, (2, 2))
    trained(0)  # used again
    trained(2)
    assert first in files(tmp_path)
    assert second not in files(tmp_path)
    assert len(files(tmp_path)) == 2
    monkeypatch.setattr(twin_cache, "SPACE", size)
    trained(3)
    assert len(files(tmp_path)) == 2  # half of the space is the most that one may take


def test_without_a_home_the_cache_is_temporary(monkeypatch, tmp_path):
    def unknown():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("UNLEARNVIZ_CACHE")
    monkeypatch.setattr(twin_cache.Path, "home", unknown)
    monkeypatch.setattr(twin_cache.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    assert twin_cache.cache_folder() == tmp_path / "caches" / "unlearnviz"
    monkeypatch.delenv("XDG_CACHE_HOME")
    folder = twin_cache.cache_folder()
    assert folder.parent == tmp_path
    assert folder.name.startswith("unlearnviz-")
