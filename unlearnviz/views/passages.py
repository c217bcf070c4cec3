"""PassageList: rows of passages in the page, each with one button that adds it or takes it out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import anywidget
import traitlets

HERE = Path(__file__).parent


class PassageList(anywidget.AnyWidget):
    """A scrolling list of passages; text only, never HTML.

    Attributes:
        rows: dictionaries with "id", "text", "subject", "badge" (a few words, such as a score) and "picked" (bool).
        label: what the list is, for screen readers.
        empty: the sentence shown when there are no rows.
        height: pixels until it scrolls.
    """

    _esm = HERE / "passages.js"
    _css = HERE / "passages.css"

    rows: traitlets.List[Any] = traitlets.List().tag(sync=True)
    label = traitlets.Unicode().tag(sync=True)
    empty = traitlets.Unicode().tag(sync=True)
    height = traitlets.Int(220).tag(sync=True)
    disabled = traitlets.Bool(default_value=False).tag(sync=True)

    def __init__(self, *, label: str, empty: str = "", height: int = 220, on_toggle: Callable[[str], object]) -> None:
        super().__init__(label=label, empty=empty, height=height)
        self._toggle = on_toggle
        self.on_msg(self._on_page)

    def _on_page(self, _widget: object, content: object, _buffers: object) -> None:
        if isinstance(content, Mapping) and content.get("kind") == "toggle":
            passage = content.get("id")
            if any(row["id"] == passage for row in self.rows):  # only what is on show can be toggled
                self._toggle(str(passage))
