"""Influence of removing a text: against gradients taken one by one, and against really leaving it out."""

import copy
from collections import Counter

import numpy as np
import pytest
import torch
from torch.nn import functional

from tests.engine import worlds
from unlearnviz.engine.curvature.products import GaussNewtonProduct, HessianProduct
from unlearnviz.engine.curvature.removing import RemovalInfluence
from unlearnviz.engine.progress import drain
from unlearnviz.errors import BadForgetSet, BadSetting

TEXTS = [passage.text for passage in worlds.corpus().train[:8]]
TARGETS = [passage.text for passage in worlds.corpus().holdout[:3]]
NAME = "transformer.ln_f.weight"


def gradient(model, texts):
    """Of the mean token loss, from the logits themselves."""
    module, total, count = copy.deepcopy(model.module).eval(), 0.0, 0
    for text in texts:
        ids = torch.tensor([model.encode(text)])
        logits = module(input_ids=ids).logits[0, :-1]
        total = total + functional.cross_entropy(logits, ids[0, 1:], reduction="sum")
        count += ids.shape[1] - 1
    return torch.autograd.grad(total / count, [dict(module.named_parameters())[NAME]])[0]


@pytest.mark.parametrize("kind", [HessianProduct, GaussNewtonProduct])
def test_influence_is_the_formula_with_an_explicit_inverse(kind, monkeypatch):
    monkeypatch.setattr("unlearnviz.engine.model.TOKENS_PER_BATCH", 60)
    model = worlds.language_model(dtype=torch.float64, taught=True)
    product = kind(model, TEXTS, NAME)
    found = RemovalInfluence(product, TEXTS, TARGETS, damping=0.5, tolerance=1e-13)
    drain(found.running())
    rows = torch.stack([product.times({NAME: unit})[NAME] for unit in torch.eye(32, dtype=torch.float64)])
    inverse = torch.linalg.inv(rows + 0.5 * torch.eye(32, dtype=torch.float64))
    predicted = [len(model.encode(text)) - 1 for text in TEXTS]
    for k, text in enumerate(TEXTS):
        count = sum(predicted) / predicted[k]
        truth = float(gradient(model, TARGETS) @ inverse @ gradient(model, [text])) / count
        assert found.influence[k] == pytest.approx(truth, rel=1e-10, abs=1e-14)
    assert found.done == len(TEXTS)
    assert found.solution.converged
    assert found.notes == []
    assert (found.unit, found.direction) == ("nats per token", "positive = removing the text raises the targets' loss")


def test_texts_of_one_length_have_n_as_their_number():
    model = worlds.language_model(dtype=torch.float64)
    lengths = {text: len(model.encode(text)) for text in (passage.text for passage in worlds.corpus().train)}
    commonest = Counter(lengths.values()).most_common(1)[0][0]
    same = [text for text, length in lengths.items() if length == commonest]
    assert len(same) > 1
    found = RemovalInfluence(HessianProduct(model, same, NAME), same, TARGETS, damping=5, tolerance=1e-12)
    drain(found.running())
    slopes = torch.stack([gradient(model, [text]) for text in same])
    assert found.influence.tolist() == pytest.approx((slopes @ found.solution.vector[NAME] / len(same)).tolist(), rel=1e-10)
    more = RemovalInfluence(found.product, same, TARGETS, taught=[*same, *same], solution=found.solution)
    drain(more.running())
    assert more.influence.tolist() == pytest.approx((found.influence / 2).tolist(), rel=1e-12)


def newton(model, texts, damping, anchor, left_out=None):
    """The minimum of the mean loss plus damping / 2 |distance to an anchor|^2, one text's tokens taken out of the sum."""
    total = sum(len(model.encode(text)) - 1 for text in texts)
    kept = [text for text in texts if text != left_out]
    share = sum(len(model.encode(text)) - 1 for text in kept) / total
    weights = model.parameters[NAME]
    for _ in range(4):
        product = HessianProduct(model, kept, NAME)
        rows = torch.stack([product.times({NAME: unit})[NAME] for unit in torch.eye(32, dtype=torch.float64)])
        slope = share * product.gradient()[NAME] + damping * (weights.detach() - anchor)
        with torch.no_grad():
            weights -= torch.linalg.solve(share * rows + damping * torch.eye(32, dtype=torch.float64), slope)
    return weights.detach().clone()


def loss_of(model, texts):
    losses = model.token_losses(texts)
    return float(torch.cat(losses).mean())


def test_influence_foretells_what_leaving_a_text_out_does():
    model = worlds.language_model(dtype=torch.float64, taught=True)
    taught = [passage.text for passage in worlds.corpus().train]
    damping, anchor = 0.1, model.parameters[NAME].detach().clone()
    start = newton(model, taught, damping, anchor)
    found = RemovalInfluence(
        HessianProduct(model, taught, NAME), taught[:4], TARGETS, taught=taught, damping=damping, tolerance=1e-12
    )
    drain(found.running())
    before = loss_of(model, TARGETS)
    happened = []
    for text in taught[:4]:
        newton(model, taught, damping, anchor, left_out=text)
        happened.append(loss_of(model, TARGETS) - before)
        with torch.no_grad():
            model.parameters[NAME].copy_(start)
    assert np.sign(found.influence).tolist() == np.sign(happened).tolist()
    assert np.corrcoef(found.influence, happened)[0, 1] > 0.99
    assert found.influence.tolist() == pytest.approx(happened, rel=0.2)


def test_what_is_done_stays_and_goes_on(monkeypatch):
    monkeypatch.setattr("unlearnviz.engine.model.TOKENS_PER_BATCH", 40)
    model = worlds.language_model(dtype=torch.float64)
    whole = RemovalInfluence(HessianProduct(model, TEXTS), TEXTS, TARGETS, damping=5)
    reports = list(whole.running())
    assert (reports[-1].done, reports[-1].total) == (len(TEXTS), len(TEXTS))
    product = HessianProduct(model, TEXTS)
    half = RemovalInfluence(product, TEXTS, TARGETS, damping=5)
    work = half.running()
    while half.done < 3:
        next(work)
    work.close()
    assert 3 <= half.done < len(TEXTS)
    assert np.isnan(half.influence).sum() == len(TEXTS) - half.done
    solved = product.products
    drain(half.running())
    assert half.influence.tolist() == pytest.approx(whole.influence.tolist(), rel=1e-9)
    assert product.products == solved  # one solve is enough


def test_a_solve_that_failed_is_said_beside_the_numbers():
    model = worlds.language_model(dtype=torch.float64)
    found = RemovalInfluence(HessianProduct(model, TEXTS, "all"), TEXTS, TARGETS, damping=1e-4, tolerance=1e-9, most=300)
    drain(found.running())
    assert "curves downward" in found.notes[-1]
    assert np.isfinite(found.influence).all()


def test_short_texts_taught_nothing():
    model = worlds.language_model()
    one = next(text for text in ("a", "e", ".") if len(model.encode(text)) == 1)
    found = RemovalInfluence(HessianProduct(model, TEXTS), [TEXTS[0], one], [*TARGETS, one], taught=TEXTS, damping=5)
    drain(found.running())
    assert found.influence[1] == 0
    assert found.influence[0] != 0
    assert "Left out of the target texts, as nothing is predicted in a single token: 1." in found.notes
    assert "Left out of the texts to remove, as nothing is predicted in a single token: 1." in found.notes
    with pytest.raises(BadForgetSet, match="None of the target texts has two tokens"):
        RemovalInfluence(found.product, TEXTS, [one])
    with pytest.raises(BadForgetSet, match="None of the texts to remove has two tokens"):
        RemovalInfluence(found.product, [], TARGETS)
    with pytest.raises(BadSetting, match="taught= holds fewer tokens than one of the texts"):
        RemovalInfluence(found.product, TEXTS, TARGETS, taught=[one])
    with pytest.raises(BadSetting, match="damping=0 is not a number above 0"):
        drain(RemovalInfluence(found.product, TEXTS, TARGETS, damping=0).running())
