"""Leak: how much of the facts still comes out, and what else was touched; measured when asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ipywidgets as widgets

from unlearnviz.engine.probes.collateral import Collateral
from unlearnviz.engine.probes.leak import Leak as LeakProbe
from unlearnviz.views.chart import Chart
from unlearnviz.views.compared import below
from unlearnviz.views.controls import button
from unlearnviz.views.explained import explained
from unlearnviz.views.leak_figures import COLLATERAL, NOT_YET, collateral, leak
from unlearnviz.views.panels.panel import WIDE, Panel
from unlearnviz.views.sentence import Sentence

if TYPE_CHECKING:
    from unlearnviz.views.figures import Drawn
    from unlearnviz.views.picture import Picture

LEAK, BESIDE = "leak", "collateral"


class Leak(Panel):
    """A strip of points per group of prompts, and one number with its definition."""

    title = "What leaks, and what else was touched"
    terms = ("leak", "collateral")
    view, column, order = "Judge", WIDE, 1

    def build(self) -> list[widgets.Widget]:
        """The button, the strips, the sentence."""
        for probe, label in ((LeakProbe(), LEAK), (Collateral(), BESIDE)):
            self.state.probe(probe, self.view)
            self.state.live(label, live=False)
        self.ask = button(
            "Measure now",
            self._ask,
            tooltip="Ask every prompt, now, at the start, and the twin; it can be stopped",
            width="130px",
        )
        self.chart = explained(Chart(None, summary=NOT_YET), "leak", "paraphrase", "never-seen", "collateral")
        self.collateral = Sentence(COLLATERAL)
        return [self.ask, self.chart, self.collateral]

    def _ask(self) -> None:
        self.state.soon(lambda: self.state.ask(LEAK, BESIDE), f"ask {LEAK}")

    def show(self, picture: Picture) -> None:
        """The readings of this step, or, paler, the last ones before it."""
        figure, sentence = below(_draw, picture, LEAK)
        self.chart.update(figure, summary=sentence)
        self.collateral.text = collateral(picture.latest(BESIDE, picked=True), here=picture.step)
        self.enable(idle=not self.state.lasting)

    def enable(self, *, idle: bool) -> None:
        """Measuring waits for work, and for a text to forget."""
        self.ask.disabled = not idle or not self.state.picture.forget


def _draw(picture: Picture) -> Drawn:
    return leak(picture.latest(LEAK, picked=True), picture.start.get(LEAK), picture.twin.get(LEAK), here=picture.step)
