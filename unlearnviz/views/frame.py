"""Frame: what a dashboard brings to the page as a whole: its style, one click at a time, and a sign."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import anywidget
import traitlets

_ESM = """
// A second click on a button is swallowed until the kernel has answered the first one, so that a double click never starts
// two runs. Where the answer takes longer than PATIENCE, the kernel itself has disabled what may not be clicked.
const PATIENCE = 700; // milliseconds
const BUTTONS = ".jupyter-button, .uv-passages button";

export default {
  render({ model, el }) {
    const over = new AbortController();
    let last = {};
    const root = () => el.closest(".uv-dashboard");
    const once = (event) => {
      const button = event.target.closest?.(BUTTONS);
      if (!button || button.closest(".uv-dashboard") !== root()) return;
      if (button === last.button && event.timeStamp - last.time < PATIENCE) event.stopImmediatePropagation();
      else last = { button, time: event.timeStamp };
    };
    const answered = () => {
      last = {};
      root()?.setAttribute("data-finished", model.get("finished"));
    };
    const named = () => root()?.setAttribute("data-recipe", model.get("recipe"));
    el.hidden = true;
    document.addEventListener("click", once, { capture: true, signal: over.signal });
    model.on("change:answers", answered);
    model.on("change:recipe", named);
    const placed = () => {
      if (over.signal.aborted) return;
      if (!root()) return requestAnimationFrame(placed);
      answered();
      named();
      model.send({ kind: "here" }); // all widgets of the dashboard are built by now: none will miss what the kernel says
    };
    placed();
    return () => {
      over.abort();
      model.off("change:answers", answered);
      model.off("change:recipe", named);
    };
  },
};
"""


class Frame(anywidget.AnyWidget):
    """The invisible first child of a dashboard.

    Attributes:
        finished: how many pieces of work have ended; in the page the attribute `data-finished` of the dashboard.
        answers: counts them and refusals: each lets the next click through.
        recipe: the hash of what was done so far; in the page the attribute `data-recipe`, for what is saved there.
    """

    _esm = _ESM
    _css = Path(__file__).parent / "dashboard.css"

    finished = traitlets.Int(0).tag(sync=True)
    answers = traitlets.Int(0).tag(sync=True)
    recipe = traitlets.Unicode().tag(sync=True)

    def on_here(self, callback: Callable[[], object]) -> None:
        """Call `callback` whenever a page has built the dashboard."""
        self.on_msg(lambda _frame, content, _buffers: callback() if content.get("kind") == "here" else None)
