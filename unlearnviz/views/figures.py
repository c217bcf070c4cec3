"""Figures: pure functions from a Picture to a plotly figure and its sentence. No widgets here: restyle or export at will."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from unlearnviz.engine.probes.probe import Reading
from unlearnviz.numbers import number
from unlearnviz.views.picture import Picture
from unlearnviz.views.styles import NOW, TWIN

Drawn = tuple[go.Figure | None, str]  # no figure: nothing was measured, and the sentence says so


# Plotly's "plotly_white" without the entries that no trace of ours reads: plotly copies and checks every entry of a template
# for every figure, which takes longer than all the rest of a redraw.
_NUMBERS = {"exponentformat": "none", "separatethousands": True}
_AXIS = {**_NUMBERS, "automargin": True, "gridcolor": "#EBF0F8", "linecolor": "#EBF0F8", "zerolinecolor": "#EBF0F8", "zerolinewidth": 2, "ticks": ""}
TEMPLATE = {
    "layout": {
        "autotypenumbers": "strict",
        "font": {"color": "#2a3f5f"},
        "hoverlabel": {"align": "left"},
        "hovermode": "closest",
        "paper_bgcolor": "white",
        "plot_bgcolor": "white",
        "xaxis": {**_AXIS, "title": {"standoff": 15}},
        "yaxis": {**_AXIS, "title": {"standoff": 15}},
    },
    "data": {"heatmap": [{"colorbar": {"outlinewidth": 0, "ticks": ""}}]},
}
WIDE_LEFT = {"l": 156, "r": 12, "t": 8, "b": 40}  # room for the names of parameter groups
HOVER = ",.3~r"  # how d3 writes what `number` writes, for what is never negative
Part = dict[str, Any]  # a trace, a shape, an axis: as plotly's JSON has it


def compose(height: int, traces: Sequence[Part], **layout: Any) -> go.Figure:
    """All of a figure at once: every later change of it (`add_scatter`, `add_hline`, ...) takes plotly longer than this."""
    common = {
        "template": TEMPLATE,
        "height": height,
        "margin": {"l": 52, "r": 12, "t": 8, "b": 40},
        "font": {"size": 12},
        "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "xanchor": "left", "font": {"size": 11}},
    }
    return go.Figure(data=list(traces), layout={**common, **layout})


def log_axis(values: Sequence[float]) -> dict[str, Any]:
    """Ticks 1, 2, 5, 10, 20 ... with plain labels, and a range from a tick below the values to one above them."""
    finite = [value for value in values if math.isfinite(value) and value > 0] or [1.0]
    low, high = math.floor(math.log10(min(finite))), math.ceil(math.log10(max(finite)))
    ticks = [digit * 10.0**power for power in range(low, high + 1) for digit in (1, 2, 5)]
    if high - low > 4:  # so few that their labels have room
        ticks = [10.0**power for power in range(low, high + 1, 1 + (high - low - 1) // 8)]
    bottom = max(tick for tick in ticks if tick <= min(finite))
    top = next((tick for tick in ticks if tick > max(finite)), 10.0 ** (high + 1))
    room = 0.04 * (math.log10(top) - math.log10(bottom))
    return {
        "tickvals": ticks,
        "ticktext": [number(tick) for tick in ticks],
        "range": [math.log10(bottom) - room, math.log10(top) + room],
    }


def step_axis(picture: Picture, *, room: int = 1) -> Part:
    """Positions on the path, labelled with the ids of their steps: the two differ on a branch."""
    last = len(picture.path) - 1
    shown = range(0, last + 1, 1 + last // 7)  # so few that their numbers have room in a narrow chart
    ticks = {"tickvals": list(shown), "ticktext": [str(picture.path[k]) for k in shown]}
    return {"title": {"text": "step"}, "range": [-0.5, max(room, last) + 0.5], "tickangle": 0, **ticks}


def block_name(group: str, module: str = "h") -> str:
    """A group as the page writes it: "block 11" is "block 11 (the 12th, h.11)".

    Papers count layers from 1, and the model has names of its own.

    Args:
        group: of parameters.
        module: what the model calls its blocks (`ModelLayout.module`).
    """
    if not group.startswith("block "):
        return group
    k = int(group.split()[1])
    ending = "th" if 10 < (k + 1) % 100 < 14 else {1: "st", 2: "nd", 3: "rd"}.get((k + 1) % 10, "th")
    return f"{group} (the {k + 1}{ending}, {module}.{k})"


def segments(readings: Sequence[tuple[int, Reading]]) -> list[list[tuple[int, Reading]]]:
    """Consecutive readings taken on the same passages; a line is not drawn across a change of texts."""
    parts: list[list[tuple[int, Reading]]] = []
    for position, reading in readings:
        if parts and parts[-1][-1][1].passages == reading.passages and parts[-1][-1][0] == position - 1:
            parts[-1].append((position, reading))
        else:
            parts.append([(position, reading)])
    return parts


def line_over_steps(picture: Picture, name: str, points: Sequence[tuple[int, float]], line: Part, marker: Part, *, first: bool) -> Part:
    """One unbroken piece of a line over steps; only the first piece stands in the legend."""
    return {
        "type": "scatter",
        "x": [position for position, _ in points],
        "y": [value for _, value in points],
        "name": name,
        "mode": "lines+markers",
        "line": line,
        "marker": marker,
        "legendgroup": name,
        "showlegend": first,
        "customdata": [picture.path[position] for position, _ in points],
        "meta": {"x": [picture.path[position] for position, _ in points]},  # the table names steps, not positions
        "hovertemplate": f"{name}: %{{y:{HOVER}}}<br>step %{{customdata}}<extra></extra>",
    }


def upright(position: float, colour: str, width: int) -> Part:
    """A vertical line over the whole height."""
    ends: Part = {"x0": position, "x1": position, "xref": "x", "y0": 0, "y1": 1, "yref": "y domain"}
    return {"type": "line", **ends, "line": {"color": colour, "width": width}}


def along_path(picture: Picture, label: str) -> list[tuple[int, Reading]]:
    """(position on the path, reading) for the steps of the path that were measured."""
    taken = picture.readings.get(label, {})
    return [(position, taken[step]) for position, step in enumerate(picture.path) if step in taken]


def drift(picture: Picture) -> Drawn:
    """Distance of the weights from the start and to the twin, along the path."""
    columns = [
        ("from_start", "from the start", NOW),
        ("to_twin", "to the twin", TWIN),
    ]
    traces: list[Part] = []
    for column, name, style in columns:
        first = True
        for part in segments(along_path(picture, "update-size")):
            points = [(position, whole) for position, reading in part if (whole := reading.rows[-1][column]) is not None]
            if points:
                line, marker = {"color": style.colour, "dash": style.dash}, {"symbol": style.marker, "size": 7}
                traces.append(line_over_steps(picture, name, points, line, marker, first=first))
                first = False
    up = {"title": {"text": "distance (L2 norm)"}, "rangemode": "tozero"}
    figure = compose(250, traces, xaxis=step_axis(picture), yaxis=up)
    now = picture.now("update-size")
    if now is None:
        return figure, "The distance from the start appears here."
    whole = now.rows[-1]
    moved = f"All weights together have moved {number(whole['from_start'])} from the start (L2 norm of the difference)"
    if whole["to_twin"] is None:
        return figure, moved + "; there is no twin to measure the distance to."
    return figure, (
        f"{moved} and are {number(whole['to_twin'])} from the twin. A step is tiny against the way to the twin: unlearning makes the "
        "model behave like the twin, it does not become the twin."
    )
