"""Figures over the parts of the model: gradient norms now, along the path and text by text; forgetting against keeping."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from unlearnviz.numbers import number, signed
from unlearnviz.views import counted
from unlearnviz.views.figures import (
    HOVER,
    WIDE_LEFT,
    Drawn,
    Part,
    along_path,
    block_name,
    compose,
    segments,
    step_axis,
    upright,
)
from unlearnviz.views.influence_figures import snippet
from unlearnviz.views.picture import Picture
from unlearnviz.views.plain import plain
from unlearnviz.views.styles import CHOSEN, DIVERGING, MEASURED, START
from unlearnviz.views.terms import term

USES = (
    "The embedding is used twice, and the hatched bars are the two uses, not more of it. "
    f"{term('embedding.input').sentence} {term('embedding.output').sentence}"
)


def layers_now(picture: Picture, where: str) -> Drawn:
    """Gradient norm of the forget texts per parameter group, at the head; the group of `where` is outlined.

    The two uses of a tied embedding are thinner, hatched bars: they are parts of the bar above them.
    """
    reading = picture.now("gradient-norm")
    if reading is None:
        return None, "Gradient norms are not measured for this step: press Measure now."
    rows = list(reversed(reading.rows))  # plotly draws upwards, the model reads downwards
    names = [block_name(row["group"], picture.module) for row in rows]
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
            "color": MEASURED,
            "pattern": {"shape": ["/" if each else "" for each in part], "fillmode": "overlay", "fgcolor": "white", "size": 5},
            "line": {"color": CHOSEN, "width": [3 if row["group"] == chosen else 0 for row in rows]},
        },
        "name": "now",
        "hovertemplate": f"%{{y}}: %{{x:{HOVER}}}<extra></extra>",
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
            "marker": {"symbol": START.marker, "size": 10, "color": START.colour, "line": {"width": 2, "color": START.colour}},
            "hovertemplate": f"%{{y}} at the start: %{{x:{HOVER}}}<extra></extra>",
        }
        traces.append(marks)
    across = {"title": {"text": "gradient norm; \N{WHITE DIAMOND} = start"}}
    figure = compose(330, traces, margin=WIDE_LEFT, showlegend=False, xaxis=across)
    strongest = max((row for row in rows if "part_of" not in row), key=lambda row: -1.0 if math.isnan(row["norm"]) else row["norm"])
    said = (
        f"The forget texts pull hardest at {block_name(strongest['group'], picture.module)} ({number(strongest['norm'])} nats per unit "
        f"of weight, root mean square over {counted.texts(reading)}). "
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
    heat, low, high = heat_map(table, groups, [f"step {step}" for step in picture.path], picture.path, picture.module)
    parts = segments(along)
    others = [after[0][0] - 0.5 for before, after in pairwise(parts) if before[-1][1].passages != after[0][1].passages]
    breaks = [upright(position, "white", 6) for position in others]
    figure = compose(330, [heat], margin=WIDE_LEFT, shapes=breaks, xaxis=step_axis(picture, room=0))
    return figure, (
        f"Gradient norm of the forget texts in each part of the model at {len(along)} step{'s' if len(along) != 1 else ''}, "
        f"from {number(low)} (dark) to {number(high)} (light)."
        + (" A white line: from there on other texts were picked." if breaks else "")
    )


def layers_by_text(picture: Picture) -> Drawn:
    """Gradient norm in each parameter group, text by text, on the scale of the map over steps."""
    reading = picture.now("gradient-norm")
    if reading is None or not reading.rows:
        return None, "Gradient norms are not measured for this step: press Measure now in Layers."
    rows = list(reversed(reading.rows))
    texts = {passage.id: passage.text for passage in picture.forget}
    ids = list(rows[0]["per_text"])
    heat, low, high = heat_map(
        [[row["per_text"][each] for each in ids] for row in rows],
        [row["group"] for row in rows],
        [plain(snippet(texts.get(each, each), 60)) for each in ids],
        ids,
        picture.module,
    )
    labels = {"tickvals": list(range(len(ids))), "ticktext": [plain(snippet(texts.get(each, each), 18)) for each in ids], "tickangle": -35}
    figure = compose(400, [heat], margin={**WIDE_LEFT, "b": 110}, xaxis=labels)
    whole = {each: math.hypot(*(row["per_text"][each] for row in rows if "part_of" not in row)) for each in ids}
    most, least = max(ids, key=lambda each: whole[each]), min(ids, key=lambda each: whole[each])
    place = max((row for row in rows if "part_of" not in row), key=lambda row: row["per_text"][most])["group"]
    few = "" if len(ids) == len(picture.forget) else f" These are the first {len(ids)} of {len(picture.forget)} forget texts."
    said = (
        f"“{snippet(texts.get(most, most), 60)}” pulls hardest ({number(whole[most])} nats per unit of weight over the whole model), and most "
        f"of that at {block_name(place, picture.module)}. "
    )
    if most != least:
        said += f"“{snippet(texts.get(least, least), 60)}” pulls least ({number(whole[least])}). "
    return figure, f"{said}Norms from {number(low)} (dark) to {number(high)} (light).{few} Click a part to make it the place of the next step."


def heat_map(
    table: Sequence[Sequence[float]], groups: Sequence[str], names: Sequence[str], keys: Sequence[Any], module: str, unit: str = "norm"
) -> tuple[Part, float, float]:
    """A heat map of norms (or of others in their `unit`) on a logarithmic scale, with the least and the greatest of them.

    Args:
        table: group -> column -> norm; blank where it is not finite or 0.
        groups: the rows, upwards.
        names: of the columns, for the pointer.
        keys: of the columns, for a click.
        module: what the model calls its blocks.
    """
    logs = [[math.log10(value) if value > 0 and math.isfinite(value) else None for value in line] for line in table]
    finite = [value for line in logs for value in line if value is not None] or [0.0]
    ticks = list(range(math.floor(min(finite)), math.ceil(max(finite)) + 1))
    heat: Part = {
        "type": "heatmap",
        "z": logs,
        "x": list(range(len(names))),
        "y": [block_name(group, module) for group in groups],
        "customdata": [
            [[group, number(value), key, name] for value, key, name in zip(line, keys, names, strict=True)]
            for group, line in zip(groups, table, strict=True)
        ],
        "meta": {"x": list(names), "base": 10},  # the table says norms, not their logarithms
        "hoverongaps": False,
        "colorscale": "Cividis",
        "colorbar": {
            "title": {"text": unit},
            "tickvals": ticks,
            "ticktext": [number(10.0**tick) for tick in ticks],
            "thickness": 10,
        },
        "hovertemplate": "%{y}<br>%{customdata[3]}: %{customdata[1]}<extra></extra>",
    }
    return heat, 10 ** min(finite), 10 ** max(finite)


def conflict(picture: Picture, where: str) -> Drawn:
    """Cosine between what the forget texts and what the retain texts ask for, per parameter group."""
    reading = picture.now("conflict")
    if reading is None:
        return None, "Forget against keep is being measured, or waits for a text to forget."
    if not reading.rows:
        return None, reading.note
    rows = list(reversed(reading.rows))
    names = ["the whole model" if row["group"] == "all" else block_name(row["group"], picture.module) for row in rows]
    groups = [row["group"] for row in rows]
    chosen = place(where, groups)
    blue, orange = DIVERGING[0][1], DIVERGING[-1][1]
    bars: Part = {
        "type": "bar",
        "orientation": "h",
        "x": [row["cosine"] for row in rows],
        "y": names,
        "width": [0.45 if "part_of" in row else 0.8 for row in rows],
        "customdata": groups,
        "marker": {
            "color": [orange if (row["cosine"] or 0) > 0 else blue for row in rows],
            "pattern": {"shape": ["/" if "part_of" in row else "" for row in rows], "fillmode": "overlay", "fgcolor": "white", "size": 5},
            "line": {"color": "#222222", "width": [3 if group == chosen else 0 for group in groups]},
        },
        "name": "now",
        "hovertext": [signed(row["cosine"] or 0.0) for row in rows],
        "hovertemplate": "%{y}: %{hovertext}<extra></extra>",
    }
    traces = [bars]
    if "conflict" in picture.start:
        start = {row["group"]: row["cosine"] for row in picture.start["conflict"].rows}
        traces.append(
            {
                "type": "scatter",
                "x": [start.get(group) for group in groups],
                "y": names,
                "mode": "markers",
                "name": "at the start",
                "customdata": groups,
                "marker": {"symbol": START.marker, "size": 10, "color": START.colour, "line": {"width": 2, "color": START.colour}},
                "hovertext": [signed(start.get(group) or 0.0) for group in groups],
                "hovertemplate": "%{y} at the start: %{hovertext}<extra></extra>",
            }
        )
    across = {"title": {"text": "cosine, −1 to 1; \N{WHITE DIAMOND} = start"}, "range": [-1.04, 1.04], "tickvals": [-1, -0.5, 0, 0.5, 1]}
    figure = compose(350, traces, margin=WIDE_LEFT, showlegend=False, xaxis=across)
    both = counted.rests_on(picture, {group: reading.passages.get(group, ()) for group in ("forget", "retain")})
    said = [*_conflict_said(reading.rows, chosen, where, picture.module), both, "Click a part to make it the place of the next step."]
    return figure, " ".join(each for each in said if each)


def _conflict_said(rows: Sequence[Mapping[str, Any]], chosen: str, where: str, module: str) -> list[str]:
    """Where a step hurts the kept texts most, and what the number of the present place means."""

    def cost(row: Mapping[str, Any]) -> float:
        """Change of the retain loss for a step of length 1."""
        return float((row["along_retain"] or 0.0) * row["retain_norm"])

    worst = max((row for row in rows if "part_of" not in row and row["group"] != "all"), key=cost)
    said = ["Orange: forgetting there makes the kept (retain) texts less likely too; blue: likelier."]
    if cost(worst) > 0:
        said.append(
            f"Of steps of one length, one at {block_name(worst['group'], module)} hurts the kept texts most: {signed(cost(worst))} nats per token "
            "and unit of length, to first order."
        )
    else:
        said.append("Nowhere does a step that makes the forget texts less likely do so to the kept texts, to first order.")
    row = next((each for each in rows if each["group"] == chosen), None)
    if row is None:
        said.append(f"The place of the next step, {where}, is no single part, so it has no bar of its own.")
    elif row["along_retain"] is None:
        said.append(f"At {block_name(chosen, module)}, the place of the next step, a gradient is 0: there is no angle.")
    else:
        name = "the whole model" if chosen == "all" else block_name(chosen, module)
        effect = "raises" if row["along_retain"] > 0 else "lowers"
        said.append(
            f"At {name}, the place of the next step, along_retain is {signed(row['along_retain'])}: that share of an ascent step lies along the "
            f"kept texts' gradient, so it {effect} their loss, by {number(abs(cost(row)))} nats per token and unit of length."
        )
    return said
