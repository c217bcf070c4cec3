"""Pruning, against its definition: sort everything and take what is asked."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from unlearnviz.engine.pruning import PRUNINGS, how_many, kept
from unlearnviz.errors import BadSetting

SHARES = st.floats(0.001, 1)


@given(st.lists(st.integers(-4, 4), min_size=1, max_size=60), SHARES)
def test_magnitude_keeps_what_sorting_by_size_and_place_keeps(numbers, keep):
    values = torch.tensor(numbers, dtype=torch.float32)
    count = how_many(len(numbers), keep)
    expected = sorted(sorted(range(len(numbers)), key=lambda k: (-abs(numbers[k]), k))[:count])
    assert kept(values, keep).tolist() == expected


@given(st.integers(1, 300), SHARES, st.integers(0, 1000), st.sampled_from(PRUNINGS))
def test_every_pruning_keeps_the_asked_number_once_each_in_order(entries, keep, turn, pruning):
    found = kept(torch.arange(entries, dtype=torch.float32), keep, pruning, turn=turn).tolist()
    assert len(found) == len(set(found)) == how_many(entries, keep)
    assert found == sorted(found)
    assert 0 <= found[0] <= found[-1] < entries


@pytest.mark.parametrize("entries, keep", [(10, 0.1), (10, 0.3), (7, 0.5), (100, 0.01), (5, 1.0)])
def test_rotating_blocks_together_are_everything_after_one_period(entries, keep):
    count = how_many(entries, keep)
    turns = math.ceil(entries / count)
    values = torch.zeros(entries)
    seen = [set(kept(values, keep, "rotating", turn=turn).tolist()) for turn in range(turns)]
    assert set().union(*seen) == set(range(entries))
    assert set(kept(values, keep, "rotating", turn=turns).tolist()) == seen[0]


def test_a_random_choice_belongs_to_its_turn_and_seed():
    values = torch.zeros(100)
    assert kept(values, 0.2, "random", turn=3).equal(kept(values, 0.2, "random", turn=3))
    assert not kept(values, 0.2, "random", turn=3).equal(kept(values, 0.2, "random", turn=4))
    assert not kept(values, 0.2, "random", turn=3).equal(kept(values, 0.2, "random", turn=3, seed=1))


def test_the_count_is_that_of_the_decimal_number_that_was_typed():
    assert [how_many(10, 0.1), how_many(1000, 0.07), how_many(3, 0.01), how_many(10, 1.0)] == [1, 70, 1, 10]


def test_what_stays_is_the_nearest_update_of_its_size():
    values = torch.randn(50, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    stays = kept(values, 0.3)
    lost = values.square().sum() - values[stays].square().sum()
    assert float(lost) == pytest.approx(float(values.square().sort().values[: 50 - len(stays)].sum()), rel=1e-12)


@pytest.mark.parametrize("keep", [0, -0.1, 1.0001, float("nan"), True, "all"])
def test_a_share_outside_its_range_is_refused(keep):
    with pytest.raises(BadSetting, match="above 0 and at most 1"):
        kept(torch.zeros(4), keep)


def test_an_unknown_pruning_is_answered_with_the_nearest():
    with pytest.raises(BadSetting, match="Did you mean 'rotating'"):
        kept(torch.zeros(4), 0.5, "rotate")
