"""Similarity: how alike two texts are, 0 to 100, and what of them does not count (rapidfuzz)."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from rapidfuzz import fuzz, process
from rapidfuzz.distance import JaroWinkler

from unlearnviz.engine.settings import check_settings, setting

_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "ratio": fuzz.ratio,
    "partial": fuzz.partial_ratio,
    "token sort": fuzz.token_sort_ratio,
    "token set": fuzz.token_set_ratio,
    "weighted": fuzz.WRatio,
    "Jaro-Winkler": JaroWinkler.normalized_similarity,
}

SCORERS: tuple[str, ...] = tuple(_FUNCTIONS)
COSTLY = ("token set", "weighted", "partial")


@dataclass(frozen=True)
class Normalisation:
    """What of two texts does not count when they are compared: each True takes one kind of difference away."""

    case: bool = setting(True, help="Capital and small letters are the same.")
    whitespace: bool = setting(True, help="Runs of white space are one space, and none stands at the ends.")
    accents: bool = setting(False, help="Letters are the same with and without accents and vowel points.", advanced=True)
    punctuation: bool = setting(False, help="Punctuation marks are spaces.", advanced=True)

    def __post_init__(self) -> None:
        check_settings(self)

    def __call__(self, text: str) -> str:
        """The text as it is compared; the same object where nothing changes."""
        plain = text.lower() if self.case else text
        if self.accents and not plain.isascii():
            plain = _without_accents(plain)
        if self.punctuation:
            plain = plain.translate(_SPACES_FOR_PUNCTUATION)
        if self.whitespace:
            plain = " ".join(plain.split())
        return text if plain == text else plain


@dataclass(frozen=True)
class Similarity:
    """A score of how alike two texts are, from 0 (nothing shared) to 100 (equal, once normalised).

    The scorers are those of rapidfuzz. "ratio" counts the letters to insert and delete: 100 x (1 - edits / letters of both). "partial" is
    the best ratio of the shorter text inside the longer one. "token sort" is the ratio of the texts with their words in alphabetical order;
    "token set" looks at the words they share, and is 100 where one text has all words of the other. "weighted" takes the best of these,
    each at a discount; where one text is 1.5 to 8 times as long as the other, a single common word makes it 85.5. "Jaro-Winkler" favours
    a common beginning and is made for names (Winkler 1990). Two empty texts are equal, but share no words: 100, and 0 for "token set" and
    "weighted".
    """

    scorer: str = setting("ratio", help="How two texts are compared.", choices=SCORERS)
    normalisation: Normalisation = Normalisation()

    def __post_init__(self) -> None:
        check_settings(self)

    def scores(self, queries: Sequence[str], texts: Sequence[str]) -> np.ndarray:
        """Every query against every text, one by one: float32 of shape (queries, texts), 0 to 100."""
        return self.compare([self.normalisation(text) for text in queries], [self.normalisation(text) for text in texts])

    def compare(self, queries: Sequence[str], texts: Sequence[str]) -> np.ndarray:
        """The same of texts that are normalised already. Other threads run meanwhile: rapidfuzz lets go of the interpreter."""
        found: np.ndarray = process.cdist(
            queries,
            texts,
            scorer=_FUNCTIONS[self.scorer],
            dtype=np.float32,
            score_multiplier=100 if self.scorer == "Jaro-Winkler" else 1,  # the only one that counts to 1
        )
        return found


def _without_accents(text: str) -> str:
    """Letters without the marks that stand above, below or through them; vowel signs of Indic and Thai scripts are letters and stay."""
    kept = (mark for mark in unicodedata.normalize("NFD", text) if not _is_accent(unicodedata.combining(mark)))
    return unicodedata.normalize("NFC", "".join(kept))


def _is_accent(combining: int) -> bool:
    """By the canonical combining class of Unicode: 10 to 36 are points of Hebrew, Arabic and Syriac, 1 and from 200 on accents."""
    return combining == 1 or 10 <= combining <= 36 or combining >= 200


class _SpacesForPunctuation(dict[int, str]):
    """A table for `str.translate`, filled as characters are met."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        self[code] = " " if unicodedata.category(character).startswith("P") else character
        return self[code]


_SPACES_FOR_PUNCTUATION = _SpacesForPunctuation()
