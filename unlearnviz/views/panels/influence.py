"""Influence: which taught texts hold the forget texts in the model, through which parts of it, and through which tokens."""

from __future__ import annotations

import html
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets

from unlearnviz.engine.probes.influence import SCORES
from unlearnviz.engine.probes.influence import Influence as InfluenceProbe
from unlearnviz.engine.probes.removal import Removal
from unlearnviz.engine.probes.token_influence import TokenInfluence
from unlearnviz.errors import UnlearnvizError
from unlearnviz.numbers import signed
from unlearnviz.views.chart import Chart
from unlearnviz.views.compared import below
from unlearnviz.views.controls import Controls
from unlearnviz.views.explained import explained
from unlearnviz.views.fold import folded
from unlearnviz.views.influence_figures import BY, WAYS, influence_map, row_names, scores, token_rows
from unlearnviz.views.on_request import OnRequest
from unlearnviz.views.panels.panel import WIDE, Panel
from unlearnviz.views.sentence import Sentence
from unlearnviz.views.tokens import TokenText

if TYPE_CHECKING:
    from unlearnviz.engine.probes.probe import Reading
    from unlearnviz.views.figures import Drawn
    from unlearnviz.views.picture import Picture

APART = 12  # forget texts at most that are also kept apart, text by text
TOKENS = "token-influence"
NOT_YET = (
    "Not measured yet: press Measure now. It takes about as long as one pass of training over all texts, and can be stopped."
)
REMOVAL = "removal"
MEANING = {
    REMOVAL: "Positive: had this text not been taught, the loss of the forget texts would be higher, by influence functions (one Newton step on "
    "the damped curvature, which is taken in a part of the model alone). Unit: nats per token. It is a prediction about retraining, and retraining "
    "need not agree (lesson 4 compares both).",
    "gradient product": "Positive: one more small SGD step on this text would lower the loss of the forget texts; first order, at these "
    "weights. Unit: nats per token of the forget texts, per unit of learning rate. It does not say how the model would be had it never "
    "met the text: that takes retraining (lesson 4 compares both).",
    "cosine": "From −1 to 1: whether a step on this text and a step on the forget texts go the same way, however long they are. Positive: "
    "the same way. First order, at these weights.",
    "shared words": "The gradient product of the token embedding's input use alone (TracIn-WE): only words that this text shares with a "
    "forget text count. Positive: learning from this text through them lowers the loss of the forget texts.",
}


class Influence(Panel):
    """A map of texts x parts on request; a click on a row opens the text, token by token."""

    title = "Influence: which texts keep the forget texts in the model?"
    terms = ("influence", "token-influence")
    view, column, order = "Who", WIDE, 0

    def build(self) -> list[widgets.Widget]:
        """What is counted, the map, and the text that was clicked."""
        drop = {"style": {"description_width": "90px"}, "layout": {"width": "300px"}}
        self.way = widgets.Dropdown(description="show", options=WAYS, value="now", **drop)
        self.by = widgets.Dropdown(description="against", options=BY, value=BY[0], **drop)
        self.everything = widgets.Checkbox(
            value=False, description="draw all texts", indent=False, layout={"width": "150px"}
        )
        self.score = widgets.Dropdown(description="what counts", options=(*SCORES, REMOVAL), value=SCORES[0], **drop)
        head, self.advanced = folded("Advanced", [self.score])  # with the settings of a removal, once one was asked for
        self.meaning = widgets.HTML()
        self.map = explained(Chart(None, summary=""), "influence", "removal", "never-seen")
        explained(self.score, "influence", "influence-cosine", "shared-words", "removal")
        explained(self.by, "where", "forget")
        self.map.on_click(self._clicked)
        self.detail = widgets.VBox(layout={"display": "none"})  # filled when a row is first clicked
        self._passage = ""
        self._rows: dict[str, str] = {}
        self._choose()
        self.request = OnRequest(self.state, self.label)
        self.state.live(self.label, live=False)
        self.state.live(TOKENS, live=False)
        self.score.observe(self._scored, "value")
        for control in (self.way, self.by, self.everything):
            control.observe(lambda _change: self.show(self.state.picture), "value")
        row = {"flex_flow": "row wrap", "align_items": "center"}
        return [
            self.meaning,
            widgets.HBox([self.request.widget, self.way, self.by, self.everything], layout=row),
            self.map,
            self.detail,
            head,
            self.advanced,
        ]

    @cached_property
    def removal(self) -> Controls:
        """The settings of a removal, made when they are first asked for."""
        made = Controls(Removal)
        for control in made.by_name.values():
            control.observe(self._set, "value")
        self.advanced.children = (self.score, made.widget)
        return made

    def _build_detail(self) -> None:
        drop = {"style": {"description_width": "90px"}, "layout": {"width": "300px"}}
        self.text = Sentence()
        self.group = widgets.Dropdown(description="part", options=[("the whole model", "")], value="", **drop)
        self.tokens = explained(TokenText(label="influence of each token", unit="nats per token and rate"), "token-influence")
        explained(self.group, "where", "shared-words")
        self.group.observe(lambda _change: self._show_tokens(self.state.picture), "value")
        self.detail.children = (self.text, self.group, self.tokens)

    @property
    def label(self) -> str:
        """Under which readings of the chosen score are kept."""
        return "influence" if self.score.value == SCORES[0] else f"influence, {self.score.value}"

    def _choose(self) -> None:
        """Have the chosen score measured when asked."""
        self.meaning.value = f"<p class='uv-meaning'>{MEANING[self.score.value]}</p>"
        for settings in self.advanced.children[1:]:
            settings.layout.display = "" if self.score.value == REMOVAL else "none"
        if self.score.value == REMOVAL:
            self.state.probe(replace(self.removal.value(), label=self.label), self.view)
            return
        few = len(self.state.session.forget) <= APART and self.score.value == SCORES[0]
        self.state.probe(InfluenceProbe(score=self.score.value, each=few, label=self.label), self.view)

    def _set(self, _change: object) -> None:
        """The settings of a removal: what is measured next has them."""
        try:
            self._choose()
        except UnlearnvizError as error:
            self.state.refused(error)

    def _scored(self, _change: object) -> None:
        self._choose()
        self.state.live(self.label, live=False)
        self.request.follow(self.label)
        self.by.disabled = self.score.value != SCORES[0]
        if self.by.disabled:
            self.by.value = BY[0]
        self.show(self.state.picture)

    def show(self, picture: Picture) -> None:
        """The reading of this step, or, paler, the last one before it."""
        self._show_tokens(picture)
        self._rows = {}
        figure, sentence = below(self._drawn, picture, self.label)
        self.map.update(figure, summary=sentence)

    def _drawn(self, picture: Picture) -> Drawn:
        reading = picture.latest(self.label, picked=True)
        if reading is None:
            return None, NOT_YET
        found = scores(reading, picture.start.get(self.label), self.way.value, self.by.value)
        if found is None:
            return None, "The start was not measured for these texts: press Measure now."
        passages = {p.id: p.text for p in (*self.state.session.corpus, *picture.forget)}
        unit = "cosine" if self.score.value == "cosine" else reading.unit
        names = row_names(found, passages, everything=self.everything.value)
        self._rows |= {html.unescape(name): passage for name, passage in names.items()}  # a click tells what is read
        pale = reading.step != picture.step
        figure, sentence = influence_map(found, passages, unit=unit, pale=pale, everything=self.everything.value, module=picture.module)
        when = f"Measured at step {reading.step}, you are at step {picture.step}. " if pale else ""
        return figure, " ".join(each for each in (when + sentence, reading.note, "Click a row to read its text.") if each)

    def _clicked(self, click: dict[str, Any]) -> None:
        passage = self._rows.get(click["y"])
        if passage:
            self._passage = passage
            self.state.probe(TokenInfluence(passage=passage), self.view)
            self.state.soon(lambda: self.state.ask(TOKENS), "ask")
            self._show_tokens(self.state.picture)

    def _show_tokens(self, picture: Picture) -> None:
        """The clicked text, its tokens shaded as last measured."""
        self.detail.layout.display = "" if self._passage else "none"
        if not self._passage:
            return
        if not self.detail.children:
            self._build_detail()
        reading = picture.latest(TOKENS, picked=True, fits=self._is_of_passage)
        if reading is None:
            self.text.text = f"{self._passage}: its tokens are being measured."
            self.tokens.update([])
            return
        groups = list(reading.rows[0]["groups"])
        if [value for _, value in self.group.options][1:] != groups:
            self.group.options = [("the whole model", ""), *((each, each) for each in groups)]
        rows = token_rows(reading, self.group.value)
        whole = sum(value for _, value in rows)
        where = self.group.value or "the whole model"
        self.text.text = (
            f"{self._passage}, token by token, in {where}, measured at step {reading.step}: orange tokens hold the forget texts in the model, "
            f"blue ones push them out. Together {signed(whole)}."
        )
        self.tokens.update([(self._passage, rows)])

    def _is_of_passage(self, reading: Reading) -> bool:
        return bool(reading.rows) and reading.rows[0]["passage"] == self._passage

    def enable(self, *, idle: bool) -> None:
        """Measuring waits for work."""
        self.request.enable(idle=idle)

    def leave(self) -> None:
        """Stop watching the switch."""
        self.request.close()
