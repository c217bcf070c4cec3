"""What a pick is warned of: each sentence, when it is said, and that it goes with the pick."""

from __future__ import annotations

from dataclasses import replace

import pytest
from rapidfuzz import fuzz

import unlearnviz as uv
from tests.engine import worlds
from unlearnviz.demo.world import world
from unlearnviz.engine import near_duplicates
from unlearnviz.engine.corpus import Corpus, Passage
from unlearnviz.engine.groups import choose_groups
from unlearnviz.engine.near_duplicates import NEARLY_THE_SAME, near_duplicate_notes
from unlearnviz.engine.session import Session
from unlearnviz.numbers import number

BORN = "Mara Okafor was born in Lund."
AGAIN = "Mara Okafor was born in Lund!"


def with_texts(*added: Passage) -> Corpus:
    return Corpus([*worlds.corpus(), *added])


def notes(texts: Corpus, *ids: str) -> list[str]:
    return near_duplicate_notes(texts, choose_groups(texts, [texts[each] for each in ids], 0))


def test_nothing_is_said_where_there_is_nothing_to_say():
    assert notes(worlds.corpus(), "mara-okafor-0") == []
    assert worlds.session().notes == []
    assert uv.demo().notes == []


def test_a_near_duplicate_that_stays_taught_is_the_classic_mistake():
    texts = with_texts(Passage("again", AGAIN))
    score = fuzz.ratio(BORN.lower(), AGAIN.lower())
    assert NEARLY_THE_SAME < score < 100
    (said,) = notes(texts, "mara-okafor-0")
    assert said == (
        "1 text that is nearly the same as a forget text stays among the taught ones, such as 'again' "
        f"({number(score)} of 100 like 'mara-okafor-0'): "
        "what it tells is kept and can bring the fact back, so pick it as well."
    )
    assert notes(texts, "mara-okafor-0", "again") == []  # both are picked
    (said,) = notes(with_texts(Passage("again", AGAIN), Passage("once-more", BORN.upper() + "?")), "mara-okafor-0")
    assert said.startswith("2 texts that are nearly the same as a forget text stay among the taught ones, such as ")
    assert said.endswith("what they tell is kept and can bring the fact back, so pick them as well.")


def test_a_text_with_another_fact_is_no_near_duplicate():
    prompt = "In the year of the long bridge and the great storm this person was born in"
    mara, tom, other = (Passage(name, f"{prompt} {fact}", answer_start=len(prompt)) for name, fact in (("a", "Lund."), ("b", "Lunt."), ("c", "LUND")))
    assert fuzz.ratio(mara.text, tom.text) > NEARLY_THE_SAME
    assert notes(with_texts(mara, tom), "a") == []
    assert "'c'" in notes(with_texts(mara, tom, other), "a")[0]
    assert "'b'" in notes(with_texts(mara, replace(tom, answer_start=None)), "a")[0]  # what it tells is not marked


def test_a_never_seen_text_like_a_forget_text_is_no_floor():
    texts = with_texts(Passage("unseen", AGAIN, split="holdout"))
    (said,) = notes(texts, "mara-okafor-0")
    assert said.startswith("1 never-seen text is nearly the same as a forget text, such as 'unseen' (9")
    assert said.endswith("the model knows what is called never seen, and its line is no floor, so hold out other texts.")


def test_repeats_are_counted_unless_the_reader_has_counted_them():
    texts = with_texts(Passage("tom", "by trade  Tom Lindqvist is a DIVER."), Passage("tom2", "By trade Tom Lindqvist is a diver."))
    (said,) = notes(texts, "ines-duarte-0")
    assert said == (
        "2 passages repeat another, capital letters and white space aside, such as 'tom' (as 'tom-lindqvist-1'): "
        "what is there twice counts twice, so take one of the two out of your data."
    )
    read = Corpus.from_texts(["One text that is here.", "One text that is here.", "Another text, and a longer one.", "A third."], holdout=0)
    assert "word for word" in " ".join(read.notes)
    assert near_duplicate_notes(read, choose_groups(read, [read[2]], 0)) == []
    looser = Corpus([*read, Passage("x", "ONE text that is here.")], notes=read.notes)
    assert near_duplicate_notes(looser, choose_groups(looser, [looser[2]], 0))[0].startswith("1 passage repeats another")


def test_every_trap_has_one_sentence_and_the_worst_is_last(monkeypatch):
    many = [Passage(f"t{k}", f"{BORN}{'!' * (k % 2)}") for k in range(30)]
    held = [Passage(f"h{k}", f"{BORN}?", split="holdout") for k in range(3)]
    said = notes(with_texts(*many, *held), "mara-okafor-0", "t0")
    assert len(said) == 3
    assert said[0].startswith("31 passages repeat another")
    assert said[1].startswith("3 never-seen texts are nearly the same")
    assert said[2].startswith("At least 20 texts that are nearly the same")  # no more are looked at than the neighbours
    monkeypatch.setattr(near_duplicates, "PAIRS", 1)
    assert notes(with_texts(*many, *held), "mara-okafor-0", "t0")[1].startswith("At least 3 never-seen texts")


def test_warnings_go_with_the_pick_and_come_back_with_a_saved_session(tmp_path):
    session = worlds.session(pick=None, texts=with_texts(Passage("again", AGAIN)))
    session.pick("mara-okafor-0", "A text that nobody ever wrote down.")
    typed = "typed-1 is a text you typed: the model was never trained on it."
    (_, warning) = session.notes
    assert session.notes[0] == typed
    assert "'again'" in warning
    with pytest.raises(uv.UnlearnvizError):
        session.pick("nobody")
    assert session.notes == [typed, warning]
    loaded = Session.load(session.save(tmp_path / "saved"))
    for each in (session, loaded):
        assert each.notes == [typed, warning]
        each.pick("mara-okafor-0", "again")
        assert each.notes == [typed]
        each.pick("mara-okafor-0")
        assert each.notes == [typed, warning]


def test_of_the_shipped_world_every_text_in_two_editions_is_found():
    texts = world(8)
    twice = [passage for passage in texts if "near_duplicate_of" in passage.extra]
    assert len(twice) == 15
    for passage in twice:
        (said,) = notes(texts, passage.extra["near_duplicate_of"])
        assert f"such as {passage.id!r}" in said
