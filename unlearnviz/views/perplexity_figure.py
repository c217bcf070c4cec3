"""Figure of perplexity: four lines over the path, the original and the twin as levels."""

from __future__ import annotations

import math

from unlearnviz.numbers import number
from unlearnviz.views.figures import (
    Drawn,
    Part,
    along_path,
    compose,
    line_over_steps,
    log_axis,
    segments,
    step_axis,
    upright,
)
from unlearnviz.views.picture import Picture
from unlearnviz.views.styles import COLOURS, DASHES, HERE, MARKERS, START, TWIN


def perplexity(picture: Picture) -> Drawn:
    """Perplexity of the four groups along the path; the original and the twin as reference lines for the forget texts."""
    along = along_path(picture, "perplexity")
    values: list[float] = []
    traces: list[Part] = []
    for group, colour in COLOURS.items():
        first = True
        for part in segments(along):
            points = [(k, row["perplexity"]) for k, reading in part for row in reading.rows if row["group"] == group]
            if not points:
                continue
            values += [value for _, value in points]
            line = {"color": colour, "dash": DASHES[group], "width": 2.5 if group == "forget" else 2}
            marker = {"symbol": MARKERS[group], "size": 8 if group == "forget" else 6}
            traces.append(line_over_steps(picture, group, points, line, marker, first=first))
            first = False
    shapes: list[Part] = []
    labels: list[Part] = []
    for name, readings, style in (("original", picture.start, START), ("twin", picture.twin, TWIN)):
        reading = readings.get("perplexity")
        level = None if reading is None else reading.value
        if level is not None and math.isfinite(level):
            values.append(level)
            shapes.append(_level(level, style.colour, style.dash))
            labels.append(_label(level, f"forget, {name}: {number(level)}", style.colour, left=name == "twin"))
    if len(picture.path) > 1:
        shapes.append(upright(picture.path.index(picture.step), HERE, 1))
    up = {"type": "log", "title": {"text": "perplexity (low = remembered)"}, **log_axis(values)}
    figure = compose(300, traces, shapes=shapes, annotations=labels, xaxis=step_axis(picture), yaxis=up)
    return figure, _sentence(picture)


def _level(level: float, colour: str, dash: str) -> Part:
    """A horizontal line. On a logarithmic axis plotly wants shapes in values, but annotations in powers of ten."""
    ends = {"x0": 0, "x1": 1, "xref": "x domain", "y0": level, "y1": level, "yref": "y"}
    return {"type": "line", **ends, "line": {"color": colour, "dash": dash, "width": 1.5}}


def _label(level: float, text: str, colour: str, *, left: bool) -> Part:
    place: Part = {"x": 0 if left else 1, "xref": "x domain", "xanchor": "left" if left else "right"}
    place |= {"y": math.log10(level), "yanchor": "bottom" if left else "top"}
    return {**place, "text": text, "showarrow": False, "font": {"size": 11, "color": colour}}


def _sentence(picture: Picture) -> str:
    now, twin = picture.now("perplexity"), picture.twin.get("perplexity")
    if now is None:
        return "Pick texts to forget, and their perplexity appears here."
    said = ", ".join(f"{row['group']} {number(row['perplexity'])}" for row in now.rows)
    if twin is not None and twin.value is not None:
        aim = f"Aim for the twin, which never saw the forget texts: {number(twin.value)}."
    else:
        aim = "No twin was trained without these texts; compare with the never-seen texts."
    return f"Perplexity at step {picture.step}, lower = better remembered: {said}. {aim}"
