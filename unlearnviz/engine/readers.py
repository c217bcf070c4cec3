"""Readers: rows out of lists, text files, CSV, JSONL, Parquet, pandas frames and Hugging Face datasets.

A reader knows its format and nothing about columns. Files are read line by line, and `Table.take` closes what was
opened, whether the reading went well or not.
"""

from __future__ import annotations

import csv
import importlib
import itertools
import json
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Any

from unlearnviz.engine.files import PathLike, a_kind, existing, kind, lines_of, said
from unlearnviz.errors import BadCorpus, MissingExtra, unknown

Row = Mapping[str, Any]
Rows = Generator[tuple[int, Row], None, None]

_SNIFFED_RECORDS = 20
_NEVER = "\x1f"  # the unit separator, which texts do not hold
_AN_OBJECT = 'every line must be one object such as {"question": "...", "answer": "..."}'


@dataclass(frozen=True)
class Table:
    """Rows that are still to be read, and how to speak about them.

    Attributes:
        source: the name used in sentences, such as "'facts.csv'" or "the list".
        rows: pairs of a place and a row, read when asked for, once.
        unit: what a place counts: "line" (from 1), "row" or "text" (from 0).
        noun: what one row is called: "row" or "text".
        notes: what the reader decided by itself.
    """

    source: str
    rows: Rows
    unit: str
    noun: str = "row"
    notes: tuple[str, ...] = ()

    def take(self, limit: int | None = None) -> tuple[list[tuple[int, Row]], bool]:
        """The first `limit` rows with their places, and whether there were more."""
        with closing(self.rows) as rows:
            taken = list(itertools.islice(rows, limit))
            try:
                return taken, limit is not None and next(rows, None) is not None
            except BadCorpus:  # what is wrong beyond the limit was not asked for
                return taken, True


def text_list(texts: Iterable[str]) -> Table:
    """One row a text."""
    if isinstance(texts, str | bytes | Mapping) or not isinstance(texts, Iterable):
        raise BadCorpus(
            f"from_texts takes a list of texts and was given one {kind(texts)}; "
            "put it in a list, or read a file with Corpus.read(path)."
        )

    def rows() -> Rows:
        for number, text in enumerate(texts):
            if text is not None and not isinstance(text, str):
                raise BadCorpus(f"Text {number} of the list is {a_kind(text)}; from_texts takes plain texts only.")
            yield number, {"text": text}

    return Table("the list", rows(), "text", "text")


def text_file(path: PathLike) -> Table:
    """One row a paragraph, or a line where no blank line separates paragraphs."""
    file = existing(path)
    lines = "".join(line.replace("\r\n", "\n").replace("\r", "\n") for line in lines_of(file)).split("\n")
    filled = [number for number, line in enumerate(lines, start=1) if line.strip()]
    if not filled:
        raise BadCorpus(f"{said(path)} holds nothing but blank lines; a corpus needs some text.")
    paragraphs = [
        (start, "\n".join(block).strip()) for start, block in _blocks(lines[filled[0] - 1 : filled[-1]], first=filled[0])
    ]
    if len(paragraphs) > 1:
        note = f"Took each of the {len(paragraphs):,} paragraphs, which blank lines separate, as one passage."
    else:
        paragraphs = [(number, lines[number - 1].strip()) for number in filled]
        note = f"Found no blank lines between paragraphs, so took each of the {len(paragraphs):,} lines as one passage."
        if len(paragraphs) == 1:
            note = "Found a single line, and took it as the only passage; blank lines separate passages."
    return Table(said(path), ((start, {"text": text}) for start, text in paragraphs), "line", "text", (note,))


def csv_file(path: PathLike) -> Table:
    """One row a record; the first line names the columns, and the delimiter (comma, semicolon or tab) is found out."""
    file, source = existing(path), said(path)

    def rows() -> Rows:
        with closing(lines_of(file)) as lines:
            head = list(itertools.islice(lines, 10 * _SNIFFED_RECORDS))
            delimiter = max(",;\t", key=lambda each: _fit(head, each))  # the first of equals: the comma
            if not _fit(head, delimiter)[0]:
                delimiter = _NEVER  # a single column, whose texts may hold commas
            records = _records(itertools.chain(head, lines), delimiter, source)
            names = next(records, (0, []))[1]
            if names and not any(name.strip() for name in names):
                raise BadCorpus(f"The first line of {source} is blank; it must name the columns.")
            columns = [name.strip() or f"column {number}" for number, name in enumerate(names, start=1)]
            _refuse_twins(columns, source)
            for line, record in records:
                if len(record) != len(columns):
                    raise BadCorpus(
                        f"Line {line} of {source} has {_count(len(record), 'field')} where the header has {len(columns)}; "
                        'put "quotes" around texts that hold the delimiter or a line break.'
                    )
                yield line, dict(zip(columns, record, strict=True))

    return Table(source, rows(), "line")


def jsonl_file(path: PathLike) -> Table:
    """One row a line, each line one JSON object; blank lines are passed over."""
    file, source = existing(path), said(path)

    def rows() -> Rows:
        with closing(lines_of(file)) as lines:
            for number, line in enumerate(lines, start=1):
                if not line.strip():
                    continue
                try:
                    row = json.loads(line.rstrip())
                except (ValueError, RecursionError) as error:
                    wrong = str(error)
                    if isinstance(error, json.JSONDecodeError):
                        wrong = f"{error.msg} at character {error.colno}"
                    raise BadCorpus(f"Line {number} of {source} is not JSON: {wrong}; {_AN_OBJECT}.") from error
                if not isinstance(row, dict):
                    raise BadCorpus(f"Line {number} of {source} is {a_kind(row)}, not an object; {_AN_OBJECT}.")
                yield number, row

    return Table(source, rows(), "line")


def parquet_file(path: PathLike) -> Table:
    """One row a record, read in batches through pyarrow."""
    file, source = existing(path), said(path)
    try:
        parquet = importlib.import_module("pyarrow.parquet")  # optional, and without types of its own
        wrong: type[Exception] = importlib.import_module("pyarrow").ArrowException
    except ImportError as error:
        raise MissingExtra("Reading Parquet needs pyarrow, which is missing; pip install 'unlearnviz[data]'") from error

    def rows() -> Rows:
        try:
            with parquet.ParquetFile(file) as opened:
                _refuse_twins(opened.schema_arrow.names, source)
                batches: Iterator[Any] = opened.iter_batches(batch_size=1024)
                yield from enumerate(row for batch in batches for row in batch.to_pylist())
        except BadCorpus:
            raise
        except (OSError, ValueError, wrong) as error:  # ValueError: text that is not UTF-8
            raise BadCorpus(
                f"{source} cannot be read as Parquet: {_first_line(error)}; write it again, or read it in its own format."
            ) from error

    return Table(source, rows(), "row")


def pandas_frame(frame: Any) -> Table:
    """One row a record of the frame; a named index counts as a column, missing values as None."""
    if hasattr(frame, "to_frame") and not hasattr(frame, "columns") and hasattr(frame, "dtype"):
        frame = frame.to_frame(name="text" if frame.name is None else frame.name)
    if not all(hasattr(frame, each) for each in ("columns", "itertuples", "notna")):
        raise BadCorpus(f"from_pandas takes a pandas DataFrame and was given {a_kind(frame)}.")
    columns = [str(name) for name in frame.columns]
    _refuse_twins(columns, "the frame")
    index = frame.index.name
    if index is not None and str(index) not in columns:
        frame, columns = frame.reset_index(), [str(index), *columns]
    plain = frame.astype(object).where(frame.notna(), None)
    records = enumerate(plain.itertuples(index=False, name=None))
    return Table("the frame", ((number, dict(zip(columns, record, strict=True))) for number, record in records), "row")


def hf_dataset(dataset: Any, split: str | None = None) -> Table:
    """One row an example of a Hugging Face dataset, or of one split of a dict of them, streamed or not."""
    notes: tuple[str, ...] = ()
    if isinstance(dataset, Mapping):
        if split is None and len(dataset) == 1:
            split = next(iter(dataset))
            notes = (f"Took {split!r}, the only split of the dataset.",)
        if split is None:
            listed = ", ".join(repr(each) for each in dataset) or "none"
            raise BadCorpus(f"This dataset has several splits and none was chosen; say dataset_split=, one of {listed}.")
        if split not in dataset:
            raise unknown("dataset split", split, dataset)
        dataset = dataset[split]
    elif split is not None:
        raise BadCorpus(f"dataset_split={split!r} was given, but this dataset has no splits to choose from; leave it out.")
    if not (hasattr(dataset, "column_names") and hasattr(dataset, "with_format") and isinstance(dataset, Iterable)):
        raise BadCorpus(f"from_dataset takes a Hugging Face Dataset or DatasetDict and was given {a_kind(dataset)}.")
    plain: Any = dataset
    examples: Iterable[Row] = plain.with_format(None)
    return Table("the dataset", (pair for pair in enumerate(examples)), "row", notes=notes)


READERS: Mapping[str, Callable[[PathLike], Table]] = {
    ".txt": text_file,
    ".text": text_file,
    ".md": text_file,
    ".csv": csv_file,
    ".tsv": csv_file,
    ".jsonl": jsonl_file,
    ".ndjson": jsonl_file,
    ".json": jsonl_file,
    ".parquet": parquet_file,
}


def any_file(path: PathLike) -> Table:
    """The reader that the file's ending asks for."""
    ending = existing(path).suffix.lower()
    if ending not in READERS:
        ends = f"has the ending {ending!r}" if ending else "has no ending"
        raise BadCorpus(
            f"Cannot tell how to read {said(path)}, which {ends}; known endings are {', '.join(READERS)}. "
            "Or say the format with Corpus.from_text_file, from_csv, from_jsonl or from_parquet."
        )
    return READERS[ending](path)


def _blocks(lines: list[str], first: int) -> Iterator[tuple[int, list[str]]]:
    """Runs of lines that are not blank, with the number of the line they start at."""
    numbered = enumerate(lines, start=first)
    for filled, run in itertools.groupby(numbered, key=lambda pair: bool(pair[1].strip())):
        block = list(run)
        if filled:
            yield block[0][0], [line for _, line in block]


def _records(lines: Iterable[str], delimiter: str, source: str) -> Iterator[tuple[int, list[str]]]:
    """CSV records that are not blank, with the number of the line they start at."""
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            record = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise BadCorpus(
                f"The record at line {line} of {source} cannot be read as CSV: {error}; check its quotes."
            ) from error
        if record:
            yield line, record


def _fit(head: list[str], delimiter: str) -> tuple[bool, int, int]:
    """How well a delimiter explains the first records: more than one column, records as wide as the header, columns."""
    widths: list[int] = []
    with suppress(BadCorpus):  # the head may end inside a quoted text
        widths.extend(len(record) for _, record in itertools.islice(_records(head, delimiter, ""), _SNIFFED_RECORDS))
    return (widths[0] > 1, widths.count(widths[0]), widths[0]) if widths else (False, 0, 0)


def _refuse_twins(columns: Iterable[str], source: str) -> None:
    seen: set[str] = set()
    for name in columns:
        if name in seen:
            raise BadCorpus(f"Two columns of {source} are named {name!r}; give each its own name.")
        seen.add(name)


def _count(number: int, thing: str) -> str:
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
