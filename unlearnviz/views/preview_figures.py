"""The figure of a preview: what a step is predicted to change in each group of texts, and what it changed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from unlearnviz.engine.history import StepRecord
from unlearnviz.engine.methods.method import Method
from unlearnviz.engine.preview import Preview, actual
from unlearnviz.engine.stepping import json_safe
from unlearnviz.numbers import signed
from unlearnviz.views.counted import rests_on
from unlearnviz.views.figures import Drawn, Part, block_name, compose
from unlearnviz.views.picture import Picture
from unlearnviz.views.plain import plain
from unlearnviz.views.styles import COLOURS, HERE, PALE

SIGN = "Positive: the texts become less likely."
NOT_YET = "Not previewed: press Preview the step, and see what it would change in each group of texts before you take it."


def foreseen(picture: Picture, method: Any, where: str) -> Drawn:
    """The preview that belongs to the present moment, with what came of it; else the latest one, paler.

    Args:
        picture: with the previews of this history.
        method: what is chosen for the next step; a Method, or anything else while there is none.
        where: its place.
    """
    asked = tuple(passage.id for passage in picture.forget)
    kept = [each for each in reversed(picture.previews) if each.forget == asked and each.predicted]
    if not kept:
        return None, NOT_YET
    next_one = next((each for each in kept if each.step == picture.step and _chosen(each, method, where)), None)
    record = picture.records[picture.path.index(picture.step)]
    last_one = next((each for each in kept if _led_to(each, record)), None)
    old = next_one is not kept[0] and any(_led_to(next_one, each) for each in picture.records) if next_one else True
    preview = (last_one or next_one) if old else next_one  # of a step that was taken and undone one knows already
    if preview is None:
        return _draw(kept[0], {}, pale=True), (
            f"{_name(kept[0], picture.module)} was predicted at step {kept[0].step}, for another choice than the present one: "
            f"{_listed(kept[0].predicted)}. Press Preview the step for a fresh one. {SIGN} {rests_on(picture, kept[0].passages)}"
        )
    taken = next((each for each in picture.records if _led_to(preview, each)), None)
    became = _became(picture, preview, taken)
    if not became or taken is None:
        return _draw(preview, {}, pale=False), (
            f"The next step, {_name(preview, picture.module)}, is predicted to change the mean loss: {_listed(preview.predicted)}. {SIGN} "
            f"{rests_on(picture, preview.passages)}"
        )
    return _draw(preview, became, pale=False), (
        f"Step {taken.id}, {_name(preview, picture.module)}. Predicted: {_listed(preview.predicted)}; it became {_listed(became)}: "
        f"the rest is curvature, which a first-order prediction leaves out. {SIGN} {rests_on(picture, preview.passages)}"
    )


def of_last_step(picture: Picture) -> Picture:
    """The picture with no other previews than those of the step that led to its head."""
    record = picture.records[picture.path.index(picture.step)]
    return replace(picture, previews=tuple(each for each in picture.previews if _led_to(each, record)))


def _chosen(preview: Preview, method: Any, where: str) -> bool:
    tidy = ", ".join(part.strip() for part in where.split(",") if part.strip())
    return (
        isinstance(method, Method)
        and (preview.method, preview.where) == (method.name, tidy)
        and dict(preview.settings) == json_safe(method)
    )


def _led_to(preview: Preview, record: StepRecord) -> bool:
    """Whether this is the step that was previewed."""
    return (preview.step, preview.method, dict(preview.settings), preview.where, preview.forget) == (
        record.parent,
        record.method,
        dict(record.settings),
        record.where,
        record.forget,
    )


def _became(picture: Picture, preview: Preview, taken: StepRecord | None) -> dict[str, float]:
    """What the step that was taken changed, where both readings are there and of the same texts."""
    readings = picture.readings.get("perplexity", {})
    before, after = readings.get(preview.step), readings.get(taken.id) if taken is not None else None
    if before is None or after is None or not dict(before.passages) == dict(after.passages) == dict(preview.passages):
        return {}
    changed = actual(before, after)
    return {group: changed[group] for group in preview.predicted if group in changed}


def _name(preview: Preview, module: str) -> str:
    return f"{preview.method} on {', '.join(block_name(part, module) for part in preview.where.split(', '))}"


def _listed(changes: Mapping[str, float]) -> str:
    """Changes in a row: "forget +0.31 nats per token, retain +0.004", the unit said once."""
    said = [f"{group} {said_change(value)}" for group, value in changes.items()]
    return ", ".join([f"{said[0]} nats per token", *said[1:]])


def said_change(value: float) -> str:
    """A change with its sign, also where it is no number."""
    return signed(value) if not math.isnan(value) else "not a number"


def _draw(preview: Preview, became: Mapping[str, float], *, pale: bool) -> Any:
    groups = list(preview.predicted)[::-1]  # plotly draws upwards
    traces = [_bars("predicted", groups, preview.predicted, pale=pale, hatched=True)]
    if became:
        traces.insert(0, _bars("became", groups, became, pale=pale, hatched=False))  # below what was predicted
    values = [value for each in (preview.predicted, became) for value in each.values() if math.isfinite(value)]
    low, high = min([0.0, *values]), max([0.0, *values])
    room = 0.35 * ((high - low) or 1.0)  # for the numbers beside the bars
    across = {
        "title": {"text": "change of the mean loss, nats per token<br>" + ("hatched: predicted; full: what it became" if became else "predicted")},
        "range": [low - (room if low < 0 else room / 8), high + (room if high > 0 else room / 8)],
        "nticks": 6,
    }
    height = 96 + len(groups) * (44 if became else 26)
    return compose(height, traces, margin={"l": 84, "r": 12, "t": 8, "b": 56}, showlegend=False, xaxis=across, bargap=0.25)


def _bars(name: str, groups: Sequence[str], values: Mapping[str, float], *, pale: bool, hatched: bool) -> Part:
    colours = [COLOURS.get(group, HERE) for group in groups]
    marker: Part = {"color": colours, "line": {"color": colours, "width": 1}}
    if hatched:
        marker["pattern"] = {"shape": "/", "fillmode": "replace", "size": 6}
    return {
        "type": "bar",
        "orientation": "h",
        "name": name,
        "x": [values.get(group) for group in groups],
        "y": [plain(group) for group in groups],
        "text": [said_change(values[group]) if group in values else "" for group in groups],
        "textposition": "outside",
        "cliponaxis": False,
        "marker": marker,
        "opacity": PALE if pale else 1,
        "hovertemplate": f"%{{y}}, {name}: %{{text}} nats per token<extra></extra>",
    }
