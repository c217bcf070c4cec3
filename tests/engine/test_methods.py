"""Methods against independent computations in float64: autograd over functional calls, and torch's own optimizers."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import pytest
import torch
from torch.func import functional_call

from tests.engine import worlds
from unlearnviz.engine.methods.fine_tune import FineTune
from unlearnviz.engine.methods.gradient_ascent import GradientAscent
from unlearnviz.engine.methods.gradient_difference import GradientDifference
from unlearnviz.engine.methods.method import GradientMethod, Method
from unlearnviz.engine.methods.method import registry as methods
from unlearnviz.engine.progress import Progress
from unlearnviz.engine.settings import setting
from unlearnviz.errors import BadSetting, Overshoot

WTE = "transformer.wte.weight"
FORGET = ("mara-okafor-0", "mara-okafor-3")  # of different lengths


def opened(*, tied=True, dtype=torch.float64, forget=FORGET, **options):
    session = worlds.session(tied=tied, dtype=dtype, pick=None, **options)
    session.pick(*forget)
    return session


def leaves(session):
    return {name: parameter.detach().clone().requires_grad_() for name, parameter in session.model.parameters.items()}


def text_losses(session, parameters, text, *, head=None):
    """-log p of each token after the first, from raw logits, one unpadded text at a time; `head`: another output matrix."""
    module = session.model.module
    ids = torch.tensor([session.model.tokenizer.encode(text).ids[: session.model.context]])
    tied = session.model.layout.tied
    named = dict(parameters)
    if tied:
        named["lm_head.weight"] = named[WTE] if head is None else head
    logits = functional_call(module, named, (ids,), {"use_cache": False}, tie_weights=False).logits[0, :-1]
    shares = logits - torch.logsumexp(logits, dim=-1, keepdim=True)
    return -shares[torch.arange(len(logits)), ids[0, 1:]]


def token_mean(session, parameters, passages, **options):
    """Over all predicted tokens of all texts together."""
    return torch.cat([text_losses(session, parameters, passage.text, **options) for passage in passages]).mean()


def gradients(session, loss, parameters):
    found = torch.autograd.grad(loss, list(parameters.values()), allow_unused=True)
    return {name: torch.zeros_like(p) if g is None else g for (name, p), g in zip(parameters.items(), found, strict=True)}


def length(tensors):
    return torch.sqrt(sum((tensor.double() ** 2).sum() for tensor in tensors.values()))


def chosen(tensors, names):
    return {name: tensors[name] for name in names}


def close(session, wanted, names, tolerance=1e-12):
    for name in names:
        difference = (session.model.parameters[name].detach() - wanted[name].detach()).abs().max()
        assert difference <= tolerance, (name, float(difference))


def names_of(session, where):
    from unlearnviz.engine.selection import ParameterSelection

    return ParameterSelection.parse(where, session.model.layout).names


@pytest.mark.parametrize("tied", [True, False], ids=["tied", "untied"])
@pytest.mark.parametrize("where", ["embedding", "block 1", "all"])
def test_one_ascent_step_is_theta_plus_norm_times_the_unit_gradient(tied, where):
    session = opened(tied=tied)
    theta, names = leaves(session), names_of(session, where)
    gradient = chosen(gradients(session, token_mean(session, theta, session.forget), theta), names)
    norm = session.update_fraction * length(chosen(theta, names))
    assert session.update_norm(parse(session, where)) == pytest.approx(float(norm.detach()), rel=1e-12)
    record = session.step(GradientAscent(), where)
    close(session, {name: theta[name] + norm * gradient[name] / length(gradient) for name in names}, names)
    assert math.hypot(*record.update_norm.values()) == pytest.approx(float(norm.detach()), rel=1e-9)


def parse(session, where):
    from unlearnviz.engine.selection import ParameterSelection

    return ParameterSelection.parse(where, session.model.layout)


def test_the_two_uses_of_the_tied_matrix_sum_to_its_gradient():  # T6
    session = opened()
    theta = leaves(session)
    head = theta[WTE].detach().clone().requires_grad_()
    used_in, used_out = torch.autograd.grad(token_mean(session, theta, session.forget, head=head), [theta[WTE], head])
    tied = gradients(session, token_mean(session, theta, session.forget), theta)[WTE]
    assert (used_in + used_out - tied).abs().max() <= 1e-15
    moved = {}
    for where, wanted in (("embedding", tied), ("embedding.input", used_in), ("embedding.output", used_out)):
        session.step(GradientAscent(learning_rate=1.0), where)
        moved[where] = session.model.parameters[WTE].detach() - theta[WTE].detach()
        session.undo()
        assert (moved[where] - wanted).abs().max() <= 1e-14
    assert (moved["embedding.input"] + moved["embedding.output"] - moved["embedding"]).abs().max() <= 1e-14


def test_the_input_part_moves_exactly_the_rows_of_tokens_that_occur():  # T7
    session = opened()
    before = session.model.parameters[WTE].detach().clone()
    session.step(GradientAscent(learning_rate=1.0), "embedding.input")
    rows = (session.model.parameters[WTE].detach() != before).any(dim=1).nonzero().squeeze(1).tolist()
    effective = {token for passage in session.forget for token in session.model.encode(passage.text)[:-1]}  # the last predicts nothing
    assert set(rows) == effective
    session.undo()
    session.step(GradientAscent(learning_rate=1.0), "embedding.output")
    assert bool((session.model.parameters[WTE].detach() != before).any(dim=1).all())


def test_a_batch_weighs_texts_by_their_tokens():  # T8
    session = opened()
    theta = leaves(session)
    counts = [len(session.model.encode(passage.text)) - 1 for passage in session.forget]
    assert counts[0] != counts[1]
    each = [gradients(session, text_losses(session, theta, passage.text).mean(), theta) for passage in session.forget]
    wanted = {name: sum(n * g[name] for n, g in zip(counts, each, strict=True)) / sum(counts) for name in theta}
    session.step(GradientAscent(learning_rate=1.0), "all")
    close(session, {name: theta[name] + wanted[name] for name in theta}, theta)


@pytest.mark.parametrize("settings", [{"learning_rate": 0.03}, {"update_norm": 0.7}])
def test_a_given_rate_or_length_is_used(settings):
    session = opened()
    theta = leaves(session)
    gradient = gradients(session, token_mean(session, theta, session.forget), theta)[WTE]
    scale = settings.get("learning_rate") or settings["update_norm"] / float(gradient.norm())
    session.step(GradientAscent(**settings))
    close(session, {WTE: theta[WTE] + scale * gradient}, [WTE])


def test_several_updates_look_anew_after_each():
    session = opened()
    theta = {name: p.detach().clone() for name, p in session.model.parameters.items()}
    norm = session.update_norm(parse(session, "block 0"))
    names = names_of(session, "block 0")
    for _ in range(3):
        at = {name: p.clone().requires_grad_() for name, p in theta.items()}
        gradient = chosen(gradients(session, token_mean(session, at, session.forget), at), names)
        theta |= {name: theta[name] + norm * gradient[name] / length(gradient) for name in names}
    session.step(GradientAscent(updates=3), "block 0")
    close(session, theta, names)


def test_small_batches_are_shuffled_passes_from_the_steps_own_generator():
    session = opened(forget=("Mara Okafor", "Tom Lindqvist"))
    theta = leaves(session)
    generator = torch.Generator().manual_seed(session.step_seed(1))
    for _ in range(2):  # eight texts in batches of 3, 3 and 2, and anew
        order = torch.randperm(8, generator=generator).tolist()
        for start in (0, 3, 6):
            batch = [session.forget[k] for k in order[start : start + 3]]
            gradient = gradients(session, token_mean(session, theta, batch), theta)[WTE]
            theta[WTE] = (theta[WTE] + 0.1 * gradient).detach().requires_grad_()
    record = session.step(GradientAscent(learning_rate=0.1, updates=6, batch_size=3))
    assert record.seed == session.step_seed(1)
    close(session, theta, [WTE])


@pytest.mark.parametrize("decay", [0.0, 0.3])
@pytest.mark.parametrize("method", [GradientAscent, FineTune])
def test_adamw_is_torchs_own(method, decay):
    session = opened()
    retain = [passage for passage in session.corpus.train if passage not in session.forget]
    theta = leaves(session)
    names = names_of(session, "block 0")
    optimizer = torch.optim.AdamW([theta[name] for name in names], lr=0.02, weight_decay=decay)
    for _ in range(4):
        optimizer.zero_grad()
        sign, texts = (-1, session.forget) if method is GradientAscent else (1, retain)
        (sign * token_mean(session, theta, texts)).backward()
        optimizer.step()
    made = method(optimizer="AdamW", learning_rate=0.02, weight_decay=decay, updates=2, batch_size=64)
    session.step(made, "block 0")
    session.step(made, "block 0")
    close(session, theta, names, tolerance=1e-10)


def test_a_rescaled_adamw_update_has_the_length_and_adams_direction():
    session = opened()
    theta = leaves(session)
    optimizer = torch.optim.AdamW([theta[WTE]], lr=1e-3, weight_decay=0.2)
    before = theta[WTE].detach().clone()
    (-token_mean(session, theta, session.forget)).backward()
    optimizer.step()
    change = theta[WTE].detach() - before
    session.step(GradientAscent(optimizer="AdamW", weight_decay=0.2, update_norm=0.4))
    close(session, {WTE: before + 0.4 * change / change.norm()}, [WTE], tolerance=1e-10)


@pytest.mark.parametrize("weight", [0.0, 0.5, 2.0])
def test_gradient_difference_has_both_terms(weight):
    session = opened()
    retain = [passage for passage in session.corpus.train if passage not in session.forget]
    theta = leaves(session)
    loss = weight * token_mean(session, theta, retain) - token_mean(session, theta, session.forget)
    gradient = gradients(session, loss, theta)
    session.step(GradientDifference(retain_weight=weight, learning_rate=0.5, batch_size=64), "all")
    close(session, {name: theta[name] - 0.5 * gradient[name] for name in theta}, theta)


def test_fine_tuning_descends_the_taught_texts_outside_the_forget_set():
    session = opened(forget=("Mara Okafor",))
    retain = [passage for passage in session.corpus.train if passage.subject != "Mara Okafor"]
    theta = leaves(session)
    gradient = gradients(session, token_mean(session, theta, retain), theta)
    session.step(FineTune(learning_rate=0.5, batch_size=64), "all")
    close(session, {name: theta[name] - 0.5 * gradient[name] for name in theta}, theta)


def test_signs_ascent_forgets_and_fine_tuning_repairs(taught):
    def now():
        return {row["group"]: row["perplexity"] for row in taught.measure("perplexity")["perplexity"].rows}

    start = now()
    taught.run(4, GradientAscent(), stop_at=1e9)
    after = now()
    assert after["forget"] > 1.5 * start["forget"]
    taught.step(FineTune(optimizer="AdamW", learning_rate=3e-3, updates=10), "all")
    assert now()["neighbours"] < after["neighbours"]


def test_a_zero_gradient_moves_nothing():
    @dataclass(frozen=True, kw_only=True)
    class Still(GradientMethod):
        def loss(self, work, forget, retain):
            return 0 * work.model.loss(forget)

    session = opened()
    before = session.fingerprint()
    record = session.step(Still())
    assert session.fingerprint() == before
    assert record.update_norm == {}


def test_a_method_may_yield_nothing_or_nothing_in_particular():
    @dataclass(frozen=True, kw_only=True)
    class AtOnce(Method):
        scale: float = setting(2.0, help="Factor.", above=0)

        def run(self, work):
            with torch.no_grad():
                for parameter in work.parameters.values():
                    parameter.mul_(self.scale)

    @dataclass(frozen=True, kw_only=True)
    class Bare(Method):
        def run(self, work):
            for _ in range(3):
                with torch.no_grad():
                    for parameter in work.parameters.values():
                        parameter.mul_(2)
                yield

    session = opened()
    before = session.model.parameters[WTE].detach().clone()
    assert session.step(AtOnce(scale=4.0)).settings == {"scale": 4.0}
    assert torch.equal(session.model.parameters[WTE].detach(), 4 * before)
    session.step(Bare())
    assert torch.equal(session.model.parameters[WTE].detach(), 32 * before)


def test_a_method_that_tidies_up_late_cannot_undo_the_undoing():
    @dataclass(frozen=True, kw_only=True)
    class Tidy(Method):
        def run(self, work):
            try:
                yield
                yield
            finally:
                with torch.no_grad():
                    next(iter(work.parameters.values())).add_(1)

    session = opened()
    before = worlds.state(session)
    work = worlds.one_at_a_time(session.stepping(Tidy()), 2)
    work.close()
    assert worlds.state(session) == before


def test_what_a_method_is_given():
    seen = []

    @dataclass(frozen=True, kw_only=True)
    class Curious(Method):
        def run(self, work):
            seen.append(work)
            yield

    session = opened(forget=("mara-okafor-0", "A typed text of five words."))
    start = session.fingerprint()
    session.step(where="block 0")
    session.step(Curious(), "block 1")
    (work,) = seen
    assert work.model is session.model
    assert tuple(work.forget) == session.forget
    assert {p.id for p in work.retain} == {p.id for p in session.corpus.train} - {"mara-okafor-0"}
    assert tuple(work.parameters) == session.model.layout.groups["block 1"]
    assert work.reference.fingerprint() == start
    assert work.generator.initial_seed() == work.seed == session.step_seed(2)
    assert work.update_norm == session.update_norm(parse(session, "block 1"))
    assert work.ledger is None


def test_no_prediction_in_a_text_of_one_token_breaks_no_step():
    from unlearnviz.engine.corpus import Corpus, Passage

    corpus = Corpus([*worlds.corpus(), Passage("short", "a", subject="Short")])
    session = worlds.session(texts=corpus)
    assert len(session.model.encode("a")) == 1
    session.step(GradientDifference(batch_size=1, updates=25))
    rows = session.measure("perplexity", "gradient-norm", "exact-recall", "generation")["perplexity"].rows
    assert all("short" not in row["per_text"] for row in rows)
    session.learn(1)
    with pytest.raises(BadSetting, match=r"The text 'a' has only one token; a text needs two tokens before anything is predicted\."):
        session.pick("short")


@pytest.mark.parametrize(
    "make, sentence",
    [
        (
            lambda: GradientAscent(learning_rate=0.1, update_norm=0.25),
            "GradientAscent was given learning_rate=0.1 and update_norm=0.25; an update has one length, so give one of the two.",
        ),
        (lambda: GradientAscent(weight_decay=0.1), "weight_decay=0.1 works with optimizer='AdamW' only; leave it at 0 for SGD."),
        (
            lambda: GradientAscent(optimizer="adam"),
            "GradientAscent(optimizer='adam') is not one of its choices. Did you mean 'AdamW'? Known: 'SGD', 'AdamW'.",
        ),
        (lambda: GradientAscent(learning_rate=float("nan")), "GradientAscent(learning_rate=nan) is not a finite number; allowed is above 0."),
        (lambda: GradientAscent(learning_rate=-1), "GradientAscent(learning_rate=-1) is out of range; allowed is above 0."),
        (lambda: GradientAscent(update_norm=0), "GradientAscent(update_norm=0) is out of range; allowed is above 0."),
        (lambda: FineTune(updates=1.5), "FineTune(updates=1.5) is not a whole number; allowed is at least 1 and at most 1000."),
        (lambda: FineTune(batch_size=0), "FineTune(batch_size=0) is out of range; allowed is at least 1 and at most 1024."),
        (
            lambda: GradientDifference(retain_weight=float("inf")),
            "GradientDifference(retain_weight=inf) is not a finite number; allowed is at least 0 and at most 100.",
        ),
    ],
)
def test_settings_that_cannot_be(make, sentence):
    with pytest.raises(BadSetting, match=f"^{re.escape(sentence)}$"):
        make()


def test_a_trajectory_that_is_no_json_is_refused_and_nothing_is_kept(session):
    @dataclass(frozen=True, kw_only=True)
    class Noting(Method):
        note: str = setting("tensor", help="What is noted.")

        def run(self, work):
            with torch.no_grad():
                next(iter(work.parameters.values())).add_(1)
            work.trajectory.append({"taken": torch.ones(2) if self.note == "tensor" else ("a", "b")})
            yield Progress(1)

    before = worlds.state(session)
    with pytest.raises(BadSetting, match=r"What noting appended to work\.trajectory cannot be written .*; append dictionaries of numbers,"):
        session.step(Noting())
    assert worlds.state(session) == before
    assert session.step(Noting(note="texts")).trajectory == ({"taken": ["a", "b"]},)  # as it comes back from a file


def test_an_overshoot_says_what_to_lower(session):
    with pytest.raises(Overshoot) as caught:
        session.step(GradientAscent(learning_rate=1e30, updates=2))
    assert str(caught.value) == (
        "The loss of gradient-ascent is nan at update 2: the model has overshot and nothing was kept. "
        "Lower the learning rate or the update norm, or undo a few steps first."
    )


def test_weights_that_are_not_finite_are_not_kept_even_where_no_loss_saw_them(session):
    @dataclass(frozen=True, kw_only=True)
    class Boundless(Method):
        def run(self, work):
            with torch.no_grad():
                work.parameters["transformer.h.0.ln_1.bias"][3] = float("inf")
            yield

    before = worlds.state(session)
    with pytest.raises(Overshoot) as caught:
        session.step(Boundless(), "block 0")
    assert str(caught.value) == (
        "After this step of boundless, transformer.h.0.ln_1.bias holds values that are not finite; nothing was kept. "
        "Lower the learning rate or the update norm."
    )
    assert worlds.state(session) == before
    with pytest.raises(Overshoot):
        session.step(GradientAscent(update_norm=1e300, updates=2))
    assert worlds.state(session) == before


def test_names_are_found_however_they_are_written():
    for name in ("gradient-ascent", "gradient_ascent", "GradientAscent", "gradient ascent"):
        assert methods[name] is GradientAscent
