"""Readings beside plain loops; and the plain loop beside loss and generate of transformers."""

from __future__ import annotations

import math

import pytest
import torch

from tests.engine import worlds
from unlearnviz.engine.checking import HALF, ROUNDING, Check, check_reading
from unlearnviz.engine.methods.gradient_ascent import GradientAscent
from unlearnviz.engine.plain_model import PlainModel
from unlearnviz.engine.probes.generation import Generation
from unlearnviz.engine.probes.perplexity import Perplexity
from unlearnviz.engine.progress import drain
from unlearnviz.errors import BadForgetSet, NotPossible

NAMES = ("perplexity", "exact-recall", "memorisation-accuracy")


def check(session, probe):
    return drain(check_reading(session, probe))


@pytest.mark.parametrize("tied", [True, False])
def test_a_perplexity_agrees_with_the_loss_that_transformers_computes(tied):
    session = worlds.session(tied=tied)
    session.step(GradientAscent(update_norm=0.5))
    found = check(session, "perplexity")
    assert list(found.numbers) == [group for group, members in session.groups.items() if members]
    for group, (read, plain) in found.numbers.items():
        total = tokens = 0
        for passage in session.groups[group]:
            ids = torch.tensor([session.model.encode(passage.text)])
            with torch.no_grad():
                total += float(session.model.module(input_ids=ids, labels=ids).loss.double()) * (ids.shape[1] - 1)
            tokens += ids.shape[1] - 1
        assert plain == pytest.approx(math.exp(total / tokens), rel=1e-5)
        assert read == pytest.approx(plain, rel=ROUNDING)
    assert found.agrees
    assert found.reading.step == 1
    assert "Perplexity at step 1, recomputed by a plain GPT2LMHeadModel, one text and one token at a time: forget " in found.sentence
    assert "They agree: " in found.sentence or "They are equal to the last digit." in found.sentence


@pytest.mark.parametrize("probe", NAMES[1:])
def test_counts_are_equal_to_the_last_digit_in_a_model_that_knows_its_texts(probe):
    session = worlds.session(taught=True)
    found = check(session, probe)
    assert found.difference == 0
    assert found.numbers["forget"][0] > 0.5
    assert found.sentence.endswith("They are equal to the last digit.")


def test_what_the_plain_model_writes_is_what_transformers_writes():
    model = worlds.language_model(taught=True)
    ids = model.encode("Mara Okafor was born in")
    wanted = model.module.generate(torch.tensor([ids]), max_new_tokens=6, do_sample=False, pad_token_id=0)[0, len(ids) :].tolist()
    written = PlainModel(model).written(ids, 6, {0})
    assert written == [token for token in wanted if token != 0]


def test_the_plain_model_is_a_copy_and_moves_no_dice():
    model = worlds.language_model()
    before, dice = worlds.language_model().module.state_dict(), torch.random.get_rng_state()
    plain = PlainModel(model)
    assert torch.equal(torch.random.get_rng_state(), dice)
    with torch.no_grad():
        for parameter in plain.module.parameters():
            parameter.zero_()
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.module.state_dict().items())
    assert not plain.module.training


def test_an_activation_that_was_fused_is_the_librarys_own_again():
    model = worlds.language_model()
    model.fused = {"activation_function": "gelu_new"}
    assert PlainModel(model).module.config.activation_function == "gelu_new"
    assert model.module.config.activation_function == "gelu_pytorch_tanh"
    session = worlds.session()
    session.model.fused = {"activation_function": "gelu_new"}
    assert "the model's activation is computed in one piece" in check(session, "perplexity").sentence


def test_half_precision_may_differ_by_more_and_that_is_said():
    found = check(worlds.session(dtype=torch.bfloat16), "perplexity")
    assert (found.half, found.tolerance) == (True, HALF)
    assert found.agrees
    assert "the model rounds to half precision, the loop does not" in found.sentence
    assert check(worlds.session(dtype=torch.float64), "perplexity").difference < 1e-9


def test_a_wrong_number_is_found(monkeypatch):
    session = worlds.session()
    monkeypatch.setattr("unlearnviz.engine.probes.perplexity.exponential", lambda nll: math.exp(nll) * 1.001)
    found = check(session, "perplexity")
    assert not found.agrees
    assert "They DIFFER, by 0.0999 % at most, where 0.01 % may be rounding" in found.sentence


def test_what_has_no_plain_loop_says_what_can_be_checked():
    session = worlds.session()
    for probe in ("gradient-norm", Generation(), Perplexity(of_answer=True)):
        with pytest.raises(NotPossible, match="can be checked: 'perplexity', 'exact-recall', 'memorisation-accuracy'"):
            check(session, probe)
    with pytest.raises(BadForgetSet):
        check(worlds.session(pick=None), "perplexity")


def test_numbers_that_are_not_finite_are_compared_too():
    reading = worlds.session().measure("perplexity")["perplexity"]
    for pair, difference in (((math.inf, math.inf), 0.0), ((math.nan, math.nan), 0.0), ((math.inf, 2.0), math.inf), ((2.0, 1.0), 0.5)):
        assert Check(reading, {"forget": pair}, 0.0, "GPT2LMHeadModel").difference == difference


def test_checking_changes_nothing_and_can_be_stopped():
    session = worlds.session()
    session.measure("perplexity")
    before = worlds.state(session)
    worlds.one_at_a_time(check_reading(session, "perplexity"), 3).close()
    assert worlds.state(session) == before
    check(session, "perplexity")
    assert worlds.state(session) == before
