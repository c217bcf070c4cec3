"""ProjectedGradient: the projection by numpy's SVD, what texts to keep no longer feel, and when nothing is left."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.engine import worlds
from tests.engine.methods.by_hand import WTE, ByHand, opened
from tests.engine.probes import opened as families
from unlearnviz.engine.layer_inputs import leading
from unlearnviz.engine.methods.gradient_ascent import GradientAscent
from unlearnviz.engine.methods.projected_gradient import ProjectedGradient, Rows, Span
from unlearnviz.errors import BadSetting, NotPossible

RATE = {"learning_rate": 0.05}
C_ATTN = "transformer.h.1.attn.c_attn.weight"


def retained(session):
    return [passage for passage in session.corpus.train if passage not in session.forget]


def logits(session, passage):
    ids = torch.tensor([session.model.tokenizer.encode(passage.text).ids])
    with torch.no_grad():
        return session.model.module(ids, use_cache=False).logits[0]


def moved(session, method, where):
    """By how much the logits of each text to keep, and of the forget texts, changed at most."""
    passages = [*retained(session), *session.forget]
    before = [logits(session, passage) for passage in passages]
    session.step(method, where)
    found = [float((logits(session, each) - old).abs().max()) for each, old in zip(passages, before, strict=True)]
    return sorted(found[: -len(session.forget)]), max(found[-len(session.forget) :])


@pytest.mark.parametrize("share", [0.5, 0.95, 1.0])
@pytest.mark.parametrize("inputs_first", [True, False])
def test_what_lies_in_the_protected_directions_goes_through_as_before(share, inputs_first):
    draw = torch.Generator().manual_seed(1)
    kept = torch.randn(12, 20, dtype=torch.float64, generator=draw) * torch.logspace(0, -2, 20)
    directions = leading(kept.T @ kept, share)
    weights, update = torch.randn(2, 20, 9, dtype=torch.float64, generator=draw)
    cut = Span(directions, inputs_first)
    left = cut(update) if inputs_first else cut(update.T).T
    inside = torch.randn(50, directions.shape[1], dtype=torch.float64, generator=draw) @ directions.T
    assert float((inside @ (weights - 100 * left) - inside @ weights).abs().max()) <= 1e-10
    outside = torch.randn(50, 20, dtype=torch.float64, generator=draw)
    outside = outside - outside @ directions @ directions.T
    assert float((outside @ left - outside @ update).abs().max()) <= 1e-10  # and what lies beside is felt whole
    assert float((cut(left if inputs_first else left.T) - (left if inputs_first else left.T)).abs().max()) <= 1e-12


def test_no_direction_leaves_the_update_and_all_leave_nothing():
    update = torch.randn(6, 4)
    none, every = torch.zeros(6, 0, dtype=torch.float64), torch.eye(6, dtype=torch.float64)
    assert torch.equal(Span(none, inputs_first=True)(update), update)
    assert torch.equal(Span(every, inputs_first=True)(update), torch.zeros(6, 4))
    assert torch.equal(Span(every, inputs_first=False)(update.T), torch.zeros(4, 6))
    assert torch.equal(Rows(torch.tensor([1, 3]))(update).abs().sum(dim=1) > 0, torch.tensor([True, False, True, False, True, True]))


def by_hand(inputs, protect):
    """U U^T of the leading directions, from the inputs themselves."""
    _, values, rows = np.linalg.svd(inputs, full_matrices=False)
    count = sum(values[: k + 1].sum() <= protect * values.sum() for k in range(len(values)))
    assert 0 < count < inputs.shape[1]
    return torch.tensor(rows[:count].T @ rows[:count])


@pytest.mark.parametrize("where", [C_ATTN, "embedding", "embedding.input", "embedding.output"])
@pytest.mark.parametrize("protect", [0.6, 0.95])
def test_an_update_by_hand(where, protect):
    session = opened(taught=True)
    hand = ByHand(session, where)
    for _ in range(2):
        states, used = [], set()
        for passage in retained(session):
            ids = session.model.tokenizer.encode(passage.text).ids
            with torch.no_grad():
                read = session.model.module(torch.tensor([ids]), output_hidden_states=True, use_cache=False).hidden_states
                states.append(session.model.module.transformer.h[1].ln_1(read[1][0]) if where == C_ATTN else read[-1][0])
            used.update(ids)
        projection = by_hand(torch.cat(states).numpy(), protect)
        for name, gradient in hand.gradient(session.forget).items():
            if where == C_ATTN:
                left = gradient - projection @ gradient
            else:
                left = gradient - gradient @ projection
                left[sorted(used)] = 0
            with torch.no_grad():
                hand.weights[name] += 0.05 * left
        session.step(ProjectedGradient(protect=protect, **RATE), where)
        hand.agree(1e-10)


@pytest.mark.parametrize("where", ["all", "embedding", "blocks 0-1", "mlp, embedding.output"])
@pytest.mark.parametrize("way", [RATE, {"optimizer": "AdamW", "learning_rate": 0.01, "weight_decay": 0.5}], ids=["SGD", "AdamW"])
def test_the_text_that_was_looked_at_keeps_every_logit(where, way):
    session = opened(taught=True)
    held, forget = moved(session, ProjectedGradient(protect=1, texts=1, updates=3, **way), where)
    assert held[0] <= 1e-10
    assert forget > 0.01
    assert held[1] > 1e-4  # the others were not looked at


@pytest.mark.parametrize("shape", ["Llama", "OPT"])
def test_in_other_families_it_does_so_too(shape):
    session = families.opened(shape)
    session.pick("Mara Okafor")
    session.model.module.eval()
    held, forget = moved(session, ProjectedGradient(protect=1, texts=1, update_norm=2.0), "all")
    assert held[0] <= 1e-5
    assert min(forget, held[1]) > 1e-2


def test_where_nothing_is_protected_it_is_gradient_ascent():
    one, other = worlds.session(), worlds.session()
    one.step(ProjectedGradient(protect=0, updates=3, batch_size=2), "h.1.mlp.c_fc.weight, h.0.attn.c_proj.weight")
    other.step(GradientAscent(updates=3, batch_size=2), "h.1.mlp.c_fc.weight, h.0.attn.c_proj.weight")
    assert one.fingerprint() == other.fingerprint()


def test_what_is_no_linear_layer_is_frozen():
    session = worlds.session()
    before = {name: parameter.detach().clone() for name, parameter in session.model.parameters.items()}
    session.step(ProjectedGradient(optimizer="AdamW", learning_rate=0.1, weight_decay=1.0), "all")
    changed = {name for name, parameter in session.model.parameters.items() if not torch.equal(parameter, before[name])}
    assert changed == {name for name in before if ".c_" in name and name.endswith(".weight")} | {WTE}
    used = sorted({token for passage in retained(session) for token in session.model.encode(passage.text)})
    assert torch.equal(session.model.parameters[WTE][used], before[WTE][used])


def test_texts_are_drawn_by_the_seed_of_the_step():
    prints = []
    for _ in range(2):
        session = worlds.session()
        session.step(ProjectedGradient(texts=3), "block 0")
        session.step(ProjectedGradient(texts=3), "block 0")
        prints.append(session.fingerprint())
    assert prints[0] == prints[1]


@pytest.mark.parametrize("where, named", [("position", "transformer.wpe.weight"), ("norm", "transformer.h.0.ln_1.weight")])
def test_a_selection_without_a_linear_layer_is_refused(where, named):
    session = worlds.session()
    before = worlds.state(session)
    with pytest.raises(NotPossible) as caught:
        session.step(ProjectedGradient(), where)
    assert str(caught.value) == (
        "projected-gradient moves linear layers and the token embedding, and this selection holds neither, but "
        f"{named}; choose for example 'block 0' or 'embedding'."
    )
    assert worlds.state(session) == before


@pytest.mark.parametrize("where", ["block 1", "embedding.output", "embedding.input", "all"])
def test_where_texts_to_keep_use_all_there_is_nothing_moves(where):
    session = opened(taught=True, pick="mara-okafor-0")
    before = session.fingerprint()
    with pytest.raises(NotPossible, match="so nothing of it is left; lower protect or texts, or choose other layers"):
        session.step(ProjectedGradient(protect=1), where)
    assert session.fingerprint() == before


@pytest.mark.parametrize("wrong", [{"protect": -0.1}, {"protect": 1.1}, {"texts": 0}])
def test_settings_out_of_bounds_are_refused(wrong):
    with pytest.raises(BadSetting, match=r"ProjectedGradient\("):
        ProjectedGradient(**wrong)
