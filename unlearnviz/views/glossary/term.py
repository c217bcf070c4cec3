"""Term: one word of the page, explained."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Term:
    """One sentence, a formula, which way is good, and an example; plain text, formulas as they are read aloud.

    Attributes:
        name: under which it is looked up, in lower case with hyphens; the name of a method or a probe where it is one.
        title: as the page writes it.
        sentence: what it is.
        formula: how it is computed, or what belongs to it.
        good: which way is good.
        example: from the shipped world, or from what was measured on the way; a test knows every number of it.
        also: names of terms that help to understand this one.
    """

    name: str
    title: str
    sentence: str
    formula: str
    good: str
    example: str
    also: tuple[str, ...] = ()

    @property
    def said(self) -> str:
        """The title and the sentence as one: "Leak: how far ..."."""
        return f"{self.title[0].upper()}{self.title[1:]}: {self.sentence[0].lower()}{self.sentence[1:]}"
