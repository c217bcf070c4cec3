"""Compared: another branch in the charts of this one; its lines dashed against solid, its bars as open circles, what is neither below."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import takewhile
from typing import Any

import numpy as np
import plotly.graph_objects as go

from unlearnviz.engine.probes.probe import Reading
from unlearnviz.numbers import number
from unlearnviz.views.branches import way
from unlearnviz.views.figures import Drawn, Part, step_axis
from unlearnviz.views.picture import Picture
from unlearnviz.views.plain import plain
from unlearnviz.views.stacked import stacked

Draw = Callable[[Picture], Drawn]
DASH = "6px,3px"  # finer than the dashes that tell groups of texts apart
WIDTH = 1.3


def other(picture: Picture) -> Picture | None:
    """The compared branch as a picture of its own, which stands at its last step; None where none is compared."""
    tip = picture.branches.get(picture.compared)
    if tip is None or picture.compared == picture.branch:
        return None
    records = {record.id: record for record in picture.tree}
    path = way(records, tip)
    readings: dict[str, dict[int, Reading]] = {}
    for step in path:
        for reading in picture.taken.get(step, ()):
            if reading.of == "now":
                readings.setdefault(reading.label, {})[step] = reading
    return replace(
        picture,
        step=tip,
        path=path,
        records=tuple(records[step] for step in path),
        branch=picture.compared,
        compared="",
        readings=readings,
    )


def fork(picture: Picture, path: tuple[int, ...]) -> int:
    """The last step that another path has in common with that of the picture."""
    return [here for here, _ in takewhile(lambda pair: pair[0] == pair[1], zip(path, picture.path, strict=False))][-1]


def over(draw: Draw, picture: Picture, label: str, *, steps: bool = True) -> Drawn:
    """A figure of lines, with those of the compared branch dashed and thin, and its sentence.

    Args:
        draw: makes figure and sentence of a picture.
        picture: the present one.
        label: of the readings that are drawn.
        steps: whether the x axis counts the steps of a path.
    """
    figure, said = draw(picture)
    there = other(picture)
    if there is None or figure is None:
        return figure, said
    begin = there.path.index(fork(picture, there.path))  # before that both are one
    own = {name: {step: each for step, each in taken.items() if step in there.path[begin:]} for name, taken in there.readings.items()}
    there = replace(there, readings=own)
    theirs, _ = draw(there)
    reading = _measured(picture, there, label)
    if theirs is None or not there.readings.get(label):
        return figure, f"{said} {_missing(there)}"
    both, add = figure.to_plotly_json(), theirs.to_plotly_json()
    new = [_is_line(line) and not any(_same(line, each) for each in figure.data) for line in theirs.data]
    drawn = [trace for trace, wanted in zip(add["data"], new, strict=True) if wanted]
    both["data"] = [*both["data"], *(_dashed(trace, there.branch, first=not k) for k, trace in enumerate(drawn))]
    layout = both["layout"]
    for axis in ("yaxis",) if steps else ("xaxis", "yaxis"):
        layout[axis] = _widened(layout.get(axis, {}), add["layout"].get(axis, {}))
    if steps:
        layout["xaxis"] = _both_ways(picture, there)
    if not drawn:
        return figure, f"{said} The branch {there.branch!r} has the very same lines."
    way_there = f"from step {there.path[begin]} to step {there.step}"
    return go.Figure(both), f"{said} Dashed: {_name(there)} {way_there}{_numbers(reading, picture.now(label))}."


def beside(draw: Draw, picture: Picture, label: str) -> Drawn:
    """A figure of bars at the head, with those at the end of the compared branch as open circles; and its sentence."""
    figure, said = draw(picture)
    there = other(picture)
    if there is None or figure is None:
        return figure, said
    theirs, _ = draw(there) if _measured(picture, there, label) else (None, "")
    if theirs is None:
        return figure, f"{said} {_missing(there)}"
    both = figure.to_plotly_json()
    both["data"] = [*both["data"], *(_circles(trace, there.branch) for trace in theirs.to_plotly_json()["data"] if trace["type"] == "bar")]
    return go.Figure(both), f"{said} Open circles: {_name(there)} at step {there.step}."


def below(draw: Draw, picture: Picture, label: str = "") -> Drawn:
    """Any other figure, with that of the end of the compared branch below it on the same scale; and both sentences.

    Without a label `draw` itself knows, by drawing nothing, that there is nothing to compare.
    """
    figure, said = draw(picture)
    there = other(picture)
    if there is None or figure is None:
        return figure, said
    theirs, also = draw(there) if not label or _measured(picture, there, label) else (None, "")
    if theirs is None:
        return figure, f"{said} {_missing(there)}"
    return stacked(figure, theirs, plain(f"{there.branch}, step {there.step}")), f"{said} Below, {_name(there)}: {also}"


def _name(there: Picture) -> str:
    return f"the branch {there.branch!r}"


def _missing(there: Picture) -> str:
    return f"The branch {there.branch!r} was not measured with this at its end, step {there.step}: go there, have it measured, and come back."


def _measured(picture: Picture, there: Picture, label: str) -> Reading | None:
    """The last reading of the compared branch on its own steps, or at its end if it has none of its own."""
    reading = there.latest(label, picked=True)
    if reading is None or (reading.step in picture.path and reading.step != there.step):
        return None
    return reading


def _numbers(reading: Reading | None, now: Reading | None) -> str:
    """What was measured last there, against here: ", where forget is 30 (here 10)"."""
    if reading is None:
        return ", where these texts were not measured"
    key = reading.label
    if all("group" in row and isinstance(row.get(key), float) for row in reading.rows):
        here = {row["group"]: f" (here {number(row[key])})" for row in now.rows} if now is not None else {}
        there = [f"{row['group']} is {number(row[key])}{here.get(row['group'], '')}" for row in reading.rows]
        return f", where {', '.join(there)}"
    if reading.value is None:
        return ""
    return f", where it is {number(reading.value)}" + ("" if now is None or now.value is None else f" (here {number(now.value)})")


def _is_line(trace: Any) -> bool:
    return trace.type == "scatter" and "lines" in (trace.mode or "") and trace.fill in (None, "none")


def _same(one: Any, two: Any) -> bool:
    """Whether it is drawn already: what both branches are judged by, such as the twin."""
    return one.name == two.name and all(np.array_equal(np.asarray(one[each]), np.asarray(two[each])) for each in ("x", "y"))


def _dashed(trace: Part, branch: str, *, first: bool) -> Part:
    """Only the first stands in the legend, for all."""
    marker = trace.get("marker", {})
    symbol = marker.get("symbol", "circle")
    return {
        **trace,
        "name": f"{trace.get('name', '')}, {plain(branch)}",
        "line": {**trace.get("line", {}), "dash": DASH, "width": WIDTH},
        "marker": {**marker, "symbol": symbol if "open" in symbol else f"{symbol}-open", "size": 5},
        "legendgroup": "compared",
        "showlegend": first,
        "hovertemplate": f"{plain(branch)}, {trace.get('hovertemplate', '')}",
    }


def _circles(trace: Part, branch: str) -> Part:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": plain(branch),
        **{key: trace[key] for key in ("x", "y", "customdata") if key in trace},
        "marker": {"symbol": "circle-open", "size": 9, "color": "#222222", "line": {"width": 2}},
        "hovertemplate": f"{plain(branch)}, {trace.get('hovertemplate', '')}",
    }


def _both_ways(picture: Picture, there: Picture) -> Part:
    """The axis of steps as far as the longer path goes; steps of the compared branch only stand in brackets."""
    longer = (*picture.path, *there.path[len(picture.path) :])
    axis = step_axis(replace(picture, path=longer))
    texts = [text if at < len(picture.path) else f"({text})" for at, text in zip(axis["tickvals"], axis["ticktext"], strict=True)]
    return {**axis, "ticktext": texts}


def _widened(mine: Part, theirs: Part) -> Part:
    """An axis that shows both, where both say what they show."""
    if "range" not in mine or "range" not in theirs:
        return {key: value for key, value in mine.items() if key != "range"}
    axis = {**mine, "range": [min(mine["range"][0], theirs["range"][0]), max(mine["range"][1], theirs["range"][1])]}
    if "tickvals" in mine and "tickvals" in theirs:
        ticks = dict(zip((*mine["tickvals"], *theirs["tickvals"]), (*mine["ticktext"], *theirs["ticktext"]), strict=True))
        axis |= {"tickvals": sorted(ticks), "ticktext": [ticks[each] for each in sorted(ticks)]}
    return axis
