"""Working: what is running, how far it is, and how long it may still take; hidden while nothing lasts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets as widgets

from unlearnviz.views.runner import seconds_left

if TYPE_CHECKING:
    from unlearnviz.engine.progress import Progress
    from unlearnviz.views.state import SessionState


class Working(widgets.HBox):
    """A bar and a line that follow the state; they keep their place while they are hidden.

    Args:
        state: what is followed as long as it lives.
    """

    _closed = True  # until everything is built: ipywidgets closes what is collected half-made

    def __init__(self, state: SessionState) -> None:
        self._state = state
        self.bar = widgets.FloatProgress(min=0, max=1, layout={"width": "180px", "visibility": "hidden"})
        self.line = widgets.Label("", layout={"min_width": "240px"})
        super().__init__([self.bar, self.line], layout={"flex_flow": "row wrap", "min_height": "30px"})
        self._closed = False
        state.observe(self._on_lasting, "lasting")
        state.observe(self._on_progress, "progress")

    def _on_lasting(self, change: dict[str, str]) -> None:
        self.bar.layout.visibility = "visible" if change["new"] else "hidden"
        self.line.value = f"Working: {change['new']}" if change["new"] else ""
        self.bar.value = 0.0
        self._on_progress({"new": self._state.progress if change["new"] else None})

    def _on_progress(self, change: dict[str, Any]) -> None:
        progress: Progress | None = change["new"]
        if progress is None or not self._state.lasting:
            return
        self.bar.value = progress.fraction or 0.0
        self.line.value = f"Working: {self._state.lasting}: {progress.text}{estimate(progress)}"


def estimate(progress: Progress) -> str:
    """How long it may still take, to go behind what it does: ", about 70 s left", or "" where that cannot be said."""
    left = seconds_left(progress)
    if left is None or left < 1:
        return ""
    return f", about {left:.0f} s left" if left < 90 else f", about {left / 60:.0f} min left"
