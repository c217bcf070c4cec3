"""Token statistics against a loop over the vocabulary in float64, and against numbers worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.special import log_softmax

from tests.engine import worlds
from unlearnviz.engine import token_statistics as module
from unlearnviz.engine.token_statistics import TokenStatistics, token_statistics


def by_loop(logits, target):
    """log p, mean, deviation, entropy and hit of one position, one vocabulary entry at a time."""
    top = max(logits)
    total = math.fsum(math.exp(each - top) for each in logits)
    logs = [each - top - math.log(total) for each in logits]
    mean = math.fsum(math.exp(log) * log for log in logs)
    spread = math.fsum(math.exp(log) * (log - mean) ** 2 for log in logs)
    return logs[target], mean, math.sqrt(spread), -mean, target == logits.index(top)


def columns(found):
    return np.stack([found.log_probabilities, found.means, found.deviations, found.entropies, found.hits], axis=1)


@pytest.mark.parametrize(
    "logits, target, log, mean, variance, z",
    [
        ([2.0, 1.0, 0.0, -1.0], 0, -0.4401896986, -0.9475369640, 0.6165862749, 0.6461128781),
        ([5.0, 0.0, 0.0, 0.0], 1, None, None, None, -7.0335661676),
    ],
)
def test_numbers_by_hand(logits, target, log, mean, variance, z):
    found = TokenStatistics.of(torch.tensor([logits]), torch.tensor([target]))
    assert found.standardised == pytest.approx([z], abs=1e-9)
    if log is not None:
        assert (found.log_probabilities, found.means, found.deviations**2) == (
            pytest.approx([log], abs=1e-9),
            pytest.approx([mean], abs=1e-9),
            pytest.approx([variance], abs=1e-9),
        )


@pytest.mark.parametrize("size", [2, 7, 784])
@pytest.mark.parametrize("level", [0.0, -3.3, 1e4])
def test_where_all_tokens_are_equally_likely_none_is_more_expected(size, level):
    found = TokenStatistics.of(torch.full((1, size), level), torch.tensor([size - 1]))
    assert (found.deviations.tolist(), found.standardised.tolist()) == ([0.0], [0.0])
    assert found.entropies == pytest.approx([math.log(size)])


def test_a_token_that_cannot_come_adds_nothing():
    with_it = TokenStatistics.of(torch.tensor([[1.0, 0.5, -math.inf]]), torch.tensor([1]))
    without = TokenStatistics.of(torch.tensor([[1.0, 0.5]]), torch.tensor([1]))
    assert np.array_equal(columns(with_it), columns(without))


@pytest.mark.parametrize("at_once", [1, 2**20])
def test_text_by_text_as_a_loop_over_the_vocabulary_says(at_once, monkeypatch):
    monkeypatch.setattr(module, "LOGITS_AT_ONCE", at_once)
    monkeypatch.setattr("unlearnviz.engine.model.TOKENS_PER_BATCH", 60)
    model = worlds.language_model(taught=True, dtype=torch.float64)
    texts = ["a", "", *(passage.text for passage in worlds.corpus())]
    found = token_statistics(model, texts)
    assert [len(each.hits) for each in found[:2]] == [0, 0]
    for text, each in zip(texts[2:], found[2:], strict=True):
        ids = model.tokenizer.encode(text).ids
        with torch.no_grad():
            logits = model.module(torch.tensor([ids])).logits[0].tolist()
        wanted = np.array([by_loop(row, target) for row, target in zip(logits[:-1], ids[1:], strict=True)])
        assert columns(each) == pytest.approx(wanted, abs=1e-10)
        assert each.hits.dtype == bool
        assert {each.log_probabilities.dtype, each.means.dtype, each.deviations.dtype, each.entropies.dtype} == {np.dtype("float64")}


def test_losses_are_those_of_the_model_and_dropout_is_off():
    model = worlds.language_model(dropout=0.1)
    model.module.train()
    texts = [passage.text for passage in worlds.corpus()][:6]
    for row, each in zip(model.token_losses(texts), token_statistics(model, texts), strict=True):
        assert -each.log_probabilities == pytest.approx(row.numpy(), rel=1e-5)
    assert all(part.training for part in model.module.modules())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_of_a_model_in_half_precision_only_the_logits_are_coarse(dtype):
    model = worlds.language_model(dtype=dtype)
    (text, *_) = (passage.text for passage in worlds.corpus())
    (found,) = token_statistics(model, [text])
    with torch.no_grad():
        logits = model.logits(model.batch([text]))[0, :-1].double().numpy()
    ids = list(model.encode(text))[1:]
    assert found.log_probabilities == pytest.approx(log_softmax(logits, axis=1)[np.arange(len(ids)), ids], abs=1e-12)
