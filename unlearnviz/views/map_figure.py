"""The map of texts: near to each other where the model reads them alike, coloured by what moved."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from unlearnviz.engine.probes.probe import Reading
from unlearnviz.numbers import signed
from unlearnviz.views.figures import Drawn, compose
from unlearnviz.views.influence_figures import snippet
from unlearnviz.views.plain import plain
from unlearnviz.views.styles import DIVERGING, MARKERS, PALE

GROUPS = dict(zip(("to forget", "same person", "others", "never seen"), MARKERS.values(), strict=True))
SIZES = {"to forget": 12, "same person": 9, "others": 6, "never seen": 7}
LINES = ({"width": 0.7, "color": "#888888"}, {"width": 1.5, "color": "#222222"})
GREY = "#949494"  # not measured


@dataclass(frozen=True)
class Place:
    """A text on the map.

    Attributes:
        passage: its id.
        text: itself.
        group: one of `GROUPS`.
        x, y: where the model put it at the start.
        moved: change of its loss since the start, nats per token; nan where it was not measured.
    """

    passage: str
    text: str
    group: str
    x: float
    y: float
    moved: float


def text_map(places: Sequence[Place], reading: Reading, *, step: int | None, here: int) -> Drawn:
    """The map and its sentence.

    Args:
        places: the texts.
        reading: of `TextMap`; its note says how much of the truth a plane shows.
        step: at which losses were measured; None: nowhere yet.
        here: where we stand; colours of another step are paler.
    """
    known = [place.moved for place in places if math.isfinite(place.moved)]
    reach = max(map(abs, known), default=0.0) or 1.0
    traces: list[dict[str, Any]] = []
    for group, symbol in GROUPS.items():
        members = [place for place in places if place.group == group]
        for measured in (False, True):
            some = [place for place in members if math.isfinite(place.moved) == measured]
            if some:
                traces.append(_points(group, symbol, some, measured=measured, shown=measured or len(some) == len(members)))
    order = list(reversed(GROUPS))  # the forget texts lie above the others
    traces.sort(key=lambda trace: order.index(trace["legendgroup"]))
    opacity = 1.0 if step in (None, here) else PALE
    for trace in traces:
        trace["opacity"] = opacity
    colours = {
        "colorscale": DIVERGING,
        "cmin": -reach,
        "cmax": reach,
        "colorbar": {"title": {"text": "loss since the start", "side": "right"}, "thickness": 10},
        "showscale": bool(known),
    }
    bare = {"showticklabels": False, "zeroline": False}
    figure = compose(
        440,
        traces,
        coloraxis=colours,
        dragmode="lasso",
        xaxis={**bare, "title": {"text": "direction 1", "standoff": 4}},
        yaxis={**bare, "title": {"text": "direction 2", "standoff": 4}},
        margin={"l": 28, "r": 4, "t": 8, "b": 28},
    )
    return figure, sentence(places, reading, step=step, here=here)


def _points(group: str, symbol: str, places: Sequence[Place], *, measured: bool, shown: bool) -> dict[str, Any]:
    colour: dict[str, Any] = {"color": GREY}
    if measured:
        colour = {"color": np.array([place.moved for place in places], dtype=np.float32), "coloraxis": "coloraxis"}
    return {
        "type": "scatter",
        "mode": "markers",
        "name": group,
        "legendgroup": group,
        "showlegend": shown,
        "x": np.array([place.x for place in places], dtype=np.float32),
        "y": np.array([place.y for place in places], dtype=np.float32),
        "marker": {"symbol": symbol, "size": SIZES[group], "line": LINES[group == "to forget"], **colour},
        "unselected": {"marker": {"opacity": 0.25}},
        "customdata": [place.passage for place in places],
        "text": [
            plain(snippet(place.text, 90)) + (f"<br>loss {signed(place.moved)} since the start" if measured else "")
            for place in places
        ],
        "hovertemplate": f"{group}: %{{text}}<extra></extra>",
    }


def sentence(places: Sequence[Place], reading: Reading, *, step: int | None, here: int) -> str:
    """What moved furthest, when it was measured, and how far a plane may be trusted."""
    moved: Mapping[str, list[float]] = {
        group: [place.moved for place in places if place.group == group and math.isfinite(place.moved)] for group in GROUPS
    }
    means = ", ".join(f"{group} {signed(sum(values) / len(values))}" for group, values in moved.items() if values)
    when = "" if step in (None, here) else f"Measured at step {step}, you are at step {here}. "
    if means:
        furthest = max((place for place in places if math.isfinite(place.moved)), key=lambda place: abs(place.moved))
        said = (
            f"{when}Mean change of the loss since the start (nats per token; positive = forgotten): {means}. "
            f"“{snippet(furthest.text, 60)}” moved furthest ({signed(furthest.moved)})."
        )
    else:
        said = "What moved was not measured yet."
    draw = "Draw around texts to select them; by keyboard, sort the list of neighbours by what moved."
    return " ".join(each for each in (said, reading.note, draw) if each)
