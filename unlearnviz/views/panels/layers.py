"""Layers: gradient norm of the forget texts per parameter group, now and along the path; click one to step there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from unlearnviz.engine.probes.gradient_norm import GradientNorm
from unlearnviz.views.chart import Chart
from unlearnviz.views.compared import below, beside
from unlearnviz.views.explained import explained
from unlearnviz.views.layer_figures import layers_now, layers_over_steps
from unlearnviz.views.on_request import OnRequest
from unlearnviz.views.panels.panel import Panel

if TYPE_CHECKING:
    import ipywidgets as widgets

    from unlearnviz.views.picture import Picture

LABEL = "gradient-norm"


class Layers(Panel):
    """Where in the model the forget texts pull."""

    title = "Layers"
    terms = ("gradient-norm", "block", "embedding")
    view, column, order = "Where", 0, 0

    def build(self) -> list[widgets.Widget]:
        """Bars, heat map, and a switch for slow models."""
        self.state.probe(GradientNorm(), self.view)
        self.bars = explained(Chart(None, summary="Gradient norms appear here."), "gradient-norm", "embedding.input", "embedding.output")
        self.map = explained(Chart(None, summary=""), "gradient-norm", "block")
        self.bars.on_click(self._clicked)
        self.map.on_click(self._clicked)
        self.request = OnRequest(self.state, LABEL)
        self.state.observe(self._redraw, "where")
        return [self.request.widget, self.bars, self.map]

    def show(self, picture: Picture) -> None:
        """Draw both charts."""
        self._draw_bars(picture)
        figure, sentence = below(layers_over_steps, picture, LABEL)
        self.map.update(figure, summary=sentence)

    def _redraw(self, _change: object) -> None:
        if self.open:
            self._draw_bars(self.state.picture)

    def _draw_bars(self, picture: Picture) -> None:
        figure, sentence = beside(lambda each: layers_now(each, self.state.where), picture, LABEL)
        self.bars.update(figure, summary=sentence)

    def _clicked(self, click: dict[str, Any]) -> None:
        given = click["customdata"]
        group = given[0] if isinstance(given, list) else given
        if isinstance(group, str) and group in (*self.state.session.model.layout.groups, "embedding.input", "embedding.output"):
            self.state.where = group

    def enable(self, *, idle: bool) -> None:
        """Measuring waits for work."""
        self.request.enable(idle=idle)

    def leave(self) -> None:
        """Stop watching the place and the switch."""
        self.request.close()
        self.state.unobserve(self._redraw, "where")
