"""Panel: one part of the dashboard, drawn from the state's picture and nothing else."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, ClassVar

import ipywidgets as widgets

from unlearnviz.views.controls import close_all
from unlearnviz.views.explained import explained
from unlearnviz.views.fold import FoldButton
from unlearnviz.views.in_words import in_words

if TYPE_CHECKING:
    from unlearnviz.views.picture import Picture
    from unlearnviz.views.state import SessionState

WIDE = 3


class Panel:
    """A titled box. Subclass it in a file of this folder: build widgets in `build`, draw the picture in `show`.

    Panels never know each other: a click calls a verb of the state, and every panel sees the new picture. A panel is built when
    its view is shown for the first time, and drawn only while it can be seen; a folded one is a line at first, and waits until
    it is opened besides.
    """

    title: ClassVar[str] = ""
    terms: ClassVar[tuple[str, ...]] = ()  # the words that the "?" beside the heading explains
    view: ClassVar[str] = ""  # one of `showing.VIEWS`, or "": above them, always in sight, without a heading
    column: ClassVar[int] = 0  # 0, 1 or 2, from left to right, or WIDE: below them, over all three
    order: ClassVar[int] = 0  # from top to bottom within the column
    folded: ClassVar[bool] = False  # closed at first; opening and closing calls `turned`

    def __init__(self, state: SessionState) -> None:
        self.state = state
        self.built = False  # whether `build` was called
        self.fold: FoldButton | None = None  # the line that opens a folded panel
        head: list[widgets.Widget] = []
        if self.folded:
            self.fold = FoldButton(title=self.title, heading=True)
            self.fold.observe(self._turned, "unfolded")
            head = [self.fold]
        elif self.view:
            head = [widgets.HTML(f"<h3 class='uv-heading'>{html.escape(self.title)}</h3>")]
        for each in head:
            explained(each, *self.terms)
        self.widget = widgets.VBox(head)
        self.widget.add_class("uv-panel").add_class("uv-" + type(self).__name__.lower())
        state.observe(self._on_view, "view")
        state.observe(self._on_picture, "picture")
        state.observe(self._on_work, ["lasting", "training"])
        if self.open:
            self._build()

    def __str__(self) -> str:
        return in_words(self.widget)

    @property
    def open(self) -> bool:
        """Whether its contents can be seen."""
        return self.view in ("", self.state.view) and (self.fold is None or self.fold.unfolded)

    def build(self) -> list[widgets.Widget]:
        """The panel's widgets, top to bottom."""
        raise NotImplementedError

    def show(self, picture: Picture) -> None:
        """Draw a picture."""
        raise NotImplementedError

    def enable(self, *, idle: bool) -> None:
        """Work goes on for a while (not idle), or has ended, or the training of a twin: disable or enable what starts work."""

    def turned(self, *, unfolded: bool) -> None:
        """A folded panel was opened (it is built by then) or closed: begin or end what is measured for it."""

    def leave(self) -> None:
        """Stop watching what `build` began to watch; called only if it was built."""

    def _build(self) -> None:
        if not self.built:
            self.widget.children = (*self.widget.children, widgets.VBox(self.build()))
            self.built = True

    def _appear(self) -> None:
        """It can be seen from now on."""
        self._build()
        self.show(self.state.picture)
        self.enable(idle=not self.state.lasting)

    def _turned(self, change: dict[str, bool]) -> None:
        try:
            self._build()
            self.widget.children[-1].layout.display = None if change["new"] else "none"
            self.turned(unfolded=change["new"])
            if change["new"]:
                self._appear()
        except Exception as error:  # in a callback nobody would see it
            self.state.failed(error)

    def _on_view(self, change: dict[str, str]) -> None:
        try:
            if self.view == change["new"] and self.open:
                self._appear()
        except Exception as error:  # in a callback nobody would see it
            self.state.failed(error)

    def _on_picture(self, change: dict[str, Picture]) -> None:
        try:
            if self.open:
                self.show(change["new"])
        except Exception as error:  # shown in the page; the other panels go on
            self.state.failed(error)

    def _on_work(self, _change: dict[str, str]) -> None:
        if self.built:
            self.enable(idle=not self.state.lasting)

    def close(self) -> None:
        """Stop watching and close every widget."""
        self.state.unobserve(self._on_view, "view")
        self.state.unobserve(self._on_picture, "picture")
        self.state.unobserve(self._on_work, ["lasting", "training"])
        if self.built:
            self.leave()
        close_all(self.widget)
