"""Reading a recipe that may have been edited by hand, cut short, or be no recipe at all: a sentence says what is wrong with it."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, NoReturn

from unlearnviz.engine.files import a_kind, said
from unlearnviz.engine.session_recipe import FORMAT, RecipeStep, SessionRecipe
from unlearnviz.errors import BadRecipe

LARGEST = 16 * 2**20  # bytes: a recipe has a few kB, one of ten thousand steps a few MB
MOST_STEPS = 20_000


def read_recipe(source: SessionRecipe | str | os.PathLike[str]) -> SessionRecipe:
    """A recipe from its text or its file, checked in itself; whether it fits a session is asked where it is replayed.

    Raises:
        BadRecipe: the file cannot be read, or is no recipe, or is damaged; the sentence says where.
    """
    if isinstance(source, SessionRecipe):
        return source
    if isinstance(source, str) and source.lstrip().startswith("{"):
        return _parsed(source, "The recipe")
    if not isinstance(source, str | os.PathLike):
        raise BadRecipe(f"A recipe, its text or a path to its file is needed, and {a_kind(source)} was given.")
    path = Path(source).expanduser()
    try:
        size = path.stat().st_size
        text = path.read_text(encoding="utf-8") if size <= LARGEST else ""
    except (OSError, ValueError) as error:
        reason = (isinstance(error, OSError) and error.strerror) or "it is not UTF-8 text"
        raise BadRecipe(f"No recipe can be read from {said(str(source)[:200])}: {reason}.") from error
    if size > LARGEST:
        raise BadRecipe(f"{said(source)} has {size:,} bytes; a recipe has a few thousand, at most {LARGEST:,}.")
    return _parsed(text, said(source))


def _parsed(text: str, what: str) -> SessionRecipe:
    if len(text) > LARGEST:
        raise BadRecipe(f"{what} has {len(text):,} characters; a recipe has a few thousand, at most {LARGEST:,}.")
    try:
        content = json.loads(text, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        cut = "" if text.rstrip().endswith("}") else " It seems to be cut short."
        raise BadRecipe(f"{what} is no JSON from line {error.lineno}, column {error.colno} on ({error.msg}).{cut} Nothing was changed.") from error
    except (ValueError, RecursionError) as error:
        raise BadRecipe(f"{what} holds a number that is none, or is nested too deeply ({type(error).__name__}). Nothing was changed.") from error
    if not isinstance(content, dict) or content.get("unlearnviz") != "recipe":
        raise BadRecipe(f'{what} is no recipe of unlearnviz: it does not say "unlearnviz": "recipe". Nothing was changed.')
    if content.get("format") != FORMAT:
        raise BadRecipe(f"{what} has the format {_shown(content.get('format'))}; this version reads format {FORMAT}. Nothing was changed.")
    return _Checked(content, what).recipe()


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


class _Checked:
    """The fields of a recipe, each of which is what it should be or raises BadRecipe."""

    def __init__(self, content: Mapping[str, Any], what: str) -> None:
        self.content, self.what = content, what

    def recipe(self) -> SessionRecipe:
        model = self.take("model", _model, "an object with the name and the hash of the start's weights")
        rows = self.take("steps", _list_of(dict), "a list of steps")
        if len(rows) > MOST_STEPS:
            self.wrong(f"has {len(rows):,} steps; at most {MOST_STEPS:,} are read")
        picks = self.take("picks", _all(_texts), "a list of lists of passage ids")
        steps = tuple(self.step(k, row, len(picks)) for k, row in enumerate(rows, start=1))
        last = len(steps)
        branches = self.take("branches", _map(lambda tip: _whole(tip) and tip <= last), f"an object of names and steps from 0 to {last}")
        branch = self.take("branch", lambda name: isinstance(name, str) and name in branches, "the name of one of its branches")
        head = self.take("head", lambda step: _whole(step) and step <= last, f"a step from 0 to {last}")
        forget = self.take("forget", lambda pick: pick is None or (_whole(pick) and pick < len(picks)), "one of its picks, or null")
        visited = self.take(
            "visited", _map(lambda child: _whole(child) and 0 < child <= last), "an object of steps and the step after each", {}
        )
        wrong = next((key for key, child in visited.items() if str(steps[child - 1].parent) != key), None)
        if wrong is not None:
            self.wrong(f"says that step {visited[wrong]} follows step {wrong[:20]}, which it does not")
        return SessionRecipe(
            model=model,
            corpus=self.take("corpus", _text, "the hash of the texts"),
            source=self.take("source", _map(_text), "an object of texts", {}),
            seed=self.take("seed", _whole, "a whole number", 0),
            update_fraction=self.take("update_fraction", lambda share: _number(share) and share > 0, "a number above 0"),
            learned=tuple(self.take("learned", _list_of(dict), "a list of trainings", [])),
            twins=tuple(self.take("twins", _all(_twin), "a list of twins", [])),
            typed=tuple(self.take("typed", _all(_typed), "a list of texts with their ids", [])),
            picks=tuple(tuple(pick) for pick in picks),
            forget=forget,
            prompts=tuple(self.take("prompts", _texts, "a list of texts", [])),
            steps=steps,
            branches=branches,
            branch=branch,
            head=head,
            visited={int(step): child for step, child in visited.items()},
            given_up=tuple(self.take("given_up", _all(lambda step: _whole(step) and 0 < step <= last), "a list of steps", [])),
            made=self.take("made", lambda made: isinstance(made, dict), "an object of versions", {}),
            stated=self.take("recipe", _text, "the hash of the recipe", ""),
        )

    def step(self, number: int, row: Mapping[str, Any], picks: int) -> RecipeStep:
        """Step `number`, which may only stand on an earlier one."""
        checks: dict[str, tuple[Callable[[Any], bool], str]] = {
            "id": (lambda value: value == number, f"{number}: steps are numbered one by one"),
            "parent": (lambda value: _whole(value) and value < number, f"an earlier step, 0 to {number - 1}"),
            "branch": (lambda value: _text(value) and 0 < len(value) <= 200, "the name of a branch"),
            "method": (_text, "the name of a method"),
            "settings": (lambda value: isinstance(value, dict), "an object of settings"),
            "where": (_text, "a selection of parameters"),
            "pick": (lambda value: _whole(value) and value < picks, f"one of the {picks} picks, counted from 0"),
            "seed": (_whole, "a whole number"),
            "mark": (_text, "a word"),
            "norm": (lambda value: _number(value) and value >= 0, "a number, at least 0"),
            "perplexity": (lambda value: _number(value) and value >= 0, "a number, at least 0"),
            "fingerprint": (_text, "a hash"),
        }
        for name, (holds, wanted) in checks.items():
            if name in row and not holds(row[name]):
                self.wrong(f"has at step {number} for {name!r} {_shown(row[name])}, which is not {wanted}")
        missing = [each.name for each in fields(RecipeStep) if each.name not in row and each.name not in _MAY_MISS]
        if missing:
            self.wrong(f"does not say the {missing[0]!r} of step {number}")
        return RecipeStep(**{name: value for name, value in row.items() if name in checks})

    def take(self, name: str, holds: Callable[[Any], bool], wanted: str, *default: Any) -> Any:
        """A field; the default where it is missing and there is one."""
        if name not in self.content:
            if default:
                return default[0]
            self.wrong(f"has no {name!r}, which is {wanted}")
        if not holds(value := self.content[name]):
            self.wrong(f"has for {name!r} {_shown(value)}, which is not {wanted}")
        return value

    def wrong(self, why: str) -> NoReturn:
        raise BadRecipe(f"{self.what} {why}. Nothing was changed.")


_MAY_MISS = ("mark", "norm", "perplexity", "fingerprint")


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(map(_text, value))


def _list_of(kind: type) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and all(isinstance(each, kind) for each in value)


def _all(holds: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and all(map(holds, value))


def _map(holds: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, dict) and all(map(holds, value.values()))


def _model(value: Any) -> bool:
    return isinstance(value, dict) and _text(value.get("start")) and _text(value.get("name", ""))


def _twin(value: Any) -> bool:
    return isinstance(value, dict) and _texts(value.get("left_out")) and _whole(value.get("seed")) and _text(value.get("weights"))


def _typed(value: Any) -> bool:
    whole = isinstance(value, dict) and _text(value.get("id")) and _text(value.get("text")) and bool(value["text"].strip())
    return whole and set(value) <= {"id", "text", "extra"} and isinstance(value.get("extra", {}), dict)
