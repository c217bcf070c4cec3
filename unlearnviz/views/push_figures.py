"""Figures of what a step pushed: tokens whose embedding rows moved, and next tokens that became more and less likely."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from unlearnviz.engine.probes.probe import Reading
from unlearnviz.numbers import number, signed
from unlearnviz.views.figures import HOVER, Drawn, Part, compose
from unlearnviz.views.influence_figures import snippet
from unlearnviz.views.inside_text import shown
from unlearnviz.views.plain import plain
from unlearnviz.views.styles import DIVERGING, HERE, MEASURED

LINE = 24  # pixels of a token
DOWN, UP = DIVERGING[0][1], DIVERGING[-1][1]
PENDING = "It is being measured, or waits for a text to forget."


def moved(reading: Reading | None) -> Drawn:
    """The tokens whose rows of the embedding moved furthest, with the parts that came from its two uses."""
    if reading is None:
        return None, PENDING
    rows = [row for row in reading.rows if row["kind"] == "token"][::-1]  # plotly draws upwards
    if not rows:
        return None, reading.note or "No token's row moved."
    at = list(range(len(rows)))
    traces: list[Part] = [
        {
            "type": "bar",
            "orientation": "h",
            "name": "moved",
            "x": [row["moved"] for row in rows],
            "y": at,
            "marker": {"color": MEASURED},
            "hovertemplate": f"moved %{{x:{HOVER}}}<extra></extra>",
        }
    ]
    for use, symbol, colour in (("input", "diamond", "#333333"), ("output", "x", "#A8338B")):
        if rows[-1][use] is not None:
            marks: Part = {"type": "scatter", "mode": "markers", "name": f"as {use}", "x": [row[use] for row in rows], "y": at}
            marks |= {"marker": {"symbol": symbol, "size": 8, "color": colour}, "hovertemplate": f"as {use}: %{{x:{HOVER}}}<extra></extra>"}
            traces.append(marks)
    across = {"title": {"text": "how far its row moved (L2 norm)"}, "rangemode": "tozero", "nticks": 5}
    upwards = {"zeroline": False, "tickvals": at, "ticktext": [_quoted(row["token"]) for row in rows]}
    figure = compose(110 + LINE * len(rows), traces, margin={"l": 96, "r": 12, "t": 8, "b": 44}, xaxis=across, yaxis=upwards)
    first = rows[-1]
    said = f"The row of “{shown(first['token'])}” in the embedding moved furthest: {number(first['moved'])}"
    said += "" if reading.value is None else f", of {number(reading.value)} for all rows together (L2 norms)"
    if first["input"] is not None:
        said += f". From its use as input {number(first['input'])}, as output {number(first['output'])}; parts add up as vectors"
    return figure, " ".join(part for part in (f"{said}.", reading.note) if part)


def prompts(reading: Reading | None) -> Sequence[str]:
    """The prompts that were tried, in order."""
    rows = reading.rows if reading is not None else ()
    return tuple(dict.fromkeys(row["prompt"] for row in rows if row["kind"] == "next"))


def next_words(reading: Reading | None, prompt: str) -> Drawn:
    """The next tokens whose probabilities rose and fell most after a prompt: a line from before to after."""
    if reading is None:
        return None, PENDING
    rows = [row for row in reading.rows if row["kind"] == "next" and row["prompt"] == prompt][::-1]
    if not rows:
        return None, reading.note if not reading.rows else "No next token became more or less likely."
    at = list(range(len(rows)))
    lines: Part = {
        "type": "scatter",
        "mode": "lines",
        "name": "change",
        "x": [x for row in rows for x in (row["before"], row["after"], None)],
        "y": [y for k in at for y in (k, k, None)],
        "line": {"color": HERE, "width": 3},
        "showlegend": False,
        "hoverinfo": "skip",
    }
    colours = [UP if row["change"] > 0 else DOWN for row in rows]
    ends: list[Part] = [
        {
            "type": "scatter",
            "mode": "markers",
            "name": name,
            "x": [row[name] for row in rows],
            "y": at,
            "marker": {"symbol": symbol, "size": 10, "color": colours, "line": {"width": 2, "color": colours}},
            "hovertemplate": f"{name}: %{{x:{HOVER}}}<extra></extra>",
        }
        for name, symbol in (("before", "circle-open"), ("after", "circle"))
    ]
    across = {"title": {"text": "probability; ○ before, ● after the step"}, "range": [-0.02, 1.02], "nticks": 6}
    names = [f"{_quoted(row['token'])}  {number(row['before'])} → {number(row['after'])}" for row in rows]
    upwards = {"zeroline": False, "tickvals": at, "ticktext": names}
    figure = compose(
        90 + LINE * len(rows), [lines, *ends], margin={"l": 190, "r": 12, "t": 8, "b": 44}, showlegend=False, xaxis=across, yaxis=upwards
    )
    return figure, f"Which token comes next after “{snippet(prompt, 80)}”: {_next_said(rows)}."


def _next_said(rows: Sequence[dict[str, Any]]) -> str:
    """The furthest fall and the furthest rise, with their sign."""
    parts = []
    for word, row in (("fell", min(rows, key=lambda each: each["change"])), ("rose", max(rows, key=lambda each: each["change"]))):
        if (row["change"] < 0) == (word == "fell"):
            parts.append(
                f"“{shown(row['token'])}” {word} most, from {number(row['before'])} to {number(row['after'])} ({signed(row['change'])})"
            )
    return ", and ".join(parts)


def _quoted(token: str) -> str:
    """A token for a figure: hostile text obeyed by nobody."""
    return f"“{plain(snippet(shown(token), 16))}”"
