"""One plain sentence on what a step did, against the step before and against the twin."""

from __future__ import annotations

from collections.abc import Sequence

from unlearnviz.engine.numbers import number
from unlearnviz.engine.probes.probe import Reading

__all__ = ["narrate", "number"]

UNCHANGED = 0.01  # a relative change below one percent is called unchanged
AS_THE_TWIN = 0.10  # within ten percent of the twin, or within the range of its siblings


def narrate(before: Reading | None, now: Reading, twin: Reading | None = None, siblings: Sequence[float] = ()) -> str:
    """What happened to the perplexity of each group: "forget 2.5 -> 6.5, as the twin (6.1); retain unchanged (1.50)".

    Args:
        before: the perplexity reading at the step before; None at the start.
        now: the perplexity reading at the head.
        twin: the twin's, while one fits the forget set.
        siblings: forget perplexities of twins with other seeds: the range that "as the twin" means, where it is known.
    """
    old = _by_group(before)
    same_texts = before is not None and before.passages == now.passages
    parts = []
    for group, value in _by_group(now).items():
        if not same_texts or group not in old:
            part = f"{group} {number(value)}"
        elif value == old[group] or abs(value / old[group] - 1) < UNCHANGED:
            part = f"{group} unchanged ({number(value)})"
        else:
            part = f"{group} {number(old[group])} \N{RIGHTWARDS ARROW} {number(value)}"
        if group == "forget":
            part += _against_twin(value, _by_group(twin).get("forget"), siblings)
        parts.append(part)
    return "; ".join(parts) + "."


def _against_twin(value: float, twin: float | None, siblings: Sequence[float]) -> str:
    if twin is None:
        return ""
    low, high = twin * (1 - AS_THE_TWIN), twin * (1 + AS_THE_TWIN)
    if siblings:
        low, high = min(low, *siblings), max(high, *siblings)
    place = "as the twin" if low <= value <= high else "still below the twin" if value < low else "past the twin"
    return f", {place} ({number(twin)})"


def ordinal(count: int) -> str:
    """1st, 2nd, 3rd, 4th, 11th, 21st."""
    return f"{count}{'th' if 10 < count % 100 < 14 else {1: 'st', 2: 'nd', 3: 'rd'}.get(count % 10, 'th')}"


def _by_group(reading: Reading | None) -> dict[str, float]:
    return {row["group"]: row["perplexity"] for row in reading.rows} if reading is not None else {}
