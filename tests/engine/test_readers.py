"""Readers: every format, and every way a file can be wrong, each with its sentence."""

from __future__ import annotations

import csv
import importlib
import json
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unlearnviz.engine import readers
from unlearnviz.engine.corpus import Corpus
from unlearnviz.errors import BadCorpus, MissingExtra, UnknownName

whole_texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def texts(corpus: Corpus) -> list[str]:
    return [passage.text for passage in corpus]


def sentence(read, *args, error=BadCorpus, **options) -> str:
    with pytest.raises(error) as caught:
        read(*args, **options)
    return str(caught.value)


@given(st.lists(whole_texts, min_size=1, max_size=6), st.booleans(), st.booleans())
def test_jsonl_gives_every_text_back(written, ascii_only, byte_order_mark):
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "facts.jsonl"
        lines = "\n\n".join(json.dumps({"text": text}, ensure_ascii=ascii_only) for text in written)
        path.write_bytes(lines.encode("utf-8-sig" if byte_order_mark else "utf-8"))
        assert texts(Corpus.read(path)) == written


@given(st.lists(st.tuples(whole_texts, whole_texts), min_size=1, max_size=5), st.sampled_from(",;\t"))
def test_csv_gives_every_text_back(written, delimiter):
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "facts.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            rows = [(a.replace("\0", "0"), b.replace("\0", "0")) for a, b in written]
            csv.writer(file, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerows([("text", "kept"), *rows])
        corpus = Corpus.read(path, text="text")
        assert texts(corpus) == [a for a, _ in rows]
        assert [p.extra["kept"] for p in corpus] == [b for _, b in rows]


def test_a_list_of_texts():
    corpus = Corpus.from_texts(["Mara sings.", "", "Tom\nswims. "], holdout=0)
    assert [(p.id, p.text) for p in corpus] == [("text-0", "Mara sings."), ("text-2", "Tom\nswims. ")]
    assert corpus.notes == ("Skipped 1 text without a text under 'text' (the first is text 1).",)
    assert texts(Corpus.from_texts(text for text in "ab")) == ["a", "b"]
    said = (
        "from_texts takes a list of texts and was given one text; put it in a list, or read a file with Corpus.read(path)."
    )
    assert sentence(Corpus.from_texts, "Mara sings.") == said
    assert sentence(Corpus.from_texts, ["a", 3]) == "Text 1 of the list is a number; from_texts takes plain texts only."
    assert sentence(Corpus.from_texts, []) == "The list holds no texts; a corpus needs at least one text."


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_a_text_file_by_paragraphs_or_lines(folder, newline):
    def write(text: str) -> None:
        (folder / "a.txt").write_bytes(b"\xef\xbb\xbf" + text.replace("\n", newline).encode())

    write("\n\nMara sings\nat dawn.\n \n\n  Tom swims.\n\n")
    corpus = Corpus.read("a.txt", holdout=0)
    assert texts(corpus) == ["Mara sings\nat dawn.", "Tom swims."]
    assert corpus.notes == ("Took each of the 2 paragraphs, which blank lines separate, as one passage.",)
    write("\nMara sings.\nTom swims.\n\n")
    corpus = Corpus.from_text_file("a.txt", holdout=0)
    assert texts(corpus) == ["Mara sings.", "Tom swims."]
    assert corpus.notes == ("Found no blank lines between paragraphs, so took each of the 2 lines as one passage.",)
    write("Mara sings.")
    corpus = Corpus.read("a.txt", holdout=0)
    assert corpus.notes == ("Found a single line, and took it as the only passage; blank lines separate passages.",)


@pytest.mark.parametrize(
    "line, said",
    [
        ('{"text": "a"', "Line 3 of 'a.jsonl' is not JSON: Expecting ',' delimiter at character 13; "),
        ('{"text": "a"} {"text": "b"}', "Line 3 of 'a.jsonl' is not JSON: Extra data at character 15; "),
        ("[1, 2]", "Line 3 of 'a.jsonl' is a list, not an object; "),
        ('"text"', "Line 3 of 'a.jsonl' is a text, not an object; "),
        ("null", "Line 3 of 'a.jsonl' is null, not an object; "),
        ("1" * 5000, "Line 3 of 'a.jsonl' is not JSON: Exceeds the limit (4300 digits) for integer string conversion"),
        ("[" * 200_000, "Line 3 of 'a.jsonl' is not JSON: maximum recursion depth exceeded"),
    ],
    ids=["cut", "two", "list", "text", "null", "digits", "deep"],
)
def test_a_line_of_jsonl_that_does_not_parse_is_named(folder, line, said):
    (folder / "a.jsonl").write_text('{"text": "a"}\n\n' + line + "\n")
    got = sentence(Corpus.read, "a.jsonl")
    assert got.startswith(said)
    assert got.endswith('; every line must be one object such as {"question": "...", "answer": "..."}.')
    assert texts(Corpus.read("a.jsonl", limit=1)) == ["a"]


def test_csv_delimiters_quotes_and_headers(folder):
    def read(content: str, **options) -> Corpus:
        (folder / "a.csv").write_bytes(content.encode("utf-8-sig"))
        return Corpus.read("a.csv", holdout=0, **options)

    for delimiter in ",;\t":
        corpus = read(f'question{delimiter}answer\nWho?{delimiter}"Mara, the ""singer"";\nof songs"\n\nWhy{delimiter}\n')
        assert texts(corpus) == ['Who? Mara, the "singer";\nof songs']
        assert corpus.notes[1] == "Skipped 1 row without a text under 'question' or 'answer' (the first is line 5)."
    assert texts(read("question;answer, if any\nWho?;Mara\n", prompt="question", answer="answer, if any")) == ["Who? Mara"]
    assert texts(read("text\nMara sings.\n")) == ["Mara sings."]
    assert texts(read('Spruch\nMara, the singer; sings\tat \n"dawn, "\n')) == ["Mara, the singer; sings\tat ", "dawn, "]
    assert read(",text\n7,Mara\n")[0].extra == {"column 1": "7"}
    wrong = "Line {} of 'a.csv' has {} where the header has {}; put \"quotes\" around texts that hold the delimiter or a line break."
    assert sentence(read, 'text,who\n"a\nb",x\nc,d,e\n') == wrong.format(4, "3 fields", 2)
    assert sentence(read, "text,who\na,b\nc\n") == wrong.format(3, "1 field", 2)
    assert sentence(read, "text,text\na,b\n") == "Two columns of 'a.csv' are named 'text'; give each its own name."
    assert sentence(read, "text,who\n") == "'a.csv' holds no rows; a corpus needs at least one text."
    said = "The record at line 3 of 'a.csv' cannot be read as CSV: unexpected end of data; check its quotes."
    assert sentence(read, 'text,who\na,b\n"c,d\n') == said
    said = "No column named 'txt' in 'a.csv' (asked for by text=). Did you mean 'text'? Known: 'text', 'who'."
    assert sentence(read, "text,who\na,b\n", text="txt", error=UnknownName) == said


def test_limit_reads_no_further(folder):
    (folder / "a.jsonl").write_text("".join(f'{{"text": "t{n}"}}\n' for n in range(5)))
    corpus = Corpus.read("a.jsonl", limit=2, holdout=0)
    assert (texts(corpus), corpus.notes) == (["t0", "t1"], ("Read only the first 2 rows (limit=2).",))
    assert Corpus.read("a.jsonl", limit=1, holdout=0).notes == ("Read only the first row (limit=1).",)
    assert Corpus.read("a.jsonl", limit=5, holdout=0).notes == ()


def test_nothing_stays_open(folder):
    (folder / "a.jsonl").write_text('{"text": "a"}\n{"text": "b"}\n[]\n')
    (folder / "a.csv").write_text("text,who\na,b\nc\n")
    opened = []
    real = Path.open

    def watch(self, *args, **options):
        opened.append(real(self, *args, **options))
        return opened[-1]

    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("error")
        patch.setattr(Path, "open", watch)
        Corpus.read("a.jsonl", limit=1)
        sentence(Corpus.read, "a.jsonl")
        sentence(Corpus.read, "a.csv")
    assert len(opened) == 3
    assert all(file.closed for file in opened)


def test_parquet(folder):
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    rows = 3000
    frame = pandas.DataFrame(
        {"question": [f"Who {n}?" for n in range(rows)], "answer": "Mara", "blob": b"x", "list": [[1, 2]] * rows}
    )
    frame.to_parquet("a.parquet")
    corpus = Corpus.read("a.parquet", holdout=0)
    assert len(corpus) == rows
    assert corpus[2999].text == "Who 2999? Mara"
    assert corpus[0].extra == {"list": [1, 2]}
    assert corpus.notes[1] == "Left out 'blob', which holds bytes."
    assert len(Corpus.from_parquet("a.parquet", limit=5)) == 5
    frame.iloc[:0].to_parquet("none.parquet")
    assert sentence(Corpus.read, "none.parquet") == "'none.parquet' holds no rows; a corpus needs at least one text."
    (folder / "b.parquet").write_bytes(b"not parquet at all")
    assert sentence(Corpus.read, "b.parquet").startswith(
        "'b.parquet' cannot be read as Parquet: Parquet magic bytes not found"
    )
    (folder / "c.parquet").write_bytes(b"")
    assert sentence(Corpus.read, "c.parquet").startswith("'c.parquet' cannot be read as Parquet: ")
    damaged = (folder / "a.parquet").read_bytes()
    (folder / "d.parquet").write_bytes(damaged[:4] + b"\xff" * 2000 + damaged[2004:])
    assert sentence(Corpus.read, "d.parquet").startswith("'d.parquet' cannot be read as Parquet: ")


def test_parquet_without_pyarrow_says_what_to_install(folder, monkeypatch):
    (folder / "a.parquet").write_bytes(b"PAR1")
    real = importlib.import_module

    def without(name, *args):
        if name.startswith("pyarrow"):
            raise ImportError(name)
        return real(name, *args)

    monkeypatch.setattr(importlib, "import_module", without)
    said = "Reading Parquet needs pyarrow, which is missing; pip install 'unlearnviz[data]'"
    assert sentence(Corpus.read, "a.parquet", error=MissingExtra) == said


def test_a_pandas_frame():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({
        "question": ["Who?", None, "Why?"],
        "answer": ["Mara", "Tom", "Joy"],
        "born": [1951, None, 7],
        "when": [pandas.Timestamp("2020-01-02"), pandas.NaT, None],
        "score": pandas.array([1, None, 3], dtype="Int64"),
    })  # fmt: skip
    corpus = Corpus.from_pandas(frame, subject="born", holdout=0)
    assert [(p.id, p.text, p.subject) for p in corpus] == [("row-0", "Who? Mara", "1951"), ("row-2", "Why? Joy", "7")]
    assert [p.extra for p in corpus] == [{"when": "2020-01-02 00:00:00", "score": 1}, {"score": 3}]
    assert corpus.notes[1] == "Skipped 1 row without a text under 'question' or 'answer' (the first is row 1)."
    json.dumps(corpus.to_rows(), allow_nan=False)
    indexed = frame.dropna(subset="question").set_index(pandas.Index(["a", "b"], name="key"))
    assert [p.id for p in Corpus.from_pandas(indexed, id="key")] == ["a", "b"]
    assert texts(Corpus.from_pandas(frame["answer"])) == ["Mara", "Tom", "Joy"]
    assert sentence(Corpus.from_pandas, [1]) == "from_pandas takes a pandas DataFrame and was given a list."
    assert sentence(Corpus.from_pandas, frame.iloc[:0]) == "The frame holds no rows; a corpus needs at least one text."
    twins = pandas.concat([frame, frame], axis=1)
    assert sentence(Corpus.from_pandas, twins) == "Two columns of the frame are named 'question'; give each its own name."
    said = "No column named 'anwser' in the frame (asked for by answer=). Did you mean 'answer'? "
    assert sentence(Corpus.from_pandas, frame, prompt="question", answer="anwser", error=UnknownName) == (
        said + "Known: 'question', 'answer', 'born', 'when', 'score'."
    )


def test_a_hugging_face_dataset():
    datasets = pytest.importorskip("datasets")
    data = datasets.Dataset.from_dict({"prompt": ["Who?", "Why?"], "completion": ["Mara", "Joy"], "name": ["M", "J"]})
    for each in (data, data.to_iterable_dataset(), data.with_format("numpy"), data.with_format("torch")):
        corpus = Corpus.from_dataset(each, holdout=0)
        assert [(p.text, p.subject) for p in corpus] == [("Who? Mara", "M"), ("Why? Joy", "J")]
        assert corpus.notes == (
            "Took 'prompt' as the prompt and 'completion' as the fact; say prompt= and answer= to choose others.",
            "Took 'name' as the subject; say subject= to choose another.",
        )
    both = datasets.DatasetDict(train=data, test=data.select([1]))
    assert texts(Corpus.from_dataset(both, dataset_split="test")) == ["Why? Joy"]
    said = "This dataset has several splits and none was chosen; say dataset_split=, one of 'train', 'test'."
    assert sentence(Corpus.from_dataset, both) == said
    said = "No dataset split named 'tets'. Did you mean 'test'? Known: 'train', 'test'."
    assert sentence(Corpus.from_dataset, both, dataset_split="tets", error=UnknownName) == said
    one = Corpus.from_dataset(datasets.DatasetDict(train=data))
    assert one.notes[0] == "Took 'train', the only split of the dataset."
    said = "dataset_split='test' was given, but this dataset has no splits to choose from; leave it out."
    assert sentence(Corpus.from_dataset, data, dataset_split="test") == said
    assert (
        sentence(Corpus.from_dataset, 3)
        == "from_dataset takes a Hugging Face Dataset or DatasetDict and was given a number."
    )


def test_a_corpus_is_read_without_importing_what_it_does_not_need(folder):
    (folder / "a.csv").write_text("text\na\n")
    root = Path(readers.__file__).parents[2]
    code = (
        f"import sys; sys.path.insert(0, {str(root)!r})\n"
        "from unlearnviz.engine.corpus import Corpus\n"
        "Corpus.read('a.csv')\n"
        "print(sorted({'pandas', 'datasets', 'pyarrow', 'torch', 'numpy', 'ipywidgets'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"
