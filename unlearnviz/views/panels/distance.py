"""Distance: now, start and twin as points: how far, and are we going the right way?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets as widgets

from unlearnviz.engine.probes.update_size import UpdateSize
from unlearnviz.views.chart import Chart
from unlearnviz.views.compared import over
from unlearnviz.views.controls import button, offer
from unlearnviz.views.distance_figures import LABEL, VIEWS, distance, groups
from unlearnviz.views.explained import explained
from unlearnviz.views.figures import block_name
from unlearnviz.views.panels.panel import WIDE, Panel

if TYPE_CHECKING:
    from unlearnviz.views.picture import Picture


class Distance(Panel):
    """A chart of points, of the whole model or of one part; it draws what Drift draws, too."""

    title = "Distance: how far from the start, and is it the way to the twin?"
    terms = ("update-size", "direction")
    view, column, order = "Judge", WIDE, 4
    folded = True

    def build(self) -> list[widgets.Widget]:
        """Of which part, from how near, and the points."""
        self.state.probe(UpdateSize(), self.view)
        style = {"description_width": "60px"}
        self.part = widgets.Dropdown(description="of", options=[("the whole model", "all")], value="all", style=style, layout={"width": "260px"})
        self.drawing = widgets.Dropdown(description="look at", options=VIEWS, value=VIEWS[0], style=style, layout={"width": "280px"})
        self.twins = button(
            "Measure all twins", lambda: self.state.judge([LABEL]), tooltip="How far twins lie apart that differ in nothing but the seed"
        )
        self.chart = explained(Chart(None, summary=""), "direction", "update-size", "twin")
        explained(self.part, "where", "block")
        self.chart.on_click(self._clicked)
        for control in (self.part, self.drawing):
            control.observe(self._chosen, "value")
        row = {"flex_flow": "row wrap", "align_items": "center"}
        return [widgets.HBox([self.part, self.drawing, self.twins], layout=row), self.chart]

    def show(self, picture: Picture) -> None:
        """The present step, the path, and the twins."""
        names = [("the whole model" if group == "all" else block_name(group, picture.module), group) for group in groups(picture)]
        offer(self.part, names, self._chosen)
        figure, sentence = over(lambda each: distance(each, self.part.value, self.drawing.value), picture, LABEL, steps=False)
        self.chart.update(figure, summary=sentence)
        self.drawing.disabled = figure is None
        missing = any(LABEL not in readings for readings in picture.twins.values())
        self.twins.layout.display = None if len(picture.twins) > 1 and missing else "none"

    def turned(self, *, unfolded: bool) -> None:
        """Opened before Drift was looked at: measured now."""
        if unfolded and self.state.picture.now(LABEL) is None:
            self.state.soon(lambda: self.state.ask(LABEL), f"ask {LABEL}")

    def _chosen(self, _change: object) -> None:
        self.show(self.state.picture)

    def _clicked(self, click: dict[str, Any]) -> None:
        """To that step."""
        if isinstance(click["customdata"], int):
            self.state.go_to(click["customdata"])

    def enable(self, *, idle: bool) -> None:
        """Measuring waits for work."""
        self.twins.disabled = not idle
