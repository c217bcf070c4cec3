"""Figure of perplexity: four lines over the path, the original and the twin as levels, single texts as dots, and the range of the twins as bands."""

from __future__ import annotations

import math

from unlearnviz.numbers import number
from unlearnviz.views.counted import counted
from unlearnviz.views.figures import (
    HOVER,
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
from unlearnviz.views.influence_figures import snippet
from unlearnviz.views.picture import Picture
from unlearnviz.views.plain import plain
from unlearnviz.views.styles import COLOURS, DASHES, HERE, MARKERS, START, TWIN

LABEL = 0.08  # of the axis: what a label takes below the lowest line
ASIDE = 0.08  # steps: how far the dots of each group lie from those of the next


def perplexity(picture: Picture) -> Drawn:
    """Perplexity of the four groups along the path; the original and the twin as reference lines for the forget texts.

    Single texts are dots at the head, and bands are the ranges of twins that differ in their seeds alone, where two or more are known.
    """
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
    bands = [_band(COLOURS[group], *picture.spread[group][:2]) for group in COLOURS if group in picture.spread]
    values += [end for group, spread in picture.spread.items() if group in COLOURS for end in spread[:2]]
    texts = _single_texts(picture)
    if texts["y"]:
        values += texts["y"]
        traces.append(texts)
    if len(picture.path) > 1:
        shapes.append(upright(picture.path.index(picture.step), HERE, 1))
    up = {"type": "log", "title": {"text": "perplexity (low = remembered)"}, **log_axis(values)}
    low, high = up["range"]
    up["range"] = [low - LABEL * (high - low), high]  # the original's label stands below its line, and above the numbers of the steps
    figure = compose(300, traces, shapes=[*bands, *shapes], annotations=labels, xaxis=step_axis(picture), yaxis=up)
    return figure, _sentence(picture)


def _single_texts(picture: Picture) -> Part:
    """A small dot for every text that the numbers at the head rest on, right of them, each group in a column of its own."""
    now = picture.now("perplexity")
    here = picture.path.index(picture.step)
    known = {passage.id: passage.text for members in picture.groups.values() for passage in members}
    dots: list[tuple[float, float, str, str]] = []
    for row in now.rows if now is not None else ():
        place = here + ASIDE * (1 + list(COLOURS).index(row["group"])) if row["group"] in COLOURS else here
        shade = COLOURS.get(row["group"], HERE)
        for text, value in row["per_text"].items():
            if math.isfinite(value):
                dots.append((place, value, shade, f"{row['group']}: {plain(snippet(known.get(text, text), 50))}"))
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "single texts",
        "x": [place for place, *_ in dots],
        "y": [value for _, value, *_ in dots],
        "marker": {"symbol": "circle", "size": 4, "opacity": 0.55, "color": [shade for _, _, shade, _ in dots]},
        "text": [said for *_, said in dots],
        "customdata": [picture.step] * len(dots),
        "meta": {"x": [picture.step] * len(dots)},  # the table says at which step, not how far aside
        "hovertemplate": f"%{{text}}<br>%{{y:{HOVER}}}<extra></extra>",
        "showlegend": False,
    }


def _band(colour: str, low: float, high: float) -> Part:
    """Where the twins of several seeds lie."""
    ends: Part = {"x0": 0, "x1": 1, "xref": "x domain", "y0": low, "y1": high, "yref": "y"}
    return {"type": "rect", **ends, "fillcolor": colour, "opacity": 0.14, "line": {"width": 0}, "layer": "below"}


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
        if picture.forget:
            return f"The perplexity of these texts at step {picture.step} is being measured. {picture.no_twin}".strip()
        return "Pick texts to forget, and their perplexity appears here."
    said = "; ".join(
        f"{row['group']} {number(row['perplexity'])} ({counted(picture, row['group'], len(row['per_text']))})" for row in now.rows
    )
    if twin is None or twin.value is None:
        aim = picture.no_twin
    elif "forget" in picture.spread:
        low, high, twins = picture.spread["forget"]
        aim = (
            f"Aim for the twin, which never saw the forget texts: {number(twin.value)}; {twins} twins that differ in their seeds alone lie "
            f"between {number(low)} and {number(high)} (the bands)."
        )
    else:
        aim = f"Aim for the twin, which never saw the forget texts: {number(twin.value)} (one twin, no range)."
    meaning = "lower = better remembered; 10 = as unsure as choosing among 10 tokens"
    return f"Perplexity at step {picture.step} ({meaning}): {said}. Small dots: single texts. {aim}".rstrip()
