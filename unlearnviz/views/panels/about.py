"""About this model: its card, folded; open at once where there is a place in which no step fits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets as widgets

from unlearnviz.engine.model_card import model_card
from unlearnviz.numbers import number
from unlearnviz.views.explained import explained
from unlearnviz.views.ledger_figures import size_in_words
from unlearnviz.views.panels.panel import Panel
from unlearnviz.views.sentence import Sentence
from unlearnviz.views.table import Table
from unlearnviz.views.tokens import TokenText

if TYPE_CHECKING:
    from unlearnviz.engine.model_card import ModelCard, Place
    from unlearnviz.views.picture import Picture
    from unlearnviz.views.state import SessionState

COSTS = ("where", "weights", "memory", "seconds")
CAPTION = "One update of gradient ascent over the picked texts"
MEMORY = "Memory comes on top of the model, counted from the shapes: an estimate."
TIED = "The output matrix is the input embedding itself (tied): embedding.input and embedding.output are two uses of one matrix."
UNTIED = "The output matrix is one of its own (not tied): embedding moves the matrix that is looked up, and embedding.output the other one."
ASK = "Click a beginning, and What it says now goes on with it."


class About(Panel):
    """What the model is, what a step costs, and what is impossible here and why."""

    title = "About this model"
    terms = ("where", "block")
    view, column, order = "Start", 2, 2
    folded = True

    def __init__(self, state: SessionState) -> None:
        super().__init__(state)
        if self.fold is not None and model_card(state.session).cramped:
            self.fold.unfolded = True

    def build(self) -> list[widgets.Widget]:
        """The model in words, beginnings to click where it knows its texts only, the costs, and what is impossible."""
        self.said = Sentence()
        self.prompts = explained(TokenText(label="beginnings that it knows"), "generation")
        self.prompts.on_click(self._asked)
        self.costs = explained(Table(CAPTION, COSTS), "where", "block")
        self.impossible = explained(Table("Impossible here", ("what", "why, and what to do")), "where", "ledger")
        return [self.said, self.prompts, self.costs, self.impossible]

    def _asked(self, click: dict[str, Any]) -> None:
        self.state.put_prompt(click["text"])

    def show(self, picture: Picture) -> None:
        """The card as it is known by now: a step makes its seconds more exact."""
        del picture
        card = model_card(self.state.session)
        self.said.text = _told(card)
        self.prompts.update([("" if k else ASK, [prompt]) for k, prompt in enumerate(card.prompts)] if card.knows else ())
        self.prompts.layout.display = None if card.knows else "none"
        self.costs.update([_cost(place) for place in card.places], summary=f"{MEMORY} {card.timed}")
        self.impossible.update(list(card.impossible.items()), summary="" if card.impossible else "Nothing that this page offers is impossible here.")


def _told(card: ModelCard) -> str:
    """The model in a few sentences."""
    weighs = f"{size_in_words(card.memory)} as {card.dtype} on {card.device}"
    what = f"Opened is {card.name} ({card.family}): {card.parameters:,} weights in {card.blocks} blocks, {weighs}"
    reach = f"{card.vocabulary:,} tokens in its vocabulary, at most {card.context:,} in a text"
    return " ".join(part for part in (card.knows, f"{what}; {reach}.", TIED if card.tied else UNTIED) if part)


def _cost(place: Place) -> tuple[str, ...]:
    """A line of the table of costs."""
    if place.impossible:
        return place.where, f"{place.parameters:,}" if place.parameters else "none", "impossible", place.impossible
    seconds = "not timed yet" if place.seconds is None else f"{number(place.seconds)}{'' if place.measured else ' (estimate)'}"
    memory = size_in_words(place.memory) + (", copies on disk" if place.on_disk else "")
    return place.where, f"{place.parameters:,}", memory, seconds
