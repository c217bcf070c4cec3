"""Verdict: every measure beside the start and the twins, and whether the model is as one that never saw the texts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ipywidgets as widgets

from unlearnviz.views.controls import button
from unlearnviz.views.explained import explained
from unlearnviz.views.measures import measures
from unlearnviz.views.panels.panel import WIDE, Panel
from unlearnviz.views.table import Table
from unlearnviz.views.verdict import CAPTION, HEAD, verdict

if TYPE_CHECKING:
    from unlearnviz.views.picture import Picture


class Verdict(Panel):
    """A table, measured when asked, and a button for one more twin."""

    title = "Verdict: is it as if the texts had never been seen?"
    terms = ("verdict", "twin-range", "reference")
    view, column, order = "Judge", WIDE, 0

    def build(self) -> list[widgets.Widget]:
        """The buttons, and the table."""
        self.measures = measures()
        for each in self.measures:
            self.state.offer(each.probe(), self.view)
        self.ask = button("Measure now", self._ask, tooltip="All measures, now, at the start, and of every twin; each is shown when it is done")
        self.slow = widgets.Checkbox(
            value=False,
            description="also those that take long",
            tooltip=", ".join(each.title for each in self.measures if each.slow),
            indent=False,
            layout={"width": "auto"},
        )
        self.another = button(
            "Train another twin",
            lambda: self.state.train_twin(another=True),
            tooltip="The same recipe without these texts, in another order, while you go on: as long as the model itself took",
        )
        self.table = explained(Table(CAPTION, HEAD, terms=[each.name for each in self.measures]), "verdict", "twin-range", "start", "now", "twin")
        row = {"flex_flow": "row wrap", "align_items": "center"}
        return [widgets.HBox([self.ask, self.slow, self.another], layout=row), self.table]

    def _ask(self) -> None:
        asked = [each.name for each in self.measures if self.slow.value or not each.slow]
        self.state.soon(lambda: self.state.judge(asked), "judge")

    def show(self, picture: Picture) -> None:
        """The readings of this step, or the last ones before it."""
        rows, sentence = verdict(picture, self.measures)
        self.table.update(rows, summary=sentence)
        self.another.description = "Train another twin" if picture.has_twin else "Train the twin"
        self.enable(idle=not self.state.lasting)

    def enable(self, *, idle: bool) -> None:
        """What takes long waits for other work, and for a text to forget."""
        picture = self.state.picture
        self.ask.disabled = not idle or not picture.forget
        self.another.disabled = not idle or bool(self.state.training) or not picture.forget or not picture.can_train_twin
