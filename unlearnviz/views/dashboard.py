"""Dashboard: the panels in five views, laid out over one state; closes everything it made."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets

from unlearnviz.views.controls import close_all, every
from unlearnviz.views.explained import Explained
from unlearnviz.views.frame import Frame
from unlearnviz.views.keys import Keys
from unlearnviz.views.panels import all_panels
from unlearnviz.views.panels.panel import WIDE
from unlearnviz.views.projector import Projector
from unlearnviz.views.sentence import Sentence
from unlearnviz.views.showing import VIEWS
from unlearnviz.views.state import SessionState
from unlearnviz.views.tabs import Tabs
from unlearnviz.views.training import Training
from unlearnviz.views.worded import Worded
from unlearnviz.views.working import Working

if TYPE_CHECKING:
    from unlearnviz.engine.session import Session


class Dashboard(Worded, widgets.VBox):
    """A session with buttons: put it on the last line of a notebook cell.

    Args:
        session: the session to show; it stays usable from cells, and `refresh()` brings the page up to date.
    """

    _closed = True  # until everything is built: ipywidgets closes what is collected half-made

    def __init__(self, session: Session) -> None:
        self.state = SessionState(session)
        self.sentence = Sentence()
        self.error = Sentence(urgent=True)
        head = Working(self.state)
        self.bar, self.working = head.bar, head.line
        self.panels = [cls(self.state) for cls in all_panels()]
        self.frame = Frame()
        self.tabs = Tabs(VIEWS)
        self.projector, self.shortcuts = Projector(), Keys()
        self.views = {view: self._view(view) for view in VIEWS}
        above = widgets.HBox([panel.widget for panel in self.panels if not panel.view]).add_class("uv-above")
        bar = widgets.HBox([self.tabs, head, self.projector, self.shortcuts]).add_class("uv-bar")
        self.training = Training(self.state)
        super().__init__([self.frame, Explained(), self.sentence, self.error, above, bar, self.training, *self.views.values()])
        self.add_class("uv-dashboard")
        self._closed = False
        self.frame.on_here(self.tell_all)
        self.tabs.observe(lambda change: self.state.show(change["new"]), "chosen")
        self.state.observe(self._on_view, "view")
        self._on_view({"new": self.state.view})
        self.state.observe(self._on_picture, "picture")
        self.state.observe(self._answered, ["finished", "error"])
        self.state.observe(self._on_error, "error")
        self.state.listen()
        self.state.open()

    def _view(self, view: str) -> widgets.VBox:
        """What a tab shows: columns side by side, and what is as wide as all of them below."""
        panels = [panel for panel in self.panels if panel.view == view]
        columns = [[panel.widget for panel in panels if panel.column == column] for column in range(WIDE)]
        used = [widgets.VBox(column) for column in columns if column]
        grid = [widgets.Box(used).add_class(f"uv-columns-{len(used)}").add_class("uv-columns")] if used else []
        wide = [panel.widget for panel in panels if panel.column == WIDE]
        return widgets.VBox([*grid, *wide]).add_class("uv-view").add_class(f"uv-view-{view.lower()}")

    def _on_view(self, change: dict[str, str]) -> None:
        self.tabs.chosen = change["new"]
        for view, box in self.views.items():
            box.layout.display = None if view == change["new"] else "none"

    def tell_all(self) -> None:
        """Send the page the state of every widget.

        A page that opens takes a snapshot of all widgets from the kernel and then builds them; what the kernel says meanwhile
        finds no listener and is lost. So the page says when it is built, and is told everything once more.
        """
        for widget in every(self):
            widget.send_state()

    async def idle(self) -> None:
        """Wait until nothing runs; raises the error that the work ended with, if any."""
        await self.state.idle()

    def refresh(self) -> None:
        """Draw what cells did to the session."""
        self.state.open()

    def _on_picture(self, change: dict[str, Any]) -> None:
        self.sentence.text = change["new"].sentence
        self.frame.recipe = change["new"].recipe

    def _answered(self, _change: object) -> None:
        """What a person asked for is done, or was refused: the page may take the next click."""
        with self.frame.hold_sync():
            self.frame.finished = self.state.finished
            self.frame.answers += 1

    def _on_error(self, change: dict[str, Any]) -> None:
        error = change["new"]
        self.error.text = "" if error is None else _said(error)
        self.error.details = "" if error is None else _details(error)

    def close(self) -> None:
        """Stop what runs and close every widget that was made; the session stays."""
        if self._closed or sys.is_finalizing():
            return
        self._closed = True
        self.state.close()
        for panel in self.panels:
            panel.close()
        close_all(self)


def _said(error: BaseException) -> str:
    """One sentence: our own errors are one, of others the kind is said too."""
    from unlearnviz.errors import UnlearnvizError

    if isinstance(error, UnlearnvizError):
        return str(error)
    return f"This did not work: {type(error).__name__}{': ' if str(error) else '.'}{error}"


def _details(error: BaseException) -> str:
    import traceback

    from unlearnviz.errors import UnlearnvizError

    return "" if isinstance(error, UnlearnvizError) else "".join(traceback.format_exception(error))
