"""Figures of membership: what the model makes of the forget texts and of texts never seen, and how well a threshold tells them apart."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from unlearnviz.engine.membership import STATISTICS, roc
from unlearnviz.engine.probes.membership_inference import CLASSIFIERS, accuracy_said, auc_said, scores, side_said, undecided
from unlearnviz.engine.probes.probe import Reading
from unlearnviz.numbers import number
from unlearnviz.views import counted
from unlearnviz.views.figures import HOVER, Drawn, Part, compose, upright
from unlearnviz.views.styles import COLOURS, HERE, MARKERS, NOW, PALE, START, THRESHOLD, TWIN

TITLES = {"loss": "loss", "entropy": "entropy of the next token", "min-k": "Min-K %", "min-k++": "Min-K %++"}
MEANING = "The aim is the twin's value, or 50 % where there is no twin; far above and far below give the texts away."
NOT_YET = "Not measured yet: press Measure now. The model reads the texts to forget and all that it never saw; that can be stopped."
BINS = 32
TAIL = 0.02  # of the never-seen texts on either side: few that lie far out would press all others together
UP = {"forget": 1, "never seen": -1}  # bars upwards and downwards


class Readings(NamedTuple):
    """Of the same texts: the last one on the way here, that of the start, and that of the twin."""

    now: Reading | None
    start: Reading | None
    twin: Reading | None

    @property
    def measured(self) -> bool:
        """Whether there is a text to draw."""
        return self.now is not None and bool(self.now.rows)


def texts(reading: Reading, statistic: str) -> tuple[np.ndarray, np.ndarray]:
    """The number of each forget text and of each never-seen one, as it was measured."""
    sign = STATISTICS[statistic].sign
    members, others = scores(_texts(reading), statistic)
    return sign * members, sign * others


def span(readings: Readings, statistic: str) -> tuple[float, float]:
    """From the lowest to the highest number: of all forget texts, now, at the start and of the twin, and of all but a few never-seen ones."""
    parts = [texts(each, statistic) for each in readings if each is not None]
    every = np.concatenate([each for members, others in parts for each in (members, _without_tails(others))])
    return float(every.min()), float(every.max())


def first_threshold(reading: Reading, statistic: str) -> float:
    """The number that one in ten never-seen texts is beyond, on the side of the taught."""
    _, others = texts(reading, statistic)
    return float(np.quantile(others, 0.1 if STATISTICS[statistic].sign < 0 else 0.9)) if len(others) else 0.0


def called(reading: Reading, statistic: str, threshold: float) -> tuple[int, int]:
    """How many forget texts, and how many never-seen ones, are at the threshold or beyond it on the side of the taught."""
    sign = STATISTICS[statistic].sign
    members, others = (int((sign * each >= sign * threshold).sum()) for each in texts(reading, statistic))
    return members, others


def calls(reading: Reading, statistic: str, threshold: float) -> str:
    """The same in a sentence."""
    counted = []
    for kind, count, each in zip(
        ("forget", "never-seen"), called(reading, statistic, threshold), texts(reading, statistic), strict=True
    ):
        share = f" ({number(100 * count / len(each))} %)" if len(each) else ""
        counted.append(f"{count} of {len(each)} {kind} texts{share}")
    side = "At least" if STATISTICS[statistic].sign > 0 else "At most"
    return f"{side} {number(threshold)} {STATISTICS[statistic].unit}: {' and '.join(counted)} are called members."


def histograms(readings: Readings, statistic: str, threshold: float, *, here: int) -> Drawn:
    """The forget texts upwards and the never-seen ones downwards, in percent of each; and what that gives away, in words."""
    now = readings.now
    if now is None or not now.rows:
        return None, NOT_YET if now is None else f"{now.note}. {MEANING}"
    low, high = span(readings, statistic)
    kinds = {group: values for group, values in zip(UP, texts(now, statistic), strict=True) if len(values)}
    traces = [_bars(group, values.clip(low, high), np.histogram_bin_edges([low, high], BINS)) for group, values in kinds.items()]
    for trace in traces:
        trace["opacity"] = 1.0 if now.step == here else PALE
    upwards = _percent(max(float(trace["customdata"].max()) for trace in traces))
    traces += [_mean(f"mean of {group}", values, MARKERS[group], COLOURS[group]) for group, values in kinds.items()]
    for name, reading, style in (("at the start", readings.start, START), ("twin", readings.twin, TWIN)):
        members = texts(reading, statistic)[0] if reading is not None else np.zeros(0)
        if len(members):
            traces.append(_mean(f"mean of forget, {name}", members, style.marker, style.colour))
    like = "lower" if STATISTICS[statistic].sign < 0 else "higher"
    across = {"title": {"text": f"{TITLES[statistic]} ({STATISTICS[statistic].unit}; {like} = as if taught)", "standoff": 4}}
    figure = compose(280, traces, shapes=[upright(threshold, THRESHOLD, 2)], bargap=0, barmode="relative", xaxis=across, yaxis=upwards)
    far = int(sum(((values < low) | (values > high)).sum() for values in kinds.values()))
    out = f" The outermost bars hold {far} never-seen text{'s that lie' if far > 1 else ' that lies'} further out." if far else ""
    return figure, sentence(readings, statistic, here=here) + out


def curves(readings: Readings, statistic: str, threshold: float) -> Drawn:
    """The ROC curve of now, of the start and of the twin, with the threshold as a point; none where there are too few texts."""
    now = readings.now
    if now is None or not now.rows:
        return None, ""
    if not judged(now, statistic):
        return None, "No curve is drawn of texts that cannot be judged."
    traces: list[Part] = [_line("chance", np.array([0.0, 1.0]), np.array([0.0, 1.0]), HERE, "dash", 1)]
    for name, reading, style in (("at the start", readings.start, START), ("twin", readings.twin, TWIN), ("now", now, NOW)):
        if reading is not None and judged(reading, statistic):
            traces.append(_line(name, *roc(*scores(_texts(reading), statistic)), style.colour, style.dash, 2))
    found, mistaken = (
        100 * count / len(each) for count, each in zip(called(now, statistic, threshold), texts(now, statistic), strict=True)
    )
    point: Part = {
        "type": "scatter",
        "mode": "markers",
        "name": "threshold",
        "x": [mistaken],
        "y": [found],
        "marker": {"symbol": "circle", "size": 10, "color": THRESHOLD},
        "hovertemplate": f"threshold: %{{y:{HOVER}}} % found, %{{x:{HOVER}}} % by mistake<extra></extra>",
    }
    across = {"title": {"text": "never-seen texts called members (%)", "standoff": 4}, "range": [-2, 102]}
    upwards = {"title": {"text": "forget texts called members (%)"}, "range": [-2, 102]}
    figure = compose(280, [*traces, point], xaxis=across, yaxis=upwards)
    return figure, (
        f"ROC curve by {TITLES[statistic]}: the threshold finds {number(found)} % of the forget texts, and takes {number(mistaken)} % of the "
        "never-seen ones for such by mistake."
    )


def judged(reading: Reading, statistic: str) -> dict[str, Any] | None:
    """The row that judges a statistic; None where there are too few texts."""
    return next((row for row in reading.rows if row.get("statistic") == statistic), None)


def sentence(readings: Readings, statistic: str, *, here: int) -> str:
    """What the statistic gives away now, beside the start and the twin."""
    now = readings.now
    if now is None:
        return NOT_YET
    when = "" if now.step == here else f"Measured at step {now.step}, you are at step {here}. "
    row = judged(now, statistic)
    if row is None:
        return f"{when}{now.note or undecided(now.rows)}. {MEANING}"
    of = f"{counted.texts(now)} to forget and {counted.texts(now, 'never seen')} never seen"
    said = f"{when}By {TITLES[statistic]}, over {of}: {auc_said(row)} {side_said(row, 'auc')}"
    if statistic in CLASSIFIERS:
        said += f" {accuracy_said(row)}"
    beside = [("at the start", readings.start), ("of the twin, which is the aim,", readings.twin)]
    known = [(name, judged(reading, statistic)) for name, reading in beside if reading is not None]
    areas = [f"{name} {number(row['auc'])} %" for name, row in known if row is not None]
    compared = f" AUC {'; '.join(areas)}." if areas else ""
    return f"{said}{compared} {MEANING}"


def _texts(reading: Reading) -> list[dict[str, Any]]:
    return [row for row in reading.rows if row["group"] != "both"]


def _without_tails(values: np.ndarray) -> np.ndarray:
    tail = int(TAIL * len(values))
    kept: np.ndarray = np.sort(values)[tail : len(values) - tail]
    return kept


def _bars(group: str, values: np.ndarray, edges: np.ndarray) -> Part:
    shares = 100 * np.histogram(values, edges)[0] / len(values)
    return {
        "type": "bar",
        "name": group,
        "x": (edges[:-1] + edges[1:]) / 2,
        "y": UP[group] * shares,
        "width": float(edges[1] - edges[0]),
        "marker": {"color": COLOURS[group], "line": {"width": 0}},
        "customdata": shares,
        "hovertemplate": f"%{{customdata:{HOVER}}} % of {group} about %{{x:{HOVER}}}<extra></extra>",
    }


def _percent(most: float) -> Part:
    """An axis of percent that counts from 0 in both directions."""
    tick = next(each for each in (1, 2, 5, 10, 20, 25, 50) if 2.2 * each >= most)
    ticks = [tick * k for k in range(-2, 3)]
    return {
        "title": {"text": "% of the texts of a kind"},
        "range": [-1.1 * most, 1.1 * most],
        "tickvals": ticks,
        "ticktext": [str(abs(each)) for each in ticks],
    }


def _mean(name: str, values: np.ndarray, symbol: str, colour: str) -> Part:
    mean = float(values.mean())
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": [mean],
        "y": [0.0],
        "marker": {"symbol": symbol, "size": 11, "color": colour, "line": {"width": 1.5, "color": "white" if "open" not in symbol else colour}},
        "hovertemplate": f"{name}: {number(mean)}<extra></extra>",
    }


def _line(name: str, across: np.ndarray, up: np.ndarray, colour: str, dash: str, width: int) -> Part:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": 100 * across,
        "y": 100 * up,
        "line": {"color": colour, "dash": dash, "width": width},
        "hovertemplate": f"{name}: %{{y:{HOVER}}} % found, %{{x:{HOVER}}} % by mistake<extra></extra>",
    }
