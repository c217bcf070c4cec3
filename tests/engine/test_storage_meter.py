"""The storage meter, against the bytes that recordings of every kind really took."""

from __future__ import annotations

from functools import cache

import pytest

from tests.engine import worlds
from unlearnviz.engine.learning import Recipe
from unlearnviz.engine.storage_meter import StorageMeter
from unlearnviz.engine.tracking import Tracking
from unlearnviz.errors import BadSelection

RECIPE = Recipe(epochs=2, learning_rate=1e-3, batch_size=6)


@cache
def meter(tied: bool = True) -> StorageMeter:
    session = worlds.session(pick=None, tied=tied)
    session.learn(recipe=RECIPE, track="Mara Okafor")
    assert session.ledger is not None
    return StorageMeter(session.ledger, session.model, session.corpus)


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("where, keep, dtype", [("embedding", 1.0, "full"), ("all", 1.0, "half"), ("all", 0.1, "full"), ("embedding", 0.25, "half")])
def test_what_it_says_of_a_choice_is_what_that_choice_takes(where, keep, dtype, tied):
    session = worlds.session(pick=None, tied=tied)
    session.learn(recipe=RECIPE, track=Tracking(texts=("Mara Okafor",), where=where, keep=keep, dtype=dtype))
    assert session.ledger is not None
    for what in ("gradients", "deltas"):
        assert meter(tied).bytes(where, what, keep, dtype) == sum(session.ledger.measured_bytes(what).values())


def test_choices_are_shares_of_keeping_everything_and_grow_with_it():
    choices = meter().choices()
    assert len(choices) == 2 * 2 * 2 * 6
    whole = {each.what: each for each in choices if (each.where, each.keep, each.dtype) == ("all", 1.0, "full")}
    assert [each.share for each in whole.values()] == [1.0, 1.0]
    for each in choices:
        assert each.share == pytest.approx(each.bytes / whole[each.what].bytes)
    full = [each.bytes for each in choices if (each.what, each.where, each.dtype) == ("deltas", "all", "full") and each.keep < 1]
    assert full == sorted(full, reverse=True)


def test_an_unknown_place_is_answered():
    with pytest.raises(BadSelection):
        meter().bytes("h.12", "deltas")
