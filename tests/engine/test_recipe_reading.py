"""Recipes that are damaged, of something else, or edited: each a sentence in full, and nothing changed."""

from __future__ import annotations

import json

import pytest

from tests.engine import worlds
from unlearnviz.engine import recipe_reading
from unlearnviz.engine.corpus import Corpus
from unlearnviz.engine.recipe_reading import read_recipe
from unlearnviz.errors import BadRecipe

END = " Nothing was changed."


def made():
    session = worlds.session()
    session.step()
    session.step("npo", "block 1")
    session.undo()
    return session.recipe().to_text()


def refused(text, session=None):
    session = session or worlds.session()
    session.step(where="all")
    before = worlds.state(session), session.recipe_hash()
    with pytest.raises(BadRecipe) as caught:
        session.repeat(text)
    assert (worlds.state(session), session.recipe_hash()) == before
    return str(caught.value)


def edited(*path, value):
    content = json.loads(made())
    place = content
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = value
    return json.dumps(content)


LONG = "a" * 100
EDITED = [
    (("unlearnviz",), "session", 'The recipe is no recipe of unlearnviz: it does not say "unlearnviz": "recipe".'),
    (("format",), 7, "The recipe has the format 7; this version reads format 1."),
    (("steps",), {"a": 1}, "The recipe has for 'steps' {\"a\": 1}, which is not a list of steps."),
    (("steps", 1, "id"), 5, "The recipe has at step 2 for 'id' 5, which is not 2: steps are numbered one by one."),
    (("steps", 1, "parent"), 2, "The recipe has at step 2 for 'parent' 2, which is not an earlier step, 0 to 1."),
    (("steps", 1, "parent"), True, "The recipe has at step 2 for 'parent' true, which is not an earlier step, 0 to 1."),
    (("steps", 0, "settings"), LONG, f"The recipe has at step 1 for 'settings' \"{'a' * 56}..., which is not an object of settings."),
    (("steps", 0, "norm"), -1, "The recipe has at step 1 for 'norm' -1, which is not a number, at least 0."),
    (("steps", 0, "pick"), 9, "The recipe has at step 1 for 'pick' 9, which is not one of the 1 picks, counted from 0."),
    (("steps", 0, "seed"), 2**80, f"The recipe has at step 1 for 'seed' {2**80}, which is not a whole number."),
    (("twins",), [{"seed": 0}], "The recipe has for 'twins' [{\"seed\": 0}], which is not a list of twins."),
    (("head",), 3, "The recipe has for 'head' 3, which is not a step from 0 to 2."),
    (("branch",), "other", "The recipe has for 'branch' \"other\", which is not the name of one of its branches."),
    (("branches",), {"main": 9}, "The recipe has for 'branches' {\"main\": 9}, which is not an object of names and steps from 0 to 2."),
    (("visited",), {"0": 2}, "The recipe says that step 2 follows step 0, which it does not."),
    (("forget",), "Mara", "The recipe has for 'forget' \"Mara\", which is not one of its picks, or null."),
    (("typed",), [{"id": "x"}], "The recipe has for 'typed' [{\"id\": \"x\"}], which is not a list of texts with their ids."),
    (("prompts",), [3], "The recipe has for 'prompts' [3], which is not a list of texts."),
    (("model",), None, "The recipe has for 'model' null, which is not an object with the name and the hash of the start's weights."),
    (("picks", 0), ["nobody"], "Pick 0 of the recipe cannot be picked here: No subject or passage named 'nobody'."),
    (
        ("picks", 0),
        ["pia-novak-0"],
        "Pick 0 of the recipe cannot be picked here: 'pia-novak-0' is in the holdout: the model never saw it, so there is nothing to forget. ",
    ),
    (("steps", 0, "method"), "gradient-descent", "Step 1 of the recipe cannot be taken: No method named 'gradient-descent'. Did you mean"),
    (("steps", 0, "where"), "block 7", "Step 1 of the recipe cannot be taken: Selection 'block 7' matches none of this model's 2 blocks"),
    (("steps", 0, "settings"), {"update_norm": -3.0}, "Step 1 of the recipe cannot be taken: GradientAscent(update_norm=-3.0) is out of range"),
    (("steps", 0, "settings"), {"force": 1}, "Step 1 of the recipe cannot be taken: No setting of gradient-ascent named 'force'. Known: "),
    (("typed",), [{"id": "mara-okafor-0", "text": "x y z"}], "The typed text 'mara-okafor-0' of the recipe has the id of another text."),
]


@pytest.mark.parametrize("path, value, sentence", EDITED, ids=[f"{'.'.join(map(str, path))}={str(value)[:20]}" for path, value, _ in EDITED])
def test_what_a_hand_did_is_a_sentence(path, value, sentence):
    said = refused(edited(*path, value=value))
    assert said.startswith(sentence)
    assert said.endswith(END)
    assert len(said) < 500


@pytest.mark.parametrize("missing", ["model", "corpus", "steps", "picks", "branches", "branch", "head", "forget", "update_fraction"])
def test_what_is_missing_is_named(missing):
    content = json.loads(made())
    del content[missing]
    assert refused(json.dumps(content)).startswith((f"The recipe has no {missing!r}, which is ", f"The recipe has for {missing!r} "))


def test_what_a_step_lacks_is_named():
    content = json.loads(made())
    del content["steps"][1]["seed"]
    assert refused(json.dumps(content)) == "The recipe does not say the 'seed' of step 2." + END


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.99])
def test_a_recipe_that_was_cut_short_says_so(share):
    text = made()
    said = refused(text[: int(len(text) * share)])
    assert said.startswith("The recipe is no JSON from line ")
    assert said.endswith("It seems to be cut short." + END)


def test_numbers_that_are_none_and_depth_without_end_are_refused():
    text = made()
    none = "The recipe holds a number that is none, or is nested too deeply (ValueError)." + END
    assert refused(text.replace('"seed": 0', '"seed": NaN', 1)) == none
    assert refused('{"a":' * 100_000).startswith("The recipe ")
    assert refused(f'{{"unlearnviz": {"9" * 5000}}}') == none


def test_absurd_sizes_are_refused(tmp_path, monkeypatch):
    text = made()
    (tmp_path / "large.json").write_text(text)
    monkeypatch.setattr(recipe_reading, "LARGEST", 1000)
    assert refused(tmp_path / "large.json") == (
        f"{str(tmp_path / 'large.json')!r} has {len(text):,} bytes; a recipe has a few thousand, at most 1,000."
    )
    assert refused(text) == f"The recipe has {len(text):,} characters; a recipe has a few thousand, at most 1,000."
    monkeypatch.setattr(recipe_reading, "LARGEST", 10**6)
    monkeypatch.setattr(recipe_reading, "MOST_STEPS", 1)
    assert refused(text) == "The recipe has 2 steps; at most 1 are read." + END


def test_what_is_no_file_is_a_sentence(tmp_path):
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    assert refused(tmp_path / "none.json") == f"No recipe can be read from {str(tmp_path / 'none.json')!r}: No such file or directory."
    assert refused(tmp_path) == f"No recipe can be read from {str(tmp_path)!r}: Is a directory."
    assert refused(tmp_path / "binary") == f"No recipe can be read from {str(tmp_path / 'binary')!r}: it is not UTF-8 text."
    assert refused(3) == "A recipe, its text or a path to its file is needed, and a number was given."
    assert refused("x" * 5000).startswith("No recipe can be read from 'xxx")


def test_another_model_or_other_texts_are_told_apart_by_their_hash():
    session = worlds.session()
    session.step()
    recipe = session.recipe()
    start, texts = recipe.model["start"][:12], recipe.corpus[:12]
    other = worlds.session(tied=False)
    assert refused(recipe, other) == (
        f"This recipe was made on another model: its start has the hash {start}, that of 'tiny' is {other.recipe().model['start'][:12]}. "
        "The texts are the same, so its picks, settings and prompts can be used here by hand; its steps need the other model." + END
    )
    fewer = Corpus(tuple(worlds.corpus())[:-1])
    other = worlds.session(texts=fewer)
    assert refused(recipe, other) == (
        f"This recipe was made on other texts: their hash is {texts}, here it is {fewer.digest()[:12]}. The model is the same, so its settings, "
        "typed texts and prompts can be used here by hand; its picks need the other texts." + END
    )
    other = worlds.session(tied=False, texts=fewer)
    assert refused(recipe, other) == (
        f"This recipe was made on another model: its start has the hash {start}, that of 'tiny' is {other.recipe().model['start'][:12]}; and on "
        f"other texts: their hash is {texts}, here it is {fewer.digest()[:12]}. Its settings, typed texts and prompts can be used here by hand."
        + END
    )


def test_what_is_stated_and_what_is_there():
    text = made()
    assert read_recipe(text).stated == read_recipe(text).hash
    assert read_recipe(edited("seed", value=4)).stated != read_recipe(edited("seed", value=4)).hash
