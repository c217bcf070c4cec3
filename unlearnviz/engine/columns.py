"""Columns: which column of a table is the text, prompt, fact, subject, split or id, as named or as guessed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

from unlearnviz.engine.holdout import known_split
from unlearnviz.engine.readers import Row
from unlearnviz.errors import BadCorpus, BadSetting, UnknownName, nearest, unknown

Column = str | Callable[[int, Row], object]


class Options(TypedDict, total=False):
    """What every reader of `Corpus` understands beside its file; all may be left out.

    Attributes:
        text: the column that holds the whole text.
        prompt: the column that holds the question or the beginning; goes with `answer`.
        answer: the column that holds the fact. The text becomes prompt, one space, answer; the space belongs to the answer.
        subject: the column that says whom a row is about, or a function of (number, row); numbers count all rows from 0.
        split: the column that says "train" or "holdout" (or a usual word for it), or a function of (number, row).
        id: the column that holds unique ids; without it passages are numbered.
        holdout: the fraction of the subjects (of the texts without a subject) to hold out, 0 to 1; 0.1 without a split.
        seed: the seed of that draw; 0 unless given.
        limit: read only so many rows.
    """

    text: str | None
    prompt: str | None
    answer: str | None
    subject: Column | None
    split: Column | None
    id: str | None
    holdout: float | None
    seed: int
    limit: int | None


@dataclass(frozen=True)
class Columns:
    """What each role is taken from; either `text`, or `prompt` and `answer`."""

    text: str | None
    prompt: str | None
    answer: str | None
    subject: Column | None
    split: Column | None
    id: str | None

    @property
    def used(self) -> frozenset[str]:
        """The columns that play a role; all others are kept as extra."""
        roles = (self.text, self.prompt, self.answer, self.subject, self.split, self.id)
        return frozenset(role for role in roles if isinstance(role, str))


_USUAL = {
    "text": ("text", "texts", "content", "sentence", "passage", "paragraph", "body", "document", "story", "article", "fact"),
    "prompt": ("prompt", "question", "instruction", "input", "query", "beginning"),
    "answer": ("answer", "completion", "response", "output", "target", "reply", "ending"),
    "subject": ("subject", "author", "person", "name", "fullname", "authorname", "entity", "title", "character", "topic"),
    "split": ("split",),
    "id": ("id",),
}


def check(options: Options) -> None:
    """Refuse options that do not exist, are out of range or contradict each other."""
    for name in options:
        if name not in Options.__annotations__:
            raise unknown("option", name, Options.__annotations__)
    for role in ("text", "prompt", "answer", "id"):
        if not isinstance(options.get(role), str | None):
            raise BadSetting(f"{role}= takes the name of a column, not {options.get(role)!r}.")
    for role in ("subject", "split"):
        value = options.get(role)
        if not (value is None or isinstance(value, str) or callable(value)):
            raise BadSetting(f"{role}= takes the name of a column or a function of (number, row), not {value!r}.")
    if options.get("text") is not None and (options.get("prompt") is not None or options.get("answer") is not None):
        raise BadSetting("text= was given together with prompt= or answer=; give text= alone, or prompt= and answer=.")
    fraction = options.get("holdout")
    if fraction is not None and not (_is_number(fraction) and 0 <= fraction <= 1):
        raise BadSetting(f"holdout={fraction!r} is not a fraction from 0 to 1; 0.1 holds out one subject in ten.")
    if fraction is not None and options.get("split") is not None:
        raise BadSetting(
            "split= and holdout= were both given, and split= already says what is held out; leave one of them out."
        )
    limit = options.get("limit")
    if limit is not None and (not isinstance(limit, int) or isinstance(limit, bool) or limit < 1):
        raise BadSetting(f"limit={limit!r} is not a number of rows; give 1 or more, or leave it out to read all.")
    if not isinstance(options.get("seed", 0), int) or isinstance(options.get("seed", 0), bool):
        raise BadSetting(f"seed={options.get('seed')!r} is not a whole number.")


def choose(rows: Sequence[Row], options: Options, source: str) -> tuple[Columns, list[str]]:
    """The columns as named in the options, the others as guessed from their usual names, and a note for each guess."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    for role in ("text", "prompt", "answer", "subject", "split", "id"):
        asked = options.get(role)
        if isinstance(asked, str) and asked not in columns:
            raise UnknownName(f"No column named {asked!r} in {source} (asked for by {role}=).{nearest(asked, columns)}")
    notes: list[str] = []
    named = {each for each in (options.get("subject"), options.get("split"), options.get("id")) if isinstance(each, str)}
    text, prompt, answer = _texts([each for each in columns if each not in named], rows, options, source, notes)
    taken = {text, prompt, answer, *named}
    free = [column for column in columns if column not in taken]

    subject = options.get("subject")
    if subject is None and (subject := _usual("subject", free)) is not None:
        notes.append(f"Took {subject!r} as the subject; say subject= to choose another.")
    split = options.get("split")
    if split is None and options.get("holdout") is None:
        split = _usual("split", free)
        if split is not None and not all(known_split(row.get(split)) for row in rows):
            split = None
        elif split is not None:
            notes.append(f"Took {split!r} as the split; say split= to choose another, or holdout= to draw one.")
    identity = options.get("id")
    if identity is None and (found := _usual("id", free)) is not None:
        values = [row.get(found) for row in rows]
        whole = all(isinstance(each, str | int) and str(each).strip() for each in values)
        if whole and len({str(each).strip() for each in values}) == len(values):
            identity = found
            notes.append(f"Took {found!r} as the id; say id= to choose another.")
        else:
            notes.append(f"Numbered the passages, because {found!r} is not a different name in every row.")
    return Columns(text, prompt, answer, subject, split, identity), notes


def _texts(
    columns: Sequence[str], rows: Sequence[Row], options: Options, source: str, notes: list[str]
) -> tuple[str | None, str | None, str | None]:
    """The text column, or the prompt and answer columns; a note where one was guessed."""
    text, prompt, answer = options.get("text"), options.get("prompt"), options.get("answer")
    if text is not None:
        return text, None, None
    half_named = prompt is not None or answer is not None
    found_prompt = prompt or _usual("prompt", [each for each in columns if each != answer])
    found_answer = answer or _usual("answer", [each for each in columns if each != found_prompt])
    if found_prompt is not None and found_answer is not None:
        if prompt is None and answer is None:
            took = f"Took {found_prompt!r} as the prompt and {found_answer!r} as the fact"
            notes.append(f"{took}; say prompt= and answer= to choose others.")
        elif prompt is None:
            notes.append(f"Took {found_prompt!r} as the prompt; say prompt= to choose another.")
        elif answer is None:
            notes.append(f"Took {found_answer!r} as the fact; say answer= to choose another.")
        return None, found_prompt, found_answer
    listed = _listed(list(dict.fromkeys(key for row in rows for key in row)))
    if half_named:
        given, missing = ("prompt", "answer") if prompt is not None else ("answer", "prompt")
        raise BadCorpus(
            f"{given}={prompt or answer!r} needs {missing}= beside it, and no column of {source} has a usual name for it; "
            f"its columns are {listed}."
        )
    found = _usual("text", columns)
    if found is None:
        holding = [each for each in columns if {type(row.get(each)) for row in rows} - {type(None)} == {str}]
        found = holding[0] if len(holding) == 1 else None
    if found is None:
        raise BadCorpus(
            f"Cannot tell which column of {source} holds the texts; its columns are {listed}. "
            "Say text=, or prompt= and answer=."
        )
    if len(columns) > 1 or found != "text":
        notes.append(f"Took {found!r} as the text; say text= to choose another.")
    return found, None, None


def _usual(role: str, columns: Iterable[str]) -> str | None:
    """The column with the most usual name for a role; capitals, spaces, hyphens and underscores do not count."""
    plain = {"".join(c for c in column.lower() if c not in " -_."): column for column in reversed(list(columns))}
    return next((plain[name] for name in _USUAL[role] if name in plain), None)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _listed(columns: Sequence[str]) -> str:
    shown = ", ".join(repr(each if len(each) <= 40 else each[:39] + "…") for each in columns[:8])
    return f"{shown} and {len(columns) - 8} more" if len(columns) > 8 else shown or "none"
