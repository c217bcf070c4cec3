"""Frame: what a dashboard brings to the page as a whole, its style and the right to its keys."""

from __future__ import annotations

from pathlib import Path

import anywidget

_ESM = """
// JupyterLab takes keys from every element that is no text field: arrows from a slider or a select, "a" and "d d" (which
// add and delete cells) from a focused button. Keys that are pressed in a dashboard stay in it; those with Ctrl, Alt or
// Meta, and Escape, go on to the page.
const keep = (event) => {
  if (!event.ctrlKey && !event.altKey && !event.metaKey && event.key !== "Escape") event.stopPropagation();
};
const guard = ({ target }) => {
  const root = target.closest?.(".uv-dashboard");
  root?.addEventListener("keydown", keep); // the same listener is added once, however often it is asked for
};

export default {
  render({ el }) {
    el.hidden = true;
    document.addEventListener("focusin", guard);
    return () => document.removeEventListener("focusin", guard);
  },
};
"""


class Frame(anywidget.AnyWidget):
    """The invisible first child of a dashboard."""

    _esm = _ESM
    _css = Path(__file__).parent / "dashboard.css"
