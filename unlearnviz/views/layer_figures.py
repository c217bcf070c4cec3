"""Figures of the Layers panel: gradient norms of the forget texts per parameter group, now and along the path."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from unlearnviz.engine.narration import number
from unlearnviz.views.figures import WIDE_LEFT, Drawn, Part, along_path, block_name, compose, segments, step_axis, upright
from unlearnviz.views.picture import Picture

USES = (
    "The embedding is used twice, and the hatched bars are the two uses, not more of it. As input: the vector that a word is read as; "
    "only the rows of words that occur. As output: the direction in which a word is predicted; every row."
)


def layers_now(picture: Picture, where: str) -> Drawn:
    """Gradient norm of the forget texts per parameter group, at the head; the group of `where` is outlined.

    The two uses of a tied embedding are thinner, hatched bars: they are parts of the bar above them.
    """
    reading = picture.now("gradient-norm")
    if reading is None:
        return None, "Gradient norms are not measured for this step: press Measure now."
    rows = list(reversed(reading.rows))  # plotly draws upwards, the model reads downwards
    names = [block_name(row["group"]) for row in rows]
    part = ["part_of" in row for row in rows]
    chosen = place(where, [row["group"] for row in rows])
    bars: Part = {
        "type": "bar",
        "x": [row["norm"] for row in rows],
        "y": names,
        "orientation": "h",
        "width": [0.45 if each else 0.8 for each in part],
        "customdata": [row["group"] for row in rows],
        "marker": {
            "color": "#56B4E9",
            "pattern": {"shape": ["/" if each else "" for each in part], "fillmode": "overlay", "fgcolor": "white", "size": 5},
            "line": {"color": "#D55E00", "width": [3 if row["group"] == chosen else 0 for row in rows]},
        },
        "name": "now",
        "hovertemplate": "%{y}: %{x:.3g}<extra></extra>",
    }
    traces = [bars]
    if "gradient-norm" in picture.start:
        start = {row["group"]: row["norm"] for row in picture.start["gradient-norm"].rows}
        marks: Part = {
            "type": "scatter",
            "x": [start[row["group"]] for row in rows],
            "y": names,
            "mode": "markers",
            "name": "at the start",
            "customdata": [row["group"] for row in rows],
            "marker": {"symbol": "line-ns", "size": 12, "line": {"width": 2, "color": "#333333"}},
            "hovertemplate": "%{y} at the start: %{x:.3g}<extra></extra>",
        }
        traces.append(marks)
    across = {"title": {"text": "gradient norm; | = at the start"}}
    figure = compose(330, traces, margin=WIDE_LEFT, showlegend=False, xaxis=across)
    strongest = max((row for row in rows if "part_of" not in row), key=lambda row: -1.0 if math.isnan(row["norm"]) else row["norm"])
    said = (
        f"The forget texts pull hardest at {block_name(strongest['group'])} ({number(strongest['norm'])} nats per unit "
        f"of weight, root mean square over the texts). "
        f"A long bar is a place where a small change moves these texts most. Click one to make it the place of the next step."
    )
    return figure, f"{said} {USES}" if any(part) else said


def place(where: str, groups: Sequence[str]) -> str:
    """The row of `groups` that a selection names, or ""; in a tied model the head is the output use of the embedding."""
    word = where.strip().lower()
    word = "embedding.output" if word == "head" and word not in groups else word
    return word if word in groups else ""


def layers_over_steps(picture: Picture) -> Drawn:
    """Gradient norm of the forget texts, parameter groups x steps, as a heat map on a logarithmic scale."""
    along = along_path(picture, "gradient-norm")
    if not along:
        return None, "Gradient norms were not measured along this path."
    groups = [row["group"] for row in reversed(along[0][1].rows)]
    norms = {position: {row["group"]: row["norm"] for row in reading.rows} for position, reading in along}
    columns = range(len(picture.path))  # one per step, blank where nothing was measured
    table = [[norms.get(position, {}).get(group, math.nan) for position in columns] for group in groups]
    logs = [[math.log10(value) if value > 0 and math.isfinite(value) else None for value in line] for line in table]
    finite = [value for line in logs for value in line if value is not None] or [0.0]
    ticks = list(range(math.floor(min(finite)), math.ceil(max(finite)) + 1))
    heat: Part = {
        "type": "heatmap",
        "z": logs,
        "x": list(columns),
        "y": [block_name(group) for group in groups],
        "customdata": [
            [[group, number(value), step] for value, step in zip(line, picture.path, strict=True)]
            for group, line in zip(groups, table, strict=True)
        ],
        "hoverongaps": False,
        "colorscale": "Cividis",
        "colorbar": {
            "title": {"text": "norm"},
            "tickvals": ticks,
            "ticktext": [f"{10.0**tick:g}" for tick in ticks],
            "thickness": 10,
        },
        "hovertemplate": "%{y}<br>step %{customdata[2]}: %{customdata[1]}<extra></extra>",
    }
    parts = segments(along)
    others = [after[0][0] - 0.5 for before, after in pairwise(parts) if before[-1][1].passages != after[0][1].passages]
    breaks = [upright(position, "white", 6) for position in others]
    figure = compose(330, [heat], margin=WIDE_LEFT, shapes=breaks, xaxis=step_axis(picture, room=0))
    return figure, (
        f"Gradient norm of the forget texts in each part of the model at {len(along)} step{'s' if len(along) != 1 else ''}, "
        f"from {number(10 ** min(finite))} (dark) to {number(10 ** max(finite))} (light)."
        + (" A white line: from there on other texts were picked." if breaks else "")
    )
