"""TensorStore: budgets, spilling, changed rows, and what happens when the disk refuses."""

from __future__ import annotations

import contextlib
import gc
from pathlib import Path

import pytest
import torch

from tests.engine import worlds
from unlearnviz.engine import storage
from unlearnviz.engine.storage import TensorStore, default_memory_budget
from unlearnviz.errors import BadSetting, NotPossible

KIB = torch.arange(256, dtype=torch.float32)  # 1,024 bytes


def equal_bits(left: torch.Tensor, right: torch.Tensor) -> bool:
    return left.dtype == right.dtype and torch.equal(left.view(torch.uint8), right.view(torch.uint8))


def test_below_the_memory_budget_nothing_touches_the_disk(monkeypatch):
    monkeypatch.setattr(storage.tempfile, "mkdtemp", lambda **_: pytest.fail("the disk was touched"))
    store = TensorStore(memory_budget=4096)
    values = [store.put(KIB + k) for k in range(4)]
    store.fit()
    assert (store.memory_bytes, store.disk_bytes) == (4096, 0)
    assert all(torch.equal(value.value(), KIB + k) for k, value in enumerate(values))


def test_the_least_recently_visited_go_to_disk_first():
    store = TensorStore(memory_budget=2048)
    values = [store.put(KIB + k) for k in range(4)]
    store.visit([values[0]])
    store.fit()
    assert [value.file is not None for value in values] == [False, True, True, False]
    assert store.memory_bytes == 2048
    assert store.disk_bytes == sum(value.file.stat().st_size for value in values if value.file)
    assert all(equal_bits(value.value(), KIB + k) for k, value in enumerate(values))
    store.fit()
    assert store.memory_bytes == 2048


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.bool])
def test_every_kind_of_number_comes_back_to_the_bit(dtype):
    store = TensorStore(memory_budget=0)
    tensor = torch.tensor([[0.0, -0.0, 1.5, float("inf")], [float("nan"), -1.0, 2.0, 1e-7]]).to(dtype)
    stored = store.put(tensor)
    store.fit()
    assert stored.file
    assert equal_bits(stored.value(), tensor)


def test_a_stored_value_is_a_copy_and_a_secured_one_becomes_one():
    store = TensorStore()
    parameter = torch.zeros(3)
    put, live = store.put(parameter), store.live(parameter)
    assert (live.is_live, live.bytes_in_memory, store.memory_bytes) == (True, 0, 12)
    store.secure(live)
    store.secure(live)
    parameter.add_(1)
    assert store.memory_bytes == 24
    assert torch.equal(put.value(), torch.zeros(3))
    assert torch.equal(live.value(), torch.zeros(3))


def test_few_changed_rows_are_kept_as_rows_by_their_bits():
    store = TensorStore()
    base = store.put(torch.zeros(100, 8))
    changed = torch.zeros(100, 8)
    changed[3, 2] = -0.0  # equal as a number, not as bits
    changed[50] = float("nan")
    rows = store.put(changed, rows_over=base)
    assert rows.rows.tolist() == [3, 50]
    assert rows.bytes_in_memory == 2 * 8 + 2 * 8 * 4
    assert equal_bits(rows.value(), changed)
    further = changed.clone()
    further[7] = 1
    second = store.put(further, rows_over=rows)
    assert second.base is base  # never a chain
    assert second.rows.tolist() == [3, 7, 50]
    assert equal_bits(second.value(), further)
    none = store.put(torch.zeros(100, 8), rows_over=rows)
    assert none.rows.tolist() == []
    assert equal_bits(none.value(), torch.zeros(100, 8))


@pytest.mark.parametrize(
    "base, tensor",
    [
        (torch.zeros(100, 8), torch.cat([torch.ones(25, 8), torch.zeros(75, 8)])),  # a quarter of the rows
        (torch.zeros(8), torch.zeros(8)),
        (torch.zeros(100, 8), torch.zeros(50, 8)),
        (torch.zeros(100, 8), torch.zeros(100, 8, dtype=torch.float64)),
    ],
)
def test_anything_else_is_kept_whole(base, tensor):
    store = TensorStore()
    stored = store.put(tensor, rows_over=store.put(base))
    assert stored.base is None
    assert equal_bits(stored.value(), tensor)
    assert store.put(base, rows_over=store.live(base)).base is None  # a live base would change under it


def test_rows_and_their_base_may_both_lie_on_disk():
    store = TensorStore(memory_budget=0)
    base = store.put(torch.zeros(100, 8))
    changed = torch.zeros(100, 8)
    changed[3] = 1
    rows = store.put(changed, rows_over=base)
    store.fit()
    assert base.file
    assert rows.file
    assert equal_bits(rows.value(), changed)
    store.keep_only([rows])
    assert equal_bits(rows.value(), changed)  # its base was kept with it
    store.keep_only([])
    assert (store.memory_bytes, store.disk_bytes, len(store._held)) == (0, 0, 0)
    assert not list(store._folder.iterdir())


def test_past_the_disk_budget_a_value_is_refused_and_nothing_is_lost():
    store = TensorStore(memory_budget=1024, disk_budget=1500)
    values = [store.put(KIB + k) for k in range(2)]
    store.fit()
    values.append(store.put(KIB + 2))
    with pytest.raises(NotPossible) as caught:
        store.fit()
    assert str(caught.value) == (
        f"The history holds 0.00195 MB in memory and {store.disk_bytes / 2**20:.3g} MB on disk, "
        "and the next value would pass its budget of 0.000977 MB and "
        "0.00143 MB; nothing was changed. Make room with session.keep_every(2) or session.forget_branch(name)."
    )
    assert all(torch.equal(value.value(), KIB + k) for k, value in enumerate(values))
    store.discard([values.pop()])
    store.fit()
    assert store.memory_bytes == 1024


def test_the_header_of_a_file_counts_too():
    store = TensorStore(memory_budget=0, disk_budget=1024)
    value = store.put(KIB)
    with pytest.raises(NotPossible):
        store.fit()
    assert (store.disk_bytes, list(store._folder.iterdir())) == (0, [])
    assert torch.equal(value.value(), KIB)


def test_a_disk_that_refuses_is_a_sentence(monkeypatch, tmp_path):
    def no_folder(**_):
        raise PermissionError(13, "Permission denied")

    store = TensorStore(memory_budget=0)
    value = store.put(KIB)
    with monkeypatch.context() as patch:
        patch.setattr(storage.tempfile, "mkdtemp", no_folder)
        with pytest.raises(NotPossible, match=r"could not be moved to disk \(.*Permission denied\); nothing was changed\. Free some disk"):
            store.fit()
    monkeypatch.setattr(storage.tempfile, "mkdtemp", lambda **_: str(tmp_path / "is not there"))
    with pytest.raises(NotPossible, match=r"could not be moved to disk \(.*\); nothing was changed\. Free some disk"):
        store.fit()
    assert torch.equal(value.value(), KIB)
    assert (store.memory_bytes, store.disk_bytes) == (1024, 0)


def test_a_file_that_somebody_deleted_is_a_sentence_and_the_session_stays_where_it_is():
    session = worlds.session(memory_budget=0)
    session.step(where="all")
    prints = session.fingerprint()
    lost = session.snapshots[0].weights.stored["transformer.wpe.weight"].file
    kept = lost.read_bytes()
    lost.unlink()
    with pytest.raises(NotPossible, match=r"A part of the history that lay on disk cannot be read back \(.*\); nothing was changed\."):
        session.undo()
    assert (session.head, session.fingerprint()) == (1, prints)
    session.snapshots.check(1)
    lost.write_bytes(kept)
    session.undo()
    assert session.fingerprint() == session.weights.fingerprint() != prints


def test_the_folder_goes_when_the_session_goes():
    session = worlds.session(memory_budget=0)
    session.step()
    folder = session.snapshots.store._folder
    assert list(folder.iterdir())
    del session
    gc.collect()
    assert not folder.exists()


def test_a_history_stays_within_both_budgets():
    session = worlds.session(memory_budget=100_000, disk_budget=400_000)
    store = session.snapshots.store
    taken = 0
    with contextlib.suppress(NotPossible):
        while taken < 100:
            session.step(where="block 0")
            taken += 1
            assert store.memory_bytes <= 100_000
            assert store.disk_bytes <= 400_000
    assert 3 < taken < 100
    assert session.head == taken
    before = session.fingerprint()
    dropped = session.keep_every(3)
    assert dropped == tuple(step for step in range(1, taken) if step % 3)
    session.step(where="block 0")  # there is room again
    session.undo()
    assert session.fingerprint() == before
    session.undo()
    assert session.head == max(step for step in range(taken) if step % 3 == 0)
    with pytest.raises(NotPossible) as caught:
        session.go_to(1)
    kept = ", ".join(map(str, session.snapshots.steps()))
    assert str(caught.value) == f"The weights of step 1 were given up to save room; kept are steps {kept}."


def test_a_forgotten_branch_gives_its_room_back():
    session = worlds.session()
    session.step()
    session.branch("gentle")
    session.step(where="all")
    session.step(where="all")
    held = session.snapshots.store.memory_bytes
    session.go_to("main")
    assert session.forget_branch("gentle") == (2, 3)
    assert session.snapshots.store.memory_bytes < held
    assert session.snapshots.steps() == (0, 1)
    with pytest.raises(NotPossible, match=r"We are on the branch 'main'; go to another one first\."):
        session.forget_branch("main")


def test_input_steps_of_an_embedding_cost_only_their_rows():
    session = worlds.session()
    session.pick("tom-lindqvist-0")
    session.step(where="embedding.input")
    stored = session.weights.stored[session.model.layout.input_embedding]
    assert set(stored.rows.tolist()) <= set(session.model.encode(session.forget[0].text))
    untied = worlds.session(tied=False)
    untied.pick("tom-lindqvist-0")
    untied.step(where="embedding")
    assert untied.weights.stored[untied.model.layout.input_embedding].rows is not None


@pytest.mark.parametrize("budget", [-1, float("nan")])
def test_a_budget_is_a_number_of_bytes(budget):
    with pytest.raises(BadSetting, match=r"memory_budget=.* is no number of bytes; allowed is at least 0\."):
        TensorStore(memory_budget=budget)
    with pytest.raises(BadSetting, match=r"disk_budget=.* is no number of bytes; allowed is at least 0\."):
        worlds.session(disk_budget=budget)


def test_the_default_memory_is_a_tenth_of_a_small_container(monkeypatch):
    for limit, wanted in (("max\n", 128 * 2**20), (f"{500 * 2**20}\n", 50 * 2**20), (f"{2**40}\n", 128 * 2**20)):
        monkeypatch.setattr(Path, "read_text", lambda *_, limit=limit, **__: limit)
        assert default_memory_budget() == wanted
