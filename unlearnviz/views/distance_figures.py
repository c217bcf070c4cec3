"""The way to the twin: start, twin and every step as points of a plane in which their distances are exact."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from unlearnviz.numbers import number, signed
from unlearnviz.views.figures import Drawn, Part, along_path, block_name, compose
from unlearnviz.views.styles import NOW, START, TWIN, State

if TYPE_CHECKING:
    from unlearnviz.engine.probes.probe import Reading
    from unlearnviz.views.picture import Picture

LABEL = "update-size"
VIEWS = ("the whole way to the twin", "near the start")
DIRECTION = "direction {} (cosine: 1 = straight towards the twin, 0 = at right angles to the way, −1 = straight away)"
PLANE = "In the picture the distances of each point from start and twin are exact; those between other points are not."


def groups(picture: Picture) -> list[str]:
    """The parameter groups that were measured, the whole model ("all") first."""
    reading = picture.now(LABEL)
    return ["all", *(row["group"] for row in reading.rows if row["group"] != "all")] if reading is not None else ["all"]


def place(row: dict[str, Any]) -> tuple[float, float] | None:
    """Where a point lies that is `from_start` from (0, 0) and `to_twin` from (`start_to_twin`, 0): (along the way, aside of it, >= 0).

    None without a twin.
    """
    if row.get("start_to_twin") is None:
        return None
    cosine = row["towards_twin"] or 0.0
    return row["from_start"] * cosine, row["from_start"] * math.sqrt(1 - cosine**2)


def distance(picture: Picture, group: str = "all", view: str = VIEWS[0]) -> Drawn:
    """The points and the sentence; without a twin there is no picture, since there is no way to be on."""
    now = _row(picture.now(LABEL), group)
    if now is None:
        first = "With the next step" if picture.forget else "Pick texts to forget; then"
        return None, f"{first} the distances appear here."
    what = "The whole model" if group == "all" else f"{group[0].upper()}{block_name(group, picture.module)[1:]}"
    here = place(now)
    if here is None:
        still = "no twin was trained without these texts, so it cannot be said whether that is the right way."
        return None, f"{what} has moved {number(now['from_start'])} from the start (L2 norm of the difference); {still}"
    way = now["start_to_twin"]
    steps = _steps(picture, group)
    twins = _twins(picture, group)
    traces: list[Part] = [
        {
            "type": "scatter",
            "x": [x for _, (x, _) in steps],
            "y": [y for _, (_, y) in steps],
            "mode": "lines+markers",
            "name": "steps of this path",
            "opacity": 0.45,
            "line": {"color": NOW.colour, "width": 1.5},
            "marker": {"symbol": NOW.marker, "size": 6, "color": NOW.colour},
            "customdata": [step for step, _ in steps],
            "text": [f"step {step}" for step, _ in steps],
            "hovertext": [_aside(at) for _, at in steps],
            "hovertemplate": "%{text}: %{hovertext}<extra></extra>",
        },
        _mark("start (do nothing)", (0.0, 0.0), START, 14),
        _mark(f"now (step {picture.step})", here, NOW, 12),
    ]
    if view == VIEWS[0]:
        traces.append(_mark("twin (retrained)", (way, 0.0), TWIN, 15))
        traces += [_mark(f"twin of seed {seed}", at, TWIN, 10) for seed, at, _ in twins]
    figure = compose(340, traces, **_axes([at for _, at in steps] + [here], [at for _, at, _ in twins], way, view))
    return figure, f"{_sentence(what, picture.step, now, twins)} {PLANE}"


def _row(reading: Reading | None, group: str) -> dict[str, Any] | None:
    return None if reading is None else next((row for row in reading.rows if row["group"] == group), None)


def _steps(picture: Picture, group: str) -> list[tuple[int, tuple[float, float]]]:
    """(step, its place) for the steps of this path that were measured beside the present twin."""
    asked = tuple(passage.id for passage in picture.forget)
    found = []
    for position, reading in along_path(picture, LABEL):
        row = _row(reading, group) if reading.passages.get("forget") == asked else None
        at = None if row is None else place(row)
        if at is not None:
            found.append((picture.path[position], at))
    return found


def _twins(picture: Picture, group: str) -> list[tuple[int, tuple[float, float], float]]:
    """(seed, its place, its distance from the first twin) for all other twins that were measured."""
    found = []
    for seed, readings in list(picture.twins.items())[1:]:
        row = _row(readings.get(LABEL), group)
        at = None if row is None else place(row)
        if row is not None and at is not None:
            found.append((seed, at, row["to_twin"]))
    return found


def _mark(name: str, at: tuple[float, float], style: State, size: int) -> Part:
    marker = {"symbol": style.marker, "size": size, "color": style.colour, "line": {"width": 2, "color": style.colour}}
    about = {"hovertext": [_aside(at)], "hovertemplate": f"{name}: %{{hovertext}}<extra></extra>"}
    return {"type": "scatter", "mode": "markers", "name": name, "x": [at[0]], "y": [at[1]], "marker": marker, **about}


def _aside(at: tuple[float, float]) -> str:
    return f"{number(at[0])} along, {number(at[1])} aside"


def _axes(near: Sequence[tuple[float, float]], twins: Sequence[tuple[float, float]], way: float, view: str) -> dict[str, Any]:
    """Both axes in one scale, so that distances on paper are distances."""
    points = [(0.0, 0.0), *near, *((*twins, (way, 0.0)) if view == VIEWS[0] else ())]
    left, right, top = min(x for x, _ in points), max(x for x, _ in points), max(y for _, y in points)
    size = max(right - left, top) or 1.0
    across: Part = {"title": {"text": "along the way from the start to the twin (L2 norm)"}}
    across["range"] = [left - 0.08 * size, right + 0.08 * size]
    upwards = {"title": {"text": "aside of it (L2 norm)"}, "range": [-0.08 * size, top + 0.08 * size], "scaleanchor": "x", "nticks": 6}
    arrow: Part = {"x": 1, "xref": "x domain", "xanchor": "right", "y": 0, "yref": "y", "yanchor": "top", "showarrow": False}
    arrow |= {"text": f"the twin lies {number(way)} that way \N{RIGHTWARDS ARROW}", "font": {"size": 11, "color": TWIN.colour}}
    return {"xaxis": across, "yaxis": upwards, "annotations": [] if view == VIEWS[0] else [arrow], "margin": {"l": 62, "r": 12, "t": 8, "b": 44}}


def _sentence(what: str, step: int, now: dict[str, Any], twins: Sequence[tuple[int, tuple[float, float], float]]) -> str:
    moved, left, way, cosine = (now[name] for name in ("from_start", "to_twin", "start_to_twin", "towards_twin"))
    said = f"{what} at step {step} is {number(moved)} from the start, {number(left)} from the twin (the start is {number(way)} away; L2 norms)"
    if not moved:
        said += ": nothing has moved."
    else:
        share = 100 * moved * (cosine or 0.0) / way if way else 0.0
        nearer = "nearer to the twin" if left < way else "farther from the twin"
        said += f": {signed(share)} % of the way, {DIRECTION.format(signed(cosine or 0.0))}; {number(abs(way - left))} {nearer} than doing nothing."
    if not twins:
        return f"{said} How far two twins lie apart is not known: with another twin (see Verdict) this picture gets its scale."
    apart = [each for *_, each in twins]
    most = f" to {number(max(apart))}" if len(apart) > 1 else ""
    return f"{said} Twins that differ in nothing but the seed are {number(min(apart))}{most} apart: within that, distances say little."
