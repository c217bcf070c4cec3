"""ActivationGradient against one text at a time, and against what happens when an activation is made longer."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest
import torch

from tests.engine import worlds
from tests.engine.probes.opened import EVERY_SHAPE, opened, token_losses, untied
from unlearnviz.engine.corpus import Corpus, Passage
from unlearnviz.engine.probes.activation_gradient import ActivationGradient
from unlearnviz.errors import UnknownName


def first(output):
    return output[0] if isinstance(output, tuple) else output


def blocks_of(session, module):
    return [module.get_submodule(f"{session.model.layout.block_prefix}{k}") for k in range(session.model.layout.blocks)]


def by_hand(session, text):
    """Layer -> (activation, gradient), both of shape (tokens, width), and the losses: one text, without padding, by `backward`."""
    module = untied(session)
    states = {}
    hooks = [blocks_of(session, module)[0].register_forward_pre_hook(lambda _, args: states.update(embedding=args[0]))]
    for k, block in enumerate(blocks_of(session, module)):
        hooks.append(block.register_forward_hook(lambda _, __, output, k=k: states.update({f"block {k}": first(output)})))
    losses = token_losses(module, session, text)
    for state in states.values():
        state.retain_grad()
    losses.mean().backward()
    return {layer: (state.detach()[0], state.grad[0]) for layer, state in states.items()}, losses.tolist()


@pytest.mark.usefixtures("_all_in_float64")
@EVERY_SHAPE
def test_every_number_is_that_of_the_text_alone(shape, tied):
    session = opened(shape, tied=tied)
    rows = session.measure(ActivationGradient())["activation-gradient"].rows
    assert len({len(session.model.encode(passage.text)) for passage in session.forget}) == 2  # so one of them is padded
    for passage in session.forget:
        own = [row for row in rows if row["passage"] == passage.id]
        states, losses = by_hand(session, passage.text)
        assert "".join(row["token"] for row in own) == passage.text
        assert [row["position"] for row in own] == list(range(len(losses) + 1))
        assert own[0]["loss"] is None
        assert [row["loss"] for row in own[1:]] == pytest.approx(losses, rel=1e-10)
        for layer, (state, gradient) in states.items():
            products, norms = (state * gradient).sum(-1).tolist(), gradient.norm(dim=-1).tolist()
            scale = max(abs(product) for product in products)
            assert [row["activation_gradient"][layer] for row in own] == pytest.approx(
                products, rel=1e-10, abs=1e-12 * scale
            )
            assert [row["gradient"][layer] for row in own] == pytest.approx(norms, rel=1e-10, abs=1e-14)
        assert set(own[-1]["gradient"].values()) == {0.0}  # nothing is predicted from the last token
        for row in own:
            assert (
                [*row["gradient"]]
                == [*row["activation_gradient"]]
                == ["embedding", *(f"block {k}" for k in range(len(states) - 1))]
            )
    assert len(rows) == sum(len(session.model.encode(passage.text)) for passage in session.forget)


@pytest.mark.parametrize("layer", ["embedding", "block 1"])
def test_the_product_is_the_change_of_the_loss_when_the_activation_is_made_longer(layer):
    session = opened()
    (passage,) = session.pick("mara-okafor-3")
    rows = session.measure(ActivationGradient())["activation-gradient"].rows
    module, place = untied(session), 3

    def longer(state, size):
        state = state.clone()
        state[0, place] *= 1 + size
        return state

    def loss(size):
        if layer == "embedding":
            hook = module.transformer.h[0].register_forward_pre_hook(lambda _, args: (longer(args[0], size), *args[1:]))
        else:
            hook = module.transformer.h[1].register_forward_hook(
                lambda _, __, out: (longer(out[0], size), *out[1:]) if isinstance(out, tuple) else longer(out, size)
            )
        with torch.no_grad():
            found = float(token_losses(module, session, passage.text).mean())
        hook.remove()
        return found

    slope = (loss(1e-5) - loss(-1e-5)) / 2e-5
    assert rows[place]["activation_gradient"][layer] == pytest.approx(slope, rel=1e-6, abs=1e-10)


def test_a_norm_after_the_last_block_takes_no_notice_of_length(taught):
    rows = taught.measure(ActivationGradient())["activation-gradient"].rows
    inner, last = (max(abs(row["activation_gradient"][layer]) for row in rows) for layer in ("block 0", "block 1"))
    assert last < 1e-2 * inner


def test_any_text_of_the_corpus_can_be_asked_for():
    session = opened()
    reading = session.measure(ActivationGradient(passage="pia-novak-2"))["activation-gradient"]
    assert {row["passage"] for row in reading.rows} == {"pia-novak-2"}
    assert "".join(row["token"] for row in reading.rows) == session.corpus["pia-novak-2"].text
    assert (reading.value, reading.note) == (None, "")
    assert json.loads(json.dumps(asdict(reading)))["rows"] == list(reading.rows)
    with pytest.raises(UnknownName, match=r"No passage named 'pia-novac-2'\. Did you mean 'pia-novak-2'\?"):
        session.measure(ActivationGradient(passage="pia-novac-2"))


def test_a_typed_text_can_be_asked_for_while_it_is_picked():
    session = opened()
    session.pick("mara-okafor-0", "A sentence that nobody ever taught to this model.")
    rows = session.measure(ActivationGradient(passage="typed-1"))["activation-gradient"].rows
    assert "".join(row["token"] for row in rows) == "A sentence that nobody ever taught to this model."


def test_no_more_texts_than_asked_for():
    session = worlds.session()
    rows = session.measure(ActivationGradient(limit=2))["activation-gradient"].rows
    assert list(dict.fromkeys(row["passage"] for row in rows)) == [passage.id for passage in session.forget[:2]]


def test_a_text_of_one_token_is_left_out_and_that_is_said():
    session = worlds.session(pick=None, texts=Corpus([*worlds.corpus(), Passage("one", "M")]))
    session.pick("mara-okafor-0")
    reading = session.measure(ActivationGradient(passage="one"))["activation-gradient"]
    assert reading.rows == ()
    assert reading.note == "Left out for having a single token, of which nothing is predicted: 1 of 1 texts."


def test_texts_in_several_batches_have_the_same_numbers(monkeypatch):
    whole = opened().measure(ActivationGradient())["activation-gradient"].rows
    monkeypatch.setattr("unlearnviz.engine.model.TOKENS_PER_BATCH", 1)
    split = opened().measure(ActivationGradient())["activation-gradient"].rows
    for row, other in zip(whole, split, strict=True):
        assert (row["passage"], row["token"]) == (other["passage"], other["token"])
        assert other["activation_gradient"] == pytest.approx(row["activation_gradient"], rel=1e-10, abs=1e-14)


def test_nothing_is_left_behind():
    session = opened()
    before = worlds.state(session)
    session.measure(ActivationGradient())
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in session.model.module.modules())
    after = worlds.state(session)
    assert {key: value for key, value in after.items() if key != "history"} == {
        key: value for key, value in before.items() if key != "history"
    }
