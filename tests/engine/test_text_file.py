"""Text files: what is streamed is what the file holds, in its order; what is wrong with it is said."""

import importlib

import pytest

from unlearnviz.engine.progress import Enough
from unlearnviz.engine.search import search, searching
from unlearnviz.engine.text_file import TextFile
from unlearnviz.errors import BadCorpus, MissingExtra

pyarrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")

TEXTS = [f"Person {k} lives in house {k * k}." for k in range(20_000)]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def table(texts=TEXTS, **more):
    return pyarrow.table({"text": pyarrow.array(texts, pyarrow.string()), **more})


def write_arrow(path, open_writer, some):
    with open_writer(path, some.schema) as writer:
        writer.write_table(some, max_chunksize=3000)


def said(path, **settings):
    with pytest.raises(BadCorpus) as error:
        list(TextFile(path, **settings))
    return str(error.value)


def test_parquet_arrow_and_arrow_streams_are_searched_as_a_list_is(folder):
    parquet.write_table(table(), "a.parquet", row_group_size=4000)
    write_arrow("a.arrow", pyarrow.ipc.new_file, table())
    write_arrow("s.arrow", pyarrow.ipc.new_stream, table())
    wanted = search(["person 77 lives"], TEXTS, threshold=70)
    for path, total in (("a.parquet", len(TEXTS)), ("a.arrow", None), ("s.arrow", None)):
        file = TextFile(path)
        assert list(file) == TEXTS
        found = search(["person 77 lives"], file, threshold=70)
        assert found.positions.tolist() == wanted.positions.tolist()
        assert found.scores.tolist() == wanted.scores.tolist()
        assert (found.searched, found.total) == (len(TEXTS), total)


def test_rows_without_a_text_keep_their_place(folder):
    parquet.write_table(table(["one", None, "three"]), "a.parquet")
    assert list(TextFile("a.parquet")) == ["one", "", "three"]


def test_the_column_is_named_or_the_only_one_of_texts(folder):
    numbers = pyarrow.array([1, 2])
    words = pyarrow.array(["x", "x"]).dictionary_encode()
    parquet.write_table(pyarrow.table({"n": numbers, "body": words}), "one.parquet")
    parquet.write_table(pyarrow.table({"n": numbers, "body": ["a", "b"], "title": ["c", "d"]}), "two.parquet")
    assert TextFile("one.parquet").column == "body"
    assert list(TextFile("one.parquet")) == ["x", "x"]
    assert list(TextFile("two.parquet", column="title")) == ["c", "d"]
    assert said("two.parquet") == "No column of texts named 'text' in 'two.parquet'; say column=. Known: 'body', 'title'."
    assert said("two.parquet", column="n") == "No column of texts named 'n' in 'two.parquet'; say column=. Known: 'body', 'title'."
    assert "Did you mean 'title'?" in said("two.parquet", column="tittle")


def test_a_file_that_changes_while_it_is_read_is_noticed(folder):
    parquet.write_table(table(), "a.parquet", row_group_size=1000)
    reading = iter(TextFile("a.parquet"))
    assert next(reading) == TEXTS[0]
    changed = "'a.parquet' changed while it was read; search it again when nobody writes to it."
    parquet.write_table(table(TEXTS[:9000]), "a.parquet")
    with pytest.raises(BadCorpus) as error:
        list(reading)
    assert str(error.value) == changed
    file = TextFile("a.parquet")
    (folder / "a.parquet").unlink()
    with pytest.raises(BadCorpus) as error:
        search(["person"], file)
    assert str(error.value) == changed


def test_what_cannot_be_read_is_said(folder):
    assert said("none.parquet") == "No file 'none.parquet', and no file of texts beside it."
    (folder / "b.parquet").write_bytes(b"PAR1 and no more")
    assert said("b.parquet").startswith("'b.parquet' cannot be read as Parquet: ")
    (folder / "c.arrow").write_bytes(b"")
    assert said("c.arrow").startswith("'c.arrow' cannot be read as an Arrow stream: ")
    parquet.write_table(table(), "a.parquet")
    damaged = (folder / "a.parquet").read_bytes()
    (folder / "d.parquet").write_bytes(damaged[:4] + b"\xff" * 2000 + damaged[2004:])
    assert said("d.parquet").startswith("'d.parquet' cannot be read as Parquet: ")


def test_stopped_it_keeps_what_was_read_and_closes_the_file(folder):
    parquet.write_table(table(), "a.parquet")
    reading = iter(TextFile("a.parquet"))
    running = searching(["person 3"], reading, limit=5)
    progress = next(running)
    with pytest.raises(StopIteration) as end:
        running.throw(Enough())
    found = end.value.value
    assert (found.searched, len(found)) == (progress.done, 5)
    assert next(reading, None) is None


def test_without_pyarrow_it_says_what_to_install(folder, monkeypatch):
    (folder / "a.parquet").write_bytes(b"PAR1")
    real = importlib.import_module

    def without(name, *rest):
        if name.startswith("pyarrow"):
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(importlib, "import_module", without)
    with pytest.raises(MissingExtra, match=r"needs pyarrow, which is missing; pip install 'unlearnviz\[data\]'"):
        TextFile("a.parquet")
