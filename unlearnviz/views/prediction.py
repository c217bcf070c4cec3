"""Prediction: which line somebody said would move most, against what was measured; no more is said than that."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from unlearnviz.numbers import number, percent

if TYPE_CHECKING:
    from unlearnviz.engine.history import StepRecord
    from unlearnviz.engine.probes.probe import Reading
    from unlearnviz.engine.twin import Range

NONE = "none of them"
ANSWERS = ("forget", "neighbours", "retain", "never seen", NONE)
STILL = 0.01  # a line that moves by less than one percent is called unmoved


def compared(said: str, before: Reading, after: Reading, spread: Mapping[str, Range]) -> str:
    """What was said and what moved most, each line with its numbers.

    A line's move is the ratio of its perplexities, so that halving is as far as doubling.

    Args:
        said: the prediction, one of `ANSWERS`.
        before, after: readings of perplexity on the same texts.
        spread: group -> range of the perplexities of twins of several seeds; two lines whose moves differ by less than the
            wider of their ranges cannot be told apart.
    """
    values = [{row["group"]: float(row["perplexity"]) for row in reading.rows} for reading in (before, after)]
    moves = {group: _move(value, values[1][group]) for group, value in values[0].items() if group in values[1]}
    order = sorted(moves, key=lambda group: -abs(moves[group]))
    numbers = ", ".join(_told(group, values[0][group], values[1][group]) for group in order)
    most = order[0] if order and abs(moves[order[0]]) >= math.log1p(STILL) else NONE
    alike = [group for group in order[1:] if most != NONE and _alike(moves, most, group, spread)]
    found = "no line moved by 1 % or more" if most == NONE else f"{most} moved most"
    found += ", as you said" if said == most and not alike else ""
    sentence = f"You said {said}; {found}: {numbers}."
    if alike:
        alike = [most, *alike]
        widest = max(spread[group].high / spread[group].low for group in alike if group in spread)
        names = f"{', '.join(alike[:-1])} and {alike[-1]}"
        sentence += f" But {names} cannot be told apart: their moves differ by less than a factor of {number(widest)}, as twins of other seeds do."
    elif most != NONE and not (spread.get(most) or spread.get(said)):
        sentence += " How much twins of other seeds differ is not known for these texts, so a small difference between two lines may mean nothing."
    return sentence


def steps_taken(records: Sequence[StepRecord]) -> str:
    """The steps in words: "3 steps of gradient-ascent at embedding, then 1 step of npo at all"."""
    parts = []
    for (method, where), members in itertools.groupby(records, key=lambda record: (record.method, record.where)):
        count = len(list(members))
        parts.append(f"{count} step{'s' if count != 1 else ''} of {method} at {where}")
    return ", then ".join(parts)


def _told(group: str, before: float, after: float) -> str:
    return f"{group} {percent(after / before - 1)} ({number(before)} to {number(after)})"


def _move(before: float, after: float) -> float:
    """log(after / before); infinite where a perplexity is not finite any more."""
    if not (math.isfinite(before) and math.isfinite(after)):
        return 0.0 if before == after else math.inf
    return math.log(after / before)


def _alike(moves: Mapping[str, float], one: str, other: str, spread: Mapping[str, Range]) -> bool:
    """Whether two lines moved as far as each other, within what another seed changes."""
    widths = [math.log(spread[group].high / spread[group].low) for group in (one, other) if group in spread]
    return bool(widths) and abs(abs(moves[one]) - abs(moves[other])) < max(widths)
