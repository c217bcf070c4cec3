"""Doctor: the report of `uv.doctor()` in a notebook: what Python found, and below it what the page tells of itself."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anywidget
import ipywidgets as widgets
import traitlets

from unlearnviz.views.worded import Worded

if TYPE_CHECKING:
    from unlearnviz.checkup import Finding

UNANSWERED = (
    "page  has not answered. If this line stays, the page cannot show our widgets: install anywidget and jupyterlab_widgets where the "
    "notebook server runs (pip install anywidget jupyterlab_widgets), restart the server, and load the page anew."
)
STYLE = "font-family: monospace; line-height: 1.4; white-space: pre-wrap; margin: 0"  # columns stand below each other


class PageSide(anywidget.AnyWidget):
    """An empty element that looks around in the page and tells Python what it sees, once."""

    _esm = Path(__file__).parent / "doctor.js"

    page: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True, echo_update=False)


class Doctor(Worded, widgets.VBox):
    """The report as text, in a widget that every place with widgets can show, and the part that asks the page.

    Args:
        kernel: what was found in Python.
        judge: makes findings of what the page told.
        write: makes text of findings.
    """

    missing = ""  # it says so itself

    def __init__(
        self,
        kernel: list[Finding],
        judge: Callable[[Mapping[str, Any]], list[Finding]],
        write: Callable[[list[Finding]], str],
    ) -> None:
        self.kernel, self.judge, self.write = kernel, judge, write
        self.said, self.side = widgets.HTML(), PageSide()
        super().__init__([self.said, self.side])
        self.side.observe(self._answered, "page")
        self._answered()

    def _answered(self, _change: object = None) -> None:
        self.said.value = f"<pre class='uv-doctor' style='{STYLE}'>{html.escape(str(self))}</pre>"

    def __str__(self) -> str:
        if not self.side.page:
            return f"{self.write(self.kernel)}\n{UNANSWERED}"
        return self.write([*self.kernel, *self.judge(self.side.page)])

    __repr__ = __str__

    def close(self) -> None:
        """Close the report and its parts."""
        self.said.close()
        self.side.close()
        super().close()
