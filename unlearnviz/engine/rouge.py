"""ROUGE-L: how much of a text is said in its order, by the longest common subsequence of words."""

from __future__ import annotations

import re
from dataclasses import dataclass

from rapidfuzz.distance import LCSseq

_WORD = re.compile("[a-z0-9]+")


@dataclass(frozen=True)
class RougeScore:
    """ROUGE-L of one text against another, each from 0 to 1.

    Attributes:
        recall: longest common subsequence over the words of the wanted text.
        precision: the same over the words of what was said.
        f: harmonic mean of the two; 0 where both are.
    """

    recall: float
    precision: float
    f: float


def words(text: str) -> list[str]:
    """Words as ROUGE counts them: stretches of a-z and 0-9 in lower case, not stemmed; other letters divide words."""
    return _WORD.findall(text.lower())


def rouge_l(wanted: str, said: str) -> RougeScore:
    """ROUGE-L (Lin 2004, section 3) of what was said; 0 where either text has no word. Equal to the rouge-score package's."""
    wanted_words, said_words = words(wanted), words(said)
    common = LCSseq.similarity(wanted_words, said_words)
    if not common:
        return RougeScore(0.0, 0.0, 0.0)
    recall, precision = common / len(wanted_words), common / len(said_words)
    return RougeScore(recall, precision, 2 * precision * recall / (precision + recall))
