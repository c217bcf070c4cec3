"""OnRequest: the switch of a probe that may be too slow to be measured after every step, and the button that asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ipywidgets as widgets

from unlearnviz.views.controls import button

if TYPE_CHECKING:
    from unlearnviz.views.state import SessionState


class OnRequest:
    """A checkbox that follows the state, and "Measure now".

    Args:
        state: the state whose probe it is about.
        label: the probe's label.
    """

    def __init__(self, state: SessionState, label: str) -> None:
        self.state, self.label = state, label
        self.live = widgets.Checkbox(
            value=True, description="measure after every step", indent=False, layout={"width": "auto"}
        )
        self.measure = button("Measure now", lambda: state.ask(self.label), width="130px")
        self.widget = widgets.HBox([self.live, self.measure], layout={"flex_flow": "row wrap", "align_items": "center"})
        self.live.observe(self._switched, "value")
        state.observe(self._follow, "on_request")
        self._show()

    def follow(self, label: str) -> None:
        """Be about another probe from now on; the one before is measured on request only."""
        if label != self.label and self.label not in self.state.on_request:
            self.state.live(self.label, live=False)
        self.label = label
        self._show()

    def _switched(self, change: dict[str, bool]) -> None:
        if change["new"] == (self.label in self.state.on_request):
            self.state.live(self.label, live=change["new"])

    def _follow(self, _change: object) -> None:
        self._show()

    def _show(self) -> None:
        waiting = self.label in self.state.on_request
        self.live.value = not waiting
        self.live.description = "measure after every step (slow here)" if waiting else "measure after every step"

    def enable(self, *, idle: bool) -> None:
        """Asking waits for work."""
        self.measure.disabled = not idle

    def close(self) -> None:
        """Stop watching; the panel closes the widgets."""
        self.state.unobserve(self._follow, "on_request")
