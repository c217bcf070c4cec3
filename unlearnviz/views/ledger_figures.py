"""Figures of the ledger: what was recorded, epoch by epoch and part by part; and what it would cost to keep more or less."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from unlearnviz.numbers import number
from unlearnviz.views.figures import HOVER, WIDE_LEFT, Drawn, Part, block_name, compose
from unlearnviz.views.layer_figures import heat_map
from unlearnviz.views.styles import CHOSEN
from unlearnviz.views.terms import term

if TYPE_CHECKING:
    from unlearnviz.engine.corpus import Passage
    from unlearnviz.engine.ledger import Ledger
    from unlearnviz.engine.storage_meter import Choice

SHOWS = ("norms of gradients", "norms of deltas", "bytes of gradients", "bytes of deltas")
NO_LEDGER = (
    "Nothing was recorded while this model learned, so there is nothing to roll back. In a cell, session.learn(5, track=['…']) teaches the "
    "model again and records what each update owes to the texts named there; then run dashboard.refresh()."
)
CHOICE_HEAD = ("what is kept", "of which part", "as")
RHO = "\N{GREEK SMALL LETTER RHO}"
CHOICES = "What keeping more, or less, of the same texts and updates would take (share of all parameters kept in full)"
KEPT = f"{term('rho').said} Gradients: one per text and update; deltas: one per update."
COLOURS = {"gradients": "#4477AA", "deltas": "#AA7733"}


def recorded(ledger: Ledger, show: str, epochs: Collection[int], groups: Collection[str], module: str) -> Drawn:
    """Epochs x groups as a heat map; the chosen cells are framed. Norms are over all tracked texts."""
    kind, what = show.split(" of ")
    cells = ledger.norms(what) if kind == "norms" else {key: float(size) for key, size in ledger.measured_bytes(what).items()}
    cells = {key: value for key, value in cells.items() if value > 0}
    if not cells:
        return None, f"No {what} were recorded. {_extent(ledger)}"
    rows = list(ledger.groups)[::-1]
    columns = list(range(1, ledger.epochs + 1))
    table = [[cells.get((epoch, group), math.nan) for epoch in columns] for group in rows]
    unit = "L2 norm" if kind == "norms" else "bytes"
    heat, low, _ = heat_map(table, rows, [f"epoch {epoch}" for epoch in columns], columns, module, unit)
    frames = [_frame(epoch - 1, rows.index(group)) for group in groups if group in rows for epoch in sorted(epochs)]
    shown = columns[:: 1 + len(columns) // 20]
    across = {"title": {"text": "epoch"}, "tickvals": [epoch - 1 for epoch in shown], "ticktext": [str(epoch) for epoch in shown], "tickangle": 0}
    figure = compose(110 + 24 * len(rows), [heat], margin=WIDE_LEFT, shapes=frames, xaxis=across)
    (epoch, group), most = max(cells.items(), key=lambda cell: cell[1])
    words = number if kind == "norms" else size_in_words
    said = f"{show.capitalize()}, from {words(low)} (dark) to {words(most)} (light), the largest in epoch {epoch} at {block_name(group, module)}."
    return figure, f"{said} {_extent(ledger)}"


def _frame(column: int, row: int) -> Part:
    """A frame around a chosen cell."""
    ends: Part = {"x0": column - 0.46, "x1": column + 0.46, "xref": "x", "y0": row - 0.42, "y1": row + 0.42, "yref": "y"}
    return {"type": "rect", **ends, "line": {"color": CHOSEN, "width": 3}}


def _extent(ledger: Ledger) -> str:
    texts = f"{len(ledger.tracked)} tracked text{'s' if len(ledger.tracked) != 1 else ''}"
    when = f"{len(ledger.steps)} of {ledger.updates} updates ({ledger.epochs} epochs of {ledger.recipe.optimizer})"
    part = "" if ledger.tracking.keep == 1 else f", {number(ledger.tracking.keep)} of each layer"
    return f"Recorded: {texts}, {when}{part}, {size_in_words(sum(ledger.measured_bytes().values()))}."


def size_in_words(size: float) -> str:
    """Bytes in the largest unit that leaves a number of at least 1: "1.23 MB" is 1.23 million bytes."""
    for unit, worth in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= worth:
            return f"{number(size / worth)} {unit}"
    return f"{number(size)} bytes"


def untracked(ledger: Ledger, forget: Sequence[Passage]) -> str:
    """Whether the texts to forget were recorded, and what to do where not."""
    known = set(ledger.tracked)
    missing = [passage.id for passage in forget if passage.id not in known]
    if not forget:
        return "Pick texts to forget."
    if not missing:
        return f"All {len(forget)} picked texts were recorded." if len(forget) > 1 else "The picked text was recorded."
    named = ", ".join(missing[:3]) + (f" and {len(missing) - 3} more" if len(missing) > 3 else "")
    return f"Not recorded: {named}. session.replay([...]) trains a copy once more and records them; or pick tracked texts."


def in_words(epochs: Collection[int], total: int) -> str:
    """Epochs as settings write them: "all", "first", "1, 3-5"; "" for none."""
    chosen = sorted(epochs)
    if chosen == list(range(1, total + 1)) and total > 1:
        return "all"
    if chosen == [1]:
        return "first"
    runs: list[list[int]] = []
    for epoch in chosen:
        if runs and runs[-1][1] == epoch - 1:
            runs[-1][1] = epoch
        else:
            runs.append([epoch, epoch])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)


def bytes_by_group(ledger: Ledger, module: str) -> Drawn:
    """How many bytes each part takes now, gradients and deltas side by side."""
    groups = list(ledger.groups)[::-1]
    sizes = {what: dict.fromkeys(groups, 0) for what in COLOURS}
    for what, by_group in sizes.items():
        for (_, group), size in ledger.measured_bytes(what).items():
            by_group[group] += size
    traces: list[Part] = [
        {
            "type": "bar",
            "orientation": "h",
            "name": what,
            "x": [by_group[group] / 1e6 for group in groups],
            "y": [block_name(group, module) for group in groups],
            "marker": {"color": COLOURS[what], "pattern": {"shape": "" if what == "gradients" else "/"}},
            "hovertemplate": f"{what} at %{{y}}: %{{x:{HOVER}}} MB<extra></extra>",
        }
        for what, by_group in sizes.items()
    ]
    figure = compose(110 + 26 * len(groups), traces, margin=WIDE_LEFT, barmode="stack", xaxis={"title": {"text": "million bytes on disk"}})
    said = ", ".join(f"{what} {size_in_words(sum(by_group.values()))}" for what, by_group in sizes.items())
    return figure, f"On disk now: {said}."


def choice_rows(choices: Sequence[Choice]) -> tuple[list[str], list[list[str]]]:
    """The titles of the columns (one per share of entries kept), and one line per kind of record, part and precision."""
    keeps = list(dict.fromkeys(each.keep for each in choices))
    lines: dict[tuple[str, str, str], dict[float, str]] = {}
    for each in choices:
        share = f"{number(100 * each.share)} %"
        lines.setdefault((each.what, each.where, each.dtype), {})[each.keep] = f"{size_in_words(each.bytes)} ({share})"
    precision = {"full": "float32", "half": "float16"}
    rows = [[what, where, precision[dtype], *(cells[keep] for keep in keeps)] for (what, where, dtype), cells in lines.items()]
    return [*CHOICE_HEAD, *(f"{RHO} = {number(keep)}" for keep in keeps)], rows
