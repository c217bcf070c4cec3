"""A recipe opened where it came from: by `uv.replay`, and by `unlearnviz run`, whose last line is the fingerprint."""

from __future__ import annotations

import pytest

import unlearnviz as uv
from tests.engine import worlds
from unlearnviz import cli
from unlearnviz.errors import BadRecipe


@pytest.fixture(scope="module")
def shipped(tmp_path_factory):
    """A recipe of the shipped world, and the fingerprint it leads to."""
    session = uv.demo()
    session.step()
    session.step("fine-tune", "block 1")
    session.undo()
    session.step("npo", "block 0")
    session.pick("A text that nobody ever taught to this model.")
    return session.save_recipe(tmp_path_factory.mktemp("recipes") / "run.json"), session.fingerprint(), session.recipe_hash()


def test_the_shipped_world_is_opened(shipped):
    path, fingerprint, recipe = shipped
    session = uv.replay(path)
    assert (session.fingerprint(), session.recipe_hash()) == (fingerprint, recipe)
    assert session.notes[-1] == "Replayed 3 steps, bit for bit as they were."
    assert path.stat().st_size < 4000


def test_the_command_prints_the_measures_and_ends_with_the_fingerprint(shipped, capsys):
    path, fingerprint, _ = shipped
    assert cli.main(["run", str(path)]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[-1] == fingerprint
    assert said[:3] == ["step 1 of 3", "step 2 of 3", "step 3 of 3"]
    assert said[3] == "Replayed 3 steps, bit for bit as they were."
    assert [line.partition(": forget ")[0] for line in said[4:6]] == ["perplexity, now", "perplexity, start"]
    assert [line.partition(": retain ")[0] for line in said[6:-1]] == [f"facts recalled word for word, {of}" for of in ("now", "start")]


def test_the_command_prints_perplexities_recall_and_answers_beside_the_twin(tmp_path, capsys):
    session = uv.demo()
    session.step()
    session.prompts = ("Mara Okafor \x1b[2Jwas born in", "Mara Okafor was born in")
    path = session.save_recipe(tmp_path / "run.json")
    assert cli.main(["run", str(path)]) == 0
    said = capsys.readouterr().out
    assert "\x1b" not in said  # no terminal is told what to do
    lines = said.splitlines()[2:]
    assert [line.partition(": forget ")[0] for line in lines[:6]] == [
        f"{what}, {of}" for what in ("perplexity", "facts recalled word for word") for of in ("now", "start", "twin")
    ]
    recalled = session.measure("exact-recall")["exact-recall"].rows
    counts = ", ".join(f"{row['group']} {row['recalled']} of {row['texts']}" for row in recalled if row["group"] in ("forget", "retain"))
    assert lines[3] == f"facts recalled word for word, now: {counts}"
    answer = session.model.generate([session.prompts[1]], max_new_tokens=24)[0].text
    assert lines[7] == f"asked {session.prompts[1]!r}, it says {answer!r}"
    assert lines[8:] == [session.fingerprint()]


def test_a_saved_session_is_opened(tmp_path, capsys):
    session = uv.Session.load(worlds.session().save(tmp_path / "saved"))
    session.step()
    path = session.save_recipe(tmp_path / "run.json")
    assert uv.replay(path).fingerprint() == session.fingerprint()
    assert uv.replay(session.recipe(), worlds.session()).fingerprint() == session.fingerprint()
    session.source = {}
    path = session.save_recipe(tmp_path / "run.json")
    assert cli.main(["run", str(path), "--session", str(tmp_path / "saved")]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == session.fingerprint()
    assert cli.main(["run", str(path)]) == 2
    assert "unlearnviz: The recipe does not say where its model came from; " in capsys.readouterr().err


def test_texts_of_ones_own_have_to_be_given():
    session = worlds.session()
    session.source = {"model": "some/model"}
    with pytest.raises(BadRecipe) as caught:
        uv.replay(session.recipe().to_text())
    assert str(caught.value) == (
        "The recipe was made on the model 'some/model' with texts of somebody's own, which it does not hold; open both and give them: "
        "replay(recipe, session=Session.from_pretrained(model, corpus=...))."
    )
