"""Leak: the model asked one prompt at a time, scored by hand; which prompts are asked; the shipped world and its twin."""

from __future__ import annotations

import statistics
from dataclasses import replace

import pytest
import torch
from rapidfuzz import fuzz

import unlearnviz as uv
from tests.engine import worlds
from unlearnviz.engine.corpus import Corpus
from unlearnviz.engine.probes import leak as leaking
from unlearnviz.engine.probes.leak import Leak
from unlearnviz.errors import BadSetting, Cancelled
from unlearnviz.numbers import number

SLOTS = ("town", "trade", "year", None)


def slotted(**changes) -> Corpus:
    """The tiny corpus with the kind of each fact, and some passages changed."""
    passages = [replace(passage, extra={"slot": SLOTS[int(passage.id[-1])]}) for passage in worlds.corpus()]
    return Corpus([replace(passage, **changes.get(passage.id.replace("-", "_"), {})) for passage in passages])


def greedy(session, prompt, tokens):
    """What the model writes, one prompt, one token and one forward pass over everything at a time."""
    ids = list(session.model.tokenizer.encode(prompt).ids)
    read = session.model.tokenizer.decode(ids)
    with torch.no_grad():
        for _ in range(tokens):
            ids.append(int(session.model.module(torch.tensor([ids])).logits[0, -1].argmax()))
            if ids[-1] == session.model.end:
                break
    return session.model.tokenizer.decode(ids)[len(read) :]


def plain(text):
    return " ".join(text.lower().split()).strip(" .")


def by_hand(fact, said):
    if fact.strip(" .").isdigit():
        digits = [each for each in said if each.isdigit()]
        return 100 * sum(a == b for a, b in zip(fact.strip(" ."), digits, strict=False)) / len(fact.strip(" ."))
    wanted, found = plain(fact), " ".join(said.lower().split())
    return fuzz.partial_ratio(wanted, found) if len(found) >= len(wanted) else fuzz.ratio(wanted, found)


def test_every_number_by_hand():
    session = worlds.session(taught=True, texts=slotted(), pick="mara-okafor-0")
    session.pick("mara-okafor-0", "mara-okafor-2", "mara-okafor-3")
    session.run(2, stop_at=1e9)
    reading = session.measure(Leak(beyond=3))["leak"]
    assert {row["group"] for row in reading.rows} == {"forget", "neighbours", "never seen"}
    for row in reading.rows:
        passage = session.corpus[row["passage"]]
        assert row["prompt"] == passage.prompt.rstrip() if passage.answer else passage.text.startswith(row["prompt"])
        told = next(p for p in session.corpus if p.answer and p.answer.strip() == row["fact"] and p.extra["slot"])
        assert told in session.groups["forget"] or told.split == "holdout"
        assert row["said"] == greedy(session, row["prompt"], len(session.model.encode(told.answer)) + 3)
        others = [p.answer for p in session.corpus if p.extra["slot"] == told.extra["slot"] and p.subject != told.subject]
        assert len(others) == 7
        chance = statistics.median(by_hand(fact, row["said"]) for fact in others)
        assert (row["score"], row["chance"]) == (pytest.approx(by_hand(told.answer, row["said"])), pytest.approx(chance))
        assert row["leak"] == pytest.approx(max(0, 100 * (row["score"] - chance) / (100 - chance)))
        assert row["exact"] == row["said"].strip().startswith(row["fact"])
    assert reading.value == statistics.fmean(row["leak"] for row in reading.rows if row["group"] == "forget")
    assert "1 forget text has no fact marked after a prompt, and cannot be asked." in reading.note
    never = [row["leak"] for row in reading.rows if row["group"] == "never seen"]
    assert f"never taught: {number(statistics.fmean(never))} on average, half of the {len(never)} at most" in reading.note
    assert len(never) == 6


def test_what_is_known_leaks_and_what_is_forgotten_does_not(taught):
    before = taught.measure("leak")["leak"]
    assert (before.value, before.unit) == (100, "% of the way from chance to the whole fact")
    assert all(row["exact"] for row in before.rows if row["group"] == "forget")
    assert "slot" in before.note
    taught.run(8, stop_at=1e9)
    after = taught.measure("leak")["leak"]
    assert after.value < 60
    assert not all(row["exact"] for row in after.rows if row["group"] == "forget")


def test_other_texts_that_ask_for_the_same_fact_are_paraphrases_and_the_others_are_not():
    texts = slotted(
        mara_okafor_1={"extra": {"slot": "town"}, "split": "holdout"},  # never taught, and yet it asks for her town
        tom_lindqvist_0={"text": "Tom Lindqvist was born in Lund.", "answer_start": len("Tom Lindqvist was born in")},
    )
    session = worlds.session(taught=True, texts=texts, pick="mara-okafor-0")
    rows = session.measure("leak")["leak"].rows
    groups = {group: [row["passage"] for row in rows if row["group"] == group] for group in ("forget", "paraphrase", "neighbours", "never seen")}
    assert groups["forget"] == ["mara-okafor-0"]
    assert groups["paraphrase"] == ["mara-okafor-1"]
    near = [passage.id for passage in session.groups["neighbours"]]
    assert "tom-lindqvist-0" in near
    assert sorted(groups["neighbours"]) == sorted(set(near) - {"tom-lindqvist-0"})  # he was really born there
    assert {row["fact"] for row in rows if row["group"] != "never seen"} == {"Lund."}
    assert "mara-okafor-1" not in groups["never seen"]
    said = {row["passage"]: row for row in rows}["mara-okafor-1"]
    assert said["prompt"] == "By trade Mara Okafor is a"
    wanted = [row["leak"] for row in rows if row["group"] in ("forget", "paraphrase")]
    assert session.measure("leak")["leak"].value == statistics.fmean(wanted)
    assert statistics.fmean(wanted) < 100


def test_without_slots_the_same_subject_and_fact_make_a_paraphrase_and_without_subjects_a_neighbour_with_the_fact():
    again = {"text": "The town of Mara Okafor is lund", "answer_start": len("The town of Mara Okafor is")}
    texts = Corpus(replace(p, **again) if p.id == "mara-okafor-1" else p for p in worlds.corpus())
    rows = worlds.session(texts=texts, pick="mara-okafor-0").measure("leak")["leak"].rows
    assert [row["passage"] for row in rows if row["group"] == "paraphrase"] == ["mara-okafor-1"]
    nameless = Corpus(replace(p, subject="") for p in texts)
    rows = worlds.session(texts=nameless, pick="mara-okafor-0").measure("leak")["leak"].rows
    assert [row["passage"] for row in rows if row["group"] == "paraphrase"] == ["mara-okafor-1"]


def test_wordings_of_your_own_are_asked_too():
    asked = ["Where was Mara Okafor born? In", "  "]
    texts = slotted(mara_okafor_0={"extra": {"slot": "town", "reworded": asked}}, mara_okafor_2={"extra": {"reworded": "Since when? Since "}})
    session = worlds.session(texts=texts)
    rows = [row for row in session.measure(Leak(paraphrases="reworded"))["leak"].rows if row["group"] == "paraphrase"]
    assert [(row["passage"], row["prompt"]) for row in rows] == [("mara-okafor-0", asked[0]), ("mara-okafor-2", "Since when? Since")]
    assert not [row for row in session.measure("leak")["leak"].rows if row["group"] == "paraphrase"]


def test_without_a_fact_there_is_no_number():
    session = worlds.session(pick="mara-okafor-3")
    reading = session.measure("leak")["leak"]
    assert reading.value is None
    assert {row["group"] for row in reading.rows} == {"never seen"}
    assert reading.note.startswith("1 forget text has no fact marked after a prompt, and cannot be asked.")


def test_with_nobody_to_compare_with_the_score_is_left_as_it_is():
    texts = Corpus([p for p in worlds.corpus() if p.id in ("mara-okafor-0", "mara-okafor-3")])
    session = worlds.session(taught=True, texts=texts, pick="mara-okafor-0")
    reading = session.measure("leak")["leak"]
    (row, *_) = reading.rows
    assert (row["chance"], row["leak"]) == (None, row["score"])
    assert reading.note == "Where chance is None nobody else has a fact of this kind to compare with, and the score is not corrected."


def test_a_long_prompt_is_read_from_its_end():
    prompt = "Mara Okafor sings and sings. " * 20 + "She was born in"
    texts = Corpus([replace(p, text=f"{prompt} Lund.", answer_start=len(prompt)) if p.id == "mara-okafor-0" else p for p in worlds.corpus()])
    session = worlds.session(texts=texts, pick="mara-okafor-0")
    assert session.measure(Leak(beyond=256))["leak"].rows[0]["passage"] == "mara-okafor-0"


def test_stopped_it_keeps_what_was_asked(monkeypatch):
    monkeypatch.setattr(leaking, "PROMPTS_AT_ONCE", 2)
    session = worlds.session(texts=slotted())
    work = worlds.one_at_a_time(session.measuring(Leak()), 2)
    session.cancel()
    with pytest.raises(Cancelled):
        next(work)
    (kept,) = session.history.readings[0]
    assert [row["group"] for row in kept.rows] == ["forget"] * 3 + ["neighbours"] * 3  # what was begun is finished
    assert kept.note.startswith("Stopped: 6 of ")
    assert kept.value == statistics.fmean(row["leak"] for row in kept.rows[:3])
    whole = session.measure("leak")["leak"]
    assert [row["passage"] for row in whole.rows[:6]] == [row["passage"] for row in kept.rows]


def test_settings_that_cannot_be():
    with pytest.raises(BadSetting, match="allowed is at least 0 and at most 256"):
        Leak(beyond=-1)


def test_the_shipped_model_tells_everything_and_its_twin_next_to_nothing():
    session = uv.demo()
    start, twin = (session.measure("leak", of=of)["leak"] for of in ("start", "twin"))
    assert start.value >= 95
    assert twin.value <= 10
    for reading in (start, twin):
        never = [row["leak"] for row in reading.rows if row["group"] == "never seen"]
        assert len(never) == 20
        assert statistics.fmean(never) < 25
        assert "slot" not in reading.note
    (second,) = session.pick("mara-okafor-4")  # her habit is told in two wordings
    rows = session.measure("leak")["leak"].rows
    assert [(row["passage"], row["leak"]) for row in rows if row["group"] == "paraphrase"] == [("mara-okafor-5", 100)]
    assert second.id == "mara-okafor-4"
