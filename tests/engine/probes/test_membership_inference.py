"""Membership inference: every number by hand, which texts are asked, when nothing is judged, and both sides of a leak."""

from __future__ import annotations

import math
import random
from functools import cache
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.special import log_softmax
from sklearn.metrics import roc_auc_score

from tests.engine import worlds
from tests.engine.probes.opened import opened
from unlearnviz.engine.corpus import Corpus, Passage
from unlearnviz.engine.methods.gradient_ascent import GradientAscent
from unlearnviz.engine.probes.membership_inference import ATTACKS, MembershipInference, side_said
from unlearnviz.engine.session import Session
from unlearnviz.errors import BadSetting
from unlearnviz.numbers import number

LABEL = "membership-inference"


@cache
def drawn(taught: int = 60, unseen: int = 60) -> Corpus:
    """Short texts of random words: to a model that knows none of them, nothing tells one from another."""
    draw = random.Random(5)
    words = [*worlds.TOWNS, *worlds.TRADES, "market", "morning", "house"]
    texts = [" ".join(draw.choices(words, k=4 + k % 3)) for k in range(taught + unseen)]
    return Corpus([Passage(f"text-{k}", text, split="train" if k < taught else "holdout") for k, text in enumerate(texts)])


@cache
def known() -> Corpus:
    """What the tiny model recites, whole and without the last words; and random words that it never saw."""
    taught = [each.text.rsplit(" ", cut)[0] for each in worlds.corpus().train for cut in range(3)]
    passages = [Passage(f"known-{k}", text, split="train") for k, text in enumerate(taught)]
    return Corpus([*passages, *drawn().holdout])


def session(corpus: Corpus, *, taught: bool = True) -> Session:
    """A session in which the first 60 taught texts are picked."""
    held = worlds.session(texts=corpus, taught=taught, pick=None)
    held.pick(*[passage.id for passage in corpus.train][:60])
    return held


def by_hand(module, ids, k):
    """Loss, entropy, Min-K% and Min-K%++ of one text, from scipy's log-softmax and the published formulas."""
    with torch.no_grad():
        logits = module(torch.tensor([ids]), use_cache=False).logits[0, :-1].double().numpy()
    logs = log_softmax(logits, axis=1)
    told = logs[np.arange(len(logs)), ids[1:]]
    means = (np.exp(logs) * logs).sum(axis=1)
    deviations = np.sqrt((np.exp(logs) * logs**2).sum(axis=1) - means**2)
    count = max(1, int(k * len(told)))
    lowest = [np.sort(each)[:count].mean() for each in (told, (told - means) / deviations)]
    return dict(zip(("loss", "entropy", "min-k", "min-k++"), (-told.mean(), -means.mean(), *lowest), strict=True))


@pytest.mark.parametrize("shape", ["GPT-2", "Llama"])
@pytest.mark.parametrize("k", [0.2, 0.5])
def test_every_number_of_a_text_by_hand(shape, k):
    held = opened(shape)
    held.pick("mara-okafor-0", "A text that was typed, and never taught.")
    reading = held.measure(MembershipInference(k=k))[LABEL]
    wanted = [("member", "mara-okafor-0"), ("member", "typed-1"), *(("non-member", each.id) for each in held.corpus.holdout)]
    assert [(row["group"], row["passage"]) for row in reading.rows] == wanted
    texts = {passage.id: passage.text for passage in (*held.corpus, *held.forget)}
    for row in reading.rows:
        ids = held.model.tokenizer.encode(texts[row["passage"]]).ids
        found = {name: row[name] for name in ("loss", "entropy", "min-k", "min-k++")}
        assert found == pytest.approx(by_hand(held.model.module.eval(), ids, k), abs=1e-6)


def test_the_headline_is_that_of_the_attack_and_the_rows_have_all():
    held = session(known())
    readings = held.measure(*(MembershipInference(attack=attack, label=attack) for attack in ATTACKS))
    rows = readings["loss"].rows
    assert all(reading.rows == rows for reading in readings.values())
    texts, judged = rows[:120], {row["statistic"]: row for row in rows[120:]}
    labels = [row["group"] == "member" for row in texts]
    for name, sign in (("loss", -1), ("entropy", -1), ("min-k", 1), ("min-k++", 1)):
        area = 100 * roc_auc_score(labels, [sign * row[name] for row in texts])
        assert judged[name]["auc"] == pytest.approx(area, abs=1e-6)
    for attack, (statistic, measure) in ATTACKS.items():
        assert readings[attack].value == judged[statistic][measure] > 75
        assert "that leaks." in readings[attack].note
    assert readings["loss"].note.startswith(f"AUC {number(readings['loss'].value)} % (95 % interval ")
    assert "at most 10 % of the never-seen texts (1 % needs 1,000 of them) for members finds " in readings["loss"].note
    assert readings["MIA_E"].note.startswith(f"MIA_E: a classifier that is shown the entropy is right about {number(readings['MIA_E'].value)} %")


def test_a_model_that_knows_nothing_gives_nothing_away():
    reading = session(drawn(61), taught=False).measure(MembershipInference())[LABEL]
    assert reading.note.endswith("The interval reaches 50: by this nobody can tell them apart.")
    assert 35 < reading.value < 65


def test_forgotten_too_well_leaks_as_well():
    held = session(known())
    held.run(4, GradientAscent(update_norm=2.0), stop_at=1e9)
    readings = held.measure(MembershipInference(), MembershipInference(attack="MIA_L", label="MIA_L"))
    assert readings[LABEL].value < 45
    assert readings["MIA_L"].value > 55
    assert all("look stranger than texts never seen: that leaks as well" in reading.note for reading in readings.values())


@pytest.mark.parametrize(
    "ends, measure, said",
    [
        ((40, 60), "auc", "nobody"),
        ((50, 60), "auc", "nobody"),
        ((51, 60), "auc", "familiar"),
        ((30, 45), "auc", "stranger"),
        ((30, 45), "accuracy", "nobody"),
        ((55, 60), "accuracy", "familiar"),
    ],
)
def test_the_side_is_said_where_the_interval_does_not_reach_50(ends, measure, said):
    low, high = ends
    row = {"auc": (low + high) / 2, "auc_low": low, "auc_high": high, "accuracy_low": low, "accuracy_high": high}
    assert said in side_said(row, measure)
    assert "stranger" in side_said({**row, "auc": 20, "accuracy_low": 90}, "accuracy")


def test_few_texts_are_not_judged_and_have_their_numbers_anyway():
    reading = worlds.session().measure(MembershipInference())[LABEL]
    assert (reading.value, reading.note) == (None, "too few texts to judge: 4 of at least 50")
    assert [row["group"] for row in reading.rows] == ["member"] * 4 + ["non-member"] * 8
    assert all(math.isfinite(row["min-k++"]) for row in reading.rows)
    unseen = session(drawn(61, 49), taught=False).measure(MembershipInference())[LABEL]
    assert (unseen.value, unseen.note) == (None, "too few never-seen texts to judge: 49 of at least 50")
    assert len(unseen.rows) == 109


def test_without_never_seen_texts_it_says_what_is_needed():
    reading = session(Corpus(list(drawn(61).train)), taught=False).measure(MembershipInference())[LABEL]
    assert reading.value is None
    assert reading.note == "There are no never-seen texts to compare with: give the corpus at least 50 with split 'holdout'"


def test_what_has_no_number_is_left_out_and_counted():
    held = session(Corpus([*known(), *(Passage(name, name, split="holdout") for name in "ab")]))
    plain = session(known()).measure(MembershipInference())[LABEL]
    reading = held.measure(MembershipInference())[LABEL]
    assert (reading.value, reading.rows) == (plain.value, plain.rows)
    assert reading.note == plain.note + " 2 texts of a single token left out."
    with torch.no_grad():
        held.model.module.transformer.ln_f.weight.fill_(math.nan)
    view = SimpleNamespace(groups=held.groups)
    blind = MembershipInference().measure(held.model, held.corpus, view)
    assert (blind.value, blind.rows) == (None, ())
    assert blind.note.endswith("; 2 texts of a single token left out. 120 texts without a finite loss left out.")


def test_stopped_it_keeps_what_was_read_and_judges_nothing(monkeypatch):
    monkeypatch.setattr("unlearnviz.engine.model.TOKENS_PER_BATCH", 60)
    held = session(known())
    worlds.one_at_a_time(held.measuring(MembershipInference()), 3).close()
    (kept,) = held.history.readings[0]
    assert kept.value is None
    assert kept.note == f"Stopped: {len(kept.rows)} of 120 texts were read, and only all of them can be judged"
    assert 0 < len(kept.rows) < 120


@pytest.mark.parametrize("wrong", [{"attack": "mia-l"}, {"k": 0.0}, {"k": 1.5}, {"seed": -1}])
def test_settings_out_of_bounds_are_refused(wrong):
    with pytest.raises(BadSetting, match=r"MembershipInference\("):
        MembershipInference(**wrong)
