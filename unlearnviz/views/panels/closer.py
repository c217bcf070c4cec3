"""A closer look: text by text, forgetting against keeping, and inside a text; each measured only while it is open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets as widgets

from unlearnviz.engine.probes.activation_gradient import ActivationGradient
from unlearnviz.engine.probes.conflict import Conflict
from unlearnviz.views.chart import Chart
from unlearnviz.views.compared import below, beside
from unlearnviz.views.controls import offer
from unlearnviz.views.explained import explained
from unlearnviz.views.figures import block_name
from unlearnviz.views.fold import Fold
from unlearnviz.views.influence_figures import snippet
from unlearnviz.views.inside_text import SHADES, inside
from unlearnviz.views.layer_figures import conflict, layers_by_text
from unlearnviz.views.panels.panel import Panel
from unlearnviz.views.sentence import Sentence
from unlearnviz.views.tokens import TokenText

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unlearnviz.views.picture import Picture


class Closer(Panel):
    """Three folds below Layers."""

    title = "A closer look"
    terms = ("gradient-norm", "conflict", "activation-gradient")
    view, column, order = "Where", 2, 0

    def build(self) -> list[widgets.Widget]:
        """The three lines that open them."""
        self.by_text = Fold(self.state, "Layers, text by text", self._build_by_text, self._show_by_text, needs="gradient-norm", view=self.view)
        self.keep = Fold(self.state, "Forget against keep", self._build_keep, self._show_keep, Conflict(), view=self.view)
        self.inside = Fold(self.state, "Inside a text", self._build_inside, self._show_inside, ActivationGradient(), view=self.view)
        self.folds = (self.by_text, self.keep, self.inside)
        self.state.observe(self._moved, "where")
        return [widget for fold in self.folds for widget in fold.widgets]

    def show(self, picture: Picture) -> None:
        """Draw what is open."""
        for fold in self.folds:
            fold.show(picture)

    # -- text by text -------------------------------------------------------------------------------------------------

    def _build_by_text(self) -> Sequence[widgets.Widget]:
        self.map = explained(Chart(None, summary=""), "gradient-norm", "block")
        self.map.on_click(self._clicked)
        return [self.map]

    def _show_by_text(self, picture: Picture) -> None:
        figure, sentence = below(layers_by_text, picture, "gradient-norm")
        self.map.update(figure, summary=sentence)

    # -- forget against keep ------------------------------------------------------------------------------------------

    def _build_keep(self) -> Sequence[widgets.Widget]:
        self.bars = explained(Chart(None, summary=""), "conflict", "retain")
        self.bars.on_click(self._clicked)
        return [self.bars]

    def _show_keep(self, picture: Picture) -> None:
        figure, sentence = beside(lambda each: conflict(each, self.state.where), picture, "conflict")
        self.bars.update(figure, summary=sentence)

    def _moved(self, _change: object) -> None:
        if self.open:
            self.keep.show(self.state.picture)

    def _clicked(self, click: dict[str, Any]) -> None:
        given = click["customdata"]
        group = given[0] if isinstance(given, list) and given else given
        known = (*self.state.session.model.layout.groups, "embedding.input", "embedding.output", "all")
        if isinstance(group, str) and group in known:
            self.state.where = group

    # -- inside a text ------------------------------------------------------------------------------------------------

    def _build_inside(self) -> Sequence[widgets.Widget]:
        drop = {"style": {"description_width": "70px"}, "layout": {"width": "97%"}}
        layout = self.state.session.model.layout
        layers = ["embedding", *(f"block {k}" for k in range(layout.blocks))]
        self.text = widgets.Dropdown(description="text", options=[], **drop)
        self.shade = widgets.Dropdown(description="shade by", options=SHADES, value=SHADES[0], **drop)
        self.layer = widgets.Dropdown(
            description="layer", options=[(block_name(each, layout.module), each) for each in layers], value=layers[0], **drop
        )
        self.said = Sentence()
        self.tokens = explained(TokenText(), "activation-gradient", "loss")
        explained(self.shade, "loss", "activation-gradient")
        explained(self.layer, "block", "embedding")
        for control in (self.text, self.shade, self.layer):
            control.observe(self._chosen, "value")
        return [self.text, self.shade, self.layer, self.tokens, self.said]

    def _chosen(self, _change: object) -> None:
        self.inside.show(self.state.picture)

    def _show_inside(self, picture: Picture) -> None:
        reading = picture.now("activation-gradient")
        self.layer.disabled = self.shade.value == SHADES[0]
        measured = list(dict.fromkeys(row["passage"] for row in reading.rows)) if reading is not None else []
        texts = {passage.id: passage.text for passage in picture.forget}
        options = [(f"{k + 1}: {snippet(texts.get(each, each), 60)}", each) for k, each in enumerate(measured)]
        offer(self.text, options, self._chosen)
        if reading is None or self.text.value is None:
            self.tokens.update([])
            self.said.text = reading.note if reading is not None and reading.note else "It is being measured, or waits for a text to forget."
            return
        start = picture.start.get("activation-gradient")
        found = inside(reading, start, self.text.value, self.shade.value, self.layer.value, picture.module)
        few = "" if len(measured) == len(picture.forget) else f" To choose from: {len(measured)} of {len(picture.forget)} forget texts."
        with self.tokens.hold_sync():
            self.tokens.label, self.tokens.unit = found.label, found.unit
            self.tokens.update(found.rows)
        self.said.text = found.sentence + few

    def leave(self) -> None:
        """Stop watching the place."""
        self.state.unobserve(self._moved, "where")
