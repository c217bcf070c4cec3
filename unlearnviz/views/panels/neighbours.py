"""Neighbours: taught texts that look like the ones to forget, above a threshold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ipywidgets as widgets

from unlearnviz.engine.neighbours import Neighbour, neighbours
from unlearnviz.views.controls import button
from unlearnviz.views.panels.panel import Panel
from unlearnviz.views.passages import PassageList
from unlearnviz.views.sentence import Sentence
from unlearnviz.views.slider import Slider

if TYPE_CHECKING:
    from unlearnviz.views.picture import Picture

SHOWN = 40


class Neighbours(Panel):
    """Shows fuzzy matches; the threshold changes this list, never the measured groups."""

    title = "Neighbours"
    column, order = 0, 1

    def build(self) -> list[widgets.Widget]:
        """Threshold, sentence, list, add all."""
        self.threshold = Slider(label="Similar at least", minimum=0, maximum=100, step=1, value=60, words="60 of 100")
        self.sentence = Sentence()
        self.list = PassageList(
            label="Fuzzy matches", empty="No taught text is this similar.", height=230, on_toggle=self._add
        )
        self.all = button("Add all of these", self._add_all)
        self.threshold.observe(self._filter, "value")
        self._found: list[Neighbour] = []
        self._for: tuple[str, ...] = ()
        return [self.threshold, self.sentence, self.list, self.all]

    def show(self, picture: Picture) -> None:
        """Matches of the present forget set; scored anew only when it changed."""
        asked = tuple(passage.id for passage in picture.forget)
        if asked != self._for:
            self._for = asked
            self._found = neighbours(picture.forget, self.state.session.corpus.train)
            self._filter()

    def _above(self) -> list[Neighbour]:
        return [each for each in self._found if each.score >= self.threshold.value]

    def _filter(self, _change: object = None) -> None:
        above = self._above()
        self.threshold.words = f"{self.threshold.value:.0f} of 100 (fuzzy ratio; 100 = the same letters)"
        people = len({each.passage.subject for each in above if each.passage.subject})
        about = f" about {people} {'people' if people != 1 else 'person'}" if people else ""
        nearest = f"; the nearest has {self._found[0].score:.0f}" if self._found else ""
        looks = (
            f"{len(above)} taught text{'s' if len(above) != 1 else ''}{about} look{'' if len(above) != 1 else 's'} like a picked one."
            if above
            else f"No taught text is this similar{nearest}."
        )
        self.sentence.text = f"{looks} The measured neighbours are always the 20 nearest."
        self.list.rows = [
            {
                "id": n.passage.id,
                "text": n.passage.text,
                "subject": n.passage.subject,
                "badge": f"{n.score:.0f}",
                "picked": False,
            }
            for n in above[:SHOWN]
        ]
        self.all.description = f"Add all {len(above)} to the forget set"
        self.all.disabled = not above or bool(self.state.lasting)

    def _add(self, passage: str) -> None:
        self.state.pick([*self.state.picture.forget, passage])

    def _add_all(self) -> None:
        self.state.pick([*self.state.picture.forget, *(each.passage for each in self._above())])

    def enable(self, *, idle: bool) -> None:
        """Nothing can be added while work runs."""
        self.list.disabled = not idle
        self.all.disabled = not idle or not self._above()
