"""Squared gradient norms of many texts at once, against autograd, one text and one parameter at a time, in float64."""

import copy

import pytest
import torch
from torch import nn

from tests.engine import worlds
from unlearnviz.engine import pulls
from unlearnviz.engine.model import LanguageModel
from unlearnviz.engine.pulls import squared_pulls


def by_autograd(model, text):
    """From the logits themselves, in float64: parameter name -> squared norm."""
    module = copy.deepcopy(model.module).double()
    ids = torch.tensor([model.encode(text)])
    logits = module(input_ids=ids).logits[0, :-1]
    nn.functional.cross_entropy(logits, ids[0, 1:]).backward()
    return {name: float((p.grad**2).sum()) if p.grad is not None else 0.0 for name, p in module.named_parameters()}


TEXTS = [*(passage.text for passage in worlds.corpus().train[:6]), "the the the the market the the", "Mara Okafor"]


@pytest.fixture(params=[True, False], ids=["tied", "untied"])
def model(request):
    return worlds.session(tied=request.param, blocks=2).model


def test_all_parameters_of_all_texts_agree_with_autograd(model):
    assert len({len(model.encode(text)) for text in TEXTS}) > 3  # so that some are padded
    found = squared_pulls(model, TEXTS)
    assert pulls._fit[model.module]  # the fast way was taken
    for text, squares in zip(TEXTS, found, strict=True):
        truth = by_autograd(model, text)
        assert squares.keys() == truth.keys()
        whole = sum(truth.values())
        for name, square in truth.items():
            assert squares[name] == pytest.approx(square, rel=1e-4, abs=1e-10 * whole), name
        assert sum(squares.values()) == pytest.approx(whole, rel=1e-5)


def test_the_cross_term_of_a_tied_matrix_counts():
    model = worlds.session(tied=True, blocks=2).model
    text = TEXTS[6]  # its tokens are also what it predicts
    name = model.layout.input_embedding
    with model.following([name], "input") as parameters:
        inputs = float((torch.autograd.grad(model.loss(model.batch([text])), [parameters[name]])[0] ** 2).sum())
    with model.following([name], "output") as parameters:
        outputs = float((torch.autograd.grad(model.loss(model.batch([text])), [parameters[name]])[0] ** 2).sum())
    both = squared_pulls(model, [text])[0][name]
    assert abs(both - inputs - outputs) > 1e-3 * both
    assert both == pytest.approx(by_autograd(model, text)[name], rel=1e-5)


def test_wide_layers_and_long_texts_take_either_formula(model, monkeypatch):
    truth = squared_pulls(model, TEXTS)

    def formed(use, gradient):
        yield use.part.weight, pulls._sum((use.inputs.mT @ gradient).square())
        if use.part.bias is not None:
            yield use.part.bias, pulls._sum(gradient.sum(dim=1).square())

    from transformers.pytorch_utils import Conv1D

    monkeypatch.setitem(pulls._rules(), nn.Linear, formed)
    monkeypatch.setitem(pulls._rules(), Conv1D, formed)
    for ours, other in zip(truth, squared_pulls(model, TEXTS), strict=True):
        assert ours == pytest.approx(other, rel=1e-4, abs=1e-9)


class Scaled(nn.LayerNorm):
    """A part that is not known: twice what a LayerNorm gives."""

    def forward(self, given):
        return 2 * super().forward(given)


def test_an_unknown_part_is_left_to_autograd():
    model = worlds.session(tied=True, blocks=1).model
    other = copy.deepcopy(model.module)
    other.transformer.ln_f = Scaled(other.config.n_embd)
    other = LanguageModel(other, model.tokenizer)
    found = squared_pulls(other, TEXTS[:2])
    assert not pulls._fit[other.module]
    for text, squares in zip(TEXTS, found, strict=False):
        assert squares == pytest.approx(by_autograd(other, text), rel=1e-4, abs=1e-9)


def test_a_rule_that_does_not_agree_is_not_used():
    model = worlds.session(tied=True, blocks=1).model
    other = copy.deepcopy(model.module)
    head = other.lm_head
    head.forward = lambda given: 2 * nn.functional.linear(given, head.weight)  # a Linear that scales what comes out
    other = LanguageModel(other, model.tokenizer)
    found = squared_pulls(other, TEXTS[:2])
    for text, squares in zip(TEXTS, found, strict=False):
        truth = squared_norms(other, text)
        assert squares == pytest.approx(truth, rel=1e-4, abs=1e-9)
    assert not pulls._fit[other.module]


def squared_norms(model, text):
    with model.following(model.layout.names) as parameters:
        gradients = torch.autograd.grad(model.loss(model.batch([text])), list(parameters.values()))
    return {name: float((g.double() ** 2).sum()) for name, g in zip(parameters, gradients, strict=True)}


def test_nothing_is_left_behind(model):
    before = {name: (p._version, p.requires_grad, p.grad) for name, p in model.parameters.items()}
    squared_pulls(model, TEXTS)
    assert before == {name: (p._version, p.requires_grad, p.grad) for name, p in model.parameters.items()}
    assert not any(part._forward_hooks for part in model.module.modules())
    assert squared_pulls(model, []) == []
