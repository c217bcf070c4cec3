"""Styles: how each group of texts and each state of the model looks, in every figure.

A group keeps one colour, dash and marker. The same texts now, at the start and in the twin differ by the style of the line. Colours are
told apart by the colour-blind (after Okabe and Ito) and stand out from white paper by at least 3:1; on a dark page chart_style.js lightens
what would be lost there.
"""

from __future__ import annotations

from typing import NamedTuple

COLOURS = {"forget": "#D55E00", "neighbours": "#9E6A00", "retain": "#0072B2", "never seen": "#5A5A5A"}
DASHES = {"forget": "solid", "neighbours": "dash", "retain": "longdashdot", "never seen": "dot"}
MARKERS = {"forget": "circle", "neighbours": "diamond", "retain": "square", "never seen": "x"}


class State(NamedTuple):
    """How one state of the model is drawn, where several are compared.

    Attributes:
        colour: "#rrggbb".
        dash: of a line, as plotly names it.
        marker: of a point, as plotly names it.
    """

    colour: str
    dash: str
    marker: str


NOW = State("#D55E00", "solid", "circle")
START = State("#444444", "longdash", "diamond-tall-open")
TWIN = State("#007A5E", "dashdot", "hourglass-open")

MEASURED = "#3B8EC9"  # bars of a number that belongs to no group
THRESHOLD = "#7A3E9D"  # a line that a person moves, or that a claim has to keep to
HERE = "#8A8A8A"  # where we stand on a path; what chance would reach
CHOSEN = "#D55E00"  # the frame around what was chosen
PALE = 0.35  # opacity of what was measured at another step, or lies below a threshold
# blue through white to orange: less and more. The same two colours shade the tokens of a text
DIVERGING = [[0.0, "#0072B2"], [0.25, "#7FB8D8"], [0.5, "#FFFFFF"], [0.75, "#EAAE7F"], [1.0, "#D55E00"]]
