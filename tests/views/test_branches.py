"""Branches of a page: the tree as it is told, a step after undo, other names, what is given up, and what is compared."""

from __future__ import annotations

import pytest

from tests.engine import worlds
from unlearnviz.engine.history import StepRecord
from unlearnviz.engine.methods.gradient_ascent import GradientAscent
from unlearnviz.errors import NotPossible, UnknownName
from unlearnviz.views.branches import alone, branches
from unlearnviz.views.picture import Picture
from unlearnviz.views.state import SessionState

STEP = GradientAscent()


@pytest.fixture
def state():
    made = SessionState(worlds.session())
    made.open()
    return made


@pytest.fixture
def forked(state):
    """main: steps 1 and 2; from step 1: step 3, where we are."""
    state.run(2, STEP)
    state.undo()
    state.step(STEP)
    return state


def test_every_branch_hangs_below_the_one_that_it_leaves():
    parents = {1: 0, 2: 1, 3: 1, 4: 3, 5: 0, 6: 2}
    tree = (StepRecord(0, None, "main", "start"), *(StepRecord(step, parent, "", "") for step, parent in parents.items()))
    named = {"main": 2, "a": 4, "b": 5, "longer": 6, "here": 4, "a step before": 3}
    found = branches(Picture(tree=tree, branches=named))
    assert [(each.name, each.leaves, each.at, each.deep, each.steps) for each in found] == [
        ("main", "", 0, 0, (1, 2)),
        ("a", "main", 1, 1, (3, 4)),
        ("here", "a", 4, 2, ()),
        ("a step before", "a", 3, 2, ()),
        ("b", "main", 0, 1, (5,)),
        ("longer", "main", 2, 1, (6,)),
    ]
    assert {each.perplexity for each in found} == {None}
    lost = {name: alone(Picture(tree=tree, branches=named), name) for name in named}
    assert lost == {"main": (), "a": (), "b": (5,), "longer": (6,), "here": (), "a step before": ()}


def test_a_step_after_undo_says_that_it_began_a_branch_and_why(forked):
    picture = forked.picture
    assert (picture.branch, dict(picture.branches)) == ("from step 1", {"main": 2, "from step 1": 3})
    said = "This is a new branch, 'from step 1', because step 2 was already there; that stays on 'main'. "
    assert picture.sentence.startswith(said)
    tree = branches(picture)
    assert [(each.name, each.steps, each.measured) for each in tree] == [("main", (1, 2), 2), ("from step 1", (3,), 3)]
    assert [each.perplexity for each in tree] == [picture.taken[step][0].value for step in (2, 3)]
    forked.step(STEP)
    assert "new branch" not in forked.picture.sentence  # it goes on there
    forked.go_to(0)
    forked.run(2, STEP)
    assert forked.picture.sentence.startswith(
        "This is a new branch, 'from the start', because step 1 was already there; that stays on 'from step 1'. Step 2 of 2. "
    )


def test_a_branch_is_renamed_also_where_it_is_compared(forked):
    forked.compare("main")
    forked.rename_branch("main", "gentle")
    assert (list(forked.picture.branches), forked.picture.compared) == (["gentle", "from step 1"], "gentle")
    assert forked.picture.sentence.startswith("The branch 'main' is called 'gentle' now. ")
    forked.rename_branch("gentle", "from step 1")
    assert isinstance(forked.error, NotPossible)
    assert list(forked.picture.branches) == ["gentle", "from step 1"]


def test_forgetting_a_branch_gives_memory_back_and_says_how_much(forked):
    store = forked.session.snapshots.store
    before = store.memory_bytes + store.disk_bytes
    forked.compare("main")
    forked.forget_branch("main")
    freed = before - store.memory_bytes - store.disk_bytes
    assert freed > 1000
    assert forked.picture.sentence.startswith(
        f"The branch 'main' is forgotten; the weights of its 1 step gave back {freed / 1000:.3g} kB. "
    )
    assert (dict(forked.picture.branches), forked.picture.compared) == ({"from step 1": 3}, "")
    assert forked.session.snapshots.steps() == (0, 1, 3)


def test_from_the_branch_that_is_forgotten_it_goes_back_to_where_that_left_the_others(forked):
    print_of_1 = forked.session.snapshots[1].weights.fingerprint()
    forked.forget_branch("from step 1")
    assert forked.error is None
    assert (forked.picture.step, forked.picture.branch, forked.picture.path) == (1, "main", (0, 1, 2))
    assert forked.session.fingerprint() == print_of_1
    assert "You are at step 1, on 'main'. " in forked.picture.sentence
    forked.forget_branch("main")
    assert str(forked.error) == "'main' is the only branch, so it cannot be forgotten. Start again goes back to the start and keeps it."
    assert (forked.picture.step, dict(forked.picture.branches)) == (1, {"main": 2})


def test_a_branch_of_thinned_steps_is_left_for_the_nearest_that_was_kept(state):
    state.run(3, STEP)
    state.undo()
    state.step(STEP)
    state.session.keep_every(4)
    assert not state.session.snapshots.holds(2)
    state.forget_branch("from step 2")
    assert (state.error, state.picture.step, state.picture.branch) == (None, 0, "main")


def test_what_is_compared_is_said_and_an_unknown_name_is_an_error(forked):
    forked.compare("main")
    assert forked.picture.compared == "main"
    assert forked.picture.sentence.startswith("Every chart shows the branch 'main' too; its lines are dashed. ")
    forked.compare("mian")
    assert isinstance(forked.error, UnknownName)
    assert forked.picture.compared == "main"
    forked.compare("")
    assert (forked.error, forked.picture.compared) == (None, "")
    assert forked.picture.sentence.startswith("No branch is compared any more. ")
