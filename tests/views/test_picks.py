"""Picks: every pick of a page can be taken back."""

from __future__ import annotations

import pytest

from tests.engine import worlds
from unlearnviz.views import picks
from unlearnviz.views.state import SessionState


@pytest.fixture
def state():
    opened = SessionState(worlds.session())
    opened.open()
    return opened


def ids(state):
    return [passage.id for passage in state.session.forget]


def test_picks_are_taken_back_one_after_the_other_with_their_groups_and_readings(state):
    first, groups = ids(state), dict(state.session.groups)
    assert not state.can_unpick
    state.pick([*state.session.forget, "tom-lindqvist-1"])
    second = ids(state)
    state.pick(["a text of my own", *state.session.forget])
    state.pick(["Ines Duarte"])
    state.unpick()
    assert ids(state) == ["typed-1", *second]
    state.unpick()
    assert ids(state) == second
    state.unpick()
    assert (ids(state), dict(state.session.groups), state.can_unpick) == (first, groups, False)
    assert state.picture.now("perplexity").passages["forget"] == tuple(first)
    ends = state.finished
    state.unpick()
    assert (ids(state), state.finished) == (first, ends)


def test_a_refused_pick_an_equal_one_and_the_first_leave_nothing_to_take_back(state):
    state.pick(["nobody"])
    assert state.error is not None
    state.pick(list(state.session.forget))
    assert not state.can_unpick
    empty = SessionState(worlds.session(pick=None))
    empty.open()
    empty.pick(["Mara Okafor"])
    assert not empty.can_unpick


def test_only_so_many_are_kept(state, monkeypatch):
    monkeypatch.setattr(picks, "KEPT", 2)
    for name in ("Ines Duarte", "Tom Lindqvist", "Mara Lindqvist", "Yusuf Okafor"):
        state.pick([name])
    state.unpick()
    state.unpick()
    assert ids(state)[0] == "tom-lindqvist-0"
    assert not state.can_unpick
