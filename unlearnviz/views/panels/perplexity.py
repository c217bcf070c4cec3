"""Perplexity: four lines, with the original and the twin as reference lines; the twin to train, and the number to check."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ipywidgets as widgets

from unlearnviz.views.chart import Chart
from unlearnviz.views.compared import over
from unlearnviz.views.controls import button
from unlearnviz.views.explained import explained
from unlearnviz.views.panels.panel import Panel
from unlearnviz.views.perplexity_figure import perplexity
from unlearnviz.views.sentence import Sentence

if TYPE_CHECKING:
    from unlearnviz.views.picture import Picture


class PerplexityPanel(Panel):
    """How surprised the model is by what it shall forget, by what looks like it, by the rest, and by what it never saw."""

    title = "Perplexity"
    terms = ("perplexity", "loss", "forget", "neighbours", "retain", "never-seen")
    view, column, order = "Start", 1, 0

    def build(self) -> list[widgets.Widget]:
        """One chart; what to do where no twin fits; and a check of the numbers, whose answer is one sentence."""
        self.chart = explained(Chart(None, summary=""), "perplexity", "start", "twin", "twin-range")
        self.check = button(
            "Check this number",
            lambda: self.state.check("perplexity"),
            tooltip="Recompute it by a plain loop over a stock model of transformers, one text at a time; it can be stopped",
        )
        tooltip = "Retrain without these texts, while you go on; it can be stopped, and is kept"
        self.twin = button("Train this twin", self.state.train_twin, tooltip=tooltip)
        self.checked = Sentence()
        self.show(self.state.picture)
        return [self.chart, widgets.HBox([self.check, self.twin], layout={"flex_flow": "row wrap"}), self.checked]

    def show(self, picture: Picture) -> None:
        """Draw the path."""
        figure, sentence = over(perplexity, picture, "perplexity")
        self.chart.update(figure, summary=sentence)
        found = picture.checks.get("perplexity")
        self.checked.text = found.sentence if found is not None else ""
        wanted = picture.no_twin and picture.can_train_twin and not all(passage.extra.get("typed") for passage in picture.forget)
        self.twin.layout.display = None if wanted else "none"
        self.enable(idle=not self.state.lasting)

    def enable(self, *, idle: bool) -> None:
        """What takes long waits for other work."""
        self.check.disabled = not idle or self.state.picture.now("perplexity") is None
        self.twin.disabled = not idle or bool(self.state.training)
