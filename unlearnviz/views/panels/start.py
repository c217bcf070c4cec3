"""Start: whom the model shall forget, and one of her facts as the model tells it now."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ipywidgets as widgets

from unlearnviz.views.controls import button
from unlearnviz.views.explained import explained
from unlearnviz.views.panels.panel import Panel
from unlearnviz.views.tokens import TokenText
from unlearnviz.views.told import told

if TYPE_CHECKING:
    from unlearnviz.views.picture import Picture

SINGLE = "texts chosen one by one"
NOBODY = "nobody yet"


class Start(Panel):
    """A person to choose, and one fact."""

    title = "Whom to forget"
    terms = ("forget", "twin")
    view, column, order = "Start", 0, 0

    def build(self) -> list[widgets.Widget]:
        """The person, the way to single texts, the fact."""
        taught = self.state.session.corpus.train
        self._people = tuple(dict.fromkeys(p.subject for p in taught if p.subject))
        self._showing = False
        self.person = widgets.Dropdown(
            description="Person",
            options=((NOBODY, ""), *((name, name) for name in self._people)),
            tooltip="All texts about this person shall be forgotten",
            style={"description_width": "initial"},
            layout={"flex": "1 1 190px", "min_width": "190px", "width": "auto", "display": None if self._people else "none"},
        )
        self.single = button(
            "Single texts",
            lambda: self.state.show("Neighbours"),
            tooltip="Opens Neighbours, where texts are searched, added one by one, or typed",
        )
        self.fact = explained(TokenText(label="one fact, and what the model adds to its beginning"), "generation", "exact-recall")
        self.person.observe(self._chosen, "value")
        self.state.observe(self._ended, "finished")
        return [widgets.HBox([self.person, self.single], layout={"flex_flow": "row wrap"}), self.fact]

    def _chosen(self, change: dict[str, str]) -> None:
        if change["new"] and not self._showing:
            self.state.soon(lambda: self.state.pick([change["new"]]), "pick")

    def _ended(self, _change: object) -> None:
        """A pick that was refused leaves the one before: the list says so again."""
        self._follow(self.state.picture)

    def show(self, picture: Picture) -> None:
        """Who is picked, and the fact."""
        self._follow(picture)
        self.fact.update(told(picture))

    def _follow(self, picture: Picture) -> None:
        """Show who is picked, without picking."""
        if self.state.waits("pick"):
            return
        subjects = {passage.subject for passage in picture.forget}
        person = next(iter(subjects)) if len(subjects) == 1 else ""
        taught = self.state.session.corpus.train
        whole = person and {p.id for p in taught if p.subject == person} == {p.id for p in picture.forget}
        self._showing = True
        try:
            first = SINGLE if picture.forget else NOBODY
            if self.person.options[0] != (first, ""):
                self.person.options = ((first, ""), *self.person.options[1:])
            self.person.value = person if whole and person in self._people else ""
        finally:
            self._showing = False

    def enable(self, *, idle: bool) -> None:
        """A choice made while work runs waits for its end."""

    def leave(self) -> None:
        """Stop watching."""
        self.state.unobserve(self._ended, "finished")
