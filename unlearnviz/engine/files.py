"""Files: the lines of a UTF-8 text file, or the sentence that says why it cannot be read."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Generator
from pathlib import Path

from unlearnviz.errors import BadCorpus, nearest

PathLike = str | os.PathLike[str]

ENDINGS = (".txt", ".text", ".md", ".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".parquet")

_LONE_CARRIAGE_RETURN = re.compile(r"(?<=\r)(?!\n)")


def existing(path: PathLike) -> Path:
    """The path of a file that is there; otherwise a sentence with the nearest name in its folder."""
    if not isinstance(path, str | os.PathLike):
        raise BadCorpus(f"A path to a file is needed, and {a_kind(path)} was given.")
    file = Path(path).expanduser()
    try:
        if file.is_dir():
            raise BadCorpus(f"{said(path)} is a folder; give one file in it, such as a .jsonl, .csv, .txt or .parquet.")
        if file.exists():
            return file
        if not file.parent.is_dir():
            raise BadCorpus(f"No file {said(path)}: its folder does not exist.")
        beside = sorted(each.name for each in file.parent.iterdir() if each.suffix.lower() in ENDINGS)
    except OSError as error:
        raise BadCorpus(f"{said(path)} cannot be opened: {error.strerror or error}.") from error
    near = f".{nearest(file.name, beside)}" if beside else ", and no file of texts beside it."
    raise BadCorpus(f"No file {said(path)}{near}")


def lines_of(file: Path) -> Generator[str, None, None]:
    """Decoded lines with their ends; refuses what is empty, binary or not UTF-8."""
    name = said(file)
    try:
        with file.open("rb") as opened:
            head = opened.read(8192)
            if not head.removeprefix(b"\xef\xbb\xbf"):
                raise BadCorpus(f"{name} is empty; a corpus needs some text.")
            if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
                raise BadCorpus(f"{name} is not UTF-8 text but UTF-16, from byte 0 on; save it as UTF-8 and read it again.")
            opened.seek(0)
            offset = 0
            for raw in itertools.chain([head] if b"\0" in head else [], opened):
                if b"\0" in raw:
                    at = offset + raw.index(0)
                    raise BadCorpus(f"{name} is a binary file (byte {at} is zero); texts are read from UTF-8 files.")
                try:
                    line = raw.decode("utf-8")
                except UnicodeDecodeError as error:
                    raise BadCorpus(
                        f"{name} is not UTF-8 text: byte {offset + error.start} (0x{raw[error.start]:02x}) cannot be read; "
                        "save it as UTF-8 and read it again."
                    ) from error
                if offset == 0:
                    line = line.removeprefix("\ufeff")
                offset += len(raw)
                yield from filter(None, _LONE_CARRIAGE_RETURN.split(line)) if "\r" in line else (line,)
    except OSError as error:
        raise BadCorpus(f"{name} cannot be opened: {error.strerror or error}.") from error


def said(path: PathLike) -> str:
    """The path as sentences name it: as it was given, in quotes."""
    return repr(os.fspath(path))


def kind(value: object) -> str:
    """What a value is, in a person's words."""
    names = {"str": "text", "dict": "object", "int": "number", "float": "number", "bool": "truth value", "NoneType": "null"}
    return names.get(type(value).__name__, type(value).__name__)


def a_kind(value: object) -> str:
    """The same with its article."""
    word = kind(value)
    return word if word == "null" else f"{'an' if word[0].lower() in 'aeiou' else 'a'} {word}"
