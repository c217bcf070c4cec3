"""Holdout: which texts the model is never taught, said by the data or drawn with a seed."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Sequence
from typing import Literal

from unlearnviz.errors import BadCorpus

Split = Literal["train", "holdout"]

DEFAULT_FRACTION = 0.1
_TOO_FEW = 3  # from three on, a fraction above 0 holds out at least one

_MEANING: dict[str, Split] = {
    **dict.fromkeys(("train", "training", "taught", "seen"), "train"),
    **dict.fromkeys(("holdout", "hold-out", "held-out", "heldout"), "holdout"),
    **dict.fromkeys(("validation", "valid", "val", "dev", "test", "testing", "eval", "evaluation"), "holdout"),
    **dict.fromkeys(("unseen", "never seen"), "holdout"),
}


def known_split(value: object) -> Split | None:
    """The split that a word means; None where it means none."""
    return _MEANING.get(str(value).strip().lower().replace("_", "-"))


def read_splits(values: Sequence[object], places: Sequence[str], source: str) -> tuple[list[Split], list[str]]:
    """The split of each row from the word that stands there, and a note on the words that are read as another."""
    splits: list[Split] = []
    synonyms: dict[Split, dict[str, None]] = {"train": {}, "holdout": {}}
    for value, place in zip(values, places, strict=True):
        split = known_split(value)
        if split is None:
            raise BadCorpus(
                f"{place.capitalize()} of {source} has the split {value!r}; allowed are 'train' and 'holdout', "
                "or 'validation', 'valid', 'val', 'dev', 'test' and 'eval' for 'holdout'."
            )
        if str(value) != split:
            synonyms[split][str(value)] = None
        splits.append(split)
    notes = [
        f"Read the {'split' if len(words) == 1 else 'splits'} {_listed(words)} as {split!r}."
        for split, words in synonyms.items()
        if words
    ]
    return splits, notes


def draw_splits(texts: Sequence[str], subjects: Sequence[str], fraction: float, seed: int) -> tuple[list[Split], list[str]]:
    """Hold out a fraction of the subjects, and of the texts whose subject is not known.

    The draw depends on the seed and on the names alone, not on their order, and a larger fraction holds out a superset.
    Texts that are the same word for word fall on one side where no subject is known.
    """
    named = list(dict.fromkeys(subject for subject in subjects if subject))
    nameless = list(dict.fromkeys(text for text, subject in zip(texts, subjects, strict=True) if not subject))
    held = _draw(named, fraction, seed)
    held_texts = _draw(nameless, fraction, seed)
    splits: list[Split] = [
        "holdout" if (subject in held if subject else text in held_texts) else "train"
        for text, subject in zip(texts, subjects, strict=True)
    ]
    passages = splits.count("holdout")
    if not fraction:
        return splits, []
    if not passages:
        count, noun = (len(named), "subject") if named else (len(texts), "text")
        few = f"{count} {noun} is" if count == 1 else f"{count} {noun}s are"
        return splits, [f"Held out nothing as never seen: {few} too few for holdout={fraction:g}; add more, or say split=."]
    drawn = f"drawn with seed {seed}; say holdout= or split= to choose."
    if not named:
        return splits, [f"Held out {passages:,} of {len(texts):,} passages as never seen, {drawn}"]
    also = f" and {_texts(len(held_texts))} without a subject" if held_texts else ""
    of = f"{len(held):,} of {len(named):,} {'subject' if len(named) == 1 else 'subjects'}"
    return splits, [f"Held out {of}{also} ({passages:,} of {len(texts):,} passages) as never seen, {drawn}"]


def _draw(names: Sequence[str], fraction: float, seed: int) -> set[str]:
    """The names that come first when ordered by a hash of seed and name."""
    count = math.floor(fraction * len(names) + 0.5)
    if 0 < fraction < 1:
        count = min(count, len(names) - 1)  # something stays to be taught
        if len(names) >= _TOO_FEW:
            count = max(count, 1)
    return set(sorted(names, key=lambda name: hashlib.sha256(f"{seed}:{name}".encode()).digest())[: max(count, 0)])


def _texts(count: int) -> str:
    return "1 text" if count == 1 else f"{count:,} texts"


def _listed(words: Iterable[str]) -> str:
    quoted = [repr(word) for word in words]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} and {quoted[-1]}"
