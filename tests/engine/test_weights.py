"""Weights: immutable, shared, measured in float64, fingerprinted by their bytes."""

from __future__ import annotations

import hashlib
import math

import numpy as np
import pytest
import torch

from unlearnviz.engine import weights as module
from unlearnviz.engine.storage import TensorStore
from unlearnviz.engine.weights import Weights, fingerprint


def some(dtype=torch.float32):
    generator = torch.Generator().manual_seed(1)
    return {"a": torch.randn(40, 30, generator=generator).to(dtype), "b": torch.randn(7, generator=generator).to(dtype)}


def test_weights_are_a_copy_and_share_what_is_not_replaced():
    tensors = some()
    store = TensorStore()
    weights = Weights.of(tensors, store)
    tensors["a"].zero_()
    assert torch.equal(weights["a"], some()["a"])
    other = weights.replaced({"b": store.put(torch.zeros(7))})
    assert (list(other), len(other)) == (["a", "b"], 2)
    assert weights.shares(other, "a")
    assert not weights.shares(other, "b")
    assert torch.equal(weights["b"], some()["b"])
    assert repr(weights) == "Weights(2 tensors)"


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16])
def test_distance_and_norm_against_numpy_in_float64(dtype):
    left, right = Weights.of(some(dtype)), Weights.of({name: tensor * 1.01 for name, tensor in some(dtype).items()})
    arrays = [{name: weights[name].double().numpy() for name in weights} for weights in (left, right)]
    for names in (["a"], ["b"], ["a", "b"], None):
        wanted = math.sqrt(sum(((arrays[0][n] - arrays[1][n]) ** 2).sum() for n in names or ("a", "b")))
        assert left.distance(right, names) == pytest.approx(wanted, rel=1e-6)
        assert left.norm(names) == pytest.approx(math.sqrt(sum((arrays[0][n] ** 2).sum() for n in names or ("a", "b"))), rel=1e-6)
    assert left.norm([]) == 0.0
    assert left.distance(left) == 0.0


def test_a_distance_of_stored_values_is_computed_once_and_that_of_live_ones_every_time(monkeypatch):
    asked = []
    square_norm = module.square_norm
    monkeypatch.setattr(module, "square_norm", lambda tensor, minus: asked.append(tensor) or square_norm(tensor, minus=minus))
    store, parameter = TensorStore(), torch.zeros(7)
    start, twin = Weights.of(some(), store), Weights.of({name: tensor + 1 for name, tensor in some().items()}, store)
    before = start.distance(twin)
    moved = start.replaced({"b": store.put(torch.zeros(7))})
    assert moved.distance(twin, ["a"]) == start.distance(twin, ["a"])
    assert start.distance(twin) == before
    assert len(asked) == 2
    live = start.replaced({"b": store.live(parameter)})
    assert live.distance(moved) == 0.0
    parameter.fill_(2.0)  # somebody edits the model
    assert live.distance(moved) == pytest.approx(2 * math.sqrt(7))


def test_a_small_step_of_a_float64_model_is_not_rounded_away():
    left = Weights.of({"a": torch.ones(1000, dtype=torch.float64)})
    right = Weights.of({"a": torch.full((1000,), 1 + 1e-12, dtype=torch.float64)})
    assert left.distance(right) == pytest.approx(1e-12 * math.sqrt(1000), rel=1e-3)


def test_the_norm_of_many_small_numbers_is_summed_in_float64():
    many = Weights.of({"a": torch.full((4_000_000,), 1e-3)})
    assert many.norm() == pytest.approx(float(np.float32(1e-3)) * 2000, rel=1e-9)


def test_a_fingerprint_is_a_hash_over_names_kinds_shapes_and_bytes():
    tensor = torch.tensor([[1.0, -0.0]])
    wanted = hashlib.sha256(b"x|torch.float32|(1, 2)|" + tensor.numpy().tobytes()).hexdigest()
    assert fingerprint({"x": tensor}) == Weights.of({"x": tensor}).fingerprint() == wanted
    others = [torch.tensor([[1.0, 0.0]]), tensor.double(), tensor.reshape(2, 1), torch.tensor([[1.0, float("nan")]])]
    assert len({wanted, *(fingerprint({"x": other}) for other in others), fingerprint({"y": tensor})}) == 6
    assert fingerprint({"b": tensor, "a": tensor}) == fingerprint({"a": tensor, "b": tensor})
    assert fingerprint({"x": torch.arange(6.0).reshape(2, 3).T}) == fingerprint({"x": torch.arange(6.0).reshape(2, 3).T.contiguous()})
    fingerprint({"x": torch.tensor(1.0, dtype=torch.bfloat16), "empty": torch.zeros(0)})
