"""Claims: what four papers say, what was measured of it, and a step to see for oneself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ipywidgets as widgets

from unlearnviz.papers import Trial, claims
from unlearnviz.views.chart import Chart
from unlearnviz.views.claim_figures import CAPTION, HEAD, counted, intervals, rows, title, told
from unlearnviz.views.controls import button
from unlearnviz.views.explained import explained
from unlearnviz.views.panels.panel import WIDE, Panel
from unlearnviz.views.sentence import Sentence
from unlearnviz.views.table import Table
from unlearnviz.views.trial_step import in_the_way, method_of

if TYPE_CHECKING:
    from unlearnviz.papers import Claim
    from unlearnviz.views.picture import Picture

READY = "Run sets Steering to {method}{settings}, at {where}, and takes one step. {look}"


class Claims(Panel):
    """Of the chosen claim its intervals and its step, and a table of all of them."""

    title = "Claims: what four papers say, and what was found here"
    terms = ("claim",)
    view, column, order = "Judge", WIDE, 6
    folded = True

    def build(self) -> list[widgets.Widget]:
        """The list to choose from, the claim in words and as a picture, its button; and the table of all."""
        self.claims = claims()
        self.table = explained(Table(CAPTION, HEAD, rows(self.claims), summary=counted(self.claims)), "claim")
        self.chosen = widgets.Dropdown(
            description="look at",
            options=[(title(k, claim), claim.id) for k, claim in enumerate(self.claims, start=1)],
            style={"description_width": "60px"},
            layout={"width": "97%"},
        )
        self.said = Sentence()
        self.chart = explained(Chart(None, summary=""), "claim")
        self.run = button("Run", self._run, tooltip="Steering is set to the method of this claim, and takes one step", width="90px")
        self.way = Sentence()
        self.chosen.observe(self._look, "value")
        self._look()
        row = {"flex_flow": "row nowrap", "align_items": "center"}
        return [self.chosen, self.said, self.chart, widgets.HBox([self.run, self.way], layout=row), self.table]

    @property
    def claim(self) -> Claim:
        """The one that is looked at."""
        return next(each for each in self.claims if each.id == self.chosen.value)

    def _look(self, _change: object = None) -> None:
        self.said.text = told(self.claim)
        figure, sentence = intervals(self.claim)
        self.chart.update(figure, summary=sentence)
        self.enable(idle=not self.state.lasting)

    def show(self, picture: Picture) -> None:
        """Whether the step of the chosen claim can be taken from here."""
        del picture
        self.enable(idle=not self.state.lasting)

    def enable(self, *, idle: bool) -> None:
        """Run waits for other work, and for what its step needs."""
        trial = self.claim.trial
        if not isinstance(trial, Trial):
            self.way.text, self.run.disabled = trial, True
            return
        hindered = in_the_way(self.state.session, trial)
        settings = "".join(f", {name.replace('_', ' ')} {value}" for name, value in trial.settings.items())
        self.way.text = hindered or READY.format(method=trial.method, settings=settings, where=trial.where, look=trial.look)
        self.run.disabled = bool(hindered) or not idle

    def _run(self) -> None:
        trial = self.claim.trial
        if isinstance(trial, Trial) and not in_the_way(self.state.session, trial):
            method = method_of(trial)
            self.state.choose(method, trial.where)
            self.state.step(method)
