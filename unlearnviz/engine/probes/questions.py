"""Questions: the prompts that a fact of the forget texts may come out of, and those that show what chance is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from unlearnviz.engine.fact_score import bare, slot
from unlearnviz.engine.neighbours import neighbours
from unlearnviz.engine.probes.generation import half_prompt

if TYPE_CHECKING:
    from unlearnviz.engine.corpus import Corpus, Passage


@dataclass(frozen=True)
class Question:
    """A prompt, and the fact that is listened for.

    Attributes:
        group: "forget", "paraphrase", "neighbours" or "never seen".
        passage: id of the passage whose prompt it is.
        prompt: what the model is to continue.
        fact: the passage whose fact is listened for.
    """

    group: str
    passage: str
    prompt: str
    fact: Passage


def has_fact(passage: Passage) -> bool:
    """Whether a fact is marked, with a letter or digit in it and a prompt before it."""
    return bool(bare(passage.answer or "") and passage.prompt.strip())


def questions(groups: Mapping[str, Sequence[Passage]], corpus: Corpus, column: str = "") -> Iterator[Question]:
    """The questions for the facts of the forget texts, group by group.

    Args:
        groups: the session's.
        corpus: in which other wordings of the same fact are looked for.
        column: of `extra`, where other wordings of the prompt are kept: a text or a list of texts; "": none.
    """
    forget = {passage.id: passage for passage in groups.get("forget", ()) if has_fact(passage)}
    for fact in forget.values():
        yield Question("forget", fact.id, fact.prompt.rstrip(), fact)
    for fact in forget.values():
        given = fact.extra.get(column) if column else None
        for prompt in [given] if isinstance(given, str) else given if isinstance(given, list) else []:
            if str(prompt).strip():
                yield Question("paraphrase", fact.id, str(prompt).rstrip(), fact)
    near = [(n.passage, forget[n.nearest]) for n in neighbours(list(forget.values()), groups.get("neighbours", ()))]
    reworded = _reworded(groups.get("forget", ()), corpus, near)
    for passage, fact in reworded.values():
        yield Question("paraphrase", passage.id, half_prompt(passage.text, passage.answer_start), fact)
    for passage, fact in near:
        if passage.id not in reworded and not _same_fact(passage, fact):
            yield Question("neighbours", passage.id, half_prompt(passage.text, passage.answer_start), fact)
    for passage in groups.get("never seen", ()):
        if passage.id not in reworded and has_fact(passage):
            yield Question("never seen", passage.id, passage.prompt.rstrip(), passage)


def _reworded(
    forget: Iterable[Passage], corpus: Corpus, near: Iterable[tuple[Passage, Passage]]
) -> dict[str, tuple[Passage, Passage]]:
    """Passage id -> the passage and the forget text whose fact it asks for: outside the forget set, taught or not.

    By subject and slot; where slots are not named, by subject and fact; among neighbours of no known subject, by the fact.
    """
    asked = {passage.id for passage in forget}
    facts = [passage for passage in forget if has_fact(passage)]
    found = {}
    for subject in dict.fromkeys(passage.subject for passage in facts if passage.subject):
        for passage in corpus.about(subject):
            same = (fact for fact in facts if fact.subject == subject and _asks_the_same(passage, fact))
            if passage.id not in asked and (fact := next(same, None)) is not None:
                found[passage.id] = (passage, fact)
    for passage, fact in near:
        if not (passage.subject and fact.subject) and _same_fact(passage, fact):
            found.setdefault(passage.id, (passage, fact))
    return found


def _asks_the_same(passage: Passage, fact: Passage) -> bool:
    kinds = slot(passage), slot(fact)
    return _same_fact(passage, fact) if None in kinds else kinds[0] == kinds[1]


def _same_fact(passage: Passage, other: Passage) -> bool:
    return bare(passage.answer or "") == bare(other.answer or "") != ""
