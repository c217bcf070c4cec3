"""RougeL: each prompt continued on its own and scored by the rouge-score package; groups, stops and texts without words."""

from __future__ import annotations

import statistics
from dataclasses import replace

import pytest
from rouge_score.rouge_scorer import RougeScorer

from tests.engine import worlds
from unlearnviz.engine.corpus import Corpus
from unlearnviz.engine.probes import rouge_l
from unlearnviz.engine.probes.rouge_l import RougeL

NAMES = {"recall": "recall", "precision": "precision", "f": "fmeasure"}


def by_hand(model, passage, beyond):
    """The package's score of what the model writes after one prompt."""
    room = len(model.encode(passage.answer)) + beyond
    said = model.generate([passage.prompt.rstrip()], max_new_tokens=room)[0].text
    return RougeScorer(["rougeL"], use_stemmer=False).score(passage.answer, said)["rougeL"]


def test_every_group_by_hand():
    session = worlds.session(taught=True, pick="mara-okafor-0")
    session.run(2, stop_at=1e9)
    reading = session.measure(RougeL(beyond=3))["rouge-l"]
    assert {row["group"] for row in reading.rows} == {"forget", "neighbours", "never seen"}
    for row in reading.rows:
        asked = [passage for passage in session.groups[row["group"]] if passage.answer]
        scores = {passage.id: by_hand(session.model, passage, 3) for passage in asked}
        assert row["per_text"] == {name: pytest.approx(score.recall, abs=1e-6) for name, score in scores.items()}
        for ours, theirs in NAMES.items():
            assert row[ours] == pytest.approx(statistics.fmean(getattr(score, theirs) for score in scores.values()), abs=1e-6)
        assert row["texts"] == len(scores)
    assert (reading.value, reading.note) == (reading.rows[0]["recall"], "")


def test_what_is_known_is_said_and_what_is_forgotten_is_not():
    session = worlds.session(taught=True)
    assert session.measure("rouge-l")["rouge-l"].value == 1
    session.run(8, stop_at=1e9)
    assert session.measure("rouge-l")["rouge-l"].value < 0.7


def test_without_answers_there_is_no_number():
    foreign = {"mara-okafor-0": "Мара живёт в Лунде", "mara-okafor-1": "Мара печёт хлеб"}  # no letter that ROUGE counts
    changed = [replace(p, text=f"{foreign[p.id]}.", answer_start=4) if p.id in foreign else p for p in worlds.corpus()]
    session = worlds.session(texts=Corpus(changed), pick=None)
    session.pick("mara-okafor-3", *foreign)
    reading = session.measure("rouge-l")["rouge-l"]
    assert reading.value is None
    assert "forget" not in {row["group"] for row in reading.rows}
    assert reading.note == "No forget text has a marked answer with words in it: read your data with prompt= and answer=."


def test_an_answer_as_long_as_the_context_is_asked_all_the_same():
    text = "Mara Okafor sings" + " and sings" * 60
    texts = Corpus([replace(p, text=text, answer_start=11) if p.id == "mara-okafor-0" else p for p in worlds.corpus()])
    session = worlds.session(texts=texts, pick="mara-okafor-0")
    assert session.measure(RougeL(beyond=20))["rouge-l"].rows[0]["texts"] == 1


def test_stopped_it_keeps_what_was_asked(monkeypatch):
    monkeypatch.setattr(rouge_l, "PROMPTS_AT_ONCE", 2)
    session = worlds.session(taught=True)
    worlds.one_at_a_time(session.measuring(RougeL()), 2).close()
    (kept,) = session.history.readings[0]
    assert kept.note.startswith("Stopped: 4 of ")
    assert [(row["group"], row["texts"]) for row in kept.rows] == [("forget", 3), ("neighbours", 1)]
    assert kept.value == 1
