"""The figure of influences: taught texts x parameter groups (or x forget texts), the strongest first."""

from __future__ import annotations

import html
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from unlearnviz.engine.probes.probe import Reading
from unlearnviz.numbers import number, signed
from unlearnviz.views.figures import HOVER, Drawn, block_name, compose
from unlearnviz.views.styles import DIVERGING, PALE

SHOWN = 20  # texts drawn at first; the rest is one click away
ROW = 19  # pixels of a text in the map
WAYS = ("now", "at the start", "difference")
BY = ("parts of the model", "forget texts")


@dataclass(frozen=True)
class Scores:
    """Influences ready to be drawn, texts from the strongest to the weakest.

    Attributes:
        texts: passage ids, the forget texts left out; the never-seen ones in `floor`.
        columns: names of the columns.
        table: text -> column -> score.
        total: text -> score over the whole model.
        own: forget id -> its score: a text is always close to itself.
        floor: never-seen text -> score over the whole model.
        strongest_floor: column -> the never-seen score that lies furthest from 0.
    """

    texts: tuple[str, ...]
    columns: tuple[str, ...]
    table: Mapping[str, Mapping[str, float]]
    total: Mapping[str, float]
    own: Mapping[str, float]
    floor: Mapping[str, float]
    strongest_floor: Mapping[str, float]


def scores(now: Reading, start: Reading | None, way: str, by: str) -> Scores | None:
    """What to draw; None where the start is asked for and was not measured."""
    if way != "now" and start is None:
        return None
    cells = {"now": _cells(now, by)}
    if start is not None:
        cells["at the start"] = _cells(start, by)
        both = cells["now"].keys() & cells["at the start"].keys()
        cells["difference"] = {
            text: {
                column: value - cells["at the start"][text].get(column, 0.0) for column, value in cells["now"][text].items()
            }
            for text in cells["now"]
            if text in both
        }
    table = cells[way]
    groups = {row["passage"]: row["group"] for row in now.rows}
    taught = [text for text in table if groups.get(text) == "taught"]
    columns = _in_order([column for column in next(iter(table.values()), {}) if column != ""])
    floor = {text: line[""] for text, line in table.items() if groups.get(text) == "never seen"}
    return Scores(
        texts=tuple(sorted(taught, key=lambda text: -abs(table[text][""]))),
        columns=columns,
        table=table,
        total={text: line[""] for text, line in table.items()},
        own={text: line[""] for text, line in table.items() if groups.get(text) == "forget"},
        floor=floor,
        strongest_floor={
            column: max((table[text].get(column, 0.0) for text in floor), key=abs, default=0.0) for column in columns
        },
    )


def _in_order(columns: Sequence[str]) -> tuple[str, ...]:
    """The two uses of a tied embedding beside it."""
    parts = [column for column in columns if column.startswith("embedding.")]
    if "embedding" not in columns:
        return tuple(columns)
    rest = [column for column in columns if column not in parts]
    return tuple(each for column in rest for each in ((column, *parts) if column == "embedding" else (column,)))


def _cells(reading: Reading, by: str) -> dict[str, dict[str, float]]:
    """Text -> column -> score, the whole model under ""."""
    field = "groups" if by == BY[0] else "texts"
    return {row["passage"]: {"": row["influence"], **row.get(field, {})} for row in reading.rows}


def row_names(found: Scores, texts: Mapping[str, str], *, everything: bool) -> dict[str, str]:
    """What each row of the map is called, from the lowest up -> its passage id, "" for the row of the never-seen texts."""
    shown = list(reversed(found.texts if everything else found.texts[:SHOWN]))  # plotly draws upwards
    names = [f"{signed(found.total[text])}  {_safe(texts.get(text, text), 34)}" for text in shown]
    often = Counter(names)
    told_apart = {name if often[name] == 1 else f"{name} ({text})": text for name, text in zip(names, shown, strict=True)}
    return {"never seen: the furthest from 0": "", **told_apart} if found.floor else told_apart


def _floor(found: Scores) -> list[float]:
    return [found.strongest_floor[column] for column in found.columns]


def influence_map(found: Scores, texts: Mapping[str, str], *, unit: str, pale: bool, everything: bool, module: str) -> Drawn:
    """The heat map: orange texts hold the forget texts in the model, blue ones push them out; and its sentence.

    Args:
        found: from `scores`.
        texts: passage id -> its text, for the names of rows and columns.
        unit: of the scores.
        pale: whether it was measured at another step than the present one.
        everything: draw all texts instead of the strongest.
        module: what the model calls its blocks.
    """
    if not found.texts:
        return None, "No taught text was measured."
    names = row_names(found, texts, everything=everything)
    rows = list(names.values())
    lines = [
        [found.table[text].get(column, math.nan) for column in found.columns] if text else _floor(found) for text in rows
    ]
    labels = [_safe(texts[each], 22) if each in texts else block_name(each, module) for each in found.columns]
    labels = [
        label if labels.count(label) == 1 else f"{label} ({each})" for label, each in zip(labels, found.columns, strict=True)
    ]
    reach = max((abs(value) for line in lines for value in line if math.isfinite(value)), default=1.0) or 1.0
    heat: dict[str, Any] = {
        "type": "heatmap",
        "z": np.array(lines, dtype=np.float32),  # travels as binary
        "x": labels,
        "y": list(names),
        "hovertemplate": f"%{{z:{HOVER}}}<extra></extra>",
        "colorscale": DIVERGING,
        "zmin": -reach,
        "zmax": reach,
        "opacity": PALE if pale else 1,
        "xgap": 1,
        "ygap": 0 if everything else 1,
        "colorbar": {"title": {"text": unit.replace(", ", ",<br>"), "side": "right", "font": {"size": 11}}, "thickness": 12},
    }
    across = {"tickangle": -40, "type": "category"}
    upwards: dict[str, Any] = {"type": "category", "dtick": 1}
    height = 150 + ROW * len(rows)
    if everything:
        height, upwards = (
            700,
            {"title": {"text": f"{len(found.texts)} texts, the furthest from 0 above"}, "showticklabels": False},
        )
    else:
        heat["text"] = [
            [
                f"{_safe(texts.get(text, name), 80)}<br>{label}: {signed(value)}"
                for label, value in zip(labels, line, strict=True)
            ]
            for text, name, line in zip(rows, names, lines, strict=True)
        ]
        heat["hovertemplate"] = "%{text}<extra></extra>"
    figure = compose(height, [heat], margin={"l": 300, "r": 12, "t": 8, "b": 100}, xaxis=across, yaxis=upwards)
    return figure, sentence(found, texts)


def sentence(found: Scores, texts: Mapping[str, str]) -> str:
    """What the map says, with the noise floor."""
    first = found.texts[0]
    verb = "holds the forget texts in the model" if found.total[first] > 0 else "pushes the forget texts out"
    said = f"Of {len(found.texts)} taught texts, this one {verb} most: “{snippet(texts.get(first, first), 90)}” ({signed(found.total[first])})."
    if found.floor:
        floor = max(abs(value) for value in found.floor.values())
        above = sum(abs(found.total[text]) > floor for text in found.texts)
        said += (
            f" Of {len(found.floor)} never-seen texts the furthest from 0 has {number(floor)}; {above} taught "
            f"text{'s lie' if above != 1 else ' lies'} further out than that, and a score within it is what any two texts have in common."
        )
    if found.own:
        low, high = min(found.own.values()), max(found.own.values())
        said += f" The forget texts themselves have {signed(low)} to {signed(high)} and are not drawn."
    return said


def snippet(text: str, length: int) -> str:
    """The beginning of a text, on one line."""
    head = text[: 20 * length]  # of a book the first words are enough
    line = " ".join(head.split())
    return line if len(line) <= length and len(head) == len(text) else line[: length - 1].rstrip() + "…"


def _safe(text: str, length: int) -> str:
    """The same for a figure: plotly reads tags, and a text has none."""
    return html.escape(snippet(text, length), quote=False)


def token_rows(reading: Reading, group: str) -> Sequence[tuple[str, float]]:
    """(token, its share) of a text, by one part of the model or ("") all of it."""
    return [(row["token"], row["groups"].get(group, 0.0) if group else row["influence"]) for row in reading.rows]
