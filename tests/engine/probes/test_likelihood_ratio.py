"""The likelihood-ratio attack: its number by hand, which twins it looks at, and when it says nothing."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from tests.engine import worlds
from tests.engine.probes.test_membership_inference import drawn, known, session
from unlearnviz.engine.probes.likelihood_ratio import LikelihoodRatio
from unlearnviz.engine.probes.membership_inference import MembershipInference
from unlearnviz.errors import BadSetting
from unlearnviz.numbers import number


def twin(seed, *, scale=0.02):
    """Weights of a model that was taught nothing."""
    draw = torch.Generator().manual_seed(seed)
    plain = worlds.language_model().parameters
    return {name: parameter.detach() + scale * torch.randn(parameter.shape, generator=draw) for name, parameter in plain.items()}


def look(held, twins, *, weights=None, **settings):
    view = SimpleNamespace(groups=held.groups, twins=tuple(twins), weights=weights)
    return LikelihoodRatio(**settings).measure(held.model, held.corpus, view)


def confidence(held, text, weights=None):
    """Mean over tokens of log p - log(sum of the others), from the logits of one unpadded text."""
    model = held.model if weights is None else held.model.at(weights)
    ids = torch.tensor([held.model.tokenizer.encode(text).ids])
    with torch.no_grad():
        logits = model.module.eval()(ids, use_cache=False).logits[0, :-1].double()
    told = ids[0, 1:, None]
    others = logits.scatter(1, told, -torch.inf)
    return float((logits.gather(1, told)[:, 0] - others.logsumexp(dim=1)).mean())


@pytest.mark.parametrize("count", [2, 3])
def test_every_number_by_hand(count):
    held, twins = session(known()), [twin(seed) for seed in range(count)]
    reading = look(held, twins)
    *rows, judged = reading.rows
    assert [row["group"] for row in rows] == ["member"] * 60 + ["non-member"] * 60
    texts = [held.corpus[row["passage"]].text for row in rows]
    now = np.array([confidence(held, text) for text in texts])
    out = np.array([[confidence(held, text, weights) for text in texts] for weights in twins])
    assert [row["confidence"] for row in rows] == pytest.approx(now, abs=1e-5)
    assert [row["twins"] for row in rows] == pytest.approx(np.median(out, axis=0), abs=1e-5)
    wanted = (now - np.median(out, axis=0)) / np.sqrt(out.var(axis=0, ddof=1).mean())
    assert [row["score"] for row in rows] == pytest.approx(wanted, rel=1e-3)
    labels = [row["group"] == "member" for row in rows]
    assert judged["auc"] == reading.value == pytest.approx(100 * roc_auc_score(labels, [row["score"] for row in rows]), abs=1e-9)
    assert reading.value > 90
    assert reading.note.startswith(f"AUC {number(reading.value)} % (95 % interval ")
    assert "look more familiar than texts never seen: that leaks." in reading.note
    assert reading.note.endswith(f"Against {count} twins; the paper trains up to 256.")


def test_a_model_like_its_twins_gives_nothing_away():
    held = session(drawn(61), taught=False)
    readings = [look(held, [twin(seed), twin(seed + 1)]) for seed in range(0, 12, 2)]
    assert 40 < sum(reading.value for reading in readings) / 6 < 60
    assert any("The interval reaches 50: by this nobody can tell them apart." in reading.note for reading in readings)


def test_each_text_s_own_spread_is_another_score():
    held, twins = session(known()), [twin(seed) for seed in range(3)]
    one, own = look(held, twins), look(held, twins, spread="each text's own")
    assert [row["confidence"] for row in one.rows[:-1]] == [row["confidence"] for row in own.rows[:-1]]
    assert [row["score"] for row in one.rows[:-1]] != [row["score"] for row in own.rows[:-1]]


@pytest.mark.parametrize("twins, said", [(0, "there are 0"), (1, "there is 1")])
def test_two_twins_are_needed_and_the_one_that_is_measured_is_none_of_them(twins, said):
    held, others = session(drawn(61), taught=False), [twin(seed) for seed in range(twins)]
    reading = look(held, others)
    wanted = f"needs at least 2 twins besides the model that is measured, and {said}: session.twin(seed=...) trains another"
    assert (reading.value, reading.rows, reading.note) == (None, (), wanted)
    measured = twin(9)
    assert look(held, [measured, *others], weights=measured).note == wanted


def test_few_texts_are_not_judged_and_have_their_numbers_anyway():
    reading = look(worlds.session(), [twin(0), twin(1)])
    assert (reading.value, reading.note) == (None, "too few texts to judge: 4 of at least 50")
    assert [row["group"] for row in reading.rows] == ["member"] * 4 + ["non-member"] * 8
    assert all(math.isfinite(row["score"]) for row in reading.rows)


def test_in_a_session_it_looks_at_all_twins_of_the_pick():
    held = worlds.session()
    held.learn(1)
    held.twin()
    held.twin(seed=1)
    reading = held.measure(LikelihoodRatio())["likelihood-ratio"]
    assert reading.note == "too few texts to judge: 4 of at least 50"
    assert held.measure(LikelihoodRatio(), of="twin 1")["likelihood-ratio"].note.endswith("there is 1: session.twin(seed=...) trains another")
    assert (reading.unit, reading.direction) == (MembershipInference.unit, MembershipInference.direction)


def test_settings_out_of_bounds_are_refused():
    with pytest.raises(BadSetting, match=r"LikelihoodRatio\("):
        LikelihoodRatio(spread="none")
