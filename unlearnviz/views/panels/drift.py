"""Drift: how far the weights are from the start, and from the twin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from unlearnviz.engine.probes.update_size import UpdateSize
from unlearnviz.views import figures
from unlearnviz.views.chart import Chart
from unlearnviz.views.compared import over
from unlearnviz.views.explained import explained
from unlearnviz.views.panels.panel import Panel

if TYPE_CHECKING:
    import ipywidgets as widgets

    from unlearnviz.views.picture import Picture


class Drift(Panel):
    """Distances in weight space along the path."""

    title = "Drift"
    terms = ("update-size", "direction")
    view, column, order = "Where", 1, 1

    def build(self) -> list[widgets.Widget]:
        """One chart."""
        self.state.probe(UpdateSize(), self.view)
        self.chart = explained(Chart(None, summary="The distance from the start appears here."), "update-size", "twin")
        return [self.chart]

    def show(self, picture: Picture) -> None:
        """Draw the path."""
        figure, sentence = over(figures.drift, picture, "update-size")
        self.chart.update(figure, summary=sentence)
