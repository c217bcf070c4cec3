"""Passages out of a table: its rows, by the chosen columns, as `Corpus.from_rows` takes them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

from unlearnviz.engine.columns import Column, Columns, Options, check, choose
from unlearnviz.engine.files import a_kind
from unlearnviz.engine.holdout import DEFAULT_FRACTION, draw_splits, read_splits
from unlearnviz.engine.readers import Row, Table
from unlearnviz.errors import BadCorpus

WORD_FOR_WORD = "word for word"  # how the note on repeated texts says it


def passage_rows(table: Table, options: Options) -> tuple[list[dict[str, Any]], list[str]]:
    """What `Corpus.from_rows` needs, and the notes: guessed columns, skipped rows, repeated texts, what was held out.

    Raises:
        UnknownName: an option or a column that does not exist.
        BadSetting: an option out of range, or two that contradict each other.
        BadCorpus: no rows, no texts, or a value that is no text.
    """
    check(options)
    limit = options.get("limit")
    numbered, more = table.take(limit)
    if not numbered:
        raise BadCorpus(f"{_capital(table.source)} holds no {table.noun}s; a corpus needs at least one text.")
    columns, guesses = choose([row for _, row in numbered], options, table.source)
    notes = [*table.notes, *guesses]
    if more:
        first = table.noun if limit == 1 else _count(len(numbered), table.noun)
        notes.append(f"Read only the first {first} (limit={limit}).")

    passages: list[dict[str, Any]] = []
    words: list[object] = []  # what says the split, row by row
    places: list[str] = []
    skipped: list[str] = []
    opaque: dict[str, None] = {}
    for number, (position, row) in enumerate(numbered):
        place = f"{table.unit} {position}"
        where = f"{place.capitalize()} of {table.source}"
        text, answer_start = _text(row, columns, where)
        if not text:
            skipped.append(place)
            continue
        identity = f"{table.noun}-{number}"
        if columns.id is not None and not (identity := _word(row.get(columns.id), columns.id, where)):
            raise BadCorpus(f"{where} has no id under {columns.id!r}; give every row one, or leave id= out to number them.")
        passages.append(
            {
                "id": identity,
                "text": text,
                "subject": _word(_ask(columns.subject, "subject", number, row, where), "subject", where),
                "answer_start": answer_start,
                "extra": _extra(row, columns, opaque),
            }
        )
        words.append(_ask(columns.split, "split", number, row, where))
        places.append(place)

    empty = f"under {columns.text!r}" if columns.text is not None else f"under {columns.prompt!r} or {columns.answer!r}"
    if not passages:
        raise BadCorpus(f"No {table.noun} of {table.source} has a text {empty}; choose another column.")
    if skipped:
        notes.append(f"Skipped {_count(len(skipped), table.noun)} without a text {empty} (the first is {skipped[0]}).")
    notes.extend(f"Left out {name!r}, which holds bytes." for name in opaque)

    texts = [passage["text"] for passage in passages]
    if columns.split is not None:
        splits, said = read_splits(words, places, table.source)
    else:
        fraction = options.get("holdout")
        fraction = DEFAULT_FRACTION if fraction is None else fraction
        splits, said = draw_splits(texts, [passage["subject"] for passage in passages], fraction, options.get("seed", 0))
    for passage, split in zip(passages, splits, strict=True):
        passage["split"] = split
    notes.extend(_repeats(texts, splits))
    return passages, [*notes, *said]


def _text(row: Row, columns: Columns, where: str) -> tuple[str, int | None]:
    """The text ("" where there is none) and the character at which its fact begins."""
    if columns.text is not None:
        text = _word(row.get(columns.text), columns.text, where, strip=False)
        return text if text.strip() else "", None
    prompt, answer = (_word(row.get(each), each, where) for each in (columns.prompt or "", columns.answer or ""))
    return (f"{prompt} {answer}", len(prompt)) if prompt and answer else ("", None)


def _word(value: object, column: str, where: str, *, strip: bool = True) -> str:
    """A value as text: numbers written out, "" for a missing one; anything that is no single value is refused."""
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:  # a numpy scalar
        value = value.item()
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # pandas turns whole numbers into floats where some are missing
    if isinstance(value, Mapping | list | tuple | set | bytes | bytearray) or hasattr(value, "tolist"):
        raise BadCorpus(f"{where} holds {a_kind(value)} under {column!r}, where one text is needed; choose another column.")
    text = str(value)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise BadCorpus(
            f"{where} holds half a character ({text[error.start]!a}) under {column!r}, which no tokenizer can read; "
            "write the whole character."
        ) from error
    return text.strip() if strip else text


def _ask(column: Column | None, option: str, number: int, row: Row, where: str) -> object:
    """The value of a column, or of the function that stands in for one."""
    if column is None or isinstance(column, str):
        return None if column is None else row.get(column)
    try:
        value = column(number, row)
    except Exception as error:
        raise BadCorpus(
            f"{option}= is a function of (number, row), and it failed on {where[0].lower()}{where[1:]}: "
            f"{type(error).__name__}: {error}."
        ) from error
    return value if value is None else str(value)


def _extra(row: Row, columns: Columns, opaque: dict[str, None]) -> dict[str, Any]:
    """The other columns, JSON-safe, without missing values; columns of bytes are named in `opaque`."""
    kept = {}
    for name, value in row.items():
        if name in columns.used:
            continue
        if isinstance(value, bytes | bytearray):
            opaque[name] = None
        elif (plain := _plain(value)) is not None:
            kept[name] = plain
    return kept


def _plain(value: Any) -> Any:
    """The value in JSON's own types; None for what has no form there."""
    if hasattr(value, "tolist"):  # numpy and torch
        value = value.tolist()
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(each) for each in value]
    return None if isinstance(value, bytes | bytearray) else str(value)


def _repeats(texts: list[str], splits: list[Any]) -> list[str]:
    """A note on texts that stand in the table more than once, and on those that are both taught and held out."""
    repeats = len(texts) - len(set(texts))
    if not repeats:
        return []
    sides = Counter(text for text, _ in set(zip(texts, splits, strict=True)))
    both = sum(count > 1 for count in sides.values())
    warning = f" {_count(both, 'text')} {'is' if both == 1 else 'are'} both taught and held out." if both else ""
    repeated = "1 passage repeats" if repeats == 1 else f"{repeats:,} passages repeat"
    return [f"{repeated} an earlier text {WORD_FOR_WORD}; all are kept.{warning}"]


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _count(number: int, thing: str) -> str:
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"
