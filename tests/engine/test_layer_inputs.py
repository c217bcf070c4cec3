"""Layer inputs: sums over tokens by a plain loop over texts, both uses of a tied matrix, and directions by numpy's SVD."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.engine import worlds
from tests.engine.probes.opened import opened
from unlearnviz.engine.layer_inputs import LayerInputs, layers, leading

WTE = "transformer.wte.weight"
TEXTS = [passage.text for passage in worlds.corpus().train[:6]]


def sums_of(model, *names):
    inputs = LayerInputs(model, layers(model, {name: model.parameters[name] for name in names}))
    inputs.read(TEXTS)
    return inputs.sums


def hidden(model, text):
    ids = torch.tensor([model.tokenizer.encode(text).ids])
    with torch.no_grad():
        return ids[0], [each[0] for each in model.module(ids, output_hidden_states=True, use_cache=False).hidden_states]


def test_a_block_s_inputs_are_summed_over_the_tokens_of_every_text_and_padding_does_not_count():
    model = worlds.language_model(dtype=torch.float64, dropout=0.1)
    name = "transformer.h.1.attn.c_attn.weight"
    ((layer, found),) = sums_of(model, name).items()
    assert (layer.name, layer.lookup, layer.inputs_first) == (name, False, True)
    wanted, lengths = torch.zeros(32, 32, dtype=torch.float64), set()
    for text in TEXTS:
        _, states = hidden(model, text)
        lengths.add(len(states[1]))
        for vector in model.module.transformer.h[1].ln_1(states[1]).detach():
            wanted += torch.outer(vector, vector)
    assert len(lengths) > 1
    assert float((found - wanted).abs().max()) < 1e-12


@pytest.mark.parametrize("use", ["both", "input", "output"])
def test_a_tied_matrix_has_two_uses_whichever_is_followed(use):
    model = worlds.language_model(dtype=torch.float64)
    with model.following((WTE,), use) as selected:
        watched = layers(model, selected)
        inputs = LayerInputs(model, watched)
        inputs.read(TEXTS)
    assert [layer.lookup for layer in watched] == [True, False]
    for layer, found in inputs.sums.items():
        assert layer.name == WTE
        if layer.lookup:
            every = np.concatenate([model.encode(text) for text in TEXTS])
            assert found.tolist() == [int((every == token).sum()) for token in range(model.encoder.vocabulary)]
        else:
            states = torch.cat([hidden(model, text)[1][-1] for text in TEXTS])
            assert not layer.inputs_first
            assert float((found - states.T @ states).abs().max()) < 1e-11


def test_linear_layers_of_other_families_are_outputs_first():
    model = opened("Llama").model
    sums = sums_of(model, *model.layout.groups["block 0"])
    assert {layer.name.split(".", 3)[3] for layer in sums} == {
        *(f"self_attn.{each}_proj.weight" for each in "qkvo"),
        *(f"mlp.{each}_proj.weight" for each in ("gate", "up", "down")),
    }
    for layer, found in sums.items():
        assert not layer.inputs_first
        assert found.shape == (model.parameters[layer.name].shape[1],) * 2


def test_batches_add_up_and_nothing_watches_afterwards(monkeypatch):
    model = worlds.language_model()
    watched = layers(model, model.parameters)
    assert len(watched) == 2 + 2 * 4
    whole, parts = LayerInputs(model, watched), LayerInputs(model, watched)
    whole.read(TEXTS)
    parts.read(TEXTS[:2])
    parts.read(TEXTS[2:])
    for layer in watched:
        assert float((whole.sums[layer] - parts.sums[layer]).abs().max()) <= 1e-5 * float(whole.sums[layer].abs().max())
    monkeypatch.setattr(model, "logits", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        whole.read(TEXTS)
    assert not any(module._forward_pre_hooks for module in model.module.modules())


@pytest.mark.parametrize("tokens", [12, 200])
def test_leading_directions_are_those_of_a_singular_value_decomposition(tokens):
    inputs = np.random.default_rng(tokens).normal(size=(tokens, 20)) * np.linspace(3, 0.1, 20)
    _, values, rows = np.linalg.svd(inputs, full_matrices=False)
    squares = torch.tensor(inputs.T @ inputs)
    before = 0
    for share in (0.0, 0.3, 0.7, 0.95, 1.0):
        found = leading(squares, share)
        count = 0
        while count < len(values) and (share == 1 or values[: count + 1].sum() <= share * values.sum()):
            count += 1
        assert found.shape == (20, count)
        projection = (found @ found.T).numpy()
        assert projection == pytest.approx(rows[:count].T @ rows[:count], abs=1e-10)
        assert projection == pytest.approx(projection.T, abs=1e-15)
        assert projection @ projection == pytest.approx(projection, abs=1e-12)
        assert count >= before
        before = count
    assert before == min(tokens, 20)


def test_where_there_were_no_inputs_there_are_no_directions():
    assert leading(torch.zeros(5, 5, dtype=torch.float64), 0.95).shape == (5, 0)
