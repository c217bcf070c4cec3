"""Perplexity: four lines, with the original and the twin as reference lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from unlearnviz.views.chart import Chart
from unlearnviz.views.compared import over
from unlearnviz.views.panels.panel import Panel
from unlearnviz.views.perplexity_figure import perplexity

if TYPE_CHECKING:
    import ipywidgets as widgets

    from unlearnviz.views.picture import Picture


class PerplexityPanel(Panel):
    """How surprised the model is by what it shall forget, by what looks like it, by the rest, and by what it never saw."""

    title = "Perplexity"
    view, column, order = "Start", 1, 0

    def build(self) -> list[widgets.Widget]:
        """One chart."""
        figure, sentence = over(perplexity, self.state.picture, "perplexity")
        self.chart = Chart(figure, summary=sentence)
        return [self.chart]

    def show(self, picture: Picture) -> None:
        """Draw the path."""
        figure, sentence = over(perplexity, picture, "perplexity")
        self.chart.update(figure, summary=sentence)
