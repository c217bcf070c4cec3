"""Membership: could somebody tell that the model was taught the forget texts? Measured when asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ipywidgets as widgets

from unlearnviz.engine.probes.membership_inference import MembershipInference
from unlearnviz.views.chart import Chart
from unlearnviz.views.compared import below, over
from unlearnviz.views.controls import button
from unlearnviz.views.explained import explained
from unlearnviz.views.membership_figures import NOT_YET, TITLES, Readings, calls, curves, first_threshold, histograms, span
from unlearnviz.views.panels.panel import WIDE, Panel
from unlearnviz.views.slider import Slider

if TYPE_CHECKING:
    from unlearnviz.views.picture import Picture

LABEL = MembershipInference.name
STEPS = 200  # of the slider, from the lowest number to the highest


class Membership(Panel):
    """Two histograms with a threshold, and the curve of all thresholds."""

    title = "Membership: can it be told that the model was taught these texts?"
    terms = ("membership-inference", "auc")
    view, column, order = "Judge", WIDE, 3
    folded = True

    def build(self) -> list[widgets.Widget]:
        """The button and the choice of a number, the threshold, the histograms and the curve."""
        self.state.offer(MembershipInference(), self.view)
        self.ask = button(
            "Measure now",
            lambda: self.state.soon(lambda: self.state.ask(LABEL), f"ask {LABEL}"),
            tooltip="Read the forget texts and all never-seen ones, now, at the start, and the twin; it can be stopped",
            width="130px",
        )
        self.by = widgets.Dropdown(
            description="tell them by",
            options=[(title, name) for name, title in TITLES.items()],
            style={"description_width": "90px"},
            layout={"width": "320px"},
        )
        self.threshold = explained(Slider(label="Threshold", disabled=True), "similar-at-least", "auc")
        explained(self.by, "membership-inference", "loss")
        half = {"flex": "1 1 380px", "min_width": "0", "width": "auto"}
        self.bars = explained(Chart(None, summary=NOT_YET, layout=half), "membership-inference", "never-seen")
        self.curve = explained(Chart(None, summary="", layout=half), "auc", "twin")
        self._readings = Readings(None, None, None)
        self._drawn: tuple[int, str, int | None] = (-1, "", None)  # where we stood, and what was compared
        self._set_for = ""  # the number that the threshold was set for
        self.by.observe(self._chosen, "value")
        self.threshold.observe(self._draw, "value")
        row = {"flex_flow": "row wrap", "align_items": "center"}
        return [
            widgets.HBox([self.ask, self.by], layout=row),
            self.threshold,
            widgets.HBox([self.bars, self.curve], layout={"flex_flow": "row wrap"}),
        ]

    def show(self, picture: Picture) -> None:
        """The readings of this step, or the last ones before it; most steps measure nothing here, and then nothing is drawn."""
        readings, drawn = _readings(picture), (picture.step, picture.compared, picture.branches.get(picture.compared))
        fresh = any(one is not other for one, other in zip(readings, self._readings, strict=True))
        if fresh or (readings.measured and drawn != self._drawn):
            self._readings, self._drawn = readings, drawn
            self._chosen()
        self.enable(idle=not self.state.lasting)

    def _chosen(self, _change: object = None) -> None:
        """Another number, or other readings: the threshold stays where it was put, as far as there are numbers."""
        now, by, at = self._readings.now, self.by.value, self.threshold.value
        if now is not None and now.rows:
            low, high = span(self._readings, by)
            value = at if self._set_for == by else first_threshold(now, by)
            self._set_for = by
            with self.threshold.hold_sync():
                self.threshold.minimum, self.threshold.maximum, self.threshold.step = low, high, (high - low) / STEPS or 1.0
                self.threshold.value = min(max(value, low), high)
        if self.threshold.value == at:  # else moving it has drawn
            self._draw()

    def _draw(self, _change: object = None) -> None:
        readings, by, at, picture = self._readings, self.by.value, self.threshold.value, self.state.picture
        figure, sentence = below(lambda each: histograms(_readings(each), by, at, here=each.step), picture, LABEL)
        self.bars.update(figure, summary=sentence)
        figure, sentence = over(lambda each: curves(_readings(each), by, at), picture, LABEL, steps=False)
        self.curve.update(figure, summary=sentence)
        self.threshold.disabled = not readings.measured
        self.threshold.words = calls(readings.now, by, at) if readings.now is not None and readings.measured else ""

    def enable(self, *, idle: bool) -> None:
        """Measuring waits for work, and for a text to forget."""
        self.ask.disabled = not idle or not self.state.picture.forget


def _readings(picture: Picture) -> Readings:
    return Readings(picture.latest(LABEL, picked=True), picture.start.get(LABEL), picture.twin.get(LABEL))
