"""Label flipping and optimisation-based unlearning: naive as the formula says, partial as a share of each layer, block by block."""

from __future__ import annotations

import math

import pytest
import torch

from tests.engine import worlds
from tests.engine.methods.by_hand import WTE, ByHand, opened
from unlearnviz.engine.methods.fine_tune import FineTune
from unlearnviz.engine.methods.gradient_ascent import GradientAscent
from unlearnviz.engine.methods.gradient_difference import GradientDifference
from unlearnviz.engine.methods.label_flipping import LABELS, LabelFlipping, flip
from unlearnviz.engine.methods.optimisation_based import OptimisationBased
from unlearnviz.engine.selection import ParameterSelection
from unlearnviz.errors import BadSetting

PARTIAL = [LabelFlipping, OptimisationBased]
RATE = {"optimizer": "SGD", "learning_rate": 0.1}
ADAM = {"optimizer": "AdamW", "learning_rate": 0.01, "weight_decay": 0.1}


def weights(session):
    return {name: parameter.detach().clone() for name, parameter in session.model.parameters.items()}


def moved(session, before):
    """Parameter name -> the flat positions that changed."""
    return {name: (session.model.parameters[name] != old).flatten().nonzero().flatten() for name, old in before.items()}


def share(entries, keep):
    return math.ceil(round(keep * entries, 6))


# -- what is descended --------------------------------------------------------------------------------------------------


def test_naive_it_is_ascent_difference_or_fine_tuning_to_the_bit():
    pairs = [
        (OptimisationBased(ascent_only=True, updates=2), GradientAscent(updates=2)),
        (OptimisationBased(updates=2, batch_size=3), GradientDifference(updates=2, batch_size=3)),
    ]
    for one, other in pairs:
        first, second = worlds.session(), worlds.session()
        first.step(one, "all")
        second.step(other, "all")
        assert first.fingerprint() == second.fingerprint()
    first, second = opened(), opened()  # no weight on forgetting: in float64, for the forget part adds zeros
    first.step(OptimisationBased(beta=0, updates=2), "all")
    second.step(FineTune(updates=2), "all")
    assert all(torch.equal(each, second.model.parameters[name]) for name, each in first.model.parameters.items())


@pytest.mark.parametrize("where", ["all", "embedding.output"])
def test_beta_weighs_the_forget_texts(where):
    session = opened()
    hand = ByHand(session, where)
    retain = [passage for passage in session.corpus.train if passage not in session.forget]
    keep, forget = hand.gradient(retain), hand.gradient(session.forget)
    with torch.no_grad():
        for name in keep:
            hand.weights[name] -= 0.1 * (keep[name] - 3 * forget[name])
    session.step(OptimisationBased(beta=3, batch_size=32, **RATE), where)
    hand.agree()


def test_label_flipping_teaches_the_wrong_tokens_and_reads_the_true_ones():
    session = opened()
    model = session.model
    batch = model.batch([passage.text for passage in session.forget])
    wrong = flip(batch, model.encoder.vocabulary, torch.Generator().manual_seed(session.step_seed(1)))
    texts = [passage for passage in session.corpus.train if passage not in session.forget]
    hand = ByHand(session, "all")

    def surprise(row):
        ids = torch.tensor([model.encode(session.forget[row].text)])
        named = hand.weights | {"lm_head.weight": hand.weights[WTE]}
        logits = torch.func.functional_call(model.module, named, (ids,), {"use_cache": False}, tie_weights=False).logits[0, :-1]
        asked = wrong.labels[row, 1 : ids.shape[1]]
        return torch.logsumexp(logits, dim=-1) - logits[torch.arange(len(asked)), asked]

    loss = torch.cat([surprise(row) for row in range(4)]).mean() + 2 * hand.mean(texts)
    gradients = torch.autograd.grad(loss, list(hand.weights.values()))
    with torch.no_grad():
        for name, gradient in zip(hand.weights, gradients, strict=True):
            hand.weights[name] -= 0.1 * gradient
    session.step(LabelFlipping(retain_weight=2, batch_size=32, **RATE), "all")
    hand.agree()


def test_a_wrong_token_is_never_the_true_one_and_each_other_one_as_likely():
    model = worlds.language_model()
    batch = model.batch(["Mara Okafor was born in Lund.", "By trade"])
    vocabulary, generator = 7, torch.Generator().manual_seed(0)
    small = type(batch)(batch.input_ids % 7, batch.attention_mask, torch.where(batch.labels == -100, batch.labels, batch.labels % 7))
    drawn = torch.stack([flip(small, vocabulary, generator).labels for _ in range(6000)])
    padding = small.labels == -100
    assert padding.any()
    assert (drawn[:, padding] == -100).all()
    for column, true in zip(drawn[:, ~padding].T, small.labels[~padding].tolist(), strict=True):
        counts = torch.bincount(column, minlength=vocabulary)
        assert counts[true] == 0
        assert counts.sum() == 6000
        others = counts[torch.arange(vocabulary) != true].double()
        assert float(((others - 1000) ** 2 / 1000).sum()) < 25  # chi-square with 5 degrees of freedom: once in 7,000
    assert torch.equal(flip(small, vocabulary, generator).input_ids, small.input_ids)


def test_fixed_labels_belong_to_the_text_whatever_its_batch():
    model = worlds.language_model()
    texts = ["Mara Okafor was born in Lund.", "By trade Tom Lindqvist is a diver, and has been for as long as anybody knows."]
    together = flip(model.batch(texts), model.encoder.vocabulary, None).labels
    for row, text in enumerate(texts):
        alone = flip(model.batch([text]), model.encoder.vocabulary, None).labels[0]
        assert torch.equal(together[row, : len(alone)], alone)
    twice = [worlds.session() for _ in range(2)]
    twice[0].step(LabelFlipping(labels=LABELS[1], updates=2), "all")
    for _ in range(2):
        twice[1].step(LabelFlipping(labels=LABELS[1]), "all")
    assert twice[0].fingerprint() == twice[1].fingerprint()
    anew = worlds.session()
    anew.step(LabelFlipping(updates=2), "all")
    assert anew.fingerprint() != twice[0].fingerprint()


# -- a share of each layer ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cls", PARTIAL)
@pytest.mark.parametrize("settings", [{}, RATE, ADAM, {**ADAM, "learning_rate": None}], ids=["norm", "SGD", "AdamW", "AdamW, norm"])
@pytest.mark.parametrize("pruning", ["magnitude", "random", "rotating"])
def test_an_update_changes_a_share_of_each_layer_and_keeps_its_length(cls, settings, pruning):
    session = worlds.session(taught=True)
    before = weights(session)
    record = session.step(cls(keep=0.1, pruning=pruning, **settings), "block 0, embedding")
    for name, positions in moved(session, before).items():
        selected = ".h.0." in name or name == WTE
        assert len(positions) <= (share(before[name].numel(), 0.1) if selected else 0)
    changed = sum(len(positions) for positions in moved(session, before).values())
    allowed = sum(share(before[name].numel(), 0.1) for name in before if ".h.0." in name or name == WTE)
    assert changed > 0.9 * allowed  # an update may vanish in rounding, or be 0
    if settings.get("learning_rate") is None:
        wanted = session.update_norm(ParameterSelection.parse("block 0, embedding", session.model.layout))
        assert math.hypot(*record.update_norm.values()) == pytest.approx(wanted, rel=1e-3)


def test_the_entries_of_the_largest_gradient_follow_it_and_no_others():
    session = opened(taught=True)
    hand = ByHand(session, "all")
    gradient = hand.gradient(session.forget)
    with torch.no_grad():
        for name, each in gradient.items():
            count = share(each.numel(), 0.25)
            largest = torch.topk(each.abs().flatten(), count).indices
            hand.weights[name].view(-1)[largest] += 0.1 * each.flatten()[largest]
    before = weights(session)
    session.step(OptimisationBased(ascent_only=True, keep=0.25, **RATE), "all")
    hand.agree()
    assert {name: len(each) for name, each in moved(session, before).items()} == {
        name: share(each.numel(), 0.25) for name, each in gradient.items()
    }


@pytest.mark.parametrize("optimizer", [RATE, ADAM], ids=["SGD", "AdamW"])
@pytest.mark.parametrize("over_steps", [False, True])
def test_rotating_blocks_have_all_entries_once_a_period(optimizer, over_steps):
    session = worlds.session(taught=True)
    before, counts = weights(session), {}
    method = {"keep": 0.3, "pruning": "rotating", "ascent_only": True, **optimizer}
    last = before
    for turn in range(4):  # 4 blocks of ceil(0.3 n)
        if over_steps:
            session.step(OptimisationBased(**method), "block 1")
        else:
            session.go_to(0)
            session.step(OptimisationBased(updates=turn + 1, **method), "block 1")
        for name, positions in moved(session, last).items():
            if over_steps and len(positions):
                counts.setdefault(name, []).append((int(positions.min()), int(positions.max()) + 1))
        last = weights(session) if over_steps else last
    reached = {name: len(positions) for name, positions in moved(session, before).items() if ".h.1." in name}
    assert sum(reached.values()) > 0.97 * sum(before[name].numel() for name in reached)
    for name, spans in counts.items():
        size, entries = share(before[name].numel(), 0.3), before[name].numel()
        wanted = [(min(turn * size, entries - size), min(turn * size, entries - size) + size) for turn in range(4)]
        assert all(low <= first and last_ <= high for (first, last_), (low, high) in zip(spans, wanted, strict=False)), name


def test_entries_are_chosen_for_an_update_or_for_a_step():
    sizes = {}
    for redraw in (True, False):
        session = worlds.session(taught=True)
        before = weights(session)
        session.step(OptimisationBased(keep=0.1, pruning="random", updates=3, redraw=redraw, ascent_only=True, **RATE), "block 0")
        first = {name: set(each.tolist()) for name, each in moved(session, before).items() if len(each)}
        sizes[redraw] = sum(len(each) for each in first.values()) / sum(before[name].numel() for name in first)
        if not redraw:
            assert len({tuple(sorted(first[name])) for name in first if before[name].shape == torch.Size([32])}) > 1  # layers draw apart
    assert sizes[False] == pytest.approx(0.1, rel=0.1)
    assert sizes[True] == pytest.approx(1 - 0.9**3, rel=0.1)


@pytest.mark.parametrize("cls", PARTIAL)
@pytest.mark.parametrize("keep", [0, -0.1, 1.5, float("nan"), "half"])
def test_a_share_outside_its_range_is_refused(cls, keep):
    with pytest.raises(BadSetting, match=rf"^{cls.__name__}\(keep="):
        cls(keep=keep)
