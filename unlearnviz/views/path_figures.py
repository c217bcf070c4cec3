"""The trade-off: every run as a line, what it does to the forget texts against what it costs the texts to keep."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from unlearnviz.numbers import number, percent
from unlearnviz.views.branches import Point, Run, change, kept, runs
from unlearnviz.views.figures import Drawn, Part, compose, log_axis
from unlearnviz.views.influence_figures import snippet
from unlearnviz.views.plain import plain
from unlearnviz.views.styles import PALE, START, TWIN, State

if TYPE_CHECKING:
    from unlearnviz.engine.probes.probe import Reading
    from unlearnviz.views.measures import Measure
    from unlearnviz.views.picture import Picture

STYLES = (
    ("#6A51A3", "solid", "circle"),
    ("#AA3377", "dash", "square"),
    ("#4477AA", "dashdot", "diamond"),
    ("#7A7A1F", "dot", "triangle-up"),
    ("#8C564B", "longdash", "x"),
    ("#B8860B", "longdashdot", "star"),
)  # colour, dash and marker of the first runs; then again
REFERENCE = ("#777777", "longdash", "cross")  # of a run that only fine-tunes
FURTHEST = 200.0  # %: where a run ends as an overshoot; what lies further is told in words
SAID = 4  # runs of which the sentence tells


def trade_off(picture: Picture, measure: Measure) -> Drawn:
    """The lines, the start, the twin and the range of the twins; and the sentence."""
    found = runs(picture, measure)
    start, twin = picture.start.get(measure.name), _twin(picture, measure.name)
    spread = [value for each in picture.twins.values() if measure.name in each and (value := each[measure.name].value) is not None]
    points = [point for run in found for point in run.points if _in_sight(point)]
    if not any(point.step for point in points):  # the start alone is no run
        return None, _nothing(picture, measure, found)
    pair = _pair(picture, found)
    shown = [(run, STYLES[k % len(STYLES)]) for k, run in enumerate(found) if any(map(_in_sight, run.points))]
    traces = [_line(picture, run, measure, style, pair) for run, style in shown]
    damages, values = [point.damage for point in points], [point.value for point in points]
    shapes: list[Part] = []
    of_twin = change(picture.twin.get("perplexity"), picture.start.get("perplexity"), kept(picture))
    for name, reading, damage, style in (("start (do nothing)", start, 0.0, START), ("twin (retrained)", twin, of_twin, TWIN)):
        if reading is None or reading.value is None or not math.isfinite(reading.value):
            continue
        values.append(reading.value)
        shapes.append(_level(reading.value, style))
        if damage is not None and damage <= FURTHEST:
            damages.append(damage)
            traces.append(_mark(name, damage, reading.value, style))
    if len(spread) > 1:
        shapes.append(_band(min(spread), max(spread)))
        values += spread
    up: Part = {"title": {"text": f"{measure.title} ({measure.probe.unit})"}}
    up |= {"type": "log", **log_axis(values)} if measure.logarithmic else {}
    low, high = min(0.0, *damages), max(1.0, *damages)
    room = 0.06 * (high - low)
    across = {"title": {"text": f"perplexity of {kept(picture)}, change since the start (%)"}, "range": [low - room, high + room]}
    figure = compose(380, traces, shapes=shapes, xaxis=across, yaxis=up, margin={"l": 62, "r": 12, "t": 8, "b": 44})
    said = f" Solid: {snippet(picture.branch, 40)}; dashed: {snippet(picture.compared, 40)}; the others are pale." if pair else ""
    return figure, _sentence(measure, kept(picture), found, start, twin) + said


def _pair(picture: Picture, found: Sequence[Run]) -> dict[str, str]:
    """Name -> dash of the two runs that are compared, where both are drawn: dashed against solid, and the others are pale."""
    drawn = {run.name for run in found if any(map(_in_sight, run.points))}
    pair = {picture.compared: "dash", picture.branch: "solid"}
    return pair if len(pair) > 1 and drawn.issuperset(pair) else {}


def _in_sight(point: Point) -> bool:
    return math.isfinite(point.value) and point.damage <= FURTHEST


def _twin(picture: Picture, label: str) -> Reading | None:
    return picture.twin.get(label) or next((each[label] for each in picture.twins.values() if label in each), None)


def _line(picture: Picture, run: Run, measure: Measure, style: tuple[str, str, str], pair: dict[str, str]) -> Part:
    colour, dash, symbol = REFERENCE if run.reference else style
    points = [point for point in run.points if _in_sight(point)]
    here = run.name == picture.branch
    name = plain(snippet(run.name, 40)) + (" (fine-tuning only)" if run.reference else "")
    sizes = [14 if here and point.step == picture.step else 8 for point in points]
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": name,
        "x": [point.damage for point in points],
        "y": [point.value for point in points],
        "line": {"color": colour, "dash": pair.get(run.name, dash), "width": 3 if here else 1.8},
        "opacity": PALE if pair and run.name not in pair else 1,
        "marker": {"symbol": symbol, "size": sizes, "color": colour},
        "customdata": [point.step for point in points],
        "text": [f"step {point.step}" for point in points],
        "hovertext": [f"{measure.title}: {number(point.value)}<br>{kept(picture)} {percent(point.damage / 100)}" for point in points],
        "hovertemplate": f"{name}, %{{text}}<br>%{{hovertext}}<extra></extra>",
    }


def _mark(name: str, damage: float, value: float, style: State) -> Part:
    marker = {"symbol": style.marker, "size": 15, "color": style.colour, "line": {"width": 2, "color": style.colour}}
    about = f"{name}: {number(value)}<br>texts to keep {percent(damage / 100)}<extra></extra>"
    return {"type": "scatter", "mode": "markers", "name": name, "x": [damage], "y": [value], "marker": marker, "hovertemplate": about}


def _level(value: float, style: State) -> Part:
    ends: Part = {"x0": 0, "x1": 1, "xref": "x domain", "y0": value, "y1": value, "yref": "y"}
    return {"type": "line", **ends, "line": {"color": style.colour, "dash": style.dash, "width": 1.2}}


def _band(low: float, high: float) -> Part:
    """Where the twins of several seeds lie."""
    ends: Part = {"x0": 0, "x1": 1, "xref": "x domain", "y0": low, "y1": high, "yref": "y"}
    return {"type": "rect", **ends, "fillcolor": TWIN.colour, "opacity": 0.12, "line": {"width": 0}, "layer": "below"}


def _nothing(picture: Picture, measure: Measure, found: Sequence[Run]) -> str:
    if not picture.forget:
        return "Pick texts to forget; then runs from the start are compared here."
    if not kept(picture):
        return "There are no texts to keep, so there is nothing to measure the damage by."
    if not found:
        return "No run yet: choose a method in Steering, then press Run from the start. Each run is a line, so that methods can be compared."
    return f"No step of these runs was measured with “{measure.title}” on the present texts: tick “measure it after every step” and run again."


def _sentence(measure: Measure, group: str, found: Sequence[Run], start: Reading | None, twin: Reading | None) -> str:
    measured = [run for run in found if run.points]
    ends = [f"{snippet(run.name, 40)} {number(run.points[-1].value)} at {percent(run.points[-1].damage / 100)}" for run in measured]
    rest = f" and {len(ends) - SAID} more" if len(ends) > SAID else ""
    begin = f"{measure.title} ({measure.probe.direction}) and change of the perplexity of {group} at the end of each run"
    said = [f"{begin}: {'; '.join(ends[:SAID])}{rest}."]
    if start is not None and twin is not None and start.value is not None and twin.value is not None and start.value != twin.value:
        reached = [_reaching(run, start.value, twin.value) for run in measured[:SAID]]
        said.append(f"The twin has {number(twin.value)}, the start {number(start.value)}; {'; '.join(reached)}.")
    else:
        said.append("There is no twin to aim for: the never-seen texts are the reference.")
    beyond = [point for run in found for point in run.points if not _in_sight(point)]
    if beyond:
        worst = max(point.damage for point in beyond)
        steps = f"{len(beyond)} step{'s are' if len(beyond) > 1 else ' is'} not drawn"
        said.append(f"{steps}: the perplexity of {group} rose by up to {number(worst)} % there, or the value is not finite.")
    gaps = len({step for run in found for step in run.steps} - {point.step for run in found for point in run.points})
    if gaps:
        said.append(f"{gaps} step{'s were' if gaps > 1 else ' was'} not measured with this on the present texts.")
    return " ".join(said)


def _reaching(run: Run, start: float, twin: float) -> str:
    """The first step at or past the twin's value, seen from the start, and what it cost."""
    name, towards = snippet(run.name, 40), math.copysign(1.0, twin - start)
    first: Any = next((point for point in run.points if towards * (point.value - twin) >= 0), None)
    return f"{name} does not reach it" if first is None else f"{name} is there or past it from step {first.step} on, at {percent(first.damage / 100)}"
