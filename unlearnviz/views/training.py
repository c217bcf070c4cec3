"""Training: how far the twin is that is trained beside everything else, and its own Stop; not there while none is trained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets as widgets

from unlearnviz.views.controls import button
from unlearnviz.views.working import estimate

if TYPE_CHECKING:
    from unlearnviz.engine.progress import Progress
    from unlearnviz.views.state import SessionState


class Training(widgets.HBox):
    """A bar, a line and a button, made when a twin is trained for the first time.

    Args:
        state: what is followed as long as it lives.
    """

    _closed = True  # until everything is built: ipywidgets closes what is collected half-made

    def __init__(self, state: SessionState) -> None:
        self._state = state
        self.bar: widgets.FloatProgress | None = None
        super().__init__(layout={"flex_flow": "row wrap", "align_items": "center", "display": "none"})
        self._closed = False
        self.add_class("uv-training")
        state.observe(self._on_training, "training")
        state.observe(self._on_trained, "trained")

    def _on_training(self, change: dict[str, str]) -> None:
        self.layout.display = None if change["new"] else "none"
        if change["new"] and self.bar is None:
            self.bar = widgets.FloatProgress(min=0, max=1, layout={"width": "180px"})
            self.line = widgets.Label("")
            self.stop = button("Stop the training", self._state.stop_training, tooltip="Nothing of this twin is kept; all else goes on")
            self.children = (self.bar, self.line, self.stop)
        if change["new"] and self.bar is not None:
            self.bar.value = 0.0
            self.line.value = f"Training {change['new']} beside: you can go on."

    def _on_trained(self, change: dict[str, Any]) -> None:
        progress: Progress | None = change["new"]
        if progress is not None and self.bar is not None:
            self.bar.value = progress.fraction or 0.0
            self.line.value = f"Training {self._state.training} beside: {progress.text}{estimate(progress)}. You can go on."
