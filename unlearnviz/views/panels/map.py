"""Map: all texts in a plane as the model reads them, coloured by what moved; texts are picked by drawing around them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets

from unlearnviz.engine.probes.text_map import TextMap
from unlearnviz.views.chart import Chart
from unlearnviz.views.compared import below
from unlearnviz.views.controls import button
from unlearnviz.views.explained import explained
from unlearnviz.views.losses import LABEL as LOSSES
from unlearnviz.views.losses import Losses
from unlearnviz.views.map_figure import Place, text_map
from unlearnviz.views.panels.panel import WIDE, Panel

if TYPE_CHECKING:
    from unlearnviz.engine.corpus import Passage
    from unlearnviz.engine.probes.probe import Reading
    from unlearnviz.views.figures import Drawn
    from unlearnviz.views.picture import Picture

LABEL = "text-map"
LIMIT = 2000  # texts on the map, at most
NOT_YET = "Not drawn yet: press Draw the map. The model reads every text on it three times, which can be stopped."


class Map(Panel):
    """Folded; drawn when asked, coloured by the change of each text's loss since the start."""

    title = "Map of the texts: what the model reads alike, and what moved; draw around texts to pick them"
    terms = ("text-map",)
    view, column, order = "Neighbours", WIDE, 0
    folded = True

    def build(self) -> list[widgets.Widget]:
        """Two buttons and the map."""
        self.losses = Losses(self.state, self.view)
        self._passages = {passage.id: passage for passage in self.state.session.corpus}
        self._chosen: list[Passage] = []  # drawn around, and not picked yet
        self._colourless = False  # the map was asked for, and then its colours will be
        self.state.probe(TextMap(limit=LIMIT, label=LABEL), self.view)
        self.state.live(LABEL, live=False)
        meaning = "Where the model puts each text, and how its loss changed since the start"
        self.draw = button("Draw the map", self._ask, tooltip=meaning, width="130px")
        self.chart = explained(Chart(None, summary=NOT_YET), "text-map", "loss")
        self.chart.on_select(self._select)
        self.add = button("Add the selected", self._add, primary=True)
        self.add.layout.display = "none"
        return [widgets.HBox([self.draw, self.add]), self.chart]

    def _ask(self) -> None:
        self._colourless = True
        self.state.soon(lambda: self.state.ask(LABEL), f"ask {LABEL}")

    def show(self, picture: Picture) -> None:
        """The map as measured last, and as far as losses are known, their colours."""
        self.losses.look(picture)  # what was measured is remembered, on the map or not
        reading = _drawn_last(picture)
        if reading is None:
            self.chart.update(None, summary=NOT_YET)
        else:
            figure, sentence = below(lambda each: self._places(each, reading), picture, LOSSES)
            self.chart.update(figure, summary=sentence)
        picked = {passage.id for passage in picture.forget}
        self._select([passage.id for passage in self._chosen if passage.id not in picked])

    def _places(self, picture: Picture, reading: Reading) -> Drawn:
        """Where the texts lie, in the colours of a path."""
        step, loss, start = self.losses.look(picture)
        forget = {passage.id: passage for passage in picture.forget}
        people = {passage.subject for passage in picture.forget if passage.subject}
        places = []
        for row in reading.rows:
            name = row["passage"]
            passage = forget.get(name) or self._passages.get(name)
            if passage is None:
                continue  # a typed text that is picked no more
            group = "to forget" if name in forget else "never seen" if passage.split == "holdout" else "others"
            group = "same person" if group == "others" and passage.subject in people else group
            moved = loss.get(name, math.nan) - start.get(name, math.nan)
            places.append(Place(name, passage.text, group, row["x"], row["y"], moved))
        ended = self.state.runner.outcome
        if self._colourless and ended is not None:
            self._colourless = False
            if ended.state == "done":  # who pressed Stop wants no more
                self.losses.ask(place.passage for place in places)
        measured = any(math.isfinite(place.moved) for place in places)
        return text_map(places, reading, step=step if measured else None, here=picture.step)

    def _select(self, points: list[Any]) -> None:
        """Offer to add what was drawn around; nothing is picked yet."""
        picked = {passage.id for passage in self.state.picture.forget}
        known = [self._passages[name] for name in points if name in self._passages]
        self._chosen = [passage for passage in known if passage.split == "train" and passage.id not in picked]
        count = len(self._chosen)
        self.add.description = f"Add the {count} selected to the forget set" if count else "Nothing selected can be added"
        self.add.layout.display = "" if points else "none"
        self.enable(idle=not self.state.lasting)

    def _add(self) -> None:
        self.state.pick([*self.state.picture.forget, *self._chosen])

    def enable(self, *, idle: bool) -> None:
        """Drawing and adding wait for work."""
        self.draw.disabled = not idle or not self.state.picture.forget
        self.add.disabled = not idle or not self._chosen


def _drawn_last(picture: Picture) -> Reading | None:
    """The last map on the way to the head: it holds whoever is picked, so that what was drawn around on it can be added."""
    way = picture.path[: picture.path.index(picture.step) + 1]
    maps = (each for step in reversed(way) for each in picture.taken.get(step, ()))
    return next((each for each in maps if (each.label, each.of) == (LABEL, "now")), None)
