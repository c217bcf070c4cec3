"""How much of a fact was said: the best fuzzy match with it, held against what chance would match."""

from __future__ import annotations

import random
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from rapidfuzz import fuzz

from unlearnviz.engine.similarity import Normalisation

if TYPE_CHECKING:
    from unlearnviz.engine.corpus import Corpus, Passage

OTHERS = 200  # facts of others that chance is taken from, at most
SEED = 0  # of the draw where there are more
_SEPARATORS = ".,:;/-–_#+()*"
_ENDS = " .,;:!?\"'"

_normalise = Normalisation()


def bare(fact: str) -> str:
    """A fact as it is compared: lower case, white space collapsed, no punctuation at its ends; "" where nothing is left."""
    return _normalise(fact).strip(_ENDS)


def is_code(fact: str) -> bool:
    """Whether a fact is digits and what separates them: a year, a date, the number of a locker."""
    return any(each.isdecimal() for each in fact) and all(
        each.isdecimal() or each.isspace() or each in _SEPARATORS for each in bare(fact)
    )


def fact_score(fact: str, said: str) -> float:
    """How well the best-fitting stretch of `said` fits a fact, from 0 (nothing of it) to 100 (it was said).

    Words: rapidfuzz's ratio with the best-aligned stretch of the fact's length, shorter at the ends of what was said
    (`partial_ratio`); where less was said than the fact is long, the ratio with all of it. Codes: the share of digits, in percent, that are
    right in their place, counted from the first digit said: two unrelated numbers have half of their digits in common when these
    may be shifted.
    """
    wanted, found = bare(fact), _normalise(said)
    if is_code(fact):
        wanted, found = _digits(wanted), _digits(found)
        return 100 * sum(one == other for one, other in zip(wanted, found, strict=False)) / len(wanted)
    if not wanted or not found:
        return 0.0
    return fuzz.partial_ratio(wanted, found) if len(found) >= len(wanted) else fuzz.ratio(wanted, found)


def chance_score(facts: Sequence[str], said: str) -> float | None:
    """The median of `fact_score` over the facts of others, 0 to 100; None of none."""
    return statistics.median(fact_score(fact, said) for fact in facts) if facts else None


def beyond_chance(score: float, chance: float) -> float:
    """100 x (score - chance) / (100 - chance), clipped to 0..100; 0 where chance alone scores 100."""
    return 0.0 if chance >= 100 else min(100.0, max(0.0, 100 * (score - chance) / (100 - chance)))


def _digits(text: str) -> str:
    return "".join(each for each in text if each.isdecimal())


def slot(passage: Passage) -> str | None:
    """The kind of fact that a passage tells, `extra["slot"]`; None where that is not said."""
    named = passage.extra.get("slot")
    return None if named is None else str(named)


@dataclass(frozen=True)
class _Fact:
    passage: Passage
    bare: str
    code: bool


class OtherFacts:
    """The facts of others: what would be matched by a model that knows nothing of a person.

    Others are those with another subject (where none is known, the other texts) and a fact in the same slot. Where there are
    none, or no slot is named, all facts of others count. Codes are held against codes and words against words; a fact that a person is
    told to have twice counts once; of more than OTHERS facts so many are drawn with SEED.
    """

    def __init__(self, corpus: Corpus) -> None:
        told = [(passage, bare(passage.answer or "")) for passage in corpus]
        self._facts = [_Fact(passage, fact, is_code(fact)) for passage, fact in told if fact]
        random.Random(SEED).shuffle(self._facts)
        self._slots: dict[str, list[_Fact]] = {}
        for fact in self._facts:
            if (name := slot(fact.passage)) is not None:
                self._slots.setdefault(name, []).append(fact)

    def of(self, passage: Passage) -> tuple[list[str], bool]:
        """The facts to hold against the fact of a passage, and whether they are of its slot."""
        same = list(islice(_others(self._slots.get(slot(passage) or "", []), passage), OTHERS))
        return (same, True) if same else (list(islice(_others(self._facts, passage), OTHERS)), False)


def _others(facts: Sequence[_Fact], passage: Passage) -> Iterator[str]:
    code, seen = is_code(passage.answer or ""), set()
    for fact in facts:
        other = fact.passage
        stranger = other.subject != passage.subject if passage.subject else other.id != passage.id
        name = (other.subject or other.id, fact.bare)
        if stranger and fact.code == code and name not in seen:
            seen.add(name)
            yield fact.bare
