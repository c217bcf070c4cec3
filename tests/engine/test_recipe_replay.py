"""Replaying a recipe: the same weights, the same tree, the same pick; and whatever ends it early changes nothing."""

from __future__ import annotations

import json

import pytest

from tests.engine import worlds
from unlearnviz.engine.events import Repeated
from unlearnviz.engine.learning import Recipe
from unlearnviz.engine.progress import drain
from unlearnviz.engine.recipe_reading import read_recipe
from unlearnviz.engine.tracking import Tracking
from unlearnviz.errors import BadRecipe, Busy, Cancelled, NotPossible

TYPED = "A text that nobody ever taught to this model."


def grown(session):
    """A tree with branches, several methods, places and picks, a state that goes from step to step, and forgotten work."""
    session.step(where="embedding.input")
    session.step("gradient-difference", "all")
    session.undo()
    session.pick(TYPED, "Tom Lindqvist")
    session.step("gradient-ascent", "block 0")  # a branch of its own
    adam = worlds_method("gradient-ascent", optimizer="AdamW", learning_rate=1e-3)
    session.step(adam, "embedding")
    session.step(adam, "embedding")
    session.go_to(1)
    session.branch("<b>gentle</b>")
    session.step("npo", "block 1")
    session.go_to(0)
    session.branch("dead")
    session.step("fine-tune", "head")
    session.go_to("<b>gentle</b>")
    session.forget_branch("dead")
    session.measure("perplexity")
    session.undo()
    session.pick("Mara Okafor")
    return session


def worlds_method(name, **settings):
    from unlearnviz.engine.methods.method import registry

    return registry[name](**settings)


def tree(session):
    history = session.history
    return {
        "records": [(r.id, r.parent, r.branch, r.method, dict(r.settings), r.where, r.forget, r.seed, r.mark) for r in history],
        "branches": (history.branches, history.branch, history.head),
        "visited": [history.child_visited_last(record.id) for record in history],
        "weights": {step: session.snapshots[step].weights.fingerprint() for step in session.snapshots.steps()},
        "live": session.fingerprint(),
        "groups": {group: tuple(members) for group, members in session.groups.items()},
        "typed": tuple(session.typed),
        "hash": session.recipe_hash(),
    }


@pytest.mark.parametrize("shape", [{}, {"tied": False}, {"memory_budget": 0}], ids=["tied", "untied", "on disk"])
def test_a_replay_is_the_same_session(shape):
    session = grown(worlds.session(**shape))
    text = session.recipe().to_text()
    other = worlds.session(pick=None, **shape)
    heard = []
    other.listen(heard.append)
    replayed = other.repeat(text)
    assert tree(other) == tree(session)
    assert replayed.sentence == "Replayed 6 steps, bit for bit as they were."
    assert (replayed.steps, replayed.identical, replayed.largest) == (6, True, 0.0)
    assert heard == [Repeated(1)]
    for each in (session, other):
        each.redo()
        each.step()
    assert session.fingerprint() == other.fingerprint()
    assert other.snapshots.store.memory_bytes == sum(each.bytes_in_memory for each in other.snapshots.store._held.values())


def test_a_replay_takes_the_place_of_what_was_there():
    session, other = grown(worlds.session()), worlds.session(seed=5)
    other.pick("Another text that nobody ever taught to this model.")
    other.step("fine-tune", "all")
    other.measure("perplexity")
    other.repeat(session.recipe())
    assert tree(other) == tree(session)
    for each in (session, other):
        each.measure("perplexity")
    assert session.history.readings[1][-1].rows == other.history.readings[1][-1].rows
    assert set(other.snapshots.store._held) <= {
        id(value) for step in other.snapshots.steps() for value in other.snapshots[step].weights.stored.values()
    } | {id(value) for step in other.snapshots.steps() for value in other.snapshots[step].state.values()} | {
        id(value.base) for step in other.snapshots.steps() for value in other.snapshots[step].weights.stored.values() if value.base
    }


@pytest.mark.parametrize("moment", range(0, 9, 2))
@pytest.mark.parametrize("how", ["close", "cancel", "throw"])
def test_what_ends_a_replay_early_brings_the_old_history_back(how, moment):
    recipe = grown(worlds.session()).recipe()
    session = worlds.session()
    session.step(where="all")
    session.pick(TYPED)
    session.step("npo")
    session.undo()
    before = worlds.state(session)
    work = worlds.one_at_a_time(session.repeating(recipe), moment + 1)
    if how == "close":
        work.close()
    elif how == "throw":
        with pytest.raises(ZeroDivisionError):
            work.throw(ZeroDivisionError)
    else:
        session.cancel()
        with pytest.raises(Cancelled):
            drain(work)
    assert worlds.state(session) == before
    session.redo()
    session.step()


def test_a_training_is_repeated_first():
    session = worlds.session()
    session.learn(recipe=Recipe(epochs=1, batch_size=12), track=Tracking(texts=("Mara Okafor",)))
    session.learn(recipe=Recipe(epochs=1, batch_size=12, optimizer="SGD"), track="Tom Lindqvist")
    session.pick("Tom Lindqvist")
    session.step("first-epoch-ascent")
    session.step("amnesiac")
    other = worlds.session()
    found = other.repeat(session.recipe())
    assert found.sentence == "Replayed 2 steps, bit for bit as they were."
    assert other.fingerprint() == session.fingerprint()
    assert other.recipe_hash() == session.recipe_hash()
    started = worlds.session()
    started.step()
    before = worlds.state(started)
    with pytest.raises(NotPossible, match="This recipe begins with a training of the model, and the session has steps already"):
        started.repeat(session.recipe())
    assert worlds.state(started) == before


def test_no_recipe_says_where_a_ledger_is_written(tmp_path):
    session = worlds.session()
    session.learn(recipe=Recipe(epochs=1, batch_size=12), track="Mara Okafor")
    content = json.loads(session.recipe().to_text())
    content["learned"][0]["track"]["folder"] = str(tmp_path / "anywhere")
    other = worlds.session()
    other.repeat(json.dumps(content))
    assert other.fingerprint() == session.fingerprint()
    assert not list(tmp_path.iterdir())


def test_twins_that_are_missing_or_others_are_said():
    session = worlds.session()
    session.learn(recipe=Recipe(epochs=1, batch_size=12))
    session.pick("Mara Okafor")
    session.twin(seed=0)
    session.twin(seed=1)
    session.step()
    recipe = session.recipe()
    other = worlds.session()
    missing = ": train it, or add it with session.add_twin"
    bare = other.repeat(recipe)
    assert bare.identical
    assert bare.sentence == f"Replayed 1 step, bit for bit as they were. Its twin of seed 0, 1 is not here{missing}."
    other.twin(seed=0)
    assert other.repeat(recipe).sentence.endswith(f" Its twin of seed 1 is not here{missing}; its twin of seed 0 is the same.")
    other.twin(seed=1)
    assert other.repeat(recipe).sentence == "Replayed 1 step, bit for bit as they were."
    content = json.loads(recipe.to_text())
    content["twins"][1]["weights"] = "0" * 64
    found = other.repeat(json.dumps(content))
    assert found.identical
    assert found.sentence.endswith(
        " Its twin of seed 1 has other weights here, so what stands beside it may be another number; its twin of seed 0 is the same."
    )


def test_a_ledger_that_was_opened_is_asked_for():
    session = worlds.ledger_session()
    session.step("amnesiac")
    recipe = session.recipe()
    found = worlds.ledger_session().repeat(recipe)
    assert found.identical
    bare = worlds.ledger_session()
    bare.ledger = None
    with pytest.raises(BadRecipe) as caught:
        bare.repeat(recipe)
    assert str(caught.value) == (
        "Step 1 of the recipe is one of amnesiac, which takes back what a ledger recorded, and there is none here; "
        "call session.open_ledger(folder) first. Nothing was changed."
    )


def test_elsewhere_it_says_how_far_off_it_is():
    session = worlds.session()
    session.step()
    session.step()
    content = json.loads(session.recipe().to_text())
    content["steps"][1]["norm"] *= 1 + 3e-7  # as another machine would have written it
    content["steps"][1]["fingerprint"] = "0" * 64
    content["made"]["threads"] = 64
    found = worlds.session().repeat(json.dumps(content))
    assert found.sentence == (
        "Replayed 2 steps, not bit for bit as they were: the largest difference is 0.3 millionths of a step's length, at step 2. "
        "It was made with 64 threads (1 here)."
    )
    assert (found.identical, found.at) == (False, 2)
    assert found.largest == pytest.approx(3e-7, rel=1e-3)


def test_an_edited_recipe_is_taken_as_it_is_now():
    session = worlds.session()
    session.step()
    content = json.loads(session.recipe().to_text())
    content["steps"][0]["where"] = "block 0"
    other = worlds.session()
    found = other.repeat(json.dumps(content))
    assert not found.identical
    assert found.sentence.endswith(" The recipe was edited since it was written.")
    wanted = worlds.session()
    wanted.step(where="block 0")
    assert other.fingerprint() == wanted.fingerprint()


def test_a_replay_waits_for_nobody():
    session = worlds.session()
    session.step()
    recipe = session.recipe()
    work = worlds.one_at_a_time(session.stepping(), 1)
    with pytest.raises(Busy):
        session.repeat(recipe)
    work.close()


def test_a_recipe_survives_its_own_text():
    recipe = grown(worlds.session()).recipe()
    again = read_recipe(recipe.to_text())
    assert again.to_text() == recipe.to_text()
    assert again.stated == again.hash == recipe.hash
