"""Handing: text that a page hands to its reader as a file, over the clipboard or to be read, and takes from a file."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anywidget
import traitlets

HERE = Path(__file__).parent
LARGEST = 16 * 2**20  # bytes of a file that is taken


class Handing(anywidget.AnyWidget):
    """A row of buttons. What a button hands over is made when it is clicked, and goes to that page only, where several show it.

    Args:
        things: name in the page's messages -> (what the buttons call it, the name of its file, whether it is shown when it comes).
        make: gets the name of a thing and a function that takes its text; it may call that later.
        take: called with the text of a file that was chosen; None: none can be.
    """

    _esm = HERE / "handing.js"
    _css = HERE / "handing.css"

    things = traitlets.Dict().tag(sync=True)
    takes = traitlets.Unicode().tag(sync=True)  # what the button is called that chooses a file; "" for none
    largest = traitlets.Int(LARGEST).tag(sync=True)
    idle = traitlets.Bool(default_value=True).tag(sync=True)

    def __init__(
        self,
        things: dict[str, dict[str, Any]],
        make: Callable[[str, Callable[[str], None]], object],
        take: Callable[[str], object] | None = None,
        takes: str = "",
    ) -> None:
        super().__init__(things=things, takes=takes if take is not None else "")
        self._make, self._take = make, take
        self.on_msg(self._heard)

    def _heard(self, _widget: object, content: Any, _buffers: object) -> None:
        """Nothing that a page sends may stop the kernel's side."""
        try:
            kind = content.get("kind") if isinstance(content, dict) else None
            if kind == "want" and content.get("what") in self.things:
                answer = {"kind": "text", "what": content["what"], "page": content.get("page"), "how": content.get("how")}
                self._make(content["what"], lambda text: self.send({**answer, "text": text}))
            elif kind == "file" and self._take is not None and isinstance(content.get("text"), str):
                self._take(content["text"])
        except Exception:
            logging.getLogger("unlearnviz").exception("A message of the page could not be answered")
