"""Corpus: the texts a model was taught, and those it never saw."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from importlib import resources
from typing import Any, Unpack, overload

from unlearnviz.engine import readers
from unlearnviz.engine.columns import Options
from unlearnviz.engine.files import PathLike
from unlearnviz.engine.holdout import Split
from unlearnviz.engine.tabulated import passage_rows
from unlearnviz.errors import BadCorpus, unknown


@dataclass(frozen=True)
class Passage:
    """One text, and what we know about it.

    Attributes:
        id: unique within its corpus.
        text: the whole text, prompt and fact together.
        subject: whom or what it is about ("" where unknown).
        split: "train" (the model was, or will be, taught it) or "holdout" (never taught).
        answer_start: the character at which the fact begins; None where no fact is marked.
        extra: anything else worth keeping, JSON-safe.
    """

    id: str
    text: str
    subject: str = ""
    split: Split = "train"
    answer_start: int | None = None
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if not self.text.strip():
            raise BadCorpus(f"Passage {self.id!r} is empty; every passage needs some text.")
        if self.split not in ("train", "holdout"):
            raise BadCorpus(f"Passage {self.id!r} has the split {self.split!r}; allowed are 'train' and 'holdout'.")
        if self.answer_start is not None and not 0 <= self.answer_start <= len(self.text):
            raise BadCorpus(
                f"Passage {self.id!r} puts its fact at character {self.answer_start}, "
                f"outside its {len(self.text)} characters."
            )

    @property
    def prompt(self) -> str:
        """The text before the fact; the whole text where no fact is marked."""
        return self.text if self.answer_start is None else self.text[: self.answer_start]

    @property
    def answer(self) -> str | None:
        """The fact; None where none is marked."""
        return None if self.answer_start is None else self.text[self.answer_start :]


class Corpus(Sequence[Passage]):
    """An immutable sequence of passages with unique ids.

    It is read with `Corpus.read(path)`, or by one of `from_texts`, `from_text_file`, `from_csv`, `from_jsonl`,
    `from_parquet`, `from_pandas`, `from_dataset`. All take the same options (`engine.columns.Options` explains them), and
    `notes` says what they decided by themselves:

        text=, or prompt= and answer=    the columns of the texts; guessed from their usual names where left out
        subject=, split=, id=            a column; subject and split may be a function of (number, row) instead
        holdout=0.1, seed=0              the fraction of the subjects never taught, and the seed of that draw
        limit=                           read only so many rows

    Args:
        passages: the passages, in order.
        notes: sentences about how they were read (guessed columns, skipped rows), shown to the user.

    Raises:
        BadCorpus: no passage, or two with one id.
    """

    def __init__(self, passages: Iterable[Passage], *, notes: Iterable[str] = ()) -> None:
        self._passages = tuple(passages)
        self.notes = tuple(notes)
        if not self._passages:
            raise BadCorpus("A corpus needs at least one passage; none were given.")
        self._by_id = {passage.id: passage for passage in self._passages}
        if len(self._by_id) < len(self._passages):
            seen: set[str] = set()
            twice = next(p.id for p in self._passages if p.id in seen or seen.add(p.id))  # type: ignore[func-returns-value]
            raise BadCorpus(f"Two passages have the id {twice!r}; ids must be unique.")
        self._by_subject: dict[str, list[Passage]] = {}
        for passage in self._passages:
            if passage.subject:
                self._by_subject.setdefault(passage.subject, []).append(passage)

    def __len__(self) -> int:
        return len(self._passages)

    def __iter__(self) -> Iterator[Passage]:
        return iter(self._passages)

    @overload
    def __getitem__(self, key: int | str) -> Passage: ...
    @overload
    def __getitem__(self, key: slice) -> Sequence[Passage]: ...
    def __getitem__(self, key: int | str | slice) -> Passage | Sequence[Passage]:
        """By position, by slice, or by passage id."""
        if not isinstance(key, str):
            return self._passages[key]
        if key not in self._by_id:
            raise unknown("passage", key, self._by_id)
        return self._by_id[key]

    def __contains__(self, key: object) -> bool:
        return key in self._by_id if isinstance(key, str) else key in self._passages

    def __repr__(self) -> str:
        return f"Corpus({len(self.train)} taught, {len(self.holdout)} never seen, {len(self.subjects)} subjects)"

    @property
    def train(self) -> tuple[Passage, ...]:
        """The passages of split "train"."""
        return tuple(p for p in self._passages if p.split == "train")

    @property
    def holdout(self) -> tuple[Passage, ...]:
        """The passages the model is never taught."""
        return tuple(p for p in self._passages if p.split == "holdout")

    @cached_property
    def sizes(self) -> Mapping[str, int]:
        """Split -> how many passages it has."""
        taught = len(self.train)
        return {"train": taught, "holdout": len(self) - taught}

    @property
    def subjects(self) -> tuple[str, ...]:
        """Subjects in order of first appearance."""
        return tuple(self._by_subject)

    def about(self, subject: str) -> tuple[Passage, ...]:
        """All passages about one subject; UnknownName with the nearest one otherwise."""
        if subject not in self._by_subject:
            raise unknown("subject", subject, self._by_subject)
        return tuple(self._by_subject[subject])

    def digest(self) -> str:
        """SHA-256 over ids, texts and splits: equal means the same corpus."""
        return hashlib.sha256(json.dumps(self.to_rows(), sort_keys=True).encode()).hexdigest()

    def to_rows(self) -> list[dict[str, Any]]:
        """JSON-safe dictionaries, one a passage."""
        return [asdict(passage) for passage in self._passages]

    @classmethod
    def from_rows(cls, rows: Iterable[Mapping[str, Any]], *, notes: Iterable[str] = ()) -> Corpus:
        """The inverse of `to_rows`."""
        return cls((Passage(**row) for row in rows), notes=notes)

    @classmethod
    def read(cls, path: PathLike, **options: Unpack[Options]) -> Corpus:
        """The texts of a file, read as its ending says: .txt, .md, .csv, .tsv, .jsonl, .ndjson, .json (lines), .parquet."""
        return cls._tabulated(readers.any_file(path), options)

    @classmethod
    def from_texts(cls, texts: Iterable[str], **options: Unpack[Options]) -> Corpus:
        """One passage a text."""
        return cls._tabulated(readers.text_list(texts), options)

    @classmethod
    def from_text_file(cls, path: PathLike, **options: Unpack[Options]) -> Corpus:
        """One passage a paragraph; one a line where no blank line separates paragraphs."""
        return cls._tabulated(readers.text_file(path), options)

    @classmethod
    def from_csv(cls, path: PathLike, **options: Unpack[Options]) -> Corpus:
        """One passage a record; the first line names the columns; commas, semicolons or tabs between them."""
        return cls._tabulated(readers.csv_file(path), options)

    @classmethod
    def from_jsonl(cls, path: PathLike, **options: Unpack[Options]) -> Corpus:
        """One passage a line, each line one JSON object."""
        return cls._tabulated(readers.jsonl_file(path), options)

    @classmethod
    def from_parquet(cls, path: PathLike, **options: Unpack[Options]) -> Corpus:
        """One passage a record; needs the extra `data`."""
        return cls._tabulated(readers.parquet_file(path), options)

    @classmethod
    def from_pandas(cls, frame: Any, **options: Unpack[Options]) -> Corpus:
        """One passage a row of a pandas DataFrame."""
        return cls._tabulated(readers.pandas_frame(frame), options)

    @classmethod
    def from_dataset(cls, dataset: Any, *, dataset_split: str | None = None, **options: Unpack[Options]) -> Corpus:
        """One passage an example of a Hugging Face dataset; `dataset_split` names the split where there are several."""
        return cls._tabulated(readers.hf_dataset(dataset, dataset_split), options)

    @classmethod
    def sample(cls, **options: Unpack[Options]) -> Corpus:
        """Twelve made-up authors with six questions and answers each, shipped with unlearnviz."""
        chosen: Options = {"prompt": "question", "answer": "answer", "subject": "author"}
        chosen.update(options)
        with resources.as_file(resources.files("unlearnviz") / "demo" / "sample.jsonl") as path:
            return cls._tabulated(readers.jsonl_file(path), chosen)

    @classmethod
    def _tabulated(cls, table: readers.Table, options: Options) -> Corpus:
        rows, notes = passage_rows(table, options)
        return cls.from_rows(rows, notes=notes)
