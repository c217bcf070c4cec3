"""BranchTools: the tree of branches as a list to choose from, and what can be done with the chosen one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ipywidgets as widgets

from unlearnviz.numbers import number
from unlearnviz.views.branches import Branch, alone, branches
from unlearnviz.views.controls import button, offer
from unlearnviz.views.influence_figures import snippet
from unlearnviz.views.sentence import Sentence

if TYPE_CHECKING:
    from unlearnviz.views.picture import Picture
    from unlearnviz.views.state import SessionState

DEEPER = "\N{NO-BREAK SPACE}" * 4  # per branch that it hangs below
SHOWN = 40  # letters of a name


class BranchTools:
    """A list of branches, each below the one that it leaves, and buttons: go there, rename, begin another, forget."""

    def __init__(self, state: SessionState) -> None:
        self.state = state
        self.tree = widgets.RadioButtons(options=[], layout={"width": "auto"}).add_class("uv-branches")
        self.go = button("Go to its end", lambda: state.go_to(self.tree.value), tooltip="To the last step of the chosen branch")
        self.name = widgets.Text(placeholder="name", description="New name", style={"description_width": "70px"}, layout={"width": "220px"})
        self.rename = button("Rename", self._rename, tooltip="Give the chosen branch this name")
        self.new = button("Branch here", self._branch, tooltip="Begin a branch of this name at the present step, and go on from it")
        self.forget = button("Forget\N{HORIZONTAL ELLIPSIS}", self._ask, tooltip="Give up the chosen branch and the weights that only it needs")
        self.question = Sentence()
        self.yes = button("Yes, forget it", self._forget)
        self.no = button("Keep it", self._keep)
        row = {"flex_flow": "row wrap", "align_items": "center"}
        self.asking = widgets.HBox([self.question, self.yes, self.no], layout={**row, "display": "none"})
        self.widget = widgets.VBox(
            [self.tree, widgets.HBox([self.go, self.forget, self.name, self.rename, self.new], layout=row), self.asking]
        )
        self.tree.observe(self._chosen, "value")

    def show(self, picture: Picture) -> None:
        """The tree; what was chosen stays so."""
        listed = branches(picture)
        fresh = self.tree.value not in picture.branches
        offer(self.tree, [(_line(each, here=each.name == picture.branch), each.name) for each in listed], self._chosen)
        if fresh:
            self.tree.value = picture.branch

    def enable(self, *, idle: bool) -> None:
        """What acts waits for work."""
        for each in (self.go, self.forget, self.rename, self.new, self.yes):
            each.disabled = not idle

    def _chosen(self, _change: object) -> None:
        self._keep()

    def _rename(self) -> None:
        self.state.rename_branch(self.tree.value, self.name.value.strip())
        self.name.value = ""

    def _branch(self) -> None:
        self.state.branch(self.name.value.strip())
        self.name.value = ""

    def _ask(self) -> None:
        own = len(alone(self.state.picture, self.tree.value))
        steps = f" with the {own} step{'s' * (own != 1)} that only it has" if own else ""
        self.question.text = f"Forget {self.tree.value!r}{steps}? No Undo brings it back."
        self.asking.layout.display = ""

    def _forget(self) -> None:
        self._keep()
        self.state.forget_branch(self.tree.value)

    def _keep(self) -> None:
        self.asking.layout.display = "none"


def _line(branch: Branch, *, here: bool) -> str:
    """A branch in one line, further to the right the deeper it hangs."""
    begin = f"{DEEPER * branch.deep}\N{BOX DRAWINGS LIGHT UP AND RIGHT} " if branch.deep else ""
    place = f"leaves {snippet(branch.leaves, SHOWN)} at step {branch.at}, " if branch.leaves else ""
    count = len(branch.steps)
    parts = f"{place}{count} step{'s' * (count != 1)}" + (" of its own" if branch.leaves else "")
    measured = "" if branch.perplexity is None else f", forget perplexity {number(branch.perplexity)} at step {branch.measured}"
    return f"{begin}{snippet(branch.name, SHOWN)}: {parts}{measured}{' (you are on it)' if here else ''}"
