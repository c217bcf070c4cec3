"""The recipe of a session: what is in it, what its hash says, and what a hand may do to it."""

from __future__ import annotations

import json

from tests.engine import worlds


def test_the_hash_tells_sessions_apart_and_nothing_else():
    session, other = worlds.session(), worlds.session()
    seen = [session.recipe_hash()]
    assert other.recipe_hash() == seen[0] == session.recipe().hash
    for change in (
        lambda each: each.step(),
        lambda each: each.step("fine-tune", "block 0"),
        lambda each: each.undo(),
        lambda each: each.branch("gentle"),
        lambda each: each.pick("Tom Lindqvist"),
        lambda each: each.pick("A text that nobody ever taught to this model."),
        lambda each: each.step(),
    ):
        change(session)
        change(other)
        seen.append(session.recipe_hash())
        assert other.recipe_hash() == seen[-1]
    assert len(set(seen)) == len(seen)
    session.measure("perplexity")
    session.twin  # noqa: B018 - looking is pure
    session.prompts = ("Mara Okafor was born in",)
    assert session.recipe_hash() == seen[-1] == session.recipe().hash
    assert worlds.session(tied=False).recipe_hash() != seen[0] != worlds.session(seed=1).recipe_hash()


def test_a_recipe_says_what_was_done():
    session = worlds.session()
    session.step(where="embedding.input")
    session.measure("perplexity")
    session.pick("A text that nobody ever taught to this model.")
    session.step("gradient-difference", "all")
    session.undo()
    recipe = json.loads(session.recipe().to_text())
    assert recipe["recipe"] == session.recipe_hash()
    assert recipe["model"]["start"] == session.snapshots[0].weights.fingerprint()
    assert recipe["corpus"] == session.corpus.digest()
    assert [(step["method"], step["where"], step["parent"]) for step in recipe["steps"]] == [
        ("gradient-ascent", "embedding.input", 0),
        ("gradient-difference", "all", 1),
    ]
    assert recipe["picks"] == [[f"mara-okafor-{k}" for k in range(4)], ["typed-1"]]
    assert recipe["steps"][0]["perplexity"] == session.history.readings[1][0].value
    assert recipe["steps"][0]["fingerprint"] == session.fingerprint()
    assert (recipe["head"], recipe["branch"], recipe["visited"]) == (1, "main", {"0": 1, "1": 2})
    assert len(session.recipe().to_text()) < 4000


def test_a_perplexity_of_another_pick_is_not_the_steps_own():
    session = worlds.session()
    session.step()
    own = session.measure("perplexity")["perplexity"].value
    assert session.recipe().steps[0].perplexity == own
    session.pick("Tom Lindqvist")
    session.measure("perplexity")
    assert session.recipe().steps[0].perplexity is None
    session.pick("Mara Okafor")
    session.measure("perplexity")
    assert session.recipe().steps[0].perplexity == own
