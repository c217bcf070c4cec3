"""The four groups of texts that every reading speaks of: forget, neighbours, retain, never seen."""

from __future__ import annotations

import itertools
import random
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from unlearnviz.engine.corpus import Corpus, Passage
from unlearnviz.engine.neighbours import neighbours
from unlearnviz.errors import BadForgetSet, unknown

if TYPE_CHECKING:
    from unlearnviz.engine.model import LanguageModel

GROUPS = ("forget", "neighbours", "retain", "never seen")
GROUP_SIZE = 20
WORDS_OF_A_TEXT = 4


def resolve(corpus: Corpus, typed: Sequence[Passage], items: Iterable[Any]) -> tuple[list[Passage], list[Passage]]:
    """The passages that were asked for, and those of them that are new texts.

    An item is a subject, a passage id, a Passage, a new text of at least four words, or a list of these.

    Raises:
        UnknownName: a short name that is neither a subject nor a passage; the nearest one is offered.
        BadForgetSet: nothing was asked for, a holdout passage was, or everything was.
    """
    by_id = {passage.id: passage for passage in typed}
    chosen: dict[str, Passage] = {}
    new: list[Passage] = []
    for item in _flat(items):
        if isinstance(item, Passage):
            found, text = [known for known in (*corpus, *typed) if known == item], item.text
        elif isinstance(item, str):
            found, text = [by_id[item]] if item in by_id else _known(corpus, item), item
        else:
            raise unknown("subject or passage", item, [*corpus.subjects, *by_id])
        if not found:
            same = next((p for p in (*corpus, *typed, *new) if p.text == text.strip()), None)
            if same is not None:
                found = [same]
            elif isinstance(item, Passage) or len(text.split()) >= WORDS_OF_A_TEXT:
                found = [Passage(_free_id(corpus, [*typed, *new]), text.strip(), extra={"typed": True})]
                new += found
            else:
                raise unknown("subject or passage", item, [*corpus.subjects, *by_id])
        chosen.update((passage.id, passage) for passage in found)
    _check(corpus, list(chosen.values()))
    return list(chosen.values()), new


def _flat(items: Iterable[Any]) -> list[Any]:
    """Items one by one, lists among them opened."""
    return [each for item in items for each in (item if isinstance(item, Iterable) and not isinstance(item, str) else [item])]


def notes_on(model: LanguageModel, chosen: Sequence[Passage], new: Sequence[Passage]) -> list[str]:
    """What a person should know of these texts: typed ones were never learned, long ones are cut.

    Raises:
        BadSetting: a text that is too short for anything to be predicted.
    """
    for passage in chosen:
        model.batch([passage.text])
    notes = [f"{passage.id} is a text you typed: the model was never trained on it." for passage in new]
    return notes + [f"{passage.id}: {note}" for passage in chosen if (note := model.cut_note(passage.text))]


def _known(corpus: Corpus, name: str) -> list[Passage]:
    """The passages that a passage id or a subject stands for: of a subject the taught ones, where it has any."""
    ids: Container[object] = corpus
    if name in ids:
        return [corpus[name]]
    if name in corpus.subjects:
        return [passage for passage in corpus.about(name) if passage.split == "train"] or list(corpus.about(name))
    return []


def _free_id(corpus: Corpus, typed: Sequence[Passage]) -> str:
    taken = {passage.id for passage in (*corpus, *typed)}
    return next(name for k in itertools.count(len(typed) + 1) if (name := f"typed-{k}") not in taken)


def _check(corpus: Corpus, forget: Sequence[Passage]) -> None:
    if not forget:
        raise BadForgetSet("The forget set is empty; pick at least one subject, passage id or text to forget.")
    unseen = [passage.id for passage in forget if passage.split == "holdout"]
    if unseen:
        raise BadForgetSet(
            f"{unseen[0]!r} is in the holdout: the model never saw it, so there is nothing to forget. "
            "Pick texts that were taught, or type the text itself."
        )
    if {passage.id for passage in corpus.train} <= {passage.id for passage in forget}:
        raise BadForgetSet(
            f"The forget set covers all {len(corpus.train)} taught texts; at least one must be left to see what is kept. Take some out."
        )


def choose_groups(corpus: Corpus, forget: Sequence[Passage], seed: int) -> Mapping[str, tuple[Passage, ...]]:
    """Disjoint groups: the forget set, its 20 nearest taught texts, 20 of the other taught ones, 20 of the holdout (by seed)."""
    asked = {passage.id for passage in forget}
    near = tuple(n.passage for n in neighbours(forget, corpus.train, limit=GROUP_SIZE))
    taken = asked | {passage.id for passage in near}
    rest = [passage for passage in corpus.train if passage.id not in taken]
    draw = random.Random(seed)
    retain = tuple(draw.sample(rest, min(GROUP_SIZE, len(rest))))
    never_seen = tuple(draw.sample(list(corpus.holdout), min(GROUP_SIZE, len(corpus.holdout))))
    return {"forget": tuple(forget), "neighbours": near, "retain": retain, "never seen": never_seen}


def pools(corpus: Corpus, groups: Mapping[str, Sequence[Passage]]) -> dict[str, int]:
    """Group -> how many texts it was chosen from: of the taught ones those that no earlier group took, and all that were never seen."""
    ids: Container[object] = corpus
    rest = corpus.sizes["train"] - sum(passage.id in ids for passage in groups.get("forget", ()))
    others = {"neighbours": rest, "retain": rest - len(groups.get("neighbours", ())), "never seen": corpus.sizes["holdout"]}
    return {group: others.get(group, len(members)) for group, members in groups.items()}
