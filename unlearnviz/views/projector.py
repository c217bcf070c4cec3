"""Projector: a switch for a room: large text, thick lines, and nothing that has to be pointed at."""

from __future__ import annotations

from pathlib import Path

import anywidget
import traitlets

_ESM = """
export default {
  render({ model, el }) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "uv-projector-switch";
    button.textContent = "Projector";
    button.title = "Large text and thick lines, for a room";
    button.setAttribute("role", "switch");
    button.addEventListener("click", () => {
      model.set("on", !model.get("on"));
      model.save_changes();
    });
    el.append(button);
    const over = new AbortController();
    // charts look for the class (chart.js); what is drawn before the dashboard is in the page waits for the next frame
    const show = () => {
      if (over.signal.aborted) return;
      const root = el.closest(".uv-dashboard");
      button.setAttribute("aria-checked", String(model.get("on")));
      if (root) root.classList.toggle("uv-projector", model.get("on"));
      else requestAnimationFrame(show);
    };
    model.on("change:on", show);
    show();
    return () => { over.abort(); model.off("change:on", show); };
  },
};
"""


class Projector(anywidget.AnyWidget):
    """The switch; in the page it gives its dashboard the class `uv-projector`.

    Attributes:
        on: whether the dashboard is drawn for a room; kept over a reload.
    """

    _esm = _ESM
    _css = Path(__file__).parent / "projector.css"

    on = traitlets.Bool(default_value=False).tag(sync=True)
