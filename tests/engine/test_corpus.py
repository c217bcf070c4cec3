"""Corpus: the passages, their round trip, and what the options decide."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from unlearnviz.engine.corpus import Corpus, Passage
from unlearnviz.errors import BadCorpus, BadSetting, UnknownName

TOFU = Path("../shared/data/tofu")
needs_tofu = pytest.mark.skipif(not TOFU.is_dir(), reason="skipped: the real texts are not there (../shared/data/tofu)")

words = st.text(min_size=1).filter(str.strip)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def passages(draw: st.DrawFn) -> list[Passage]:
    ids = draw(st.lists(st.text(), min_size=1, max_size=6, unique=True))
    return [
        Passage(
            id=each,
            text=(text := draw(words)),
            subject=draw(st.text()),
            split=draw(st.sampled_from(["train", "holdout"])),
            answer_start=draw(st.none() | st.integers(0, len(text))),
            extra=draw(st.dictionaries(st.text(), json_values, max_size=3)),
        )
        for each in ids
    ]


def jsonl(folder: Path, rows: list[dict[str, object]]) -> Path:
    path = folder / "facts.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@settings(suppress_health_check=[HealthCheck.too_slow])  # two busy cores are slow, not wrong
@given(passages())
def test_rows_give_the_same_corpus_back_also_through_json(items):
    corpus = Corpus(items)
    again = Corpus.from_rows(json.loads(json.dumps(corpus.to_rows())))
    assert again[:] == corpus[:]
    assert again.digest() == corpus.digest()
    assert [p.prompt + (p.answer or "") for p in again] == [p.text for p in corpus]


def test_passages_are_found_by_position_id_and_subject():
    corpus = Corpus([Passage("a", "Mara sings.", "Mara"), Passage("b", "Tom swims.", "Tom", "holdout"), Passage("c", "x")])
    assert corpus["b"] is corpus[1]
    assert "a" in corpus
    assert "z" not in corpus
    assert corpus[0] in corpus
    assert corpus.about("Mara") == (corpus[0],)
    assert corpus.subjects == ("Mara", "Tom")
    assert (corpus.train, corpus.holdout) == ((corpus[0], corpus[2]), (corpus[1],))
    assert repr(corpus) == "Corpus(2 taught, 1 never seen, 2 subjects)"
    with pytest.raises(UnknownName, match=re.escape("No subject named 'Marra'. Did you mean 'Mara'? Known: 'Mara', 'Tom'.")):
        corpus.about("Marra")
    with pytest.raises(UnknownName, match=re.escape("No passage named 'z'. Known: 'a', 'b', 'c'.")):
        corpus["z"]


@pytest.mark.parametrize(
    "make, sentence",
    [
        (lambda: Corpus([]), "A corpus needs at least one passage; none were given."),
        (lambda: Corpus([Passage("a", "x"), Passage("a", "y")]), "Two passages have the id 'a'; ids must be unique."),
        (lambda: Passage("a", " \n"), "Passage 'a' is empty; every passage needs some text."),
        (lambda: Passage("a", "x", split="test"), "Passage 'a' has the split 'test'; allowed are 'train' and 'holdout'."),
        (lambda: Passage("a", "x", answer_start=2), "Passage 'a' puts its fact at character 2, outside its 1 characters."),
    ],
)
def test_a_passage_or_corpus_that_cannot_be_is_refused(make, sentence):
    with pytest.raises(BadCorpus) as caught:
        make()
    assert str(caught.value) == sentence


def test_prompt_and_answer_are_joined_with_a_space_that_belongs_to_the_answer(tmp_path):
    corpus = Corpus.read(jsonl(tmp_path, [{"Question": " Who? ", "answer": " Mara. ", "year": 1951, "none": None}]))
    assert corpus[0] == Passage("row-0", "Who? Mara.", answer_start=4, extra={"year": 1951})
    assert (corpus[0].prompt, corpus[0].answer) == ("Who?", " Mara.")
    assert corpus.notes == (
        "Took 'Question' as the prompt and 'answer' as the fact; say prompt= and answer= to choose others.",
        "Held out nothing as never seen: 1 text is too few for holdout=0.1; add more, or say split=.",
    )


def test_named_columns_are_not_noted_and_all_guesses_are(tmp_path):
    path = jsonl(
        tmp_path, [{"id": n, "story": f"s{n}", "Author Name": "Mara", "split": s} for n, s in enumerate(("train", "dev"))]
    )
    guessed = Corpus.from_jsonl(path)
    assert guessed.notes == (
        "Took 'story' as the text; say text= to choose another.",
        "Took 'Author Name' as the subject; say subject= to choose another.",
        "Took 'split' as the split; say split= to choose another, or holdout= to draw one.",
        "Took 'id' as the id; say id= to choose another.",
        "Read the split 'dev' as 'holdout'.",
    )
    named = Corpus.from_jsonl(path, text="story", subject="Author Name", split=lambda number, row: "train", id="id")
    assert named.notes == ()
    assert [p.id for p in named] == ["0", "1"]
    assert Corpus.from_jsonl(path, holdout=0).holdout == ()


def test_half_named_columns_are_completed(tmp_path):
    path = jsonl(tmp_path, [{"riddle": "Who?", "answer": "Mara."}])
    assert Corpus.from_jsonl(path, prompt="riddle").notes[0] == "Took 'answer' as the fact; say answer= to choose another."
    path = jsonl(tmp_path, [{"question": "Who?", "solution": "Mara."}])
    corpus = Corpus.from_jsonl(path, answer="solution")
    assert corpus.notes[0] == "Took 'question' as the prompt; say prompt= to choose another."
    assert corpus[0].text == "Who? Mara."


def test_ids_that_repeat_are_not_guessed(tmp_path):
    corpus = Corpus.from_jsonl(jsonl(tmp_path, [{"text": "a", "id": 1}, {"text": "b", "id": 1}]))
    assert [p.id for p in corpus] == ["row-0", "row-1"]
    assert "Numbered the passages, because 'id' is not a different name in every row." in corpus.notes


def test_rows_without_text_are_skipped_and_repeats_are_kept_and_both_are_counted(tmp_path):
    rows = [{"text": "a"}, {"text": " "}, {"text": None}, {"text": "a"}, {"text": "b"}, {"other": 1}]
    corpus = Corpus.from_jsonl(jsonl(tmp_path, rows), text="text", holdout=0)
    assert [p.text for p in corpus] == ["a", "a", "b"]
    assert [p.id for p in corpus] == ["row-0", "row-3", "row-4"]
    assert corpus.notes == (
        "Skipped 3 rows without a text under 'text' (the first is line 2).",
        "1 passage repeats an earlier text word for word; all are kept.",
    )


def test_a_text_that_is_taught_and_held_out_is_said():
    corpus = Corpus.from_texts(["a", "a", "b"], split=lambda number, row: "test" if number else "train")
    assert corpus.notes == (
        "1 passage repeats an earlier text word for word; all are kept. 1 text is both taught and held out.",
        "Read the split 'test' as 'holdout'.",
    )


def test_subjects_come_from_a_column_or_a_function(tmp_path):
    path = jsonl(tmp_path, [{"text": "a", "year": 1951.0}, {"text": "", "year": 7}, {"text": "b", "year": None}])
    assert [p.subject for p in Corpus.from_jsonl(path, subject="year")] == ["1951", ""]
    assert [p.subject for p in Corpus.from_jsonl(path, subject=lambda number, row: (number, row["text"]))] == [
        "(0, 'a')",
        "(2, 'b')",
    ]


@pytest.mark.parametrize(
    "options, error, sentence",
    [
        ({"txt": "a"}, UnknownName, ("No option named 'txt'. Did you mean 'text'? Known: 'text', 'prompt', 'answer', 'subject', "
         "'split', 'id', 'holdout', 'seed' and 1 more.")),
        ({"subject": "authr"}, UnknownName, ("No column named 'authr' in 'facts.jsonl' (asked for by subject=). "
         "Did you mean 'author'? Known: 'question', 'answer', 'author', 'tags'.")),
        ({"prompt": "zzz"}, UnknownName, ("No column named 'zzz' in 'facts.jsonl' (asked for by prompt=). "
         "Known: 'question', 'answer', 'author', 'tags'.")),
        ({"text": 3}, BadSetting, "text= takes the name of a column, not 3."),
        ({"subject": 3}, BadSetting, "subject= takes the name of a column or a function of (number, row), not 3."),
        ({"text": "answer", "prompt": "question"}, BadSetting,
         "text= was given together with prompt= or answer=; give text= alone, or prompt= and answer=."),
        ({"holdout": 1.5}, BadSetting, "holdout=1.5 is not a fraction from 0 to 1; 0.1 holds out one subject in ten."),
        ({"holdout": -0.1}, BadSetting, "holdout=-0.1 is not a fraction from 0 to 1; 0.1 holds out one subject in ten."),
        ({"holdout": float("nan")}, BadSetting, "holdout=nan is not a fraction from 0 to 1; 0.1 holds out one subject in ten."),
        ({"holdout": True}, BadSetting, "holdout=True is not a fraction from 0 to 1; 0.1 holds out one subject in ten."),
        ({"holdout": 0.2, "split": "author"}, BadSetting,
         "split= and holdout= were both given, and split= already says what is held out; leave one of them out."),
        ({"limit": 0}, BadSetting, "limit=0 is not a number of rows; give 1 or more, or leave it out to read all."),
        ({"seed": 0.5}, BadSetting, "seed=0.5 is not a whole number."),
        ({"text": "tags"}, BadCorpus,
         "Line 1 of 'facts.jsonl' holds a list under 'tags', where one text is needed; choose another column."),
        ({"split": "author"}, BadCorpus, ("Line 1 of 'facts.jsonl' has the split 'Mara'; allowed are 'train' and 'holdout', "
         "or 'validation', 'valid', 'val', 'dev', 'test' and 'eval' for 'holdout'.")),
        ({"subject": lambda number: number}, BadCorpus, ("subject= is a function of (number, row), and it failed on line 1 of "
         "'facts.jsonl': TypeError: <lambda>() takes 1 positional argument but 2 were given.")),
        ({"id": "author"}, BadCorpus, "Two passages have the id 'Mara'; ids must be unique."),
        ({"id": "tags", "prompt": "question"}, BadCorpus,
         "Line 1 of 'facts.jsonl' holds a list under 'tags', where one text is needed; choose another column."),
    ],
)  # fmt: skip
def test_options_that_make_no_sense_are_a_sentence(tmp_path, monkeypatch, options, error, sentence):
    jsonl(tmp_path, [{"question": q, "answer": "a", "author": "Mara", "tags": ["x"]} for q in ("Who?", "Where?")])
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error) as caught:
        Corpus.read("facts.jsonl", **options)
    assert type(caught.value) is error
    assert re.sub(r"test_\S*<lambda>|\S*<locals>\.", "<lambda>", str(caught.value)) == sentence


@pytest.mark.parametrize(
    "rows, options, sentence",
    [
        ([{"a": "x", "b": "y"}], {}, ("Cannot tell which column of 'facts.jsonl' holds the texts; its columns are 'a', 'b'. "
         "Say text=, or prompt= and answer=.")),
        ([{"prompt": "x", "b": "y"}], {"prompt": "prompt"}, ("prompt='prompt' needs answer= beside it, and no column of "
         "'facts.jsonl' has a usual name for it; its columns are 'prompt', 'b'.")),
        ([{"text": ""}], {}, "Cannot tell which"),
        ([{"text": "a", "key": None}], {"id": "key"}, ("Line 1 of 'facts.jsonl' has no id under 'key'; give every row one, "
         "or leave id= out to number them.")),
        ([{"text": "half \ud800"}], {}, ("Line 1 of 'facts.jsonl' holds half a character ('\\ud800') under 'text', "
         "which no tokenizer can read; write the whole character.")),
    ],
)  # fmt: skip
def test_rows_that_cannot_be_passages_are_a_sentence(tmp_path, monkeypatch, rows, options, sentence):
    jsonl(tmp_path, rows)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadCorpus) as caught:
        Corpus.read("facts.jsonl", **options)
    if rows == [{"text": ""}]:
        sentence = "No row of 'facts.jsonl' has a text under 'text'; choose another column."
    assert str(caught.value) == sentence


def test_the_sample_is_twelve_authors_with_six_facts_each():
    corpus = Corpus.sample(holdout=0)
    assert len(corpus) == 72
    assert len(corpus.subjects) == 12
    assert corpus.notes == ()
    assert all(len(corpus.about(author)) == 6 for author in corpus.subjects)
    assert all(p.subject in p.prompt and p.answer.startswith(" ") and p.answer.endswith(".") for p in corpus)
    assert {p.subject for p in Corpus.sample().holdout} < set(corpus.subjects)
    assert len({p.subject for p in Corpus.sample().holdout}) == 1


@needs_tofu
def test_the_real_forget_set_has_twenty_authors():
    corpus = Corpus.from_jsonl(TOFU / "forget10.jsonl", subject=lambda number, row: number // 20)
    assert len(corpus) == 400
    assert len(corpus.subjects) == 20
    assert all(len(corpus.about(author)) == 20 for author in corpus.subjects)
    assert "Basil Mahfouz Al-Kuwaiti" in corpus.about("0")[0].answer
    assert corpus.notes == (
        "Took 'question' as the prompt and 'answer' as the fact; say prompt= and answer= to choose others.",
        "Held out 2 of 20 subjects (40 of 400 passages) as never seen, drawn with seed 0; say holdout= or split= to choose.",
    )
    assert len(corpus[0].extra["perturbed_answer"]) == 5
    assert Corpus.from_rows(corpus.to_rows()).digest() == corpus.digest()


@needs_tofu
@pytest.mark.parametrize("name, rows", [("retain90", 3600), ("real_authors", 100), ("world_facts", 117)])
def test_the_other_real_files_are_read_whole(name, rows):
    assert len(Corpus.read(TOFU / f"{name}.jsonl")) == rows


def test_the_real_prose_is_read_by_paragraphs():
    path = TOFU.parent / "wikitext-2" / "valid.txt"
    if not path.is_file():
        pytest.skip("skipped: the real texts are not there (../shared/data/wikitext-2)")
    corpus = Corpus.read(path, limit=100)
    assert len(corpus) == 100
    assert corpus.notes[1] == "Read only the first 100 texts (limit=100)."
