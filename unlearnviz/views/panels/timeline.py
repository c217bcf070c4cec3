"""Timeline: a slider over all steps of this path; scrubbing restores weights and every panel. Beside it the branches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import ipywidgets as widgets

from unlearnviz.views.branch_tools import SHOWN, BranchTools
from unlearnviz.views.explained import explained
from unlearnviz.views.fold import Fold
from unlearnviz.views.influence_figures import snippet
from unlearnviz.views.keys import keyed
from unlearnviz.views.panels.panel import Panel
from unlearnviz.views.slider import Slider

if TYPE_CHECKING:
    from unlearnviz.views.picture import Picture

ONE_LINE = "1 1 260px"  # of the slider, where no other branch wants room beside it


class Timeline(Panel):
    """Where we stand, where we were, and the branches: which one we are on, and which one is shown beside it."""

    title = "Timeline"
    column, order = 0, 1

    def build(self) -> list[widgets.Widget]:
        """Slider and branches in one line; the tree of branches is built when it is opened."""
        self.slider = Slider(label="Step", minimum=0, maximum=0, step=1, value=0, disabled=True, layout={"flex": ONE_LINE, "width": "auto"})
        explained(self.slider, "path", "start", "now")
        keyed(self.slider, "scrub")
        self.branches = explained(_drop("Branch"), "path")
        self.compared = _drop("compare")
        self.more = Fold(self.state, "Branches", self._build_tools, self._show_tools)
        self.slider.observe(self._scrub, "value")
        self.branches.observe(self._switch, "value")
        self.compared.observe(self._compare, "value")
        self._showing = False
        row = widgets.HBox([self.slider, self.branches, self.compared, self.more.head], layout={"flex_flow": "row wrap", "align_items": "flex-start"})
        return [row, self.more.body]

    def _build_tools(self) -> Sequence[widgets.Widget]:
        self.tools = BranchTools(self.state)
        return [self.tools.widget]

    def _show_tools(self, picture: Picture) -> None:
        self.tools.show(picture)

    def show(self, picture: Picture) -> None:
        """The path, the head and the branches; set without answering back."""
        self._showing = True
        try:
            here = picture.path.index(picture.step)
            with self.slider.hold_sync():
                self.slider.maximum = float(max(1, len(picture.path) - 1))
                if not self.state.waits("move"):  # somebody is still scrubbing
                    self.slider.value = float(here)
                    self.slider.words = _words(picture, here)
                self.slider.disabled = len(picture.path) < 2
            names = [(snippet(name, SHOWN), name) for name in picture.branches]
            others = [("nothing", ""), *(each for each in names if each[1] != picture.branch)]
            for drop, options, value in ((self.branches, names, picture.branch), (self.compared, others, picture.compared)):
                if tuple(drop.options) != tuple(options):
                    drop.options = options
                drop.value = value if value in dict(options).values() else ""
                drop.layout.display = None if len(names) > 1 else "none"
            self.slider.layout.flex = ONE_LINE if len(names) < 2 else "1 1 100%"
            self.more.show(picture)
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

    def _compare(self, change: dict[str, str]) -> None:
        if not self._showing and change["new"] is not None:
            self.state.compare(change["new"])

    def enable(self, *, idle: bool) -> None:
        """Branches wait for work; scrubbing is remembered and done when it ends."""
        self.branches.disabled = self.compared.disabled = not idle
        if self.more.body.children:
            self.tools.enable(idle=idle)


def _drop(label: str) -> widgets.Dropdown:
    layout = {"width": "auto", "max_width": "230px", "display": "none"}
    return widgets.Dropdown(description=label, options=[""], style={"description_width": "auto"}, layout=layout)


def _words(picture: Picture, position: int) -> str:
    record = picture.records[position]
    mark = f" Marked: {record.mark}." if record.mark else ""
    return f"step {record.id}, {position} of {len(picture.path) - 1} on this path. {record.narration}{mark}"
