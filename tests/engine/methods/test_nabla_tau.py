"""Nabla-tau against its closed form, against gradients by hand in float64, and what a run keeps between its steps."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
import torch

from tests.engine import worlds
from tests.engine.methods.by_hand import ByHand, opened
from unlearnviz.engine.corpus import Corpus
from unlearnviz.engine.methods.fine_tune import FineTune
from unlearnviz.engine.methods.nabla_tau import NablaTau, nabla_tau
from unlearnviz.engine.session import Session
from unlearnviz.errors import BadSetting, NotPossible


def retain(session):
    return [passage for passage in session.corpus.train if passage not in session.forget]


def test_the_loss_and_its_coefficients_are_those_of_the_closed_form():
    forget, keep = (torch.tensor(each, dtype=torch.float64, requires_grad=True) for each in (1.0, 2.0))
    loss = nabla_tau(forget, keep, 3.0, 0.5)
    assert loss.item() == 3.0
    assert [each.item() for each in torch.autograd.grad(loss, [forget, keep])] == [-2.0, 0.5]


@pytest.mark.parametrize("alpha", [0.5, 0.3])
@pytest.mark.parametrize("above", [0.0, 1.0])
def test_at_tau_and_above_it_only_the_texts_to_keep_are_followed_bit_for_bit(alpha, above):
    session = opened()
    model, names = session.model, session.model.layout.names
    batches = [model.batch([passage.text for passage in passages]) for passages in (session.forget, retain(session))]
    with model.following(names) as parameters:
        forget, keep = (model.loss(batch) for batch in batches)
        found = torch.autograd.grad(nabla_tau(forget, keep, forget.item() - above, alpha), list(parameters.values()), retain_graph=True)
        wanted = torch.autograd.grad((1 - alpha) * keep, list(parameters.values()))
    assert all(torch.equal(one, other) for one, other in zip(found, wanted, strict=True))
    assert any(bool(each.any()) for each in found)


@pytest.mark.parametrize("where, cool", [("all", True), ("embedding.output", False)])
def test_updates_are_those_of_the_formula_by_hand(where, cool):
    session = opened(taught=True)
    hand, texts = ByHand(session, where), retain(session)
    first, rate, updates = 5 / 3 * len(session.forget) / len(session.corpus.train), 0.05, 4
    taus = []
    for k in range(updates):
        alpha = first * (1 - k / updates)
        taus.append(hand.mean(session.corpus.holdout).item())
        pull = 2 * alpha * max(0.0, taus[-1] - hand.mean(session.forget).item())
        climb, descend = hand.gradient(session.forget), hand.gradient(texts)
        with torch.no_grad():
            for name in climb:
                hand.weights[name] -= rate * (1 - k / updates if cool else 1) * ((1 - alpha) * descend[name] - pull * climb[name])
    method = NablaTau(optimizer="SGD", learning_rate=rate, passes=updates, refresh=1, batch_size=32, cool=cool)
    rows = session.step(method, where).trajectory
    hand.agree()
    assert [row["tau"] for row in rows] == pytest.approx([*taus, hand.mean(session.corpus.holdout).item()], abs=1e-6)
    assert rows[-1]["losses"]["forget"] == pytest.approx(hand.mean(session.forget).item(), abs=1e-6)


@pytest.mark.parametrize("steady", [True, False])
def test_a_batch_counts_as_no_less_surprising_than_the_last_pass(steady):
    session = opened(taught=True)
    hand, texts, generator = ByHand(session, "block 0"), retain(session), torch.Generator().manual_seed(session.step_seed(1))
    seen, lifted = [], 0  # updates so small that losses differ by text, and one of four is below its pass
    for k in range(4):  # two batches of two texts a pass
        if k % 2 == 0:
            tau = hand.mean(session.corpus.holdout).item()
            order = torch.randperm(4, generator=generator).tolist()
        if k == 0:
            others = torch.randperm(len(texts), generator=generator).tolist()
        batch = [session.forget[n] for n in order[2 * (k % 2) :][:2]]
        keep = [texts[n] for n in others[2 * k :][:2]]
        seen.append(hand.mean(batch).item())
        level = max(seen[-1], sum(seen[-2:]) / len(seen[-2:])) if steady else seen[-1]
        lifted += level > seen[-1]
        alpha = 0.5 * (1 - k / 4)
        pull = 2 * alpha * max(0.0, tau - level)
        climb, descend = hand.gradient(batch), hand.gradient(keep)
        with torch.no_grad():
            for name in climb:
                hand.weights[name] -= 1e-4 * ((1 - alpha) * descend[name] - pull * climb[name])
    method = NablaTau(optimizer="SGD", learning_rate=1e-4, alpha=0.5, passes=2, batch_size=2, refresh=1, steady=steady, cool=False)
    rows = session.step(method, "block 0").trajectory
    hand.agree()
    assert [row["forget"] for row in rows[:2]] == pytest.approx([sum(seen[:2]) / 2, sum(seen[2:]) / 2], abs=1e-6)
    assert bool(lifted) == steady  # or this would say nothing


def test_alpha_falls_to_0_in_a_straight_line_from_five_thirds_of_the_share():
    session = worlds.session()
    rows = session.step(NablaTau(passes=7)).trajectory
    alphas, first = [row["alpha"] for row in rows], 5 / 3 * 4 / 24
    assert (alphas[0], alphas[-1]) == (pytest.approx(first), 0.0)
    assert sum(alphas) == pytest.approx(first * (7 + 1) / 2)
    session.undo()
    session.pick(*[passage.id for passage in session.corpus.train[:16]])
    assert session.step(NablaTau(passes=1)).trajectory[0]["alpha"] == 1.0
    assert session.step(NablaTau(passes=1, alpha=0.25)).trajectory[0]["alpha"] == 0.25


def test_without_forgetting_it_is_fine_tuning_on_the_same_batches():
    one, other = worlds.session(), worlds.session()
    shared = {"optimizer": "SGD", "learning_rate": 0.01, "batch_size": 3}
    one.step(NablaTau(alpha=0, cool=False, passes=2, **shared), "all")
    other.step(FineTune(updates=4, **shared), "all")  # 4 forget texts in batches of 3 are 2 updates a pass
    assert one.fingerprint() == other.fingerprint()


def test_tau_is_measured_again_when_it_is_due():
    taus = [row["tau"] for row in worlds.session().step(NablaTau(passes=5, refresh=2), "all").trajectory]
    assert taus[0] == taus[1] != taus[2] == taus[3] != taus[4]
    taus = [row["tau"] for row in worlds.session().step(NablaTau(passes=7, batch_size=2), "all").trajectory]  # 2 updates a pass
    assert taus[0] == taus[4] != taus[5] == taus[6] != taus[7]


def test_a_run_over_several_steps_is_the_run_in_one():
    whole, spread = worlds.session(), worlds.session()
    record = whole.step(NablaTau(passes=5, batch_size=32, refresh=2), "all")
    method = NablaTau(passes=5, steps=3, batch_size=32, refresh=2)
    records = spread.run(9, method, "all", stop_at=100)
    assert [each.mark for each in records] == ["", "", "reached"]
    assert spread.fingerprint() == whole.fingerprint()
    assert [row for each in records for row in each.trajectory] == list(record.trajectory)
    assert records[1].narration == "nabla-tau: passes 3 to 4 of 5, 2 updates of all, to forget 4 texts."
    forget, tau = (record.trajectory[-1][key] for key in ("losses", "tau"))
    assert record.narration == (
        "nabla-tau: passes 1 to 5 of 5, 5 updates of all, to forget 4 texts. The stop rule is reached: all 5 updates are taken, and the "
        f"forget texts surprise the model by {forget['forget']:.3g} nats a token, texts that it never saw by {tau:.3g}."
    )
    assert spread.step(method, "all").trajectory[0]["alpha"] == record.trajectory[0]["alpha"]  # a new run


def test_a_run_goes_on_where_its_commit_stands_and_begins_anew_for_other_texts(tmp_path):
    session, method = worlds.session(), NablaTau(passes=4, steps=4)
    first = session.step(method, "all").trajectory[0]["alpha"]
    assert session.step(method, "all").trajectory[0]["alpha"] == pytest.approx(first * 3 / 4)
    session.undo()
    again = Session.load(session.save(tmp_path / "run"))
    for opened_again in (session, again):
        assert opened_again.step(method, "all").trajectory[0]["alpha"] == pytest.approx(first * 3 / 4)
    assert session.fingerprint() == again.fingerprint()
    session.pick("Tom Lindqvist")
    assert session.step(method, "all").trajectory[0]["alpha"] == pytest.approx(first)


def test_a_run_has_enough_updates_whatever_the_number_of_texts():
    session = worlds.session(blocks=1, width=16)
    narrations = [session.step(NablaTau(batch_size=size, steps=50)).narration for size in (4, 1)]
    assert "passes 1 to 4 of 200, 4 updates" in narrations[0]
    assert "pass 1 of 50, 4 updates" in narrations[1]  # 4 texts one by one


def test_by_default_a_taught_world_forgets_to_the_level_of_texts_never_seen_and_keeps_the_rest():
    session = worlds.session(taught=True)
    before = {row["group"]: row["nll"] for row in session.measure("perplexity")["perplexity"].rows}
    end = session.step(NablaTau(), "all").trajectory[-1]
    after = end["losses"]
    assert before["forget"] < 0.1 * end["tau"]
    assert after["forget"] == pytest.approx(end["tau"], rel=0.05)
    assert math.exp(after["neighbours"] - before["neighbours"]) < 1.03  # all that there is to keep, in a world of six people


def test_texts_that_were_never_seen_are_needed():
    session = worlds.session(texts=Corpus(worlds.corpus().train))
    before = worlds.state(session)
    with pytest.raises(NotPossible) as caught:
        session.step(NablaTau())
    assert str(caught.value) == (
        "nabla-tau raises the forget loss to that of texts which the model never saw, and this corpus holds none; read the texts with "
        'holdout=0.1, or mark some with split="holdout".'
    )
    assert worlds.state(session) == before


def test_texts_to_keep_are_needed():
    with pytest.raises(BadSetting, match=r"^nabla-tau needs texts to keep, but every taught text is in the forget set; take some out\.$"):
        next(NablaTau().run(SimpleNamespace(retain=())))
