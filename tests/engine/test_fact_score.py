"""How much of a fact was said, against windows tried one by one; and what chance is."""

from __future__ import annotations

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unlearnviz.engine.corpus import Corpus, Passage
from unlearnviz.engine.fact_score import OTHERS, OtherFacts, bare, beyond_chance, chance_score, fact_score, is_code


def common(one: str, other: str) -> int:
    """Length of the longest common subsequence, by the textbook's table."""
    row = [0] * (len(other) + 1)
    for letter in one:
        before, row = row, [0]
        for k, each in enumerate(other):
            row.append(before[k] + 1 if letter == each else max(row[k], before[k + 1]))
    return row[-1]


def ratio(one: str, other: str) -> float:
    return 100 * 2 * common(one, other) / (len(one) + len(other))


def best_window(fact: str, said: str) -> float:
    """Every stretch of the fact's length, and every shorter one at either end."""
    n = len(fact)
    inside = [said[k : k + n] for k in range(len(said) - n + 1)]
    ends = [said[:k] for k in range(1, n)] + [said[-k:] for k in range(1, n)]
    return max(ratio(fact, each) for each in inside + ends)


@given(st.text("abc x", min_size=1, max_size=7), st.text("abc xy", max_size=14))
def test_words_are_scored_by_the_window_that_fits_best(fact, said):
    wanted, found = bare(fact), " ".join(said.split())
    if not wanted or not found:
        assert fact_score(fact, said) == 0
    elif len(found) < len(wanted):
        assert fact_score(fact, said) == pytest.approx(ratio(wanted, found))
    elif len(found) > len(wanted):
        assert fact_score(fact, said) == pytest.approx(best_window(wanted, found))
    else:  # of equal length: either may be the one that is cut
        assert fact_score(fact, said) == pytest.approx(max(best_window(wanted, found), best_window(found, wanted)))


@pytest.mark.parametrize(
    "fact, said, score",
    [
        (" Lund.", " lund and then some more", 100),
        (" Windmill\nRoad.", "on WINDMILL  road", 100),
        (" Windmill Road.", "", 0),
        ("Road", "Ro", 100 * 4 / 6),  # two letters are no whole fact, wherever they stand in it
        (" 1953.", " 1953.", 100),
        ("4 8 2 9 1 3", "482913", 100),
        ("4 8 2 9 1 3", "It is 4 8 2 0 0 3.", 100 * 4 / 6),
        ("4 8 2 9 1 3", "8 2 9 1 3 4", 0),  # all digits of it, and none in place
        ("12.03.1952", "12.03.19", 75),
        ("7", "nobody knows", 0),
    ],
)
def test_what_was_said_of_a_fact(fact, said, score):
    assert fact_score(fact, said) == pytest.approx(score)


@pytest.mark.parametrize(
    "fact, code", [("1953.", True), ("4 8 2 9 1 3", True), ("+41 (0)44-12/3", True), ("٣٤", True), ("B 12", False), ("-- .", False), ("", False)]
)
def test_digits_and_what_separates_them_are_a_code(fact, code):
    assert is_code(fact) == code


@given(st.floats(0, 100), st.floats(0, 100))
def test_beyond_chance_is_within_its_range(score, chance):
    found = beyond_chance(score, chance)
    assert 0 <= found <= 100
    if score <= chance:
        assert found == 0
    elif chance < 100:
        assert found == pytest.approx((score - chance) / (1 - chance / 100))
    assert beyond_chance(100, 50) == 100
    assert beyond_chance(100, 100) == 0  # everybody has this fact


def told(name: str, subject: str, slot: str | None, fact: str) -> Passage:
    return Passage(name, f"{subject} tells {fact}", subject, answer_start=len(f"{subject} tells"), extra={"slot": slot} if slot else {})


def test_chance_is_taken_from_other_people_in_the_same_slot():
    texts = Corpus(
        [
            told("a1", "Ada", "town", "Lund."),
            told("a2", "Ada", "town", "lund"),
            told("a3", "Ada", "year", "1950"),
            told("b1", "Bea", "town", "Bergen."),
            told("b2", "Bea", "town", "bergen"),
            told("b3", "Bea", "year", "1951"),
            told("b4", "Bea", "town", "1200"),
            told("c1", "Cid", "town", "Ghent"),
            told("c2", "Cid", "boat", "Heron"),
            Passage("c3", "Cid tells nothing.", "Cid"),
        ]
    )
    others = OtherFacts(texts)
    same, in_slot = others.of(texts["a1"])
    assert (sorted(same), in_slot) == (["bergen", "ghent"], True)  # one fact of a person once; no code among words; not one's own
    assert others.of(texts["a3"]) == (["1951"], True)
    elsewhere, in_slot = others.of(texts["c2"])
    assert (sorted(elsewhere), in_slot) == (["bergen", "lund"], False)  # nobody else has a boat
    said = " Lundgen."
    assert chance_score(same, said) == pytest.approx(statistics.median([best_window("bergen", "lundgen."), best_window("ghent", "lundgen.")]))
    assert chance_score([], said) is None


def test_without_subjects_other_texts_are_others_and_many_are_drawn():
    def of(number):
        return Passage(f"t{number}", f"Who? name{number}", answer_start=4)

    few, many = Corpus([of(1), of(2), of(3)]), Corpus(of(number) for number in range(3 * OTHERS))
    assert sorted(OtherFacts(few).of(few["t1"])[0]) == ["name2", "name3"]
    drawn = OtherFacts(many).of(many["t7"])[0]
    assert drawn == OtherFacts(many).of(many["t7"])[0]
    assert len(set(drawn)) == OTHERS
    assert "name7" not in drawn
    assert drawn != [f"name{number}" for number in range(OTHERS)]
    assert OtherFacts(Corpus([of(1)])).of(of(1)) == ([], False)
