"""Steps: the buttons that act, always in sight: one step, several, stop, back, forward, to the start."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ipywidgets as widgets

from unlearnviz.errors import UnlearnvizError
from unlearnviz.views.controls import button
from unlearnviz.views.keys import keyed
from unlearnviz.views.panels.panel import Panel
from unlearnviz.views.sentence import Sentence

if TYPE_CHECKING:
    from unlearnviz.engine.methods.method import Method
    from unlearnviz.views.picture import Picture


class Steps(Panel):
    """One large Step, and the way back."""

    title = "Steps"
    column, order = 0, 0

    def build(self) -> list[widgets.Widget]:
        """Step, Run, Stop, Undo, Redo, Start again; and why Step is locked, where it is."""
        self.step = button("Step", self._step, tooltip="One step, with all readings", primary=True)
        self.step.add_class("uv-step")
        self.count = widgets.BoundedIntText(
            value=5, min=1, max=1000, description="steps", style={"description_width": "40px"}, layout={"width": "100px"}
        )
        self.run = button("Run", self._run, tooltip="Several steps; ends by itself where the retain texts suffer or the method is done")
        self.stop = button("Stop", self.state.stop, tooltip="Stop what is running; the unfinished part is not kept")
        self.undo = button("Undo", self.state.undo, tooltip="One step back, exactly")
        self.redo = button("Redo", self.state.redo, tooltip="The undone step again, exactly")
        self.again = button(
            "Start again", lambda: self.state.go_to(0), tooltip="Back to the start; every step stays in the history"
        )
        for name in ("step", "undo", "redo", "stop"):
            keyed(getattr(self, name), name)
        self.why = Sentence()
        self.state.observe(self._locked, "locked")
        row = {"flex_flow": "row wrap", "align_items": "center"}
        buttons = [self.step, self.undo, self.redo, self.again, self.run, self.count, self.stop]
        return [widgets.HBox(buttons, layout=row), self.why]

    def _asked(self) -> Method | None:
        """The chosen method; None where its settings are wrong, which the page then says."""
        chosen = self.state.method
        if isinstance(chosen, UnlearnvizError):
            self.state.refused(chosen)
            return None
        return chosen

    def _step(self) -> None:
        method = self._asked()
        if method is not None and not self.state.locked:
            self.state.step(method)

    def _run(self) -> None:
        method = self._asked()
        if method is not None and not self.state.locked:
            self.state.run(self.count.value, method)

    def _locked(self, change: dict[str, str]) -> None:
        self.why.text = change["new"]
        self.enable(idle=not self.state.lasting)

    def show(self, picture: Picture) -> None:
        """Which buttons make sense now."""
        self._able(picture, idle=not self.state.lasting)

    def enable(self, *, idle: bool) -> None:
        """While work runs only Stop is left."""
        self._able(self.state.picture, idle=idle)

    def _able(self, picture: Picture, *, idle: bool) -> None:
        self.step.disabled = self.run.disabled = not idle or not picture.forget or bool(self.state.locked)
        self.undo.disabled = not idle or not picture.can_undo
        self.redo.disabled = not idle or not picture.can_redo
        self.again.disabled = not idle or picture.step == 0
        self.stop.disabled = idle

    def leave(self) -> None:
        """Stop watching the lock."""
        self.state.unobserve(self._locked, "locked")
