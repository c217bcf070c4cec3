"""Timeline: a slider over all steps of this path; scrubbing restores weights and every panel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ipywidgets as widgets

from unlearnviz.views.controls import button
from unlearnviz.views.keys import keyed
from unlearnviz.views.panels.panel import Panel
from unlearnviz.views.slider import Slider

if TYPE_CHECKING:
    from unlearnviz.views.picture import Picture


class Timeline(Panel):
    """Where we stand, where we were, and the branches."""

    title = "Timeline"
    column, order = 0, 1

    def build(self) -> list[widgets.Widget]:
        """Slider, branches."""
        self.slider = Slider(label="Step", minimum=0, maximum=0, step=1, value=0, disabled=True)
        self.branches = widgets.Dropdown(
            description="Branch", options=["main"], style={"description_width": "50px"}, layout={"width": "170px"}
        )
        self.name = widgets.Text(
            placeholder="name of a new branch",
            description="New",
            style={"description_width": "35px"},
            layout={"width": "200px"},
        )
        self.new = button("Branch here", self._branch, tooltip="Name a new branch at this step and go on from it")
        keyed(self.slider, "scrub")
        self.slider.observe(self._scrub, "value")
        self.branches.observe(self._switch, "value")
        self._showing = False
        return [self.slider, widgets.HBox([self.branches, self.name, self.new], layout={"flex_flow": "row wrap"})]

    def show(self, picture: Picture) -> None:
        """The path and the head; set without answering back."""
        self._showing = True
        try:
            here = picture.path.index(picture.step)
            with self.slider.hold_sync():
                self.slider.maximum = float(max(1, len(picture.path) - 1))
                if not self.state.waits("move"):  # somebody is still scrubbing
                    self.slider.value = float(here)
                    self.slider.words = _words(picture, here)
                self.slider.disabled = len(picture.path) < 2
            if tuple(self.branches.options) != tuple(picture.branches):
                self.branches.options = list(picture.branches)
            self.branches.value = picture.branch
        finally:
            self._showing = False

    def _scrub(self, change: dict[str, float]) -> None:
        picture = self.state.picture
        position = int(change["new"])
        if self._showing or position >= len(picture.path):
            return
        if (
            picture.path[position] != picture.step or self.state.busy
        ):  # back to where we are also counts: the latest wish wins
            self.slider.words = _words(picture, position)
            self.state.go_to(picture.path[position])

    def _switch(self, change: dict[str, str]) -> None:
        if not self._showing and change["new"]:
            self.state.go_to(change["new"])

    def _branch(self) -> None:
        if self.name.value.strip():
            self.state.branch(self.name.value.strip())
            self.name.value = ""

    def enable(self, *, idle: bool) -> None:
        """Branching waits for work; scrubbing is remembered and done when it ends."""
        self.new.disabled = self.branches.disabled = not idle


def _words(picture: Picture, position: int) -> str:
    record = picture.records[position]
    mark = f" Marked: {record.mark}." if record.mark else ""
    return f"step {record.id}, {position} of {len(picture.path) - 1} on this path. {record.narration}{mark}"
