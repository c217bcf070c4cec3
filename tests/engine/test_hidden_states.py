"""Mean hidden states against one text at a time, in float64, as hooks on the blocks themselves see it; cosines against their formula."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from tests.engine import worlds
from tests.engine.probes.opened import opened
from unlearnviz.engine.hidden_states import MeanStates, checked_layer, cosines
from unlearnviz.engine.progress import drain
from unlearnviz.errors import BadSetting

TEXTS = [*(passage.text for passage in worlds.corpus()[:7]), "Mara", "a"]


def seen_by_hooks(model, text):
    """Per layer the states of one unpadded text, shape (tokens, width): what the blocks and the output matrix are given."""
    places = [model.module.get_submodule(f"{model.layout.block_prefix}{k}") for k in range(model.layout.blocks)]
    seen = []
    hooks = [
        place.register_forward_pre_hook(lambda _, given, named: seen.append((*given, *named.values())[0][0]), with_kwargs=True)
        for place in (*places, model.module.get_output_embeddings())
    ]
    model.module.eval()
    with torch.no_grad():
        model.module(input_ids=torch.tensor([model.encode(text)]), use_cache=False)
    for hook in hooks:
        hook.remove()
    return seen


def read(model, texts, layer=0):
    means = MeanStates(model, texts, layer)
    drain(means.running())
    return means


@pytest.mark.parametrize("shape", ["GPT-2", "Llama", "GPT-NeoX", "OPT"])
def test_means_against_hooks_one_text_at_a_time(shape, monkeypatch):
    monkeypatch.setattr("unlearnviz.engine.model.TOKENS_PER_BATCH", 60)
    model = opened(shape).model
    truth = [seen_by_hooks(model, text) for text in TEXTS]
    model.module.train()
    for layer in range(model.layout.blocks + 1):
        means = read(model, TEXTS, layer)
        assert means.done == len(TEXTS)
        for found, text, states in zip(means.states, TEXTS, truth, strict=True):
            counted = states[layer][1:] if len(model.encode(text)) > 1 else states[layer]
            assert found == pytest.approx(counted.mean(dim=0).numpy(), rel=1e-5, abs=1e-6)
    assert any(module.training for module in model.module.modules())
    assert torch.is_grad_enabled()


def test_in_half_precision_the_mean_is_still_taken_in_full():
    half, full = (worlds.language_model(dtype=dtype) for dtype in (torch.bfloat16, torch.float32))
    found, truth = (read(model, TEXTS, 2).states for model in (half, full))
    assert found.dtype == truth.dtype == np.float32
    assert np.abs(found - truth).max() < 0.03 * np.abs(truth).max()


def test_stopped_the_rest_is_not_a_number(monkeypatch):
    monkeypatch.setattr("unlearnviz.engine.model.TOKENS_PER_BATCH", 40)
    model = worlds.language_model()
    means = MeanStates(model, TEXTS)
    assert np.isnan(means.states).all()
    progress = next(means.running())
    assert (progress.done, progress.total) == (means.done, len(TEXTS))
    assert 0 < means.done < len(TEXTS)
    assert (~np.isnan(means.states).any(axis=1)).sum() == means.done


def test_the_embedding_is_read_unless_another_layer_is_asked_for():
    model = worlds.language_model(blocks=3)
    assert MeanStates(model, TEXTS).layer == 0
    assert [checked_layer(model, layer) for layer in (0, 3)] == [0, 3]
    for layer in (-1, 4):
        with pytest.raises(BadSetting) as caught:
            MeanStates(model, TEXTS, layer)
        assert str(caught.value) == (
            f"layer={layer} is not in this model of 3 blocks; allowed is 0 (the embedding) to 3 (after the last block)."
        )


def test_cosines_by_their_formula():
    draw = np.random.default_rng(0)
    one, other, centre = (draw.normal(size=shape).astype(np.float32) for shape in ((3, 5), (4, 5), 5))
    found = cosines(one, other, centre)
    for i, left in enumerate(one.tolist()):
        for k, right in enumerate(other.tolist()):
            a, b = ([value - c for value, c in zip(row, centre.tolist(), strict=True)] for row in (left, right))
            dot, lengths = math.fsum(map(math.prod, zip(a, b, strict=True))), math.hypot(*a) * math.hypot(*b)
            assert found[i, k] == pytest.approx(dot / lengths, abs=1e-6)
    assert np.diag(cosines(one, one, centre)) == pytest.approx(1)
    assert cosines(one, one, centre).max() <= 1


def test_a_text_without_a_direction_is_like_none_and_an_unread_one_like_nothing_known():
    rows = np.array([[1, 2], [3, 4], [np.nan, np.nan]], dtype=np.float32)
    found = cosines(rows, rows, np.array([1, 2], dtype=np.float32))
    assert found[0].tolist()[:2] == [0, 0]
    assert found[1].tolist()[:2] == [0, pytest.approx(1)]
    assert np.isnan(found[2]).all()
    assert np.isnan(found[:, 2]).all()


def test_a_text_without_a_token_has_no_state(monkeypatch):
    model = worlds.language_model()
    encode = model.encode
    monkeypatch.setattr(model, "encode", lambda text: () if text == "?" else encode(text))
    means = read(model, ["?", TEXTS[0]])
    assert np.isnan(means.states[0]).all()
    assert np.isfinite(means.states[1]).all()
