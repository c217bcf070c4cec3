"""NPO and SimNPO: values on known log-probabilities, their limits, and gradients against float64 by hand."""

from __future__ import annotations

import math

import pytest
import torch

from tests.engine import worlds
from tests.engine.methods.by_hand import ByHand, opened
from unlearnviz.engine.methods.gradient_ascent import GradientAscent
from unlearnviz.engine.methods.method import registry as methods
from unlearnviz.engine.methods.npo import NPO, npo
from unlearnviz.engine.methods.sim_npo import SimNPO, sim_npo
from unlearnviz.engine.sequences import log_probabilities

RATE = {"optimizer": "SGD", "learning_rate": 0.05}


def double(*values):
    return torch.tensor(values, dtype=torch.float64, requires_grad=True)


def test_their_names_are_those_of_the_field():
    assert (methods["npo"], methods["sim-npo"], methods["SimNPO"]) == (NPO, SimNPO, SimNPO)


def test_values_on_known_probabilities():
    now, reference = double(math.log(0.25), math.log(0.5)), double(math.log(0.75), math.log(0.5))
    assert npo(now, reference, 1.0).item() == pytest.approx(2 * (math.log(4 / 3) + math.log(2)) / 2, abs=1e-15)
    assert npo(now, reference, 2.0).item() == pytest.approx((math.log(10 / 9) + math.log(2)) / 2, abs=1e-15)
    lengths = torch.tensor([1, 2])  # a token of probability 1/4, and two of 1/2 each
    now = double(math.log(0.25), 2 * math.log(0.5))
    assert sim_npo(now, lengths, 1.0, 0.0).item() == pytest.approx(2 * (math.log(5 / 4) + math.log(3 / 2)) / 2, abs=1e-15)
    assert sim_npo(now, lengths, 2.0, math.log(3)).item() == pytest.approx((math.log(1 + 3 / 16) + math.log(1 + 3 / 4)) / 2, abs=1e-15)


def test_each_text_has_its_weight():
    now, reference = double(-3.0, -9.0, -1.0), torch.tensor([-3.0, -2.0, -4.0], dtype=torch.float64)
    (found,) = torch.autograd.grad(npo(now, reference, 0.5), now)
    ratio = [math.exp(0.5 * (p - q)) for p, q in zip(now.tolist(), reference.tolist(), strict=True)]
    assert found.tolist() == pytest.approx([2 * each / (1 + each) / 3 for each in ratio], abs=1e-15)
    assert found[0].item() == pytest.approx(1 / 3)  # as it was at the start: plain ascent
    lengths = torch.tensor([3, 4, 5])
    (found,) = torch.autograd.grad(sim_npo(now, lengths, 0.5, 0.2), now)
    wanted = [
        2 / length / 3 / (1 + math.exp(-0.5 * p / length - 0.2)) for p, length in zip(now.tolist(), lengths.tolist(), strict=True)
    ]
    assert found.tolist() == pytest.approx(wanted, abs=1e-15)


def test_as_beta_falls_to_0_both_are_gradient_ascent():
    now, reference, lengths = double(-3.0, -9.0, -1.0), torch.tensor([-1.0, -2.0, -4.0]).double(), torch.tensor([3, 4, 5])
    ascent = torch.autograd.grad(now.mean(), now)[0], torch.autograd.grad((now / lengths).mean(), now)[0]
    for beta, error in ((1e-3, 1e-2), (1e-6, 1e-5), (1e-9, 1e-8)):
        found = [torch.autograd.grad(each, now)[0] for each in (npo(now, reference, beta), sim_npo(now, lengths, beta, 0.0))]
        for one, other in zip(found, ascent, strict=True):
            assert float((one - other).abs().max()) < error


def test_a_text_that_became_impossible_is_left_alone():
    now = double(-1e6, -2.0)
    (found,) = torch.autograd.grad(npo(now, torch.tensor([-1.0, -2.0]).double(), 1.0), now)
    assert found.tolist() == [0.0, 0.5]


def test_log_probabilities_are_sums_over_tokens_whatever_the_padding():
    session = opened()
    hand = ByHand(session, "all")
    texts = [session.corpus.train[k] for k in (0, 3, 2)]
    found, lengths = log_probabilities(session.model, session.model.batch([passage.text for passage in texts]))
    losses = [hand.losses(passage.text) for passage in texts]
    assert found.tolist() == pytest.approx([-each.sum().item() for each in losses], abs=1e-10)
    assert lengths.tolist() == [len(each) for each in losses]
    assert len(set(lengths.tolist())) > 1


@pytest.mark.parametrize("cls, settings", [(NPO, {"beta": 0.3}), (SimNPO, {"beta": 1.5, "gamma": 0.4})])
@pytest.mark.parametrize("weight", [0.0, 2.0])
def test_two_steps_are_those_of_the_formula_by_hand(cls, settings, weight):
    session = opened(taught=True)
    hand = ByHand(session, "all")
    retain = [passage for passage in session.corpus.train if passage not in session.forget]
    start = [-hand.losses(passage.text).sum().item() for passage in session.forget]
    method = cls(retain_weight=weight, batch_size=32, **settings, **RATE)
    for _ in range(2):  # the second is away from the reference, which stays that of step 0
        losses = []
        for passage, reference in zip(session.forget, start, strict=True):
            tokens = hand.losses(passage.text)
            if cls is NPO:
                losses.append(torch.log(1 + torch.exp(0.3 * (-tokens.sum() - reference))) * 2 / 0.3)
            else:
                losses.append(-torch.log(torch.sigmoid(1.5 * tokens.mean() - 0.4)) * 2 / 1.5)
        loss = torch.stack(losses).mean() + (weight * hand.mean(retain) if weight else 0)
        gradients = torch.autograd.grad(loss, list(hand.weights.values()))
        with torch.no_grad():
            for name, gradient in zip(hand.weights, gradients, strict=True):
                hand.weights[name] -= 0.05 * gradient
        session.step(method, "all")
        hand.agree(1e-10)


def test_the_reference_is_the_start_whatever_was_done_since():
    session = worlds.session(taught=True)
    once = session.step(NPO(beta=5.0, retain_weight=0, **RATE), "all")
    session.step(GradientAscent(updates=5), "all")
    faded = session.step(NPO(beta=5.0, retain_weight=0, **RATE), "all")
    assert math.hypot(*faded.update_norm.values()) < 0.1 * math.hypot(*once.update_norm.values())
