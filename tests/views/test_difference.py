"""What of a text is marked against another one."""

from __future__ import annotations

import difflib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unlearnviz.engine.similarity import Normalisation
from unlearnviz.views.difference import COMPARED, LONG, pieces

EXACT = Normalisation(case=False, whitespace=False)
LOOSE = Normalisation()


def here(found):
    return "".join(piece for piece, mark in found if mark != "gone")


def new(found):
    return [piece for piece, mark in found if mark == "new"]


def test_what_differs_is_marked_and_what_is_missing_is_told():
    assert pieces("born in Lund", "born in Lund", EXACT) == [("born in Lund", "")]
    assert pieces("Tom was born in Lund.", "Mara was born in Lund.", EXACT) == [("Tom", "new"), (" was born in Lund.", "")]
    assert pieces("He was here", "He was not here", EXACT) == [("He was ", ""), ("not ", "gone"), ("here", "")]
    assert pieces("", "gone", EXACT) == [("gone", "gone")]
    assert pieces("all new", "", EXACT) == [("all new", "new")]


def test_what_does_not_count_is_not_marked():
    assert new(pieces("BORN in\tLund", "born in Lund", LOOSE)) == []
    assert new(pieces("BORN in Lund", "born in Lund", EXACT)) == ["BORN"]
    assert new(pieces("São", "Sao", Normalisation(accents=True))) == []
    assert new(pieces("São", "Sao", LOOSE)) == ["ã"]


def test_a_letter_keeps_its_marks_and_an_emoji_what_is_joined_to_it():
    family = "\N{MAN}\N{ZERO WIDTH JOINER}\N{GIRL}"
    assert new(pieces("we are here: e\N{COMBINING ACUTE ACCENT}", "we are here: a\N{COMBINING ACUTE ACCENT}", EXACT)) == [
        "e\N{COMBINING ACUTE ACCENT}"
    ]
    assert new(pieces(f"we are here: {family}", "we are here: \N{MAN}", EXACT)) == [family]


def test_long_texts_are_shortened_where_they_are_equal_and_huge_ones_are_not_read_to_the_end():
    start, end = "a" * LONG, "z" * LONG
    found = pieces(f"{start}NEW{end}", f"{start}old{end}", EXACT)
    assert [mark for _, mark in found] == ["", "new", ""]
    assert found[0][0].startswith("…")
    assert found[0][0].endswith("a" * 60)
    assert found[2][0].endswith("…")
    huge = pieces("b" * 10_000_000, "b" * 10_000_000, LOOSE)
    assert huge[-1] == ("… (10,000,000 characters in all)", "")
    assert sum(len(piece) for piece, _ in huge) < COMPARED


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=60), st.text(max_size=60))
def test_the_pieces_are_the_text_and_equal_ones_stand_in_both(text, other):
    found = pieces(text, other, EXACT)
    assert here(found) == text
    rest = other
    for piece, mark in found:
        if mark == "":
            assert piece in rest
            rest = rest.partition(piece)[2]
        if mark == "gone":
            assert piece in other


@pytest.mark.parametrize("seed", range(5))
def test_no_more_is_marked_than_another_reader_of_differences_finds(seed):
    """difflib finds some way from one text to the other; ours, which is the shortest, marks no more (short islands aside)."""
    words = ["the", "old", "clock", "in", "the", "house", "by", "the", "river", "was", "made", "before", "war"]
    text, other = " ".join(words), " ".join([*words[:seed], "red", "stone", *words[seed + 2 :]])
    blocks = difflib.SequenceMatcher(None, text, other, autojunk=False).get_matching_blocks()
    kept = sum(size for _, _, size in blocks)
    assert sum(map(len, new(pieces(text, other, EXACT)))) <= len(text) - kept + 3 * len(blocks)


def test_single_letters_between_two_differences_read_as_one_with_them():
    assert new(pieces("the cxaxt sat", "the bxoxd sat", EXACT)) == ["cxaxt"]
