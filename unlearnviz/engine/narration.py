"""One plain sentence on what a step did, against the step before and against the twin."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from unlearnviz.engine.probes.probe import Reading
from unlearnviz.engine.twin import Range
from unlearnviz.numbers import change, number

AS_THE_TWIN = 0.10  # within ten percent of the twin, or within the range of twins with other seeds
NO_RANGE: Mapping[str, Range] = {}


def narrate(
    before: Reading | None,
    now: Reading,
    twin: Reading | None = None,
    spread: Mapping[str, Range] = NO_RANGE,
    start: Reading | None = None,
) -> str:
    """What happened to the perplexity of each group: "forget 2.5 -> 6.5 (+470 % since the start), as the twin (6.1); retain ...".

    A group is "unchanged" where its value now, its value before and, where that is known, its value at the start all lie within the
    range of the twins' seeds for that group: then it moved by less than retraining in another order moves it. Without a range
    nothing is called unchanged; the number and its change in percent of the start are always there. "still" means: equal to the
    last digit.

    Args:
        before: the perplexity reading at the step before; None at the start.
        now: the perplexity reading at the head.
        twin: the twin's, while one fits the forget set.
        spread: group -> range of the perplexities of twins with several seeds, where two or more are known.
        start: the perplexity reading of the start.
    """
    old = _by_group(before) if before is not None and before.passages == now.passages else {}
    first = _by_group(start) if start is not None and start.passages == now.passages else {}
    parts, since = [], " since the start"
    for group, value in _by_group(now).items():
        if group not in old:
            part = f"{group} {number(value)}"
        else:
            risen = change(value, first[group]) if group in first else ""
            low, high = spread[group][:2] if group in spread else (math.inf, -math.inf)
            values = (value, old[group], first.get(group, value))
            if low <= min(values) and max(values) <= high:
                part = f"{group} unchanged ({number(value)}{risen and f', {risen}{since}'})"
            else:
                stood = "still" if value == old[group] else f"{number(old[group])} \N{RIGHTWARDS ARROW}"
                part = f"{group} {stood} {number(value)}{risen and f' ({risen}{since})'}"
            since = "" if risen else since  # said once
        if group == "forget":
            part += _against_twin(value, _by_group(twin).get("forget"), spread["forget"][:2] if "forget" in spread else ())
        parts.append(part)
    return "; ".join(parts) + "."


def nothing_changed(method: str, where: str, *, ended: str = "", kind: str = "") -> str:
    """That a step left every weight as it was, and why as far as that is known.

    Args:
        method, where: of the step.
        ended: why the method's stop rule is reached; "": it is not.
        kind: of number in which the weights are kept.
    """
    why = f"its stop rule was reached before it began: {ended}" if ended else (
        f"either no gradient reaches them, or the update is smaller than {kind} can hold beside them; a larger update norm or "
        "learning rate, or another place, would show which"
    )
    return f"This step changed nothing: {method} left all weights of {where} as they were, bit for bit; {why}."


def _against_twin(value: float, twin: float | None, seeds: Sequence[float]) -> str:
    if twin is None:
        return ""
    low, high = min(twin * (1 - AS_THE_TWIN), *seeds, twin), max(twin * (1 + AS_THE_TWIN), *seeds, twin)
    place = "as the twin" if low <= value <= high else "still below the twin" if value < low else "past the twin"
    return f", {place} ({number(twin)})"


def _by_group(reading: Reading | None) -> dict[str, float]:
    return {row["group"]: row["perplexity"] for row in reading.rows} if reading is not None else {}
