"""Claims in words and as a figure: the table of all, and the intervals of one beside the line that it has to keep to."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap
from typing import TYPE_CHECKING

from unlearnviz.numbers import number
from unlearnviz.papers.claim import AGAINST, HOLDS, OPEN
from unlearnviz.views.figures import Drawn, Part, compose
from unlearnviz.views.plain import plain
from unlearnviz.views.styles import THRESHOLD

if TYPE_CHECKING:
    from unlearnviz.papers.claim import Claim, Interval

CAPTION = "What four papers say, and what was found here"
HEAD = ("claim", "paper", "whose sentence", "measured here (mean and 95 % interval)", "found", "the setting that may flip it")
MEANING = (
    "Measured on small models, over several seeds, by rules that were fixed before: a claim holds where the interval lies wholly on its side of "
    "the line, under every setting that was tried. Where a paper's text does not tell how it trained, unlearned or measured, that is our "
    "reconstruction. “Not here” does not say that it is wrong elsewhere."
)
NONE = "–"
STYLES = {HOLDS: ("#0072B2", "circle"), AGAINST: ("#D55E00", "x"), OPEN: ("#5A5A5A", "diamond-open")}
SAID = {HOLDS: "It holds under", AGAINST: "Against it speak", OPEN: "Open, no interval on one side of the line"}


def rows(claims: Sequence[Claim]) -> list[tuple[str, ...]]:
    """The lines of the table, numbered as they are chosen."""
    return [
        (
            title(k, claim),
            claim.paper,
            claim.origin,
            NONE if claim.found is None else f"{claim.found.main} {claim.found.unit}",
            claim.verdict,
            claim.flips,
        )
        for k, claim in enumerate(claims, start=1)
    ]


def title(place: int, claim: Claim) -> str:
    """A claim as it stands in the table and in the list to choose from."""
    return f"{place}. {claim.sentence}"


def counted(claims: Sequence[Claim]) -> str:
    """How many were found how, in a sentence."""
    found: dict[str, int] = {}
    for claim in claims:
        verdict = "not measured here yet" if claim.found is None else claim.verdict
        found[verdict] = found.get(verdict, 0) + 1
    return f"{len(claims)} claims: {', '.join(f'{count} {verdict}' for verdict, count in found.items())}. {MEANING}"


def told(claim: Claim) -> str:
    """One claim: whose it is, what was found and why, what may flip it, and how to measure it again."""
    numbers = "" if claim.found is None else f" {_sentence(claim.found.because)}"
    again = f" The lesson notebooks/{claim.experiment.lesson} shows it"
    again += "." if claim.found is None else f", and `{claim.experiment.command}` measures it again."
    return f"{claim.paper}, {claim.origin}: {claim.sentence} Here: {claim.verdict}.{numbers} What may flip it: {claim.flips}.{again}"


def intervals(claim: Claim) -> Drawn:
    """The estimate and 95 % interval of each setting, and the line."""
    if claim.found is None:
        return None, f"No picture: {claim.verdict}."
    shown = claim.found.shown
    places = {words: len(shown) - 1 - k for k, words in enumerate(shown)}  # the main setting on top
    traces: list[Part] = []
    parts = []
    for side, (colour, symbol) in STYLES.items():
        mine = {words: each for words, each in shown.items() if claim.side(each) == side}
        if mine:
            at_line = claim.claimed == "at"
            traces.append(_points("measured" if at_line else side, mine, [places[words] for words in mine], colour, symbol))
            parts.append(f"Measured: {'; '.join(map(str, mine.values()))}." if at_line else f"{SAID[side]}: {'; '.join(mine)}.")
    ends = [-0.5, len(shown) - 0.5]
    line = {"color": THRESHOLD, "width": 2, "dash": "dash"}
    name = plain(f"{number(claim.line)}: {claim.line_means}")
    traces.append({"type": "scatter", "mode": "lines", "name": name, "x": [claim.line] * 2, "y": ends, "line": line, "hoverinfo": "skip"})
    up = {"tickvals": list(places.values()), "ticktext": [plain(words) for words in places], "range": ends}
    across = {"title": {"text": "<br>".join(map(plain, wrap(claim.found.unit, 90))), "standoff": 4}}
    figure = compose(150 + 30 * len(shown), traces, xaxis=across, yaxis=up, margin={"l": 52, "r": 12, "t": 8, "b": 60})
    wanted = "about" if claim.claimed == "at" else claim.claimed
    return figure, f"In {claim.found.unit}; claimed: {wanted} {number(claim.line)} ({claim.line_means}). {' '.join(parts)}"


def _points(name: str, shown: dict[str, Interval], up: Sequence[int], colour: str, symbol: str) -> Part:
    ends = [(each.mean if each.low is None else each.low, each.mean if each.high is None else each.high) for each in shown.values()]
    reach = {
        "type": "data",
        "symmetric": False,
        "array": [high - each.mean for each, (_, high) in zip(shown.values(), ends, strict=True)],
        "arrayminus": [each.mean - low for each, (low, _) in zip(shown.values(), ends, strict=True)],
        "thickness": 2,
        "width": 6,
    }
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": [each.mean for each in shown.values()],
        "y": list(up),
        "error_x": reach,
        "marker": {"color": colour, "symbol": symbol, "size": 10, "line": {"width": 2, "color": colour}},
        "text": [plain(f"{words}: {each}") for words, each in shown.items()],
        "hovertemplate": "%{text}<extra></extra>",
    }


def _sentence(text: str) -> str:
    """With a capital, and a full stop."""
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."
