"""Text file: the texts of a Parquet or Arrow file, batch by batch, so that a corpus need not fit in memory."""

from __future__ import annotations

import importlib
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any

from unlearnviz.engine.files import PathLike, existing, said
from unlearnviz.errors import BadCorpus, MissingExtra, nearest

_ROWS = 8192  # that are made texts at once
_MAGIC = {b"PAR1": "Parquet", b"ARRO": "Arrow"}  # what the files begin with; an Arrow stream begins with a length


class TextFile:
    """One text a row of a column of a Parquet or Arrow file (also an Arrow stream); a row without a text counts as an empty one.

    Reading begins anew with each iteration. Some ten thousand texts are in memory at a time, and of an Arrow file one of its batches.

    Attributes:
        path: the file as it was given.
        column: the column that is read: the one named, else "text", else the only one that holds text.
        total: rows of the file; None for Arrow, which does not say.

    Raises:
        BadCorpus: there is no such file or column, it cannot be read, or it changed while it was read.
        MissingExtra: pyarrow is not installed.
    """

    def __init__(self, path: PathLike, column: str | None = None) -> None:
        self.path, self._file = path, existing(path)
        try:
            self._pyarrow: Any = importlib.import_module("pyarrow")  # optional, and without types of its own
            self._parquet: Any = importlib.import_module("pyarrow.parquet")
        except ImportError as error:
            raise MissingExtra("Reading Parquet and Arrow needs pyarrow, which is missing; pip install 'unlearnviz[data]'") from error
        self._stamp = self._now()
        with self._file.open("rb") as opened:
            self._format = _MAGIC.get(opened.read(4), "an Arrow stream")
        with self._opened() as reader:
            parquet = self._format == "Parquet"
            schema = reader.schema_arrow if parquet else reader.schema
            self.total: int | None = reader.metadata.num_rows if parquet else None
        self.column = self._chosen(column, schema)

    def __iter__(self) -> Generator[str, None, None]:
        with self._opened() as reader:
            for batch in self._batches(reader):
                texts = batch.column(self.column)
                for start in range(0, len(texts), _ROWS):
                    self._refuse_changes()
                    for text in texts.slice(start, _ROWS).to_pylist():
                        yield text or ""
            self._refuse_changes()

    def _batches(self, reader: Any) -> Iterator[Any]:
        if self._format == "Parquet":
            return iter(reader.iter_batches(batch_size=_ROWS, columns=[self.column]))
        if self._format == "Arrow":
            return (reader.get_batch(number) for number in range(reader.num_record_batches))
        return iter(reader)

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        """A reader, with what goes wrong while it is read as a sentence. Never mapped into memory: a file cut short would end Python."""
        try:
            with self._pyarrow.OSFile(str(self._file)) as opened:
                kind = {"Parquet": self._parquet.ParquetFile, "Arrow": self._pyarrow.ipc.open_file}
                with kind.get(self._format, self._pyarrow.ipc.open_stream)(opened) as reader:
                    yield reader
        except (OSError, ValueError, self._pyarrow.ArrowException) as error:  # ValueError: text that is not UTF-8
            self._refuse_changes()
            reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
            raise BadCorpus(f"{said(self.path)} cannot be read as {self._format}: {reason}; write it again as Parquet.") from error

    def _chosen(self, column: str | None, schema: Any) -> str:
        types = self._pyarrow.types
        kinds = {field.name: getattr(field.type, "value_type", field.type) for field in schema}
        texts = [name for name, kind in kinds.items() if types.is_string(kind) or types.is_large_string(kind)]
        wanted = column or ("text" if "text" in texts or len(texts) != 1 else texts[0])
        if wanted not in texts:
            named = f"No column of texts named {wanted!r} in {said(self.path)}"
            raise BadCorpus(f"{named}; say column=.{nearest(wanted, texts)}")
        return wanted

    def _now(self) -> tuple[int, int]:
        found = self._file.stat()
        return found.st_size, found.st_mtime_ns

    def _refuse_changes(self) -> None:
        if not self._file.exists() or self._now() != self._stamp:
            raise BadCorpus(f"{said(self.path)} changed while it was read; search it again when nobody writes to it.")
