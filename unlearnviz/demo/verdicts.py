"""Verdicts: what intervals over seeds say of a claim, by rules that stand in the code before any number is seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from unlearnviz.demo import results

REPRODUCED, NOT_HERE, DEPENDS, UNDECIDED = VERDICTS = ("reproduced here", "not here", "depends on", "undecided here")
Interval = Mapping[str, float | int | None]


def verdict(intervals: Sequence[Interval], claimed: str, line: float = 0.0) -> str:
    """One of VERDICTS, from the 95 % intervals of one quantity under one or several settings.

    An interval holds where it lies wholly on the claimed side of the line, speaks against the claim where it lies wholly on the
    other side, and is open where it reaches over it, as for a single seed. All hold: reproduced here. Some hold: depends on
    the setting. None holds and at least one speaks against it: not here. All are open: undecided here.

    Args:
        claimed: "below" or "above" the line.
    """
    said = [_side(each, line) for each in intervals]
    if all(each == claimed for each in said):
        return REPRODUCED
    if claimed in said:
        return DEPENDS
    return NOT_HERE if any(said) else UNDECIDED


def claim(settings: Mapping[str, Sequence[float]], claimed: str, unit: str, *, line: float = 0.0, because: str) -> dict[str, Any]:
    """An entry of an experiment's "claims": estimate and interval of the first setting, all settings, and the verdict of all.

    Args:
        settings: words -> the quantity, one value a seed, the main setting first.
        unit: of the quantity, and what it is.
        because: a sentence, in which {0}, {1}, ... stand for the settings' intervals in words.
    """
    return claim_of({words: results.interval(values) for words, values in settings.items()}, claimed, unit, line=line, because=because)


def claim_of(intervals: Mapping[str, Interval], claimed: str, unit: str, *, line: float = 0.0, because: str) -> dict[str, Any]:
    """`claim` from intervals that were drawn otherwise, such as those of ratios."""
    main = next(iter(intervals.values()))
    return {
        "estimate": main["mean"],
        "low": main["low"],
        "high": main["high"],
        "unit": unit,
        "verdict": verdict(list(intervals.values()), claimed, line),
        "because": because.format(*map(shown, intervals.values())),
        "settings": dict(intervals),
    }


def shown(interval: Interval, digits: int = 3) -> str:
    """1.23 (1.1 to 1.36), or the mean alone where there is no interval."""
    mean, low, high = interval["mean"], interval["low"], interval["high"]
    return f"{mean:.{digits}g}" + ("" if low is None or high is None else f" ({low:.{digits}g} to {high:.{digits}g})")


def _side(interval: Interval, line: float) -> str:
    low, high = interval["low"], interval["high"]
    if low is None or high is None:
        return ""
    return "below" if high < line else "above" if low > line else ""
