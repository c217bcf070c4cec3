"""Losses: how surprised the model is by single texts, now and at the start, as far as somebody asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from unlearnviz.engine.probes.passage_perplexity import PassagePerplexity

if TYPE_CHECKING:
    from unlearnviz.engine.history import History
    from unlearnviz.engine.probes.probe import Reading
    from unlearnviz.views.picture import Picture
    from unlearnviz.views.state import SessionState

LABEL = "perplexity of texts"


class Losses:
    """Mean token losses by passage id; what was measured of a text at a step holds, whoever is picked.

    Args:
        state: measures on request; nothing is measured after a step by itself.
        view: the view that shows them.
    """

    def __init__(self, state: SessionState, view: str = "") -> None:
        self._state = state
        self._history: History | None = None
        self._now: dict[int, dict[str, float]] = {}  # step -> passage -> loss
        self._start: dict[str, float] = {}
        self._view = view
        state.probe(PassagePerplexity(label=LABEL), view)
        state.live(LABEL, live=False)

    def ask(self, passages: Iterable[str]) -> None:
        """Measure these texts at the present step and at the start, now or when work has ended."""
        self._state.probe(PassagePerplexity(tuple(passages), label=LABEL), self._view)
        self._state.soon(lambda: self._state.ask(LABEL), f"ask {LABEL}")

    def look(self, picture: Picture) -> tuple[int | None, Mapping[str, float], Mapping[str, float]]:
        """The last step on the way to the head at which texts were measured, their losses then, and all that are known of the start."""
        history = self._state.session.history
        if history is not self._history:  # taught anew
            self._history, self._now, self._start = history, {}, {}
        for step, reading in picture.readings.get(LABEL, {}).items():
            self._now.setdefault(step, {}).update(_losses(reading))
        if LABEL in picture.start:
            self._start.update(_losses(picture.start[LABEL]))
        way = picture.path[: picture.path.index(picture.step) + 1]
        last = next((each for each in reversed(way) if each in self._now), None)
        return last, {} if last is None else dict(self._now[last]), dict(self._start)


def _losses(reading: Reading) -> dict[str, float]:
    return {row["passage"]: row["loss"] for row in reading.rows}
