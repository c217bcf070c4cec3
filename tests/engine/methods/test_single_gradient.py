"""Single-gradient unlearning against gradients by hand, and exact where its derivation is."""

from __future__ import annotations

import pytest
import torch

from tests.engine import worlds
from tests.engine.methods.by_hand import ByHand
from tests.engine.methods.recorded import ADAMW, SGD, climbed, farthest, learned, plus, weights
from unlearnviz.engine.learning import Recipe
from unlearnviz.engine.methods.single_gradient import SingleGradient
from unlearnviz.errors import NotPossible

IDS = [f"mara-okafor-{k}" for k in range(4)]


class AtTheStart(ByHand):
    """Gradients of texts as they were taught, end mark included, at the weights before the teaching."""

    def __init__(self, session, where):
        super().__init__(session, where)
        self.weights = {name: value.clone().requires_grad_() for name, value in session.ledger.checkpoint(0).items()}

    def losses(self, text, head=None):
        model = self.session.model
        ids = torch.tensor([[*model.encode(text), model.module.config.eos_token_id]])
        named = self.weights | {"lm_head.weight": self.weights["transformer.wte.weight"] if head is None else head}
        logits = torch.func.functional_call(model.module, named, (ids,), {"use_cache": False}, tie_weights=False).logits[0, :-1]
        return torch.logsumexp(logits, dim=-1) - logits[torch.arange(len(logits)), ids[0, 1:]]


@pytest.mark.parametrize("recipe", [SGD, ADAMW], ids=["SGD", "AdamW"])
@pytest.mark.parametrize("where", ["all", "embedding.input", "embedding.output", "block 1"])
def test_one_gradient_at_the_start_as_often_as_it_was_used(recipe, where):
    session = learned(recipe, dtype=torch.float64)
    hand = AtTheStart(session, where)
    wanted = weights(session)
    for passage in session.forget:
        steps = [step for step in session.ledger.steps if passage.id in step.texts]
        assert len(steps) == recipe.epochs
        often = sum(step.rate * step.weights[passage.id] * step.clip for step in steps)
        for name, gradient in hand.gradient([passage]).items():
            wanted[name] += often * gradient
    record = session.step(SingleGradient(), where)
    assert farthest(weights(session), wanted) <= 1e-12
    assert record.narration == (
        f"single-gradient: added the gradients at the weights before the teaching (4 texts; {recipe.epochs} epochs) of {where}, to forget 4 texts. "
        "The stop rule is reached: the gradients are added back as often as they were used."
    )


def test_after_a_single_update_it_is_the_model_that_never_saw_them():
    session = learned(Recipe(epochs=1, learning_rate=0.05, batch_size=100, optimizer="SGD", clip=1e6), dtype=torch.float64)
    hand, (step,) = AtTheStart(session, "all"), session.ledger.steps
    retrained = {name: value.detach().clone() for name, value in hand.weights.items()}
    for passage in session.corpus.train:
        if passage.id not in IDS:
            for name, gradient in hand.gradient([passage]).items():
                retrained[name] -= step.rate * step.weights[passage.id] * gradient
    assert farthest(weights(session), retrained) > 1e-3
    session.step(SingleGradient(), "all")
    assert farthest(weights(session), retrained) <= 1e-12


@pytest.mark.parametrize("where, use", [("all", "both"), ("embedding.output", "output")])
def test_each_epoch_takes_the_gradients_that_were_recorded(where, use):
    session = learned()
    wanted = plus(session, climbed(session, IDS, (1, 2, 3), use=use))
    names = ["transformer.wte.weight"] if use == "output" else list(wanted)
    record = session.step(SingleGradient(variant="each epoch"), where)
    assert farthest(weights(session), wanted, names) <= 1e-7
    assert f"added the gradients recorded at each use (4 texts; 3 epochs) of {where}" in record.narration


def test_of_one_epoch_and_one_batch_both_variants_are_the_same():
    recipe = Recipe(epochs=1, learning_rate=0.05, batch_size=100, optimizer="SGD")
    moved = []
    for variant in ("initial", "each epoch"):
        session = learned(recipe, dtype=torch.float64)
        session.step(SingleGradient(variant=variant), "all")
        moved.append(weights(session))
    assert farthest(*moved) <= 1e-12


def test_the_penalty_that_was_learned_with_is_in_the_gradient():
    recipe = Recipe(epochs=1, learning_rate=0.05, batch_size=100, optimizer="SGD", deviation_penalty=0.5)
    moved = []
    for variant in ("initial", "each epoch"):
        session = learned(recipe, dtype=torch.float64)
        before = weights(session)
        session.step(SingleGradient(variant=variant), "all")
        moved.append({name: now - before[name] for name, now in weights(session).items()})
    assert farthest(*moved) <= 1e-12
    plain = learned(Recipe(epochs=1, learning_rate=0.05, batch_size=100, optimizer="SGD"), dtype=torch.float64)
    before = weights(plain)
    plain.step(SingleGradient(), "all")
    assert farthest(moved[0], {name: now - before[name] for name, now in weights(plain).items()}) > 1e-6


def test_a_ledger_of_deltas_is_enough_for_the_gradients_at_the_start():
    only_deltas, whole = learned(gradients=False), learned()
    for session in (only_deltas, whole):
        session.step(SingleGradient(), "all")
    assert only_deltas.fingerprint() == whole.fingerprint()
    only_deltas.undo()
    with pytest.raises(NotPossible, match="holds no gradients of 'mara-okafor-0'"):
        only_deltas.step(SingleGradient(variant="each epoch"), "all")


def test_a_text_that_was_not_tracked_is_named():
    session = learned(texts=("Mara Okafor",), pick="Tom Lindqvist")
    before = worlds.state(session)
    with pytest.raises(NotPossible, match=r"of 'tom-lindqvist-0', 'tom-lindqvist-1'.* session\.replay"):
        session.step(SingleGradient(), "all")
    assert worlds.state(session) == before


def test_looking_while_it_runs_spoils_nothing():
    calm, busy = learned(), learned()
    calm.step(SingleGradient(), "embedding.output")
    work = busy.stepping(SingleGradient(), "embedding.output")
    for _ in work:
        busy.model.at(busy.snapshots[0].weights).token_losses([busy.corpus.train[0].text])
    assert busy.fingerprint() == calm.fingerprint()
