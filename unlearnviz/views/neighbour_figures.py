"""Figures of the neighbours: how alike all texts are to the forget set."""

from __future__ import annotations

from typing import Any

import numpy as np

from unlearnviz.engine.search import Matches
from unlearnviz.numbers import number
from unlearnviz.views.figures import Drawn, compose, upright
from unlearnviz.views.matches import Matched
from unlearnviz.views.styles import COLOURS, PALE, THRESHOLD


def histogram(matched: Matched, threshold: float) -> Drawn:
    """How many texts have which score, on a logarithmic scale, with the threshold as a line; and the count in words."""
    counts = matched.found.counts
    bars: dict[str, Any] = {
        "type": "bar",
        "x": np.arange(101),
        "y": counts,
        "width": 1,
        "offset": 0,
        "name": "texts",
        "marker": {
            "color": COLOURS["neighbours"],
            "opacity": np.where(np.arange(101) >= threshold, 1.0, PALE),
            "line": {"width": 0},
        },
        "hovertemplate": "%{y} texts score %{x}<extra></extra>",
    }
    most = max(int(counts.max()), 1)
    ticks = [10**power for power in range(len(str(most)))]
    up = {
        "type": "log",
        "title": {"text": "texts"},
        "range": [-0.3, np.log10(most) + 0.15],
        "tickvals": ticks,
        "ticktext": ticks,
    }
    across = {
        "title": {"text": "score, 100 = the same letters", "standoff": 4},
        "range": [0, 101],
        "tickvals": [0, 20, 40, 60, 80, 100],
    }
    margin = {"l": 48, "r": 14, "t": 6, "b": 36}
    figure = compose(150, [bars], shapes=[upright(threshold, THRESHOLD, 2)], margin=margin, bargap=0, xaxis=across, yaxis=up)
    return figure, sentence(matched, threshold)


def sentence(matched: Matched, threshold: float) -> str:
    """How many texts are at or above the threshold, whom they are about, and how far the search went."""
    ranks = matched.above(threshold)
    positions = matched.found.positions[ranks]
    unseen = int(matched.candidates.unseen[positions].sum())
    people = len(set(matched.candidates.people[positions].tolist()) - {0})
    taught = len(ranks) - unseen
    total = matched.found.searched
    if len(ranks):
        split = f": {taught:,} taught, {unseen:,} never seen" if unseen else ""
        about = f"; they tell of {_counted(people, 'person', 'people')}" if people else ""
        said = f"{len(ranks):,} of {_counted(total, 'other text', 'other texts')} score {number(threshold)} or more{split}{about}."
    else:
        best = f"; the nearest has {number(float(matched.found.scores[0]))}" if len(matched.found) else ""
        said = f"None of {_counted(total, 'other text', 'other texts')} is this similar{best}."
    left = matched.left_count(threshold)
    if left:
        said += f" {_counted(left, 'text is', 'texts are')} left out when all are added."
    return f"{said}{_how_far(matched.found)} The measured neighbours are always the 20 nearest taught ones."


def _how_far(found: Matches) -> str:
    """What the search did not look at."""
    if not found.exact:
        if found.recall is None:
            share = "how many it misses was not measured"
        elif found.recall == 1:  # not "100 %": a sample may miss the few that were missed
            share = "no text of a sample of the others would have been a match"
        else:
            share = f"by a sample of the others it finds about {number(100 * found.recall)} % of the true matches"
        return f" Approximate: a word index chose which texts to score; {share}."
    if found.total is not None and found.searched < found.total:
        return f" Stopped: {found.searched:,} of {found.total:,} texts were compared."
    return ""


def _counted(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"
