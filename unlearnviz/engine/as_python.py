"""AsPython: the short script that rebuilds the present state of a session, without widgets."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from unlearnviz.engine.given import OPENED
from unlearnviz.engine.groups import WORDS_OF_A_TEXT, resolve
from unlearnviz.engine.learning import Recipe
from unlearnviz.engine.methods.method import registry as methods
from unlearnviz.engine.recipe_plan import lesson_of
from unlearnviz.engine.tracking import Tracking

if TYPE_CHECKING:
    from unlearnviz.engine.session import Session

WIDE = 120  # characters of a line
BY_HAND = """# How the model and its texts were opened is not known here, or it was taught after steps, which no script repeats:
# a folder that session.save(folder) wrote will do.
session = uv.Session.load("the folder")"""


def as_python(session: Session) -> str:
    """Python that opens the model, takes every step on the way to the head, and prints the fingerprint; other branches are left out."""
    recipe = session.keeping.quickly(session)
    imports = ["import unlearnviz as uv"]
    begin = next((step.id for step in recipe.path if step.method == OPENED), 0)  # a step that opening a model brings with it
    lines = _opening(recipe.source, begin)
    if recipe.seed or recipe.source.get("world") != "shipped":
        lines.append(f"session.seed = {recipe.seed}")
    for given in recipe.learned if recipe.source else ():
        lesson = lesson_of(given)
        track = "" if lesson.track is None else f", track=uv.Tracking({_settings(lesson.track, Tracking())})"
        lines.append(f"session.learn(recipe=uv.Recipe({_settings(lesson.recipe, Recipe())}){track})")
    picked: int | None = None
    for step in recipe.path:
        if step.id == begin:
            continue
        if step.pick != picked:
            lines.append(_pick(session, recipe.picks[step.pick]))
            picked = step.pick
        cls = methods[step.method]
        if cls.__module__.startswith("unlearnviz."):
            made = f"uv.{cls.__name__}"
        else:
            made = f"methods[{step.method!r}]"
            mine = f"  # {cls.__name__} is yours: define it first"
            imports = [imports[0], f"from unlearnviz.engine.methods import registry as methods{mine}"]
        lines.append(f"session.step({made}({_given(step.settings, cls())}), where={step.where!r})")
    if recipe.forget is not None and recipe.forget != picked:
        lines.append(_pick(session, recipe.picks[recipe.forget]))
    fingerprint = session.keeping.fingerprint(session.snapshots[session.head].weights)
    threads = recipe.made["threads"]
    where = f"with {threads} thread{'' if threads == 1 else 's'}, torch {recipe.made['torch']}"
    lines.append(f"print(session.fingerprint())  # {fingerprint} {where}")
    return "\n".join([*imports, "", *lines]) + "\n"


def _opening(source: Mapping[str, str], begin: int) -> list[str]:
    if source.get("world") == "shipped":
        return ["session = uv.demo()"]
    if "session" in source:
        return [f"session = uv.Session.load({source['session']!r})", f"session.go_to({begin})"]
    if "model" in source:
        return [
            "corpus = uv.Corpus.read('texts.jsonl')  # the texts of this session: put your file and its columns here",
            f"session = uv.Session.from_pretrained({source['model']!r}, corpus=corpus)",
        ]
    return [*BY_HAND.splitlines(), f"session.go_to({begin})"]


def _pick(session: Session, ids: Sequence[str]) -> str:
    """One call of pick: a subject where that is the same, else ids, and typed texts in full."""
    items = [_item(session, each) for each in ids]
    known: Container[object] = session.corpus
    subjects = list(dict.fromkeys(session.corpus[each].subject for each in ids if each in known))
    if "" not in subjects and all(each in known for each in ids):
        found, _ = resolve(session.corpus, (), subjects)
        if [passage.id for passage in found] == list(ids):
            items = [repr(subject) for subject in subjects]
    line = f"session.pick({', '.join(items)})"
    if len(line) <= WIDE:
        return line
    return "session.pick(\n" + "".join(f"    {item},\n" for item in items) + ")"


def _item(session: Session, name: str) -> str:
    """A passage id; of a typed text the text itself, or where that could be read as something else, a Passage."""
    typed = next((passage for passage in session.typed if passage.id == name), None)
    if typed is None:
        return repr(name)
    known: Container[object] = session.corpus
    if typed.text in known or typed.text in session.corpus.subjects or len(typed.text.split()) < WORDS_OF_A_TEXT:
        return f"uv.Passage({name!r}, {typed.text!r})"
    return repr(typed.text)


def _given(settings: Mapping[str, Any], default: Any) -> str:
    """Settings that are not the default ones, as keyword arguments."""
    return ", ".join(f"{name}={value!r}" for name, value in settings.items() if value != getattr(default, name))


def _settings(owner: Any, default: Any) -> str:
    return _given({each.name: getattr(owner, each.name) for each in fields(owner)}, default)
