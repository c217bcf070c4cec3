"""Chart: one plotly figure in the page, drawn by the one plotly.js that all charts of the page share.

What travels, and when:

- the figure, as the synced trait `spec` (so a reloaded page and Voila draw the present state), its arrays as binary;
- the figure's template, as a trait of its own, because it is the same for every figure and then not sent again;
- plotly.js itself, once per page, and behind it what dresses and saves the figures of all charts (chart_style.js, chart_save.js): the
  first chart asks with the message `{"kind": "plotly"}` (chart_plotly.js);
- a click, as `{"kind": "click", ...}` with plain values; what was drawn around, as `{"kind": "select", "points": [...]}`; and `drawn`,
  the revision that the page shows.

The `meta` of a trace says what its numbers mean where the figure draws others: `{"x": labels, "y": labels, "base": 10}`, the last where z is
drawn as a logarithm to this base. The table under the chart and the CSV then hold the meaning.
"""

from __future__ import annotations

import base64
import json
import math
import uuid
import zlib
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

import anywidget
import numpy as np
import plotly.graph_objects as go
import traitlets

from unlearnviz import __version__
from unlearnviz.views.plain import plain
from unlearnviz.views.worded import Worded

__all__ = ["Chart", "plain"]

HERE = Path(__file__).parent
KERNEL = uuid.uuid4().hex  # names this process: two kernels may share a page
HEIGHT = 300  # pixels, for a figure that names no height

Click = dict[str, Any]


def code(*names: str) -> str:
    """Files of ours as one script, without indents and comments: the page gets it with every chart."""
    lines = [line.strip() for name in names for line in (HERE / name).read_text("utf-8").splitlines()]
    return "\n".join(line for line in lines if line and not line.startswith("//"))


class Chart(Worded, anywidget.AnyWidget):
    """A plotly figure in the page, with its sentence and its numbers, updated in place.

    Args:
        figure: what to draw, or None for nothing yet. Any `go.Figure`; its own colours win over the page's theme.
        summary: the picture in one sentence: read aloud by a screen reader, and visible under the chart.
    """

    _esm = code("number.js", "chart_plotly.js", "chart_table.js", "chart.js")
    _css = HERE / "chart.css"

    spec = traitlets.Dict().tag(sync=True)  # {"data": [trace, ...], "layout": {...}}, arrays as {dtype, bdata, shape}
    template = traitlets.Dict().tag(sync=True)
    summary = traitlets.Unicode().tag(sync=True)
    notice = traitlets.Unicode().tag(sync=True)  # one line under the chart: a click that failed
    clickable = traitlets.Bool(default_value=False).tag(sync=True)  # someone listens: the table offers buttons, too
    revision = traitlets.Int(0).tag(sync=True)  # counts the figures given; 0: none yet
    # set by the page, which need not be told what it said itself
    drawn = traitlets.Int(0).tag(sync=True, echo_update=False)  # the revision that a page last drew; equal to `revision` when up to date
    draw_milliseconds = traitlets.Float(0.0).tag(sync=True, echo_update=False)  # how long that took in the page
    library = traitlets.Unicode(f"plotly {version('plotly')}, unlearnviz {__version__}").tag(sync=True)
    kernel = traitlets.Unicode(KERNEL).tag(sync=True)

    def __init__(self, figure: go.Figure | None = None, *, summary: str, **traits: Any) -> None:
        self._figure: go.Figure | None = None
        self._clicked: list[Callable[[Click], object]] = []
        self._selected: list[Callable[[list[Any]], object]] = []
        super().__init__(summary=summary, **traits)
        self.on_msg(self._on_page)
        if figure is not None:
            self.update(figure)

    @property
    def figure(self) -> go.Figure | None:
        """The figure as it was given. Assign a new one to redraw; editing it in place is not seen."""
        return self._figure

    @figure.setter
    def figure(self, figure: go.Figure | None) -> None:
        self.update(figure)

    def update(self, figure: go.Figure | None, *, summary: str | None = None) -> None:
        """Draw `figure` in place of the present one, and change its sentence, in one message; an equal one is not drawn again."""
        spec, template = wire(figure)
        self._figure = figure
        with self.hold_sync():
            self.notice = ""
            if summary is not None:
                self.summary = summary
            if not self.revision or (spec, template) != (self.spec, self.template):
                self.template, self.spec = template, spec
                self.revision += 1

    def on_click(self, callback: Callable[[Click], object]) -> Callable[[], None]:
        """Call `callback` for every point that is clicked; returns a function that ends this.

        It gets a dict: `curve` (index of the trace), `name` (of the trace), `point` (index, or [row, column] in a heat
        map), `x`, `y`, `z`, `text` (as read on the page; None where there is none) and `customdata` (as given).
        """
        self._clicked.append(callback)
        self.clickable = True

        def unsubscribe() -> None:
            if callback in self._clicked:
                self._clicked.remove(callback)
            self.clickable = bool(self._clicked)

        return unsubscribe

    def on_select(self, callback: Callable[[list[Any]], object]) -> None:
        """Call `callback` with the `customdata` of the points that somebody drew around; [] where the selection was ended.

        The figure says how: its layout has the `dragmode` "lasso" or "select".
        """
        self._selected.append(callback)

    def _on_page(self, _widget: object, content: object, _buffers: object) -> None:
        """Answer the page: it asks for plotly.js, or tells of a click."""
        if not isinstance(content, Mapping):
            return
        if content.get("kind") == "plotly":
            gzip = bool(content.get("gzip"))
            self.send({"kind": "plotly", "gzip": gzip}, buffers=[plotly_js(gzip=gzip)])
        elif content.get("kind") == "click":
            keys = ("curve", "name", "point", "x", "y", "z", "text", "customdata")
            self._tell({key: content.get(key) for key in keys})
        elif content.get("kind") == "select" and isinstance(content.get("points"), list):
            self._give(self._selected, content["points"])

    def _tell(self, click: Click) -> None:
        """Give a click to every listener."""
        self._give(self._clicked, click)

    def _give(self, listeners: Sequence[Callable[[Any], object]], news: Any) -> None:
        """One that fails is shown in the page and does not keep it from the others."""
        self.notice = ""
        for callback in tuple(listeners):
            try:
                callback(copy(news))
            except Exception as error:
                self.notice = f"This click could not be followed: {type(error).__name__}: {error}"


def plotly_js(*, gzip: bool) -> bytes:
    """The plotly.js of the installed plotly package, and ours behind it, as UTF-8, gzipped where the page can inflate it (4.8 -> 1.5 MB)."""
    code = files("plotly").joinpath("package_data", "plotly.min.js").read_bytes() + companion().encode()
    if not gzip:
        return code
    packer = zlib.compressobj(level=4, wbits=31)  # 31: with a gzip header, which is what the page's inflater reads
    return packer.compress(code) + packer.flush()


def companion() -> str:
    """What charts need once they are drawn: a function on plotly.js that gets what every chart has (chart_table.js)."""
    ours = code("chart_style.js", "chart_save.js")
    needs, gives = "make, unpack, list, readable, points, titled", "look, themed, dress, saveMenu"
    return f"\nPlotly.unlearnviz = ({{ {needs} }}) => {{\nconst VERSION = {json.dumps(__version__)};\n{ours}\nreturn {{ {gives} }};\n}};\n"


def wire(figure: go.Figure | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """`figure` as (spec, template): JSON values and bytes only, no numpy arrays left."""
    if figure is None:
        return {}, {}
    whole = figure.to_plotly_json()
    layout = dict(whole.get("layout", {}))
    template = layout.pop("template", {})
    layout.pop("transition", None)  # no animations
    layout.setdefault("height", HEIGHT)
    return {"data": _values(whole.get("data", [])), "layout": _values(layout)}, _values(template)


def _values(value: Any) -> Any:
    """`value` without numpy, dates or numbers that JSON does not know; plotly's base64 arrays become bytes."""
    if isinstance(value, Mapping):
        if isinstance(value.get("bdata"), str) and "dtype" in value:
            return {**value, "bdata": base64.b64decode(value["bdata"])}
        return {str(key): _values(each) for key, each in value.items()}
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, list | tuple):
        if value and all(_is_number(each) for each in value) and not all(math.isfinite(each) for each in value):
            return {"dtype": "f8", "bdata": np.asarray(value, "<f8").tobytes()}  # JSON has no nan and no inf
        return [_values(each) for each in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, str | bool | int | float):
        return value
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)
