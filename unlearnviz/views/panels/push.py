"""Push: what the last step moved in the embedding, and in what the model says next; measured only while it is open."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ipywidgets as widgets

from unlearnviz.engine.probes.push import Push as PushProbe
from unlearnviz.views.chart import Chart
from unlearnviz.views.compared import below
from unlearnviz.views.controls import offer
from unlearnviz.views.explained import explained
from unlearnviz.views.influence_figures import snippet
from unlearnviz.views.panels.panel import WIDE, Panel
from unlearnviz.views.push_figures import moved, next_words, prompts

if TYPE_CHECKING:
    from unlearnviz.views.picture import Picture


class Push(Panel):
    """Two charts, folded."""

    title = "What did this step push? Tokens that moved, and next words that became more and less likely"
    terms = ("push",)
    view, column, order = "Where", WIDE, 0
    folded = True

    def build(self) -> list[widgets.Widget]:
        """The rows that moved; a prompt, and the words after it."""
        self.state.probe(PushProbe(), self.view)
        half = {"flex": "1 1 380px", "min_width": "0", "width": "auto"}
        self.rows = explained(Chart(None, summary="", layout=half), "push", "embedding.input", "embedding.output")
        self.prompt = widgets.Dropdown(
            description="prompt", options=[], style={"description_width": "60px"}, layout={"width": "97%"}
        )
        self.words = explained(Chart(None, summary=""), "push", "generation")
        self.prompt.observe(self._chosen, "value")
        right = widgets.VBox([self.prompt, self.words], layout=half)
        return [widgets.HBox([self.rows, right], layout={"flex_flow": "row wrap"})]

    def turned(self, *, unfolded: bool) -> None:
        """Measured while it is open."""
        self.state.live("push", live=unfolded)

    def show(self, picture: Picture) -> None:
        """Draw both charts."""
        figure, sentence = below(lambda each: moved(each.now("push")), picture, "push")
        self.rows.update(figure, summary=sentence)
        offer(self.prompt, [(snippet(each, 90), each) for each in prompts(picture.now("push"))], self._chosen)
        figure, sentence = below(lambda each: next_words(each.now("push"), self.prompt.value or ""), picture, "push")
        self.words.update(figure, summary=sentence)

    def _chosen(self, _change: object) -> None:
        self.show(self.state.picture)
