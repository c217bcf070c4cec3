"""Steering: which method, how, and where the next step is taken; teaching the model and its twin."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ipywidgets as widgets

from unlearnviz.engine.familiarity import Familiarity, familiarity
from unlearnviz.engine.learning import Recipe
from unlearnviz.engine.methods.method import registry
from unlearnviz.errors import UnlearnvizError
from unlearnviz.views.controls import WIDE, Controls, button, close_all
from unlearnviz.views.explained import explained, explained_anew
from unlearnviz.views.panels.panel import Panel
from unlearnviz.views.sentence import Sentence

if TYPE_CHECKING:
    from unlearnviz.engine.methods.method import Method
    from unlearnviz.engine.session import Session
    from unlearnviz.engine.step_size import StepSize
    from unlearnviz.views.picture import Picture


class Steering(Panel):
    """The wheel: what the next step does."""

    title = "Steering"
    terms = ("step", "where", "update-norm", "step-size")
    view, column, order = "Start", 0, 1

    def build(self) -> list[widgets.Widget]:
        """Whether the model knows the texts; method, where, settings; Learn, Train the twin."""
        self.advice = Sentence()
        self.method = widgets.Dropdown(
            description="method", options=list(registry), value="gradient-ascent", style=WIDE, layout={"width": "97%"}
        )
        self.settings = widgets.VBox()
        self.where = widgets.Combobox(
            description="where",
            options=self._places(),
            value=self.state.where,
            continuous_update=False,
            ensure_option=False,
            tooltip="embedding, block 3, blocks 2-5, attention, mlp, head, all, or several with commas",
            style=WIDE,
            layout={"width": "97%"},
        )
        self.find = button(
            "Find a step size",
            self.state.find_step_size,
            tooltip="Tries sizes until one raises the mean loss of the texts to forget by 0.3 nats; nothing is changed",
        )
        explained(self.where, "where", "embedding", "embedding.input", "embedding.output", "block")
        self._sized: StepSize | None = None  # what the settings were filled with
        self.learn = button(
            "Learn",
            self._learn,
            tooltip="Teach the model its texts; a new history starts, and the steps taken so far are given up",
        )
        self.epochs = widgets.BoundedIntText(
            value=_passes(self.state.session),
            min=1,
            max=10_000,
            description="passes",
            tooltip="How often Learn goes over all the texts",
            style={"description_width": "48px"},
            layout={"width": "125px"},
        )
        explained(self.epochs, "passes")
        self.twin = button(
            "Train the twin", self.state.train_twin, tooltip="Retrain without the forget texts, while you go on: what forgotten means"
        )
        row = {"flex_flow": "row wrap"}
        self.question: widgets.VBox | None = None  # made when it is first asked
        self.teaching = widgets.HBox([self.find, self.learn, self.epochs, self.twin], layout=row)
        self._choose()
        self.method.observe(self._choose, "value")
        self.where.observe(self._place, "value")
        self.state.observe(self._placed, "where")
        self.state.observe(self._wanted, "wanted")
        return [
            self.advice,
            self.method,
            self.where,
            self.settings,
            self.teaching,
        ]

    def _places(self) -> list[str]:
        last = self.state.session.model.layout.blocks - 1
        parts = ["embedding", "embedding.input", "embedding.output", f"blocks {max(0, last - 1)}-{last}", "block 0"]
        return [*parts, "attention", "mlp", "norm", "position", "all"]

    def _choose(self, _change: object = None) -> None:
        old = self.settings.children
        self.controls = Controls(registry[self.method.value])
        explained_anew(self.method, self.method.value, "step")
        self.settings.children = (self.controls.widget,)
        for control in self.controls.by_name.values():
            control.observe(self._tell, "value")
        for each in old:
            close_all(each)
        self._tell()
        self.enable(idle=not self.state.lasting)

    def _tell(self, _change: object = None) -> None:
        """Other panels learn from the state what is chosen, or what is wrong with it."""
        try:
            self.state.method = self.controls.value()
        except UnlearnvizError as error:
            self.state.method = error

    def _place(self, change: dict[str, str]) -> None:
        self.state.where = change["new"].strip() or "embedding"
        self.where.value = self.state.where

    def _placed(self, change: dict[str, str]) -> None:
        self.where.value = change["new"]

    def _wanted(self, change: dict[str, Method | None]) -> None:
        """Show what another panel has chosen."""
        if change["new"] is not None:
            self.method.value = change["new"].name
            self.controls.set(change["new"].settings)

    def _learn(self) -> None:
        """At once where there is nothing to lose; else the page asks first."""
        lost = _lost(self.state.picture, len(self.state.session.history) - 1)
        if not lost:
            self._teach()
            return
        question = self.question or self._build_question()
        self.doubt.text = f"Teach all texts again? {lost}"
        question.layout.display = None

    def _build_question(self) -> widgets.VBox:
        """Below the buttons, over the whole width."""
        self.doubt = Sentence()
        self.teach_again = button("Yes, teach it again", self._teach)
        self.no = button("No", self._dismiss, tooltip="Keep the model and its history as they are")
        buttons = widgets.HBox([self.teach_again, self.no], layout={"flex_flow": "row wrap"})
        self.question = widgets.VBox([self.doubt, buttons], layout={"width": "100%"})
        self.teaching.children = (*self.teaching.children, self.question)
        return self.question

    def _teach(self) -> None:
        self._dismiss()
        self.state.learn(self.epochs.value)

    def _dismiss(self) -> None:
        if self.question is not None:
            self.doubt.text = ""
            self.question.layout.display = "none"

    def show(self, picture: Picture) -> None:
        """Whether the model knows the texts, and which buttons make sense now."""
        self._dismiss()
        known = _known(picture)
        # of texts that it knows this is worth a line at the start only: later steps are there to undo it
        self.advice.text = "" if known.knows and picture.step else known.sentence
        self.learn.button_style = "primary" if known.knows is False else ""
        self._fill(picture.step_size)
        self.enable(idle=not self.state.lasting)

    def _fill(self, found: StepSize | None) -> None:
        """Put a step size that was just found into its field, once: later edits of it stay."""
        if found is None or found is self._sized:
            return
        self._sized = found
        if found.size is not None and found.method == self.method.value:
            self.controls.set({found.setting: found.size})

    def enable(self, *, idle: bool) -> None:
        """Training waits for work."""
        picture = self.state.picture
        self.learn.disabled = not idle
        self.find.disabled = not idle or not picture.forget or not {"update_norm", "learning_rate"} & set(self.controls.by_name)
        if self.question is not None:
            self.teach_again.disabled = not idle
        self.twin.disabled = not idle or bool(self.state.training) or not picture.can_train_twin or picture.has_twin or not picture.forget

    def leave(self) -> None:
        """Stop watching what is chosen elsewhere."""
        self.state.unobserve(self._placed, "where")
        self.state.unobserve(self._wanted, "wanted")


def _passes(session: Session) -> int:
    """How often to go over the texts: as the model was taught before; fewer times for a big model, which learns in fewer."""
    if session.lineage is not None:
        return (session.lineage.recipe, *session.lineage.further)[-1].epochs
    return max(3, round(Recipe().epochs * min(1.0, (2.5e6 / session.model.size) ** 0.5)))


def _lost(picture: Picture, steps: int) -> str:
    """What a person loses by teaching the model again, in a sentence; "" for a model that has yet to learn its texts."""
    lost = [f"the {steps} step{'s' if steps != 1 else ''} of this history"] if steps else []
    lost += ["the twins"] if picture.has_twin else []
    knows = _known(picture).knows
    if not knows and not lost:
        return ""
    begin = "This model knows them already. " if knows else ""
    end = f" {' and '.join(lost)} cannot be brought back." if lost else ""
    return f"{begin}It goes on from its present weights, and a new history starts:{end or ' these weights cannot be brought back.'}"


def _known(picture: Picture) -> Familiarity:
    """Whether the model knew the texts at the start, as far as that was measured."""
    if picture.forget and all(passage.extra.get("typed") for passage in picture.forget):
        return Familiarity(None, "You typed these texts: the model was never taught them, and Learn does not teach them.")
    reading = picture.start.get("perplexity")
    if picture.forget and reading is None:
        return Familiarity(None, "")
    return familiarity(reading.rows if reading is not None else ())
