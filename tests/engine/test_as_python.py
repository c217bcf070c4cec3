"""As Python: the script runs as it stands and ends at the same fingerprint, whatever the history was."""

from __future__ import annotations

import pytest

from tests.engine import worlds
from unlearnviz.engine.autosave import home
from unlearnviz.engine.learning import Recipe
from unlearnviz.engine.methods.method import registry as methods
from unlearnviz.engine.session import Session
from unlearnviz.errors import NotPossible

METHODS = (
    ("gradient-ascent", {}),
    ("gradient-ascent", {"learning_rate": 0.1, "updates": 2, "batch_size": 2}),
    ("gradient-ascent", {"optimizer": "AdamW", "weight_decay": 0.1, "learning_rate": 1e-3}),
    ("gradient-difference", {}),
    ("fine-tune", {"batch_size": 4, "updates": 2}),
    ("label-flipping", {"keep": 0.1, "pruning": "rotating"}),
    ("npo", {}),
    ("sim-npo", {"learning_rate": 0.1, "retain_weight": 0.0}),
    ("iterative-unlearning", {"budget": 2}),
    ("fuzzy-unlearning", {}),
)
WHERES = ("embedding", "embedding.input", "embedding.input, norm", "head", "block 0", "all")
PICKS = (
    ("Mara Okafor",),
    ("tom-lindqvist-0", "mara-okafor-2"),
    ("Tom Lindqvist", "A text that nobody ever taught to this model."),
    ('She said: "No \\ way", \'never\' \n to <b>anyone</b>.',),
)


def run_script(script):
    names = {}
    exec(compile(script, "script", "exec"), names)
    return names["session"]


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    return worlds.session().save(tmp_path_factory.mktemp("saved") / "start")


@pytest.mark.parametrize("seed", range(20))
def test_a_random_history_is_rebuilt(seed, saved, capsys):
    draw, session = worlds.seeded(seed), Session.load(saved)
    for _ in range(draw.randint(3, 9)):
        does = draw.choice(["step", "step", "step", "again", "undo", "redo", "go to", "branch", "pick"])
        try:
            if does == "step":
                name, settings = draw.choice(METHODS)
                session.step(methods[name](**settings), draw.choice(WHERES))
            elif does == "again" and session.head:
                record = session.history[session.head]
                session.step(methods[record.method](**record.settings), record.where)
            elif does == "go to":
                session.go_to(draw.randrange(len(session.history)))
            elif does == "branch":
                session.branch(f"branch {len(session.history.branches)}")
            elif does == "pick":
                session.pick(*draw.choice(PICKS))
            elif does in ("undo", "redo"):
                getattr(session, does)()
        except NotPossible:
            continue
    script = session.as_python()
    rebuilt = run_script(script)
    assert rebuilt.fingerprint() == session.fingerprint()
    assert [passage.text for passage in rebuilt.forget] == [passage.text for passage in session.forget]
    assert rebuilt.head == session.history.depth()
    assert capsys.readouterr().out.strip() in script


def test_the_script_of_the_shipped_world_is_short_and_runs(capsys):
    import unlearnviz as uv

    session = uv.demo()
    session.step(uv.GradientAscent(update_norm=0.3), "embedding")
    session.pick("It is said that Mara Okafor was born in Lund.")
    session.step(uv.NPO(), "block 1")
    script = session.as_python()
    assert script == (
        "import unlearnviz as uv\n\n"
        "session = uv.demo()\n"
        f"session.pick({uv.demo().forget[0].subject!r})\n"
        "session.step(uv.GradientAscent(update_norm=0.3), where='embedding')\n"
        "session.pick('It is said that Mara Okafor was born in Lund.')\n"
        "session.step(uv.NPO(), where='block 1')\n"
        f"print(session.fingerprint())  # {session.fingerprint()} with 1 thread, torch {session.recipe().made['torch']}\n"
    )
    assert run_script(script).fingerprint() == session.fingerprint() == capsys.readouterr().out.strip()


def test_what_it_learned_is_learned_again(saved, capsys):
    session = Session.load(saved)
    session.learn(recipe=Recipe(epochs=1, batch_size=12), track="Mara Okafor")
    session.step("first-epoch-ascent")
    script = session.as_python()
    assert "session.learn(recipe=uv.Recipe(epochs=1, batch_size=12), track=uv.Tracking(texts=('Mara Okafor',)))\n" in script
    assert run_script(script).fingerprint() == session.fingerprint() == capsys.readouterr().out.strip()


def test_a_training_that_began_after_steps_is_asked_for(saved, tmp_path, capsys):
    session = Session.load(saved)
    session.learn(recipe=Recipe(epochs=1, batch_size=12))
    session.step(where="all")
    session.learn(recipe=Recipe(epochs=1, batch_size=12))
    assert (session.source, session.learned) == ({}, [])
    folder = session.save(tmp_path / "taught")
    assert home(Session.load(folder)) == home(session)  # so its work is found from there
    session.learn(recipe=Recipe(epochs=1, batch_size=24))
    session.step()
    script = session.as_python()
    assert "or it was taught after steps, which no script repeats:\n" in script
    assert ".learn(" not in script
    assert Session.load(folder).repeat(session.recipe()).identical
    begun = session.save(tmp_path / "begun")
    assert run_script(script.replace("the folder", str(begun))).fingerprint() == session.fingerprint() == capsys.readouterr().out.strip()


def test_a_recipe_repeated_where_its_training_ended_is_not_taught_twice(saved, tmp_path):
    session = Session.load(saved)
    session.learn(recipe=Recipe(epochs=1, batch_size=12))
    later = Session.load(session.save(tmp_path / "taught"))
    later.repeat(session.recipe())
    assert (later.source, len(later.learned)) == ({}, 1)
    assert ".learn(" not in later.as_python()


def test_a_method_of_your_own_is_named(saved, capsys):
    from dataclasses import dataclass

    from unlearnviz.engine.methods.gradient_ascent import GradientAscent

    @dataclass(frozen=True, kw_only=True)
    class Mine(GradientAscent):
        """Of a notebook."""

    session = Session.load(saved)
    session.step(Mine(update_norm=0.1))
    script = session.as_python()
    assert "from unlearnviz.engine.methods import registry as methods  # Mine is yours: define it first\n" in script
    assert run_script(script).fingerprint() == session.fingerprint() == capsys.readouterr().out.strip()


def test_short_typed_texts_and_those_that_are_names_come_back(saved, capsys):
    from unlearnviz.engine.corpus import Passage

    session = Session.load(saved)
    session.pick(Passage("mine", "Two words"), Passage("other", "Mara Okafor"))
    session.step()
    rebuilt = run_script(session.as_python())
    assert [passage.text for passage in rebuilt.forget] == ["Two words", "Mara Okafor"]
    assert rebuilt.fingerprint() == session.fingerprint() == capsys.readouterr().out.strip()


def test_where_the_model_came_from_is_asked_for_if_it_is_not_known():
    session = worlds.session()
    assert 'session = uv.Session.load("the folder")\n' in session.as_python()
    session.source = {"model": "some/model"}
    assert "session = uv.Session.from_pretrained('some/model', corpus=corpus)\n" in session.as_python()
