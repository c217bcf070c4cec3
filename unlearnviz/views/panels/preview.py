"""Preview: what the chosen step would change in each group of texts, before it is taken; and beside it what it changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ipywidgets as widgets

from unlearnviz.views.chart import Chart
from unlearnviz.views.compared import below
from unlearnviz.views.controls import button
from unlearnviz.views.explained import explained
from unlearnviz.views.panels.panel import Panel
from unlearnviz.views.preview_figures import NOT_YET, foreseen, of_last_step

if TYPE_CHECKING:
    from unlearnviz.views.picture import Picture


class Preview(Panel):
    """A button, and bars per group of texts."""

    title = "Preview"
    terms = ("preview",)
    view, column, order = "Where", 1, 0

    def build(self) -> list[widgets.Widget]:
        """The button, the switch, the bars."""
        self.ask = button("Preview the step", self.state.preview, tooltip="What the step would change; nothing is changed yet")
        self.every = widgets.Checkbox(value=False, description="preview every step", indent=False, layout={"width": "auto"})
        self.every.observe(self._switched, "value")
        self.chart = explained(Chart(None, summary=NOT_YET), "preview", "loss")
        self.state.observe(self._redraw, ["method", "where"])
        row = {"flex_flow": "row wrap", "align_items": "center"}
        return [widgets.HBox([self.ask, self.every], layout=row), self.chart]

    def _switched(self, change: dict[str, bool]) -> None:
        self.state.ahead = change["new"]

    def show(self, picture: Picture) -> None:
        """The preview of this step, of the next one, or an older one, paler."""
        figure, sentence = below(
            lambda each: foreseen(each if each is picture else of_last_step(each), self.state.method, self.state.where), picture
        )
        self.chart.update(figure, summary=sentence)
        self.enable(idle=not self.state.lasting)

    def _redraw(self, _change: object) -> None:
        if self.open:
            self.show(self.state.picture)

    def enable(self, *, idle: bool) -> None:
        """A preview waits for work, and for a text to forget."""
        self.ask.disabled = not idle or not self.state.picture.forget

    def leave(self) -> None:
        """Stop watching what is chosen."""
        self.state.unobserve(self._redraw, ["method", "where"])
