"""EqualForgetting against the session's own probes, and its search against a walk in small steps."""

from __future__ import annotations

import pytest
import torch

from tests.demo.taught import taught_session
from tests.engine import worlds
from unlearnviz.demo.equal_forgetting import EqualForgetting, change, recorded_world
from unlearnviz.engine.methods.gradient_ascent import GradientAscent
from unlearnviz.engine.work import total_norm
from unlearnviz.errors import NotPossible


@pytest.fixture(scope="module")
def session():
    return taught_session()


@pytest.fixture(scope="module")
def ground(session):
    return EqualForgetting(session)


def test_readings_are_those_of_the_probes(session, ground):
    for weights, of in ((ground.start, "now"), (ground.twin, "twin")):
        reading = ground.reading(weights)
        told = session.measure("perplexity", "exact-recall", "verification-error", of=of)
        rows = {row["group"]: row["nll"] for row in told["perplexity"].rows}
        assert reading["forget"] == pytest.approx(rows["forget"], rel=1e-6)
        assert reading["never seen"] == pytest.approx(rows["never seen"], rel=1e-6)
        assert reading["forget recall"] == pytest.approx(told["exact-recall"].value)
        assert reading["distance"] == pytest.approx(told["verification-error"].value, rel=1e-6)
    assert ground.target == ground.reading(ground.twin)["forget"] > ground.reading(ground.start)["forget"]
    assert not {passage.id for passage in ground.others} & {passage.id for passage in session.forget}


def test_a_change_is_the_step_and_leaves_no_trace(session):
    before, head = session.fingerprint(), session.head
    found = change(session, GradientAscent(update_norm=0.5), "embedding")
    assert (session.fingerprint(), session.head) == (before, head)
    assert list(found) == [session.model.layout.input_embedding]
    assert total_norm(found) == pytest.approx(0.5, rel=1e-4)


def test_the_scale_found_is_where_a_walk_in_small_steps_crosses(session, ground):
    direction = change(session, GradientAscent(update_norm=0.5), "all")
    scale = ground.reach(direction)
    crossed = next(k / 200 for k in range(1, 40_000) if ground.forget_loss(ground.along(direction, k / 200)) >= ground.target)
    assert crossed - 1 / 200 <= scale <= crossed + 1 / 200 + crossed / 256
    half = ground.along(direction, scale / 2)
    rest = ground.between(direction, 0.0, scale, half)
    assert rest == pytest.approx(scale / 2, rel=5e-3)


def test_what_does_not_reach_it_is_said_not_to(session, ground):
    direction = change(session, GradientAscent(update_norm=0.5), "embedding")
    down = {name: -tensor for name, tensor in direction.items()}
    assert ground.reach(down, farthest=0.5) is None
    assert ground.reach({name: torch.zeros_like(tensor) for name, tensor in direction.items()}) is None


def test_without_a_twin_there_is_nothing_to_be_equal_to():
    with pytest.raises(NotPossible, match=r"session\.twin\(\)"):
        EqualForgetting(worlds.session())


def test_the_recorded_world_has_all_that_an_experiment_needs():
    session = recorded_world(0, "SGD", taught=3, never_seen=2, deltas=False, epochs="first")
    assert session.active_twin is not None
    assert set(session.ledger.tracked) == {passage.id for passage in session.forget}
    assert set(session.ledger.names) == set(session.model.parameters)
    assert (session.ledger.recipe.optimizer, session.ledger.tracking.deltas) == ("SGD", False)
