"""Fold: a part of a panel that is built when it is first opened, and measured and drawn only while it is open."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import anywidget
import ipywidgets as widgets
import traitlets

if TYPE_CHECKING:
    from unlearnviz.engine.probes.probe import Probe
    from unlearnviz.views.picture import Picture
    from unlearnviz.views.state import SessionState

# A native button, because the headers of an ipywidgets Accordion cannot be reached by the keyboard.
_ESM = """
export default {
  render({ model, el }) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "uv-fold";
    if (model.get("heading")) {
      const heading = document.createElement("h3");
      heading.className = "uv-heading uv-fold-heading";
      heading.append(button);
      el.append(heading);
    } else el.append(button);
    const show = () => {
      button.textContent = model.get("title");
      button.setAttribute("aria-expanded", String(model.get("unfolded")));
    };
    button.addEventListener("click", () => {
      model.set("unfolded", !model.get("unfolded"));
      model.save_changes();
    });
    model.on("change:title", show);
    model.on("change:unfolded", show);
    show();
    return () => { model.off("change:title", show); model.off("change:unfolded", show); };
  },
};
"""

_CSS = """
.uv-fold { width: 100%; margin: 2px 0; padding: 5px 8px; text-align: left; font: inherit; font-size: 13px; font-weight: 600; cursor: pointer;
  color: var(--jp-ui-font-color1, #222); background: var(--jp-layout-color2, #eee);
  border: 1px solid var(--jp-border-color2, #ccc); border-radius: 3px; }
.uv-fold::before { content: "\\25B8\\00A0"; }
.uv-fold[aria-expanded="true"]::before { content: "\\25BE\\00A0"; }
.uv-heading.uv-fold-heading { margin: 0; }
.uv-fold-heading .uv-fold { font-size: 15px; }
.uv-fold:focus-visible { outline: 2px solid #0072b2; outline-offset: 1px; }
"""


class FoldButton(anywidget.AnyWidget):
    """The line that opens and closes a fold; `heading` where it is the title of a panel."""

    _esm = _ESM
    _css = _CSS

    title = traitlets.Unicode().tag(sync=True)
    unfolded = traitlets.Bool(default_value=False).tag(sync=True)
    heading = traitlets.Bool(default_value=False).tag(sync=True)


def folded(title: str, children: Sequence[widgets.Widget]) -> list[widgets.Widget]:
    """A button, and below it the widgets that it opens and closes; closed at first."""
    head, body = FoldButton(title=title), widgets.VBox(list(children), layout={"display": "none"})
    head.observe(lambda change: setattr(body.layout, "display", None if change["new"] else "none"), "unfolded")
    return [head, body]


class Fold:
    """A button, and below it what it opens.

    Args:
        state: where the probe is measured; a failure to draw is shown there.
        title: of the button.
        build: makes the widgets, when the fold is opened for the first time.
        show: draws a picture; called only while the fold is open.
        probe: measured when the fold is opened, and after every step while it is open.
        needs: label of a probe of another panel, which is asked for when the fold is opened and it was not measured.
        view: the view that the fold stands in.
    """

    def __init__(
        self,
        state: SessionState,
        title: str,
        build: Callable[[], Sequence[widgets.Widget]],
        show: Callable[[Picture], None],
        probe: Probe | None = None,
        needs: str = "",
        view: str = "",
    ) -> None:
        self._state, self._build, self._show = state, build, show
        self._label = "" if probe is None else probe.label or probe.name
        self._needs = needs
        self.head = FoldButton(title=title)
        self.body = widgets.VBox(layout={"display": "none"})
        self.widgets = [self.head, self.body]
        if probe is not None:
            state.probe(probe, view)
            state.live(self._label, live=False)
        self.head.observe(self._turned, "unfolded")

    def show(self, picture: Picture) -> None:
        """Draw, where it is open."""
        if self.head.unfolded:
            self._show(picture)

    def _turned(self, change: dict[str, bool]) -> None:
        try:
            self.body.layout.display = None if change["new"] else "none"
            if change["new"] and not self.body.children:
                self.body.children = tuple(self._build())
            if self._label:
                self._state.live(self._label, live=change["new"])
            self.show(self._state.picture)
            if change["new"] and self._needs and self._state.picture.now(self._needs) is None:
                self._state.soon(lambda: self._state.ask(self._needs), f"ask {self._needs}")
        except Exception as error:  # in a callback nobody would see it
            self._state.failed(error)
