"""Sentence: one line of the page that is read aloud when it changes, and errors with their details folded."""

from __future__ import annotations

import anywidget
import traitlets

_ESM = """
export default {
  render({ model, el }) {
    el.classList.add("uv-sentence");
    const line = document.createElement("p");
    line.setAttribute("role", model.get("urgent") ? "alert" : "status");
    line.setAttribute("aria-live", model.get("urgent") ? "assertive" : "polite");
    const fold = document.createElement("details");
    const title = document.createElement("summary");
    title.textContent = "Details";
    const body = document.createElement("pre");
    fold.append(title, body);
    el.append(line, fold);
    const show = () => {
      line.textContent = model.get("text");
      body.textContent = model.get("details");
      fold.hidden = !model.get("details");
      el.classList.toggle("uv-urgent", model.get("urgent") && Boolean(model.get("text")));
    };
    model.on("change:text", show);
    model.on("change:details", show);
    show();
    return () => { model.off("change:text", show); model.off("change:details", show); };
  },
};
"""

_CSS = """
.uv-sentence { width: 100%; }
.uv-sentence p { margin: 2px 0; min-height: 1.4em; font-size: 14px; line-height: 1.4; color: var(--jp-ui-font-color0, #111); text-wrap: pretty; }
.uv-sentence p:empty { min-height: 0; margin: 0; }
.uv-sentence pre { max-height: 160px; overflow: auto; font-size: 12px; white-space: pre-wrap; }
.uv-sentence.uv-urgent { border-left: 4px solid #d55e00; padding-left: 8px; box-sizing: border-box; }
"""


class Sentence(anywidget.AnyWidget):
    """A sentence in an ARIA live region; text only, never HTML.

    Args:
        text: what it says.
        urgent: whether it interrupts (an error) or waits its turn.
    """

    _esm = _ESM
    _css = _CSS

    text = traitlets.Unicode().tag(sync=True)
    details = traitlets.Unicode().tag(sync=True)
    urgent = traitlets.Bool(default_value=False).tag(sync=True)

    def __init__(self, text: str = "", *, urgent: bool = False) -> None:
        super().__init__(text=text, urgent=urgent)
