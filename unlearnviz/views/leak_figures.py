"""Figures of what leaks: how much of a fact comes out of each prompt; and collateral, in words."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

from unlearnviz.engine.probes.probe import Reading
from unlearnviz.numbers import number
from unlearnviz.views import counted
from unlearnviz.views.figures import HOVER, Drawn, compose, upright
from unlearnviz.views.influence_figures import snippet
from unlearnviz.views.plain import plain
from unlearnviz.views.styles import COLOURS, MARKERS, PALE, START, TWIN
from unlearnviz.views.terms import term

GROUPS = ("forget", "paraphrase", "neighbours", "never seen")  # from the top
SHADES = {**COLOURS, "paraphrase": "#A8338B"}
SHAPES = {**MARKERS, "paraphrase": "triangle-up"}
MEANING = term("leak").said
NOT_YET = f"{MEANING} Not measured yet: press Measure now; it can be stopped."
COLLATERAL = term("collateral").said


def leak(now: Reading | None, start: Reading | None, twin: Reading | None, *, here: int) -> Drawn:
    """A point per prompt, group by group, with the mean of each group, and that of the start and the twin; and the sentence."""
    if now is None or not now.rows:
        return None, NOT_YET if now is None else f"{MEANING} {now.note}".strip()
    groups = [group for group in GROUPS if any(row["group"] == group for row in now.rows)]
    heights = {group: len(groups) - 1 - k for k, group in enumerate(groups)}
    traces = [_points(group, heights[group], now) for group in groups]
    for trace in traces:
        trace["opacity"] = 1.0 if now.step == here else PALE
    for name, reading, colour, symbol in (
        ("mean", now, "#222222", "line-ns"),
        ("at the start", start, START.colour, START.marker),
        ("twin", twin, TWIN.colour, TWIN.marker),
    ):
        means = {group: _mean(reading, group) for group in groups if reading is not None}
        shown = {group: value for group, value in means.items() if value is not None}
        if shown:
            traces.append(_means(name, shown, heights, colour, symbol))
    floor = _mean(now, "never seen")
    figure = compose(
        90 + 46 * len(groups),
        traces,
        shapes=[]
        if floor is None
        else [{**upright(floor, SHADES["never seen"], 1), "line": {"color": SHADES["never seen"], "dash": "dot"}}],
        xaxis={"title": {"text": "leak (%)", "standoff": 4}, "range": [-3, 103]},
        yaxis={
            "tickvals": list(heights.values()),
            "ticktext": [f"{group} ({sum(row['group'] == group for row in now.rows)})" for group in groups],
            "range": [-0.6, len(groups) - 0.4],
            "showgrid": False,
            "zeroline": False,
        },
        margin={"l": 112, "r": 8, "t": 8, "b": 36},
    )
    return figure, sentence(now, start, twin, here=here)


def _points(group: str, height: int, reading: Reading) -> dict[str, Any]:
    rows = [row for row in reading.rows if row["group"] == group]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": group,
        "showlegend": False,
        "x": [row["leak"] for row in rows],
        "y": [height + shift for shift in _apart([row["leak"] for row in rows])],
        "marker": {"symbol": SHAPES[group], "size": 7, "color": SHADES[group]},
        "text": [_said(row) for row in rows],
        "hovertemplate": "%{text}<extra></extra>",
    }


def _said(row: dict[str, Any]) -> str:
    chance = "nobody else's to compare with" if row["chance"] is None else f"chance {number(row['chance'])}"
    begin, said, fact = (plain(snippet(row[name], length)) for name, length in (("prompt", 70), ("said", 50), ("fact", 50)))
    return f"{begin}<br>says: {said}<br>fact: {fact}<br>leak {number(row['leak'])} (score {number(row['score'])}, {chance})"


def _apart(values: Sequence[float]) -> list[float]:
    """Shifts within ±0.3 that keep points of about the same value from lying on each other."""
    bins = [round(value / 4) for value in values]
    often, seen, shifts = Counter(bins), Counter[int](), []
    for each in bins:
        shifts.append(0.6 * (seen[each] + 0.5) / often[each] - 0.3)
        seen[each] += 1
    return shifts


def _means(name: str, means: dict[str, float], heights: dict[str, int], colour: str, symbol: str) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": list(means.values()),
        "y": [heights[group] for group in means],
        "marker": {"symbol": symbol, "size": 12, "color": colour, "line": {"width": 1.5, "color": colour}},
        "hovertemplate": f"{name}: %{{x:{HOVER}}}<extra></extra>",
    }


def _mean(reading: Reading | None, group: str) -> float | None:
    values = [row["leak"] for row in reading.rows if row["group"] == group] if reading is not None else []
    return math.fsum(values) / len(values) if values else None


def sentence(now: Reading, start: Reading | None, twin: Reading | None, *, here: int) -> str:
    """How much leaks, beside the start, the twin and the floor."""
    when = "" if now.step == here else f"Measured at step {now.step}, you are at step {here}. "
    beside = [
        f"{name} {number(reading.value)}"
        for name, reading in (("at the start", start), ("the twin", twin))
        if reading is not None and reading.value is not None
    ]
    if now.value is None:
        return f"{when}{MEANING} {now.note}".strip()
    compared = f" ({', '.join(beside)})" if beside else ""
    prompts = counted.texts(now, what="prompt")
    return f"{when}Mean leak of the facts to forget: {number(now.value)} % over {prompts}{compared}. {now.note} {MEANING}".replace(
        "  ", " "
    )


def collateral(reading: Reading | None, *, here: int) -> str:
    """The number with its definition, or why there is none."""
    if reading is None:
        return COLLATERAL
    when = "" if reading.step == here else f" (at step {reading.step}, you are at step {here})"
    value = "" if reading.value is None else f" {number(reading.value)} %{when}."
    return f"{COLLATERAL}{value} {reading.note}".strip()
