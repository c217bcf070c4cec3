"""What is done differently with large matrices, made small here: rows instead of a second gradient, a file instead of a copy."""

import pytest
import torch

from tests.engine import worlds
from unlearnviz.engine import model as model_module
from unlearnviz.engine import storage
from unlearnviz.engine.storage import TensorStore
from unlearnviz.errors import NotPossible


@pytest.mark.parametrize("where", ["embedding", "all", "embedding.input", "embedding.output"])
def test_a_large_tied_embedding_takes_the_same_step(monkeypatch, where):
    small, large = worlds.session(tied=True), worlds.session(tied=True)
    small.step(where=where)
    lookup = large.model.module.get_input_embeddings()
    seen = []
    lookup.register_forward_hook(lambda *_: seen.append(lookup.sparse))
    monkeypatch.setattr(model_module, "LARGE", 0)
    large.step(where=where)
    assert set(seen) == {where in {"embedding", "all"}}
    assert lookup.sparse is False
    for name, value in small.weights.items():
        assert torch.allclose(value, large.weights[name], rtol=0, atol=1e-6), name
        assert large.weights[name].layout == torch.strided


def test_a_loss_that_never_reaches_the_head_has_an_ordinary_gradient(monkeypatch):
    from unlearnviz.engine.work import Work

    monkeypatch.setattr(model_module, "LARGE", 0)
    session = worlds.session(tied=True)
    name, model = session.model.layout.input_embedding, session.model
    with model.following([name]) as parameters:
        work = Work(model, parameters, session.forget, (), torch.Generator(), 0, session.weights, 1.0)
        hidden = model.module.get_input_embeddings()(model.batch([session.forget[0].text]).input_ids)
        gradient = work.gradient(hidden.square().sum())[name]
    assert gradient.layout == torch.strided
    assert gradient.abs().sum() > 0


def test_a_value_above_the_whole_budget_goes_straight_to_its_file(monkeypatch):
    monkeypatch.setattr(storage, "LARGE", 0)
    store, values = TensorStore(memory_budget=1000), torch.arange(1000.0)
    stored = store.put(values)
    assert stored.file is not None
    assert stored.tensor is None
    assert store.memory_bytes == 0
    values += 1
    assert torch.equal(stored.value(), torch.arange(1000.0))


@pytest.mark.parametrize("secure", [True, False])
def test_where_the_disk_refuses_it_nothing_changes(monkeypatch, secure):
    monkeypatch.setattr(storage, "LARGE", 0)
    store, values = TensorStore(memory_budget=1000, disk_budget=2000), torch.arange(1000.0)
    live = store.live(values)
    with pytest.raises(NotPossible, match="budget"):
        store.secure(live) if secure else store.put(values)
    assert live.is_live
    assert live.value().data_ptr() == values.data_ptr()
    assert (store.memory_bytes, store.disk_bytes, store._held) == (0, 0, {})
