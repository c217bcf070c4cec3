"""Counted: on how many texts a number rests, in words; and on how many of how many."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from unlearnviz.engine.probes.probe import Reading
    from unlearnviz.views.picture import Picture

HOW = {"neighbours": "the most alike", "retain": "fixed sample", "never seen": "fixed sample"}
NAMES = {"forget": ("forget", "member"), "never seen": ("never seen", "non-member")}  # some probes have names of their own


def count(reading: Reading, group: str = "forget") -> int | None:
    """Of how many single texts, prompts or canaries of a group a reading has a number; None where it is one of weights alone."""
    names = NAMES.get(group, (group,))
    rows = [row for row in reading.rows if row.get("group") in names]
    texts = next((row["per_text"] for row in rows if "per_text" in row), None)
    if texts is not None:
        return len(texts)
    if any("passage" in row for row in rows):
        return sum("passage" in row for row in rows)
    # rows of parts of the model rest on the forget texts, all of them alike
    parts = next((row["per_text"] for row in reading.rows if "per_text" in row), None) if not rows and group == "forget" else None
    return None if parts is None else len(parts)


def texts(reading: Reading, group: str = "forget", what: str = "text") -> str:
    """The same in words: "5 texts", and "the texts" where they are not told apart."""
    number = count(reading, group)
    return f"the {what}s" if number is None else f"{number} {what}{'s' if number != 1 else ''}"


def counted(picture: Picture, group: str, number: int) -> str:
    """On how many texts a group's number rests, and how they were chosen: "5 texts" to forget, "20 of 595, fixed sample" to retain."""
    pool = picture.pools.get(group, number)
    if group not in HOW:
        return f"{number} text{'s' if number != 1 else ''}" if number == pool else f"{number} of {pool} texts"
    return f"all {number}" if number == pool else f"{number} of {pool}, {HOW[group]}"


def rests_on(picture: Picture, passages: Mapping[str, Sequence[str]]) -> str:
    """A sentence on how many texts of each group stand behind a reading: "Over forget: 5 texts; retain: 20 of 595, fixed sample."."""
    said = [f"{group}: {counted(picture, group, len(ids))}" for group, ids in passages.items() if ids]
    return f"Over {'; '.join(said)}." if said else ""
