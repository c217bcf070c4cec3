"""Layers: gradient norm of the forget texts per parameter group, now and along the path; click one to step there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets as widgets

from unlearnviz.engine.probes.gradient_norm import GradientNorm
from unlearnviz.views import figures
from unlearnviz.views.chart import Chart
from unlearnviz.views.controls import button
from unlearnviz.views.panels.panel import Panel

if TYPE_CHECKING:
    from unlearnviz.views.picture import Picture

LABEL = "gradient-norm"


class Layers(Panel):
    """Where in the model the forget texts pull."""

    title = "Layers"
    column, order = 2, 1

    def build(self) -> list[widgets.Widget]:
        """Bars, heat map, and a switch for slow models."""
        self.state.probe(GradientNorm())
        self.bars = Chart(None, summary="Gradient norms appear here.")
        self.map = Chart(None, summary="")
        self.bars.on_click(self._clicked)
        self.map.on_click(self._clicked)
        self.live = widgets.Checkbox(value=True, description="measure after every step", indent=False)
        self.measure = button("Measure now", lambda: self.state.ask(LABEL), width="130px")
        self.live.observe(self._switch, "value")
        self.state.observe(self._on_request, "on_request")
        self.state.observe(self._redraw, "where")
        return [widgets.HBox([self.live, self.measure], layout={"flex_flow": "row wrap"}), self.bars, self.map]

    def show(self, picture: Picture) -> None:
        """Draw both charts."""
        figure, sentence = figures.layers_now(picture, self.state.where)
        self.bars.update(figure, summary=sentence)
        figure, sentence = figures.layers_over_steps(picture)
        self.map.update(figure, summary=sentence)

    def _redraw(self, _change: object) -> None:
        figure, sentence = figures.layers_now(self.state.picture, self.state.where)
        self.bars.update(figure, summary=sentence)

    def _clicked(self, click: dict[str, Any]) -> None:
        given = click["customdata"]
        group = given[0] if isinstance(given, list) else given
        if isinstance(group, str) and group in self.state.session.model.layout.groups:
            self.state.where = group

    def _switch(self, change: dict[str, bool]) -> None:
        if change["new"] == (LABEL in self.state.on_request):
            self.state.live(LABEL, live=change["new"])

    def _on_request(self, change: dict[str, tuple[str, ...]]) -> None:
        self.live.value = LABEL not in change["new"]

    def enable(self, *, idle: bool) -> None:
        """Measuring waits for work."""
        self.measure.disabled = not idle

    def close(self) -> None:
        """Also stop watching the place and the switch."""
        self.state.unobserve(self._on_request, "on_request")
        self.state.unobserve(self._redraw, "where")
        super().close()
