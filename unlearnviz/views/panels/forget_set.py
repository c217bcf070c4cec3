"""Forget set: search, click to add or take out, type your own; what is picked is always in view."""

from __future__ import annotations

from collections.abc import Container
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets

from unlearnviz.numbers import number
from unlearnviz.views.controls import button
from unlearnviz.views.keys import keyed
from unlearnviz.views.panels.panel import Panel
from unlearnviz.views.passages import PassageList, Row, Rows
from unlearnviz.views.sentence import Sentence

if TYPE_CHECKING:
    from unlearnviz.engine.corpus import Passage
    from unlearnviz.views.picture import Picture

EVERYONE = "everyone"


class ForgetSet(Panel):
    """Chooses what shall be forgotten."""

    title = "Forget set"
    terms = ("forget",)
    view, column, order = "Neighbours", 0, 0

    def build(self) -> list[widgets.Widget]:
        """What is picked, what is worth knowing about these texts, search, results, and a box for a new text."""
        corpus = self.state.session.corpus
        self.count = Sentence()
        self.notes = Sentence()
        self.picked = PassageList(
            label="Picked to be forgotten", empty="Nothing yet: add a text below.", height=440, on_toggle=self._toggle
        )
        self.search = widgets.Text(
            description="Search",
            placeholder="a word, a name",
            continuous_update=True,
            layout={"width": "97%"},
            style={"description_width": "60px"},
        )
        self.person = widgets.Dropdown(
            description="Person",
            options=[EVERYONE, *dict.fromkeys(p.subject for p in corpus.train if p.subject)],
            layout={"width": "97%"},
            style={"description_width": "60px"},
        )
        self.whole = button(
            "Pick this person", self._pick_person, tooltip="Replace the forget set by all texts about this person"
        )
        self.results = PassageList(
            label="Texts the model was taught", empty="No taught text matches.", height=190, on_toggle=self._toggle
        )
        self.found = widgets.Label()
        self.typed = widgets.Textarea(
            placeholder="Type or paste a text of your own",
            layout={"width": "97%", "height": "52px"},
            description="New text",
            style={"description_width": "60px"},
        )
        self.add = button("Add this text", self._add_typed)
        keyed(self.search, "search")
        self.search.observe(self._list, "value")
        self.person.observe(self._list, "value")
        return [
            self.count,
            self.notes,
            self.picked,
            self.search,
            self.person,
            self.whole,
            self.found,
            self.results,
            self.typed,
            self.add,
        ]

    def show(self, picture: Picture) -> None:
        """The picked texts and the matching others."""
        people = list(dict.fromkeys(p.subject for p in picture.forget if p.subject))
        about = f" about {people[0]}" if len(people) == 1 else f" about {len(people)} people" if people else ""
        self.count.text = f"{len(picture.forget)} text{'s' if len(picture.forget) != 1 else ''} to forget{about}."
        self._show_notes(tuple(note for note in picture.notes if not self._gone(note)))
        values = picture.now("perplexity")
        forget = next((row for row in values.rows if row["group"] == "forget"), None) if values is not None else None
        per_text: dict[str, float] = forget["per_text"] if forget else {}
        self.picked.rows = [
            {
                "id": p.id,
                "text": p.text,
                "badge": number(per_text[p.id]) if p.id in per_text else "",
                "picked": True,
            }
            for p in picture.forget
        ]
        if any(p.text == self.typed.value.strip() for p in picture.forget):
            self.typed.value = ""  # it has arrived; one that was refused stays to be mended
        self._list()

    def _gone(self, note: str) -> bool:
        """Whether a note is about a text that is no longer picked."""
        session = self.state.session
        name = note.partition(": ")[0].removesuffix(" is a text you typed")
        ids: Container[object] = session.corpus
        known = name in ids or any(name == passage.id for passage in session.typed)
        return known and all(name != passage.id for passage in session.forget) and note not in session.corpus.notes

    def _show_notes(self, notes: tuple[str, ...]) -> None:
        """The latest note about a picked text in full, otherwise how many there are; all of them folded."""
        about_picked = [note for note in notes if note not in self.state.session.corpus.notes]
        said = about_picked[-1] if about_picked else f"{len(notes)} note{'s' if len(notes) != 1 else ''} on how the texts were read."
        self.notes.text = said if notes else ""
        self.notes.details = "\n".join(notes) if list(notes) != about_picked[-1:] else ""
        self.notes.layout.display = None if notes else "none"

    def _list(self, _change: object = None) -> None:
        picked = {passage.id for passage in self.state.picture.forget}
        words = self.search.value.lower().split()
        matching = [
            p
            for p in self.state.session.corpus.train
            if p.id not in picked
            and self.person.value in (EVERYONE, p.subject)
            and all(word in f"{p.text} {p.subject}".lower() for word in words)
        ]
        self.found.value = f"{len(matching)} other taught texts"
        self.results.rows = Rows(matching, _row)
        self.whole.disabled = self.person.value == EVERYONE or bool(self.state.lasting)

    def _toggle(self, passage: str) -> None:
        forget: list[Any] = list(self.state.picture.forget)
        kept = [p for p in forget if p.id != passage]
        self.state.pick(kept if len(kept) < len(forget) else [*forget, passage])

    def _pick_person(self) -> None:
        self.state.pick([self.person.value])

    def _add_typed(self) -> None:
        if self.typed.value.strip():
            self.state.pick([*self.state.picture.forget, self.typed.value.strip()])

    def enable(self, *, idle: bool) -> None:
        """Nothing can be picked while work runs."""
        self.picked.disabled = self.results.disabled = self.add.disabled = not idle
        self.whole.disabled = not idle or self.person.value == EVERYONE


def _row(passage: Passage) -> Row:
    return {"id": passage.id, "text": passage.text, "picked": False}
