"""The verdict in words: each measure at the start, now and of the twins, and whether "now" lies within the twins' range."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from unlearnviz.numbers import number
from unlearnviz.views.counted import count

if TYPE_CHECKING:
    from unlearnviz.engine.probes.probe import Reading
    from unlearnviz.views.measures import Measure
    from unlearnviz.views.picture import Picture

CAPTION = "Is the model as one that never saw the texts?"
HEAD = ("measure", "unit, and what it means", "n", "start", "now", "twin", "range of the twins", "verdict on now")
MEANING = (
    "Within the range: no further from a twin than another seed is from it. It is the aim for every measure; lower or higher than all twins is not "
    "better. A wide range of few twins is easily met."
)
WITHIN, ABOVE, BELOW = "within the range of the twins", "above all twins", "below all twins"
NONE = "–"


@dataclass(frozen=True)
class Judged:
    """One measure: its cells, in the order of HEAD, and how it stands: WITHIN, ABOVE, BELOW or "" (not judged)."""

    cells: tuple[str, ...]
    stands: str


def verdict(picture: Picture, measures: Sequence[Measure]) -> tuple[list[tuple[str, ...]], str]:
    """The lines of the table, and its sentence."""
    if not picture.forget:
        return [], "Pick texts to forget; then the measures are compared here."
    judged = [(measure, judge(picture, measure)) for measure in measures]
    said = []
    for stands in (WITHIN, ABOVE, BELOW):
        titles = [measure.title for measure, each in judged if each.stands == stands]
        if titles:
            said.append(f"{stands}: {', '.join(titles)}")
    twins, stood = len(picture.twins), "; ".join(said)
    if not twins:
        sentence = picture.no_twin or "No twin of these texts yet: train one."
    elif twins == 1:
        rest = f" Where more are known, step {picture.step} stands {stood}." if said else ""
        sentence = f"One twin: no spread known, so there is no verdict; train another twin.{rest}"
    else:
        sentence = f"Step {picture.step} beside {twins} twins: {stood or 'nothing was judged yet, press Measure now'}."
    return [each.cells for _, each in judged], f"{sentence} {MEANING}"


def judge(picture: Picture, measure: Measure) -> Judged:
    """One line. Typed texts, too few texts and other reasons not to judge stand in the place of the verdict."""
    now = picture.latest(measure.name, picked=True)
    start = picture.start.get(measure.name)
    twins = [readings[measure.name] for readings in picture.twins.values() if measure.name in readings]
    if not twins and measure.name in picture.twin:  # measured beside now after every step
        twins = [picture.twin[measure.name]]
    values = [each.value for each in twins if each.value is not None and math.isfinite(each.value)]
    low, high, known = (min(values), max(values), len(values)) if values else (math.nan, math.nan, 0)
    if measure.name == "perplexity" and "forget" in picture.spread:  # twins too whose weights are not here
        low, high, known = picture.spread["forget"]
    here = _value(now) + (f" (at step {now.step})" if now is not None and now.step != picture.step else "")
    spread = f"{number(low)} to {number(high)} ({known} twins)" if known > 1 else NONE
    what, first = f"{measure.probe.unit}; {measure.probe.direction}", _value(next(iter(twins), None))
    cells = (measure.title, what, _count(now, start), _value(start), here, first, spread)
    words, stands = _words(now, len(picture.twins), known, low, high)
    words += " (takes long)" if now is None and measure.slow else ""
    return Judged((*cells, words), stands)


def _count(*readings: Reading | None) -> str:
    """Of how many texts, prompts or canaries the number is; of weights alone there are none."""
    found = next((count(each) for each in readings if each is not None), None)
    return NONE if found is None else str(found)


def _value(reading: Reading | None) -> str:
    return NONE if reading is None or reading.value is None else number(reading.value)


def _words(now: Reading | None, twins: int, known: int, low: float, high: float) -> tuple[str, str]:
    """What stands in the last cell, and how it stands."""
    if now is None:
        return "not measured yet", ""
    if now.value is None:
        return now.note or "there is no number", ""
    if math.isnan(now.value):
        return "not a number: it cannot be judged", ""
    if not twins:
        return "no twin to compare with", ""
    if not known:
        return "not measured of the twins yet", ""
    if known == 1:
        return f"one twin: no spread known; {_apart(now.value - low)} the twin", ""
    if low <= now.value <= high:
        return WITHIN, WITHIN
    return (f"{ABOVE}, by {number(now.value - high)}", ABOVE) if now.value > high else (f"{BELOW}, by {number(low - now.value)}", BELOW)


def _apart(difference: float) -> str:
    return f"{number(abs(difference))} {'above' if difference > 0 else 'below'}" if difference else "equal to"
