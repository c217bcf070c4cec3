"""The shipped world: the counts that the lessons promise, and English that a teacher can read aloud."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from difflib import SequenceMatcher

import pytest

from unlearnviz.demo import shipped
from unlearnviz.demo.wordings import WORDINGS
from unlearnviz.demo.words import FACTS, FIRST_NAMES, LAST_NAMES, PET_KINDS
from unlearnviz.demo.world import EXAMPLE, world
from unlearnviz.engine.corpus import Corpus, Passage
from unlearnviz.engine.groups import GROUPS


@pytest.fixture(scope="module", params=[7, 0, 20260])
def corpus(request: pytest.FixtureRequest) -> Corpus:
    return world(request.param)


def tellings(passages: tuple[Passage, ...]) -> list[Passage]:
    """The five ordinary passages of each person."""
    return [p for p in passages if "canary" not in p.extra and "near_duplicate_of" not in p.extra]


def taught_people(corpus: Corpus) -> list[str]:
    return sorted({p.subject for p in corpus.train})


def test_one_seed_gives_one_world() -> None:
    assert world().digest() == world(7).digest() != world(8).digest()
    code = "from unlearnviz.demo.world import world; print(world(7).digest())"
    elsewhere = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "12345"},
    )
    assert elsewhere.stdout.strip() == world(7).digest()


def test_counts(corpus: Corpus) -> None:
    assert len(taught_people(corpus)) == 120
    assert len({p.subject for p in corpus.holdout}) == 40
    assert set(Counter(p.subject for p in tellings(corpus.train)).values()) == {5}
    assert set(Counter(p.subject for p in tellings(corpus.holdout)).values()) == {5}
    assert len(corpus.train) == 600 + 15 + 12
    assert len(corpus.holdout) == 200 + 6


def test_texts_are_unique_and_survive_json(corpus: Corpus) -> None:
    assert len({p.text for p in corpus}) == len(corpus)
    assert len({p.prompt for p in corpus}) == len(corpus)
    assert Corpus.from_rows(json.loads(json.dumps(corpus.to_rows()))).digest() == corpus.digest()


def test_every_person_is_told_in_five_wordings_with_one_slot_twice(corpus: Corpus) -> None:
    for name in corpus.subjects:
        five = tellings(corpus.about(name))
        assert len({(p.extra["slot"], p.extra["wording"]) for p in five}) == 5
        assert sorted(Counter(p.extra["slot"] for p in five).values()) == [1, 1, 1, 2]
        assert five[0].extra["slot"] == "birthplace"
        facts = {(p.extra["slot"], p.answer) for p in five}
        assert len(facts) == 4, "one slot has one fact, however it is worded"


def test_the_fact_ends_the_passage_and_is_not_in_the_prompt(corpus: Corpus) -> None:
    for p in corpus:
        assert p.answer is not None
        assert p.answer.startswith(" ")
        assert p.answer.endswith(".")
        assert p.prompt == p.prompt.rstrip()
        assert p.subject in p.prompt
        bare = re.sub(r"^(the|an?) ", "", p.answer.strip(" ."))
        assert bare.lower() not in p.prompt.lower(), p


def test_the_example_person(corpus: Corpus) -> None:
    assert EXAMPLE == "Mara Okafor"
    five = corpus.about(EXAMPLE)
    assert [p.id for p in five] == [f"mara-okafor-{number}" for number in range(1, 6)]
    assert all(p.split == "train" for p in five)
    assert five[0].text.startswith("Mara Okafor was born in ")


def test_some_people_share_one_name_and_nobody_both(corpus: Corpus) -> None:
    taught = taught_people(corpus)
    first, last = (Counter(name.split()[part] for name in taught) for part in (0, 1))
    assert sum(first[n.split()[0]] > 1 for n in taught) == 32
    assert sum(last[n.split()[1]] > 1 for n in taught) == 32
    assert all((first[n.split()[0]] - 1) + (last[n.split()[1]] - 1) <= 1 for n in taught)


def test_never_seen_people_are_like_taught_ones(corpus: Corpus) -> None:
    taught, never_seen = taught_people(corpus), sorted({p.subject for p in corpus.holdout})
    assert not set(taught) & set(never_seen)
    for part in (0, 1):  # they share names with taught people as often as taught people do: 27 %
        known = {name.split()[part] for name in taught}
        assert sum(name.split()[part] in known for name in never_seen) == 11
    used = {(p.extra["slot"], p.extra["wording"]) for p in tellings(corpus.train)}
    assert {(p.extra["slot"], p.extra["wording"]) for p in tellings(corpus.holdout)} <= used


def test_near_duplicates_change_a_word_or_two(corpus: Corpus) -> None:
    copies = [p for p in corpus if "near_duplicate_of" in p.extra]
    assert len(copies) == 15
    assert EXAMPLE not in {p.subject for p in copies}
    for copy in copies:
        original = corpus[copy.extra["near_duplicate_of"]]
        assert copy.id == f"{original.id}b"
        assert copy.split == original.split == "train"
        assert (copy.subject, copy.answer) == (original.subject, original.answer)
        old, new = original.text.split(), copy.text.split()
        assert len(old) == len(new)
        assert 1 <= sum(a != b for a, b in zip(old, new, strict=True)) <= 2
        assert SequenceMatcher(None, original.text, copy.text).ratio() > 0.85


def test_canaries(corpus: Corpus) -> None:
    canaries = [p for p in corpus if p.extra.get("canary")]
    repeats = Counter((p.split, p.extra["repeats"]) for p in canaries)
    assert repeats == {("train", 1): 4, ("train", 4): 4, ("train", 16): 4, ("holdout", 0): 6}
    assert EXAMPLE not in {p.subject for p in canaries}
    assert len({p.answer for p in canaries}) == len({p.subject for p in canaries}) == len(canaries)
    for p in canaries:
        assert re.fullmatch(rf"The locker code of {p.subject} is \d \d \d \d \d \d\.", p.text)
        assert p.id.endswith("-locker")


def test_facts_are_hard_to_guess(corpus: Corpus) -> None:
    for slot, facts in FACTS.items():
        assert 25 <= len(facts) == len(set(facts)) <= 40
        told = {p.subject: p.answer for p in tellings(corpus.train) if p.extra["slot"] == slot}
        (_, most), *_ = Counter(told.values()).most_common(1)
        assert most <= 5, f"{slot}: the commonest fact is true of {most} of 120 people"


def test_word_lists_do_not_overlap() -> None:
    firsts = [name for names in FIRST_NAMES.values() for name in names]
    towns, pets, boats = FACTS["birthplace"], FACTS["pet"], " ".join(FACTS["boat"] + FACTS["street"]).split()
    for words in (firsts, LAST_NAMES, PET_KINDS):
        assert len(set(words)) == len(words)
    single = [*firsts, *LAST_NAMES, *towns, *pets]
    assert len(set(single)) == len(single)
    assert not set(single) & set(boats)
    assert min(len(wordings) for wordings in WORDINGS.values()) >= 8


def test_grammar(corpus: Corpus) -> None:
    for p in corpus:
        text = p.text
        assert not re.search(r"[{}\[\]/]| [,.]|  |^\s|\s$", text), text
        assert re.fullmatch(r"[A-Z].*\.", text), text
        for article, noun in re.findall(r"\b([Aa]n?) (\w+)", text):
            vowel = noun in ("hour", "honest") or (noun[0].lower() in "aeiou" and noun != "one")  # "a one-eyed cat"
            assert (article.lower() == "an") == vowel, text
        assert not re.search(r"\b(\w+) \1\b", re.sub(r"\d", "", text)), text
        assert "canary" in p.extra or 10 <= len(text.split()) <= 30, text


def test_pronouns_agree(corpus: Corpus) -> None:
    pronoun = {name: pronoun for pronoun, names in FIRST_NAMES.items() for name in names}
    family = {"she": {"she", "her"}, "he": {"he", "his", "him"}, "they": {"they", "them", "their"}}
    for p in corpus:
        own = family[pronoun[p.subject.split()[0]]]
        others = set().union(*family.values()) - own
        assert not others & set(re.findall(r"\w+", p.text.lower())), p.text
        for verb in re.findall(r"\bthey (\w+)", p.text):
            assert verb in {"were", "work", "play", "miss", "pass"}, p.text
        for verb in re.findall(r"\bs?he (\w+)", p.text):
            assert verb in {"was", "works", "plays", "misses", "passes"}, p.text


def test_the_shipped_twin_is_not_among_its_siblings():
    seeds = [each["seed"] for each in shipped.facts()["further"]["twins"]]
    (twin,) = shipped.open_shipped().twins
    assert twin.seed in seeds
    assert {group: len(values) for group, values in twin.siblings.items()} == dict.fromkeys(GROUPS, len(seeds) - 1)


def test_the_range_of_the_twins_was_measured_on_the_groups_that_are_opened():
    session = shipped.open_shipped()
    stated = shipped.facts()["further"]["twins"][0]  # of the seed that is shipped, before it was rounded to half precision
    now = {row["group"]: row["perplexity"] for row in session.measure("perplexity", of="twin")["perplexity"].rows}
    assert now == pytest.approx(stated["groups"], rel=2e-4)
    assert stated["groups"]["forget"] == stated["perplexity"]
    session.pick(session.forget[:4])
    assert session.siblings == {}
