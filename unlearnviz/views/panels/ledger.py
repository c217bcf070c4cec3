"""Ledger: what was recorded while the model learned, what of it to roll back, and what keeping it costs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets

from unlearnviz.engine.methods.method import registry
from unlearnviz.engine.storage_meter import StorageMeter
from unlearnviz.views.chart import Chart
from unlearnviz.views.controls import button
from unlearnviz.views.explained import explained
from unlearnviz.views.figures import block_name
from unlearnviz.views.fold import Fold
from unlearnviz.views.ledger_figures import (
    CHOICES,
    KEPT,
    NO_LEDGER,
    SHOWS,
    bytes_by_group,
    choice_rows,
    in_words,
    recorded,
    untracked,
)
from unlearnviz.views.panels.panel import WIDE, Panel
from unlearnviz.views.sentence import Sentence
from unlearnviz.views.table import Table

if TYPE_CHECKING:
    from unlearnviz.engine.ledger import Ledger as Recorded
    from unlearnviz.engine.ledger import LedgerStep
    from unlearnviz.views.picture import Picture

METHODS = ("first-epoch-ascent", "amnesiac", "partial-amnesiac")
CHOSEN = "Steering is set to {method}, epochs: {epochs}, at {where}: press Step there, or Preview first."


class Ledger(Panel):
    """A map of what was recorded, two lists to choose from it, and the storage meter."""

    title = "Ledger: what was recorded while it learned, to be rolled back"
    terms = ("ledger", "rho")
    view, column, order = "Judge", WIDE, 5
    folded = True

    def build(self) -> list[widgets.Widget]:
        """What is shown, the map, which epochs and parts, the button, the storage meter."""
        self._steps: tuple[LedgerStep, ...] | None = None  # of the ledger that is shown; a replay replaces them
        self._drawn: Any = None  # what the map shows, which costs more than to look whether it is still so
        style = {"description_width": "70px"}
        lists = {"style": style, "rows": 6, "layout": {"width": "300px"}}
        self.shown = widgets.Dropdown(description="show", options=SHOWS, value=SHOWS[0], style=style, layout={"width": "300px"})
        self.map = explained(Chart(None, summary=NO_LEDGER), "ledger", "block")
        self.map.on_click(self._clicked)
        self.epochs = widgets.SelectMultiple(description="epochs", **lists)
        self.parts = widgets.SelectMultiple(description="parts", **lists)
        self.method = widgets.Dropdown(description="roll back by", options=METHODS, style={"description_width": "90px"}, layout={"width": "300px"})
        self.set = button("Set Steering to this", self._set, tooltip="The method, these epochs and these parts; nothing is changed before Step")
        explained(self.method, *METHODS)
        explained(self.parts, "where", "block")
        self.said = Sentence()
        self.meter = Fold(self.state, "What does it cost to keep this?", self._build_meter, self._show_meter)
        for control in (self.shown, self.epochs, self.parts):
            control.observe(self._chosen, "value")
        row = {"flex_flow": "row wrap", "align_items": "flex-start"}
        choice = widgets.HBox([self.epochs, self.parts, widgets.VBox([self.method, self.set])], layout=row)
        self.choice = widgets.VBox([choice, self.said, *self.meter.widgets])
        return [self.shown, self.map, self.choice]

    def show(self, picture: Picture) -> None:
        """The ledger of the training that led to the start; a sentence where there is none."""
        ledger = self.state.session.ledger
        self.choice.layout.display = "none" if ledger is None else None
        self.shown.disabled = ledger is None
        if ledger is None:
            self._steps = self._drawn = None
            self.map.update(None, summary=NO_LEDGER)
            return
        if ledger.steps is not self._steps:
            self._offer(ledger)
        asked = (ledger.steps, self.shown.value, self.epochs.value, self.parts.value)
        if self._drawn is None or self._drawn[0] != asked:
            self._drawn = asked, recorded(ledger, *asked[1:], picture.module)
        figure, sentence = self._drawn[1]
        how = "Click a cell, or choose in the lists, several with Ctrl or Shift."
        self.map.update(figure, summary=f"{sentence} {untracked(ledger, picture.forget)} {how}")
        self.meter.show(picture)
        self.enable(idle=not self.state.lasting)

    def _offer(self, ledger: Recorded) -> None:
        """Other lists: the first epoch of every part is chosen."""
        self._steps = ledger.steps
        epochs = [(f"epoch {k}", k) for k in range(1, ledger.epochs + 1)]
        parts = [(block_name(group, self.state.picture.module), group) for group in ledger.groups]
        for control, options, chosen in ((self.epochs, epochs, (1,)), (self.parts, parts, tuple(ledger.groups))):
            control.unobserve(self._chosen, "value")
            control.options = options
            control.value = chosen
            control.observe(self._chosen, "value")
        self.said.text = ""

    def _chosen(self, _change: object) -> None:
        self.said.text = ""
        self.show(self.state.picture)

    def _clicked(self, click: dict[str, Any]) -> None:
        """A cell is chosen with its epoch and its part; clicked again, its epoch is left out."""
        group, _, epoch, _ = click["customdata"]
        if epoch in self.epochs.value and group in self.parts.value:
            self.epochs.value = tuple(each for each in self.epochs.value if each != epoch)
        else:
            self.epochs.value = tuple(sorted({*self.epochs.value, epoch}))
            self.parts.value = tuple(each for _, each in self.parts.options if each in (*self.parts.value, group))

    def _set(self) -> None:
        """Choose the method with these epochs and this place for the next step."""
        epochs = in_words(self.epochs.value, len(self.epochs.options))
        everything = set(self.parts.value) == set(self.state.session.model.layout.groups)
        where = "all" if everything else ", ".join(self.parts.value)
        self.state.choose(registry[self.method.value](epochs=epochs), where)  # type: ignore[call-arg]
        self.said.text = CHOSEN.format(method=self.method.value, epochs=epochs, where=where)

    # -- the storage meter --------------------------------------------------------------------------------------------

    def _build_meter(self) -> Sequence[widgets.Widget]:
        self.bars = explained(Chart(None, summary=""), "storage", "ledger")
        self.costs = explained(Table(CHOICES, []), "storage", "rho")
        self._metered: tuple[LedgerStep, ...] | None = None
        return [self.bars, self.costs]

    def _show_meter(self, picture: Picture) -> None:
        session = self.state.session
        ledger = session.ledger
        if ledger is None or ledger.steps is self._metered:
            return
        self._metered = ledger.steps
        figure, sentence = bytes_by_group(ledger, picture.module)
        self.bars.update(figure, summary=sentence)
        self.costs.head, rows = choice_rows(StorageMeter(ledger, session.model, session.corpus).choices())
        self.costs.update(rows, summary=KEPT)

    def enable(self, *, idle: bool) -> None:
        """A choice needs an epoch and a part; the step itself waits in Steering."""
        del idle
        self.set.disabled = not (self.epochs.value and self.parts.value)
