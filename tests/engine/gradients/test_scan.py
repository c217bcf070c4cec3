"""One pass over many texts, against autograd on one text at a time, in float64, from the logits themselves."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from tests.engine import families, worlds
from tests.engine.probes.opened import EVERY_SHAPE, by_hand, opened
from unlearnviz.engine.corpus import Passage
from unlearnviz.engine.gradients import passing
from unlearnviz.engine.gradients.scan import GradientScan
from unlearnviz.engine.model import LanguageModel
from unlearnviz.engine.progress import drain
from unlearnviz.errors import BadForgetSet, NotPossible

TEXTS = [
    *(passage.text for passage in worlds.corpus().train[:5]),
    "the the the the market the the",  # its tokens are also what it predicts: the uses of a tied matrix meet
    "Mara Okafor",
]
FORGET = TEXTS[:2]


def scanned(model, texts=TEXTS, **options):
    scan = GradientScan(model, texts, **options)
    drain(scan.running())
    return scan


def passage(text):
    return Passage(id=text, text=text, subject="", split="train")


def oracle(session, texts, toward):
    """Per text its gradients by name, and those of the `toward` texts together, from an untied copy."""
    return [by_hand(session, [passage(text)]) for text in texts], by_hand(session, [passage(text) for text in toward])


def members(session, column):
    return session.model.layout.groups.get(column, (column,))


def products(session, scan, one, other):
    """Column -> inner product of two gradients."""
    return np.array(
        [sum(float((one[name] * other[name]).sum()) for name in members(session, each)) for each in scan.columns]
    )


@EVERY_SHAPE
@pytest.mark.usefixtures("_all_in_float64")
@pytest.mark.parametrize("each", [False, True], ids=["together", "each"])
def test_every_number_agrees_with_autograd(shape, tied, each):
    session = opened(shape, tied=tied)
    model = session.model
    assert len({len(model.encode(text)) for text in TEXTS}) > 3  # so that some are padded
    scan = scanned(model, toward=FORGET, tokens=True, each=each)
    assert passing.unfit(model, TEXTS[0]) == frozenset()  # nothing went the plain way
    assert scan.columns == (*model.layout.groups, *(("embedding.input", "embedding.output") if tied else ()))
    texts, aim = oracle(session, TEXTS, FORGET)
    lengths = np.sqrt(products(session, scan, aim, aim))
    assert scan.toward_norms == pytest.approx(lengths, rel=1e-10)
    for k, text in enumerate(texts):
        norms = np.sqrt(products(session, scan, text, text))
        assert scan.norms[k] == pytest.approx(norms, rel=1e-10)
        assert np.abs(scan.influence[k] - products(session, scan, text, aim)).max() <= 1e-10 * (norms * lengths).max()
        assert scan.tokens[k].shape == (len(model.encode(TEXTS[k])), len(scan.columns))
        assert scan.tokens[k].sum(axis=0) == pytest.approx(scan.influence[k], abs=1e-12 * (norms * lengths).max())
    if each:
        for j, other in enumerate(texts[:2]):
            whole = [products(session, scan, text, other)[scan.whole].sum() for text in texts]
            assert scan.each[:, j] == pytest.approx(np.array(whole), abs=1e-10 * np.abs(whole).max())


@pytest.mark.parametrize("tied", [True, False], ids=["tied", "untied"])
def test_what_each_token_adds_is_its_own_outer_product(tied):
    session = opened(tied=tied)
    model, text = session.model, TEXTS[0]
    name = f"{model.layout.block_prefix}1.mlp.c_fc.weight"
    column = model.layout.group_of(name)
    scan = scanned(model, [text], toward=FORGET, tokens=True, columns={column: [name]})
    kept = {}
    part = model.module.transformer.h[1].mlp.c_fc
    hook = part.register_forward_hook(lambda _part, given, out: kept.update(a=given[0].detach(), g=out) or out.retain_grad())
    model.module.eval()
    model.loss(model.batch([text])).backward()
    hook.remove()
    aim = by_hand(session, [passage(each) for each in FORGET])[name]
    expected = torch.einsum("ti,io,to->t", kept["a"][0], aim, kept["g"].grad[0])
    assert scan.tokens[0][:, 0] == pytest.approx(expected.numpy(), rel=1e-10, abs=1e-14)


def test_the_cross_term_of_a_tied_matrix_counts():
    scan = scanned(opened().model, [TEXTS[5]])
    both, inputs, outputs = (
        scan.column(scan.norms, name)[0] ** 2 for name in ("embedding", "embedding.input", "embedding.output")
    )
    assert abs(both - inputs - outputs) > 1e-3 * both  # the first test would see it if it were dropped


def test_shared_words_are_the_input_use_alone():
    model = worlds.language_model(taught=True)
    texts = ["Mara Okafor was", "the the the", "Mara Okafor"]
    scan = scanned(model, texts[:2], toward=texts[2:], tokens=True)
    ids = [set(model.encode(text)) for text in texts]
    assert ids[0] & ids[2]
    assert not ids[1] & ids[2]
    shares = [scan.column(scan.tokens[k], "embedding.input") for k in (0, 1)]
    assert (shares[1] == 0).all()
    common = np.array([token in ids[2] for token in model.encode("Mara Okafor was")])
    assert (shares[0][~common] == 0).all()
    assert shares[0].sum() == pytest.approx(scan.column(scan.influence, "embedding.input")[0])


def test_one_small_step_lowers_the_forget_loss_by_rate_times_influence():
    session = opened()
    model = session.model
    scan = scanned(model, [TEXTS[3]], toward=FORGET)
    promised = scan.influence[0, scan.whole].sum()
    gradient = by_hand(session, [passage(TEXTS[3])])
    model.module.eval()
    before, errors = float(model.loss(model.batch(FORGET)).detach()), []
    for rate in (1e-3, 5e-4):
        moved = LanguageModel(copy.deepcopy(model.module), model.tokenizer)
        with torch.no_grad():
            for name, parameter in moved.parameters.items():
                parameter.sub_(rate * gradient[name])
        errors.append(abs(before - float(moved.loss(moved.batch(FORGET)).detach()) - rate * promised))
    assert errors[0] == pytest.approx(4 * errors[1], rel=0.1)  # what is left is of second order


@pytest.mark.parametrize("tied", [True, False], ids=["tied", "untied"])
def test_float32_agrees_with_a_float64_model(tied):
    session = opened(tied=tied)
    truth = scanned(session.model, toward=FORGET)
    single = LanguageModel(copy.deepcopy(session.model.module).float(), session.model.tokenizer)
    scan = scanned(single, toward=FORGET)
    assert scan.norms == pytest.approx(truth.norms, rel=1e-5)
    assert np.abs(scan.influence - truth.influence).max() <= 1e-5 * (truth.norms * truth.toward_norms).max()


def test_many_forget_texts_take_the_summed_form_and_agree():
    model = opened().model
    many = [passage.text for passage in worlds.corpus().train]
    scan, apart = scanned(model, toward=many), scanned(model, toward=many, each=True)
    assert scan.influence == pytest.approx(apart.influence, rel=1e-9, abs=1e-12)
    assert scan.toward_norms == pytest.approx(apart.toward_norms, rel=1e-9)
    weights = np.array([len(model.encode(text)) - 1 for text in many])
    assert apart.each @ (weights / weights.sum()) == pytest.approx(scan.influence[:, scan.whole].sum(axis=1), rel=1e-9)


@pytest.mark.parametrize("shape", list(families.SHAPES))
def test_all_families_agree_whichever_way_they_go(shape):
    module = families.module(
        shape, tied=True, vocabulary=worlds.tokenizer().get_vocab_size(), attn_implementation="eager"
    ).eval()
    model = LanguageModel(module, worlds.tokenizer())
    scan = scanned(model, TEXTS[:4], toward=FORGET)
    with model.following(model.layout.names) as parameters:
        gradient = {
            text: dict(
                zip(
                    parameters,
                    torch.autograd.grad(model.loss(model.batch(text)), list(parameters.values()), allow_unused=True),
                    strict=True,
                )
            )
            for text in (*((each,) for each in TEXTS[:4]), tuple(FORGET))
        }
    for k, text in enumerate(TEXTS[:4]):
        for column, group in enumerate(model.layout.groups.values()):
            pairs = [(gradient[(text,)][name], gradient[tuple(FORGET)][name]) for name in group]
            square = sum(float(g.double().square().sum()) for g, _ in pairs if g is not None)
            product = sum(float((g.double() * f.double()).sum()) for g, f in pairs if g is not None and f is not None)
            assert scan.norms[k, column] == pytest.approx(square**0.5, rel=1e-4)
            assert scan.influence[k, column] == pytest.approx(
                product, rel=1e-3, abs=1e-5 * scan.norms[k, column] * scan.toward_norms[column]
            )


class Scaled(nn.LayerNorm):
    """A part that is used in an unknown way: its weight is squared before it scales."""

    def forward(self, given):
        return nn.functional.layer_norm(given, self.normalized_shape, self.weight.square(), self.bias, self.eps)


def with_an_unknown_part():
    model = worlds.language_model(blocks=1, dtype=torch.float64)
    model.module.transformer.ln_f = Scaled(model.module.config.n_embd).double()
    return LanguageModel(model.module, model.tokenizer)


def test_an_unknown_use_goes_text_by_text_and_says_so():
    model = with_an_unknown_part()
    scan = scanned(model, TEXTS[:3], toward=FORGET, tokens=True, each=True)
    assert "final norm: 1 parameter is used in a way without a fast rule" in " ".join(scan.notes)
    for k, text in enumerate(TEXTS[:3]):
        with model.following(model.layout.names) as parameters:
            one = dict(
                zip(parameters, torch.autograd.grad(model.loss(model.batch([text])), list(parameters.values())), strict=True)
            )
            aim = dict(
                zip(parameters, torch.autograd.grad(model.loss(model.batch(FORGET)), list(parameters.values())), strict=True)
            )
        for column, group in enumerate(model.layout.groups.values()):
            assert scan.norms[k, column] ** 2 == pytest.approx(
                sum(float(one[name].square().sum()) for name in group), rel=1e-10
            )
            assert scan.influence[k, column] == pytest.approx(
                sum(float((one[name] * aim[name]).sum()) for name in group), rel=1e-9, abs=1e-15
            )
    assert scan.toward_norms[1] == pytest.approx(
        sum(float(aim[n].square().sum()) for n in model.layout.groups["position"]) ** 0.5, rel=1e-10
    )


def test_a_rule_that_does_not_agree_is_not_used(monkeypatch):
    model = worlds.language_model(blocks=1)
    truth = scanned(model).norms
    module = copy.deepcopy(model.module)
    from unlearnviz.engine.gradients import products

    right = products.squares
    monkeypatch.setattr(
        passing, "squares", lambda use, gradient: right(use, gradient) * (1.1 if use.name.endswith("c_fc.weight") else 1.0)
    )
    wrong = LanguageModel(module, model.tokenizer)
    assert {name.split(".")[-2] for name in passing.unfit(wrong, TEXTS[0])} == {"c_fc"}
    assert scanned(wrong).norms == pytest.approx(truth, rel=1e-5)


def test_texts_of_one_token_are_left_out_and_said():
    model = worlds.language_model()
    scan = scanned(model, ["a", *FORGET], toward=["a", FORGET[0]], each=True)
    assert np.isnan(scan.norms[0]).all()
    assert np.isnan(scan.influence[0]).all()
    assert np.isnan(scan.each[:, 0]).all()
    assert np.isfinite(scan.norms[1:]).all()
    assert scan.notes == ["1 text of a single token predicts nothing and is left out."]
    assert (scan.done, scan.usable) == (2, 2)
    with pytest.raises(BadForgetSet, match="None of the texts has two tokens"):
        GradientScan(model, ["a", ""])
    with pytest.raises(BadForgetSet, match="None of the texts has two tokens"):
        GradientScan(model, FORGET, toward=["a"])


def test_identical_texts_get_identical_numbers():
    scan = scanned(worlds.language_model(), [TEXTS[0], TEXTS[3], TEXTS[0]], toward=FORGET)
    assert (scan.norms[0] == scan.norms[2]).all()
    assert (scan.influence[0] == scan.influence[2]).all()


def test_half_precision_is_copied_up_and_said():
    half = worlds.language_model(taught=True, dtype=torch.bfloat16)
    scan = scanned(half, toward=FORGET)
    full = LanguageModel(copy.deepcopy(half.module).float(), half.tokenizer)
    assert scan.influence == pytest.approx(scanned(full, toward=FORGET).influence, rel=1e-6)
    assert scan.notes == ["The model computes in bfloat16; its gradients are taken on a float32 copy of the weights."]
    assert all(parameter.dtype == torch.bfloat16 for parameter in half.parameters.values())


def test_a_gradient_that_is_not_finite_names_text_and_group():
    model = worlds.language_model()
    with torch.no_grad():
        model.parameters[model.layout.groups["block 1"][0]].fill_(float("nan"))
    with pytest.raises(NotPossible, match=r"The gradient of the text '.+' in .+ is not finite"):
        scanned(model)


def test_stopped_in_the_middle_it_keeps_what_is_done():
    model = worlds.language_model()
    many = [passage.text for passage in worlds.corpus()] * 12
    scan = GradientScan(model, many, toward=FORGET, tokens=True)
    running = scan.running()
    first = next(running)
    running.close()
    assert 0 < scan.done < scan.usable
    assert (first.done, first.total) == (scan.done, len(many))
    assert (
        np.isfinite(scan.norms).all(axis=1).sum()
        == np.isfinite(scan.influence).all(axis=1).sum()
        == scan.done
        == len(scan.tokens)
    )


def test_nothing_is_left_behind():
    model = worlds.language_model(dropout=0.1)
    model.module.train()
    before = {name: (p._version, p.requires_grad, p.grad) for name, p in model.parameters.items()}
    first = scanned(model, toward=FORGET)
    assert before == {name: (p._version, p.requires_grad, p.grad) for name, p in model.parameters.items()}
    assert not any(part._forward_hooks for part in model.module.modules())
    assert all(part.training for part in model.module.modules())
    with torch.inference_mode():  # whatever the caller chose
        assert (scanned(model, toward=FORGET).norms == first.norms).all()
