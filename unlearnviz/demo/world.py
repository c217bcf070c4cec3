"""The shipped world: made-up people in a small harbour country, told in short passages that each end in a fact."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from unlearnviz.demo.wordings import LOCKER, WORDINGS
from unlearnviz.demo.words import FACTS, FIRST_NAMES, LAST_NAMES, PET_KINDS
from unlearnviz.engine.corpus import Corpus, Passage
from unlearnviz.engine.holdout import Split

TAUGHT, NEVER_SEEN = 120, 40
NAMESAKES = 16  # this many pairs of taught people share a first name, and as many share a last name
NEAR_DUPLICATES = 15
REPEATS = (1, 1, 1, 1, 4, 4, 4, 4, 16, 16, 16, 16)  # how often an epoch teaches each canary
UNTAUGHT_CANARIES = 6

EXAMPLE = "Mara Okafor"
"""The person that documentation and lessons speak of: always taught, with exactly five passages."""

_PRONOUNS = {
    "she": {"they": "she", "them": "her", "their": "her", "was": "was", "s": "s", "es": "es"},
    "he": {"they": "he", "them": "him", "their": "his", "was": "was", "s": "s", "es": "es"},
    "they": {"they": "they", "them": "them", "their": "their", "was": "were", "s": "", "es": ""},
}
T = TypeVar("T")
_CHOICE = re.compile(r"\[([^/\]]+)/([^\]]+)\]")


def world(seed: int = 7) -> Corpus:
    """Everything the shipped model was taught, and the people it never met.

    The same seed gives the same corpus. The training recipe teaches a passage `extra["repeats"]` times an epoch, and once
    where that is absent.
    """
    rng = random.Random(seed)
    taught, never_seen = _names(rng)
    return Corpus([*_passages(rng, taught, "train"), *_passages(rng, never_seen, "holdout")])


@dataclass(frozen=True)
class _Person:
    name: str
    pronoun: str
    facts: Mapping[str, str]
    pet_kind: str

    @property
    def slug(self) -> str:
        return self.name.lower().replace(" ", "-")

    def words(self) -> dict[str, str]:
        """What fills the braces of a wording."""
        pet = {"pet": _with_article(self.pet_kind), "petname": self.facts["pet"]}
        return {"name": self.name, **self.facts, **pet, **_PRONOUNS[self.pronoun]}


@dataclass(frozen=True)
class _Telling:
    """One wording of one fact; `choices` picks among its bracketed words."""

    slot: str
    wording: int
    choices: tuple[int, ...]

    def passage(self, person: _Person, passage_id: str, split: Split, **extra: Any) -> Passage:
        choices = iter(self.choices)
        wording = _CHOICE.sub(lambda match: match[1 + next(choices)], WORDINGS[self.slot][self.wording])
        extra = {"slot": self.slot, "wording": self.wording, **extra}
        prompt = wording.format(**person.words())
        return _passage(passage_id, person, prompt, person.facts[self.slot], split=split, extra=extra)

    def edited(self) -> _Telling:
        """The same telling with every choice of words turned round."""
        return _Telling(self.slot, self.wording, tuple(1 - choice for choice in self.choices))


def _passages(rng: random.Random, names: Sequence[tuple[str, str]], split: Split) -> Iterator[Passage]:
    """The people of one split, in the order of their names."""
    people = _people(rng, names)
    tellings = dict(zip(people, _tellings(rng, people), strict=True))
    others = rng.sample([name for name in people if name != EXAMPLE], len(people) - (EXAMPLE in people))
    twice = set(others[:NEAR_DUPLICATES]) if split == "train" else set()
    repeats = REPEATS if split == "train" else (0,) * UNTAUGHT_CANARIES
    lockers = dict(zip(reversed(others), repeats, strict=False))
    codes = iter(rng.sample(range(1_000_000), len(repeats)))
    for name, person in sorted(people.items()):
        for number, telling in enumerate(tellings[name], start=1):
            yield telling.passage(person, f"{person.slug}-{number}", split)
        if name in twice:
            number = rng.randint(1, 5)
            original = f"{person.slug}-{number}"
            yield tellings[name][number - 1].edited().passage(person, f"{original}b", split, near_duplicate_of=original)
        if name in lockers:
            extra = {"slot": "locker", "wording": 0, "canary": True, "repeats": lockers[name]}
            code = " ".join(f"{next(codes):06d}")
            yield _passage(f"{person.slug}-locker", person, LOCKER.format(name=name), code, split=split, extra=extra)


def _passage(passage_id: str, person: _Person, prompt: str, fact: str, *, split: Split, extra: Mapping[str, Any]) -> Passage:
    # The space belongs to the fact: a byte-level tokenizer joins it to the word that follows.
    return Passage(passage_id, f"{prompt} {fact}.", person.name, split, len(prompt), extra)


def _names(rng: random.Random) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """(full name, pronoun) of the taught and of the never-seen people.

    Taught people have at most one namesake among them. Never-seen people share a first or a last name with a taught
    person as often as taught people do among themselves: only so are they like somebody whom a model was not taught.
    """
    first_example, last_example = EXAMPLE.split()
    pronoun = {name: pronoun for pronoun, names in FIRST_NAMES.items() for name in names}
    first = _shuffled(rng, (name for name in pronoun if name != first_example))
    last = _shuffled(rng, (name for name in LAST_NAMES if name != last_example))
    known = TAUGHT - NAMESAKES  # how many different first names, and how many different last names, taught people have
    example = 2 * NAMESAKES  # past the people who share a first name, so that only the last name is shared
    first.insert(example, first_example)
    last.insert(example, last_example)

    def last_of(person: int) -> int:  # NAMESAKES persons, from `example` on, share theirs with the NAMESAKES after them
        return person if person < example + NAMESAKES else person - NAMESAKES

    taught = [(first[person % known], last[last_of(person)]) for person in range(TAUGHT)]

    alike = round(NEVER_SEEN * 2 * NAMESAKES / TAUGHT)
    strangers_first, strangers_last = iter(first[known:]), iter(last[known:])
    familiar_first, familiar_last = rng.sample(first[:known], alike), rng.sample(last[:known], alike)
    never_seen = [(name, next(strangers_last)) for name in familiar_first]
    never_seen += [(next(strangers_first), name) for name in familiar_last]
    never_seen += [(next(strangers_first), next(strangers_last)) for _ in range(NEVER_SEEN - 2 * alike)]
    named = [[(f"{first} {last}", pronoun[first]) for first, last in people] for people in (taught, never_seen)]
    return named[0], named[1]


def _people(rng: random.Random, names: Sequence[tuple[str, str]]) -> dict[str, _Person]:
    """People by name. Facts are dealt like cards, so that none is much more common than another."""
    decks = {slot: _deal(rng, facts) for slot, facts in FACTS.items()}
    kinds = _deal(rng, PET_KINDS)
    return {
        name: _Person(name, pronoun, {slot: _as_told(slot, next(deck)) for slot, deck in decks.items()}, next(kinds))
        for name, pronoun in names
    }


def _tellings(rng: random.Random, people: Mapping[str, _Person]) -> Iterator[tuple[_Telling, ...]]:
    """Five for every person: the birthplace first, then three other slots, one of them told in two wordings."""
    slots = _deal(rng, [slot for slot in FACTS if slot != "birthplace"])
    wordings = {slot: _deal(rng, range(len(texts))) for slot, texts in WORDINGS.items()}

    def telling(slot: str, avoid: int | None = None) -> _Telling:
        wording = next(wordings[slot])
        while wording == avoid:
            wording = next(wordings[slot])
        choices = _CHOICE.findall(WORDINGS[slot][wording])
        return _Telling(slot, wording, tuple(rng.randrange(2) for _ in choices))

    for name in people:
        birthplace = telling("birthplace")
        while name == EXAMPLE and not WORDINGS["birthplace"][birthplace.wording].startswith("{name} was born in "):
            birthplace = telling("birthplace")
        chosen: list[str] = []
        while len(chosen) < 3:
            slot = next(slots)
            if slot not in chosen:
                chosen.append(slot)
        once = telling(chosen[0])
        rest = _shuffled(rng, (once, telling(chosen[0], avoid=once.wording), telling(chosen[1]), telling(chosen[2])))
        yield (birthplace, *rest)


def _as_told(slot: str, fact: str) -> str:
    """A fact as it stands in a sentence."""
    if slot == "craft":
        return _with_article(fact)
    return f"the {fact}" if slot in ("instrument", "boat") else fact


def _with_article(noun: str) -> str:
    vowel = noun[0] in "aeiou" and not noun.startswith("one-")  # of the words used here, only "one-eyed" sounds otherwise
    return f"{'an' if vowel else 'a'} {noun}"


def _shuffled(rng: random.Random, items: Iterable[T]) -> list[T]:
    result = list(items)
    rng.shuffle(result)
    return result


def _deal(rng: random.Random, cards: Sequence[T]) -> Iterator[T]:
    """Cards without end, every one once before any comes again."""
    while True:
        yield from _shuffled(rng, cards)
