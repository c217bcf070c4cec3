"""The SD loss, against the numbers of two small rows of logits and a loop in plain Python."""

from __future__ import annotations

import math
import statistics

import pytest
import torch
from torch.nn import functional

from tests.engine import worlds
from unlearnviz.engine.deviation import loss_with_penalty, standard_deviation_penalty

LOGITS = torch.tensor([[1.0, 2.0, 3.0], [0.0, 0.0, 0.0]], dtype=torch.float64)


def test_closed_form_values_of_both_forms():
    cross_entropy = float(functional.cross_entropy(LOGITS, torch.tensor([2, 0])))
    assert cross_entropy == pytest.approx(0.7531091265562451, abs=1e-15)
    assert cross_entropy + float(standard_deviation_penalty(LOGITS)) == pytest.approx(1.161357417020108, abs=1e-15)
    assert cross_entropy + float(standard_deviation_penalty(LOGITS, "code")) == pytest.approx(0.9197757932229117, abs=1e-15)


def test_a_constant_changes_nothing_and_a_factor_counts_once():
    penalty = float(standard_deviation_penalty(LOGITS))
    assert float(standard_deviation_penalty(LOGITS + 7)) == pytest.approx(penalty, abs=1e-12)
    assert float(standard_deviation_penalty(3 * LOGITS)) == pytest.approx(3 * penalty, abs=1e-12)


def test_equal_logits_pull_nowhere():
    logits = torch.zeros(2, 5, requires_grad=True)
    standard_deviation_penalty(logits).backward()
    assert float(standard_deviation_penalty(logits.detach())) == 0
    assert logits.grad is not None
    assert not logits.grad.any()


def test_the_loss_of_a_padded_batch_is_that_of_a_loop_over_tokens():
    model = worlds.language_model(dtype=torch.float64)
    texts = [passage.text for passage in worlds.corpus()[:3]]
    loss, objective = loss_with_penalty(model, model.batch(texts), 2.5)
    losses, deviations = [], []
    for text in texts:
        ids = torch.tensor([model.encode(text)])
        for row, target in zip(model.module(input_ids=ids).logits[0].tolist(), ids[0, 1:].tolist(), strict=False):
            highest = max(row)
            losses.append(highest + math.log(sum(math.exp(each - highest) for each in row)) - row[target])
            deviations.append(statistics.pstdev(row))
    assert float(loss) == pytest.approx(statistics.fmean(losses), rel=1e-12)
    assert float(objective) == pytest.approx(statistics.fmean(losses) + 2.5 * statistics.fmean(deviations), rel=1e-12)


def test_without_a_weight_it_is_the_model_s_own_loss():
    model = worlds.language_model()
    batch = model.batch([passage.text for passage in worlds.corpus()[:3]])
    loss, objective = loss_with_penalty(model, batch, 0.0)
    assert objective is loss
    assert torch.equal(loss, model.loss(batch))
