"""in_words: what a part of the page shows, as plain text: for places that show no widgets, for `print`, and for saved notebooks."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator
from functools import singledispatch
from itertools import zip_longest
from typing import Any

import ipywidgets as widgets

from unlearnviz.numbers import number
from unlearnviz.views.chart import Chart
from unlearnviz.views.fold import FoldButton
from unlearnviz.views.passages import PassageList
from unlearnviz.views.sentence import Sentence
from unlearnviz.views.table import Table
from unlearnviz.views.tokens import TokenText

FEW = 8  # points of a line, and texts of a list, that are written out


def in_words(widget: widgets.Widget) -> str:
    """What it shows now, line by line; empty for buttons and for what is hidden."""
    return "\n".join(line for line in _lines(widget) if line.strip())


@singledispatch
def _lines(_widget: widgets.Widget) -> Iterable[str]:
    """Whatever is not known below says nothing: what acts, and what only arranges the page."""
    return ()


@_lines.register
def _(box: widgets.Box) -> Iterator[str]:
    if box.layout.display != "none" and box.layout.visibility != "hidden":
        for child in box.children:
            yield from _lines(child)


@_lines.register
def _(heading: widgets.HTML) -> Iterator[str]:
    text = html.unescape(re.sub(r"<[^>]*>", "", heading.value)).strip()
    if text:
        yield f"== {text}"


@_lines.register
def _(label: widgets.Label) -> Iterator[str]:
    yield label.value


@_lines.register(widgets.Text)
@_lines.register(widgets.Textarea)
@_lines.register(widgets.Dropdown)
def _(field: Any) -> Iterator[str]:
    if field.value not in (None, ""):
        yield f"{field.description}: {getattr(field, 'label', None) or field.value}"


@_lines.register
def _(sentence: Sentence) -> Iterator[str]:
    yield sentence.text


@_lines.register
def _(fold: FoldButton) -> Iterator[str]:
    yield f"== {fold.title}" if fold.unfolded else f"({fold.title}: folded)"


@_lines.register
def _(tokens: TokenText) -> Iterator[str]:
    for row in tokens.rows:
        yield f"  {row['label']}: {''.join(token[0] for token in row['tokens'])}"


@_lines.register
def _(table: Table) -> Iterator[str]:
    if table.rows:
        yield table.caption
        yield from ("  " + " | ".join(row) for row in (table.head, *table.rows))
    yield table.summary


@_lines.register
def _(texts: PassageList) -> Iterator[str]:
    yield f"{texts.label}: {len(texts.rows)}" if len(texts.rows) else texts.empty
    for row in texts.rows[:FEW]:
        yield "  - " + " ".join(str(row[key]) for key in ("text", "badge", "note") if row.get(key))
    if len(texts.rows) > FEW:
        yield f"  and {len(texts.rows) - FEW} more"


@_lines.register
def _(chart: Chart) -> Iterator[str]:
    yield chart.summary
    for trace in () if chart.figure is None else chart.figure.data:
        x, y, name = getattr(trace, "x", None), getattr(trace, "y", None), trace.name or "numbers"
        if getattr(trace, "z", None) is not None:
            yield f"  {name}: {len(trace.z)} rows of numbers, drawn as colours"
        elif x is not None and y is not None and len(x):
            points = [f"{_short(one)}: {_short(other)}" for one, other in zip_longest(x, y, fillvalue="")]
            left = f"the last {FEW} of {len(points)}: " if len(points) > FEW else ""
            yield f"  {name}: {left}{', '.join(points[-FEW:])}"


def _short(value: Any) -> str:
    """A number in three digits, as the page writes it; anything else as it is."""
    try:
        return number(float(value))
    except (TypeError, ValueError):
        return str(value)
