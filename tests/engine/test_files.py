"""Files: what is missing, no file, binary, wrongly encoded or empty is said in a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from unlearnviz.engine import files, readers
from unlearnviz.engine.corpus import Corpus
from unlearnviz.errors import BadCorpus


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def sentence(read, *args, error=BadCorpus, **options) -> str:
    with pytest.raises(error) as caught:
        read(*args, **options)
    return str(caught.value)


@pytest.mark.parametrize("read", [Corpus.from_text_file, Corpus.from_csv, Corpus.from_jsonl])
def test_text_that_cannot_be_read_is_a_sentence(folder, read):
    def said(content: bytes) -> str:
        (folder / "a.txt").write_bytes(content)
        return sentence(read, "a.txt")

    wrong = "'a.txt' is not UTF-8 text: byte {} (0xe9) cannot be read; save it as UTF-8 and read it again."
    assert said(b"") == said(b"\xef\xbb\xbf") == "'a.txt' is empty; a corpus needs some text."
    assert said(b'"caf\xe9"\n') == wrong.format(4)
    good = b'{"text": "a"}\n' if read == Corpus.from_jsonl else b"text\n"
    assert said(good * 2000 + b"\xe9t\xe9\n") == wrong.format(2000 * len(good))
    assert said(b"\x89PNG\n\x00\x01") == "'a.txt' is a binary file (byte 5 is zero); texts are read from UTF-8 files."
    late = good * 2000 + b"\0"
    assert said(late) == f"'a.txt' is a binary file (byte {len(late) - 1} is zero); texts are read from UTF-8 files."
    utf16 = "'a.txt' is not UTF-8 text but UTF-16, from byte 0 on; save it as UTF-8 and read it again."
    assert said("text\n".encode("utf-16")) == utf16
    nothing = sentence(read, "a.txt") if (folder / "a.txt").write_bytes(b" \n\n \n") else ""
    assert nothing in {
        "'a.txt' holds nothing but blank lines; a corpus needs some text.",
        "'a.txt' holds no rows; a corpus needs at least one text.",
        "The first line of 'a.txt' is blank; it must name the columns.",
    }


def test_a_file_that_is_not_there_is_a_sentence(folder):
    assert sentence(Corpus.read, "fact.jsonl") == "No file 'fact.jsonl', and no file of texts beside it."
    (folder / "facts.jsonl").write_text('{"text": "a"}\n')
    (folder / "model.bin").write_bytes(b"x")
    for read in (Corpus.read, Corpus.from_text_file, Corpus.from_csv, Corpus.from_jsonl, Corpus.from_parquet):
        assert sentence(read, "fact.jsonl") == "No file 'fact.jsonl'. Did you mean 'facts.jsonl'? Known: 'facts.jsonl'."
        assert sentence(read, "no/a.csv") == "No file 'no/a.csv': its folder does not exist."
        said = f"{str(folder)!r} is a folder; give one file in it, such as a .jsonl, .csv, .txt or .parquet."
        assert sentence(read, folder) == said
        assert sentence(read, 3) == "A path to a file is needed, and a number was given."
        assert sentence(read, "a" * 5000) == f"{'a' * 5000!r} cannot be opened: File name too long."
    said = sentence(Corpus.read, "model.bin")
    assert said == (
        "Cannot tell how to read 'model.bin', which has the ending '.bin'; known endings are .txt, .text, .md, .csv, .tsv, "
        ".jsonl, .ndjson, .json, .parquet. Or say the format with Corpus.from_text_file, from_csv, from_jsonl or from_parquet."
    )
    (folder / "plain").write_text("a")
    assert sentence(Corpus.read, "plain").startswith("Cannot tell how to read 'plain', which has no ending; known endings")
    assert tuple(readers.READERS) == files.ENDINGS


def test_a_file_that_may_not_be_opened_is_a_sentence(folder, monkeypatch):
    path = folder / "a.txt"
    path.write_text("a")

    def refuse(*_args, **_options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    assert sentence(Corpus.read, "a.txt") == "'a.txt' cannot be opened: Permission denied."
