"""Paths: runs from the same start as lines, what each does to the forget texts against what it costs the texts to keep."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets as widgets

from unlearnviz.engine.methods.fine_tune import FineTune
from unlearnviz.errors import UnlearnvizError
from unlearnviz.views.chart import Chart
from unlearnviz.views.controls import button
from unlearnviz.views.explained import explained
from unlearnviz.views.measures import measures
from unlearnviz.views.panels.panel import WIDE, Panel
from unlearnviz.views.path_figures import trade_off

if TYPE_CHECKING:
    from unlearnviz.views.picture import Picture

ALWAYS = "perplexity"  # measured after every step anyway


class Paths(Panel):
    """A chart of all branches, and the buttons that add one."""

    title = "Paths: runs of several methods from the same start, side by side"
    terms = ("trade-off", "path")
    view, column, order = "Judge", WIDE, 2
    folded = True

    def build(self) -> list[widgets.Widget]:
        """What is run, what is drawn upwards, the lines."""
        self.measures = {each.name: each for each in measures()}
        for each in self.measures.values():
            self.state.offer(each.probe(), self.view)
        narrow = {"description_width": "40px"}
        self.name = widgets.Text(description="name", placeholder="method, place", style=narrow, layout={"width": "220px"})
        self.count = widgets.BoundedIntText(value=5, min=1, max=1000, description="steps", style=narrow, layout={"width": "110px"})
        self.run = button(
            "Run from the start", self._run, tooltip="The method, settings and place of Steering, on a branch of its own", primary=True
        )
        self.reference = button(
            "Fine-tune only, from the start", self._run_reference, tooltip="The reference that never looks at the forget texts"
        )
        options = [(each.title, each.name) for each in self.measures.values()]
        wide = {"description_width": "60px"}
        self.upwards = widgets.Dropdown(description="upwards", options=options, value=ALWAYS, style=wide, layout={"width": "330px"})
        self.every = widgets.Checkbox(
            value=True, description="measure it after every step", disabled=True, indent=False, layout={"width": "auto"}
        )
        self.chart = explained(Chart(None, summary=""), "trade-off", "start", "twin")
        explained(self.upwards, "trade-off", "verdict")
        self.chart.on_click(self._clicked)
        self.upwards.observe(self._chosen, "value")
        self.every.observe(self._switched, "value")
        row = {"flex_flow": "row wrap", "align_items": "center"}
        return [
            widgets.HBox([self.run, self.count, self.name, self.reference], layout=row),
            widgets.HBox([self.upwards, self.every], layout=row),
            self.chart,
        ]

    def _run(self) -> None:
        method = self.state.method
        if isinstance(method, UnlearnvizError):
            self.state.refused(method)
        elif method is not None:
            self.state.run_from_start(self.count.value, method, self.name.value)
            self.name.value = ""

    def _run_reference(self) -> None:
        self.state.run_from_start(self.count.value, FineTune(), "fine-tune only")

    def _chosen(self, change: dict[str, str]) -> None:
        """Only the measure that is drawn is taken after every step."""
        if change["old"] != ALWAYS:
            self.state.live(change["old"], live=False)
        self.show(self.state.picture)

    def _switched(self, change: dict[str, bool]) -> None:
        label = self.upwards.value
        if label != ALWAYS and change["new"] == (label in self.state.on_request):
            self.state.live(label, live=change["new"])

    def turned(self, *, unfolded: bool) -> None:
        """While it is closed nothing is measured for it."""
        if not unfolded and self.upwards.value != ALWAYS:
            self.state.live(self.upwards.value, live=False)

    def show(self, picture: Picture) -> None:
        """All branches, as far as they were measured."""
        label = self.upwards.value
        self.every.value = label not in self.state.on_request
        self.every.disabled = label == ALWAYS
        figure, sentence = trade_off(picture, self.measures[label])
        self.chart.update(figure, summary=sentence)
        self.enable(idle=not self.state.lasting)

    def _clicked(self, click: dict[str, Any]) -> None:
        """To that step."""
        if isinstance(click["customdata"], int):
            self.state.go_to(click["customdata"])

    def enable(self, *, idle: bool) -> None:
        """A run waits for other work, and for a text to forget."""
        self.run.disabled = self.reference.disabled = not idle or not self.state.picture.forget
