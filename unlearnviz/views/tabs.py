"""Tabs: the views of a dashboard, one of them shown; arrow keys go from tab to tab."""

from __future__ import annotations

from collections.abc import Sequence

import anywidget
import traitlets

# Tabs of our own, because those of ipywidgets keep every hidden view in the page and cannot be read as tabs and their panels.
_ESM = """
export default {
  render({ model, el }) {
    el.classList.add("uv-tabs");
    const bar = document.createElement("div");
    bar.setAttribute("role", "tablist");
    bar.setAttribute("aria-label", "Views");
    const tabs = model.get("titles").map((title) => {
      const tab = document.createElement("button");
      Object.assign(tab, { type: "button", textContent: title, id: `${model.get("prefix")}-tab-${title}` });
      tab.setAttribute("role", "tab");
      tab.setAttribute("aria-controls", `${model.get("prefix")}-view-${title}`);
      tab.addEventListener("click", () => choose(title));
      bar.append(tab);
      return tab;
    });
    el.append(bar);
    const choose = (title) => {
      model.set("chosen", title);
      model.save_changes();
    };
    const mark = () => {
      for (const tab of tabs) {
        const chosen = tab.textContent === model.get("chosen");
        tab.setAttribute("aria-selected", String(chosen));
        tab.tabIndex = chosen ? 0 : -1;
      }
    };
    // the boxes of the views are ipywidgets, which know no roles
    const name = () => {
      for (const title of model.get("titles")) {
        const view = el.closest(".uv-dashboard")?.querySelector(`:scope > .uv-view-${title.toLowerCase()}`);
        if (!view) continue;
        view.id = `${model.get("prefix")}-view-${title}`;
        view.setAttribute("role", "tabpanel");
        view.setAttribute("aria-labelledby", `${model.get("prefix")}-tab-${title}`);
      }
    };
    bar.addEventListener("keydown", (event) => {
      const here = tabs.indexOf(document.activeElement);
      const moves = { ArrowRight: here + 1, ArrowLeft: here - 1, Home: 0, End: tabs.length - 1 };
      if (here < 0 || !(event.key in moves) || event.ctrlKey || event.altKey || event.metaKey) return;
      event.preventDefault();
      event.stopPropagation();
      const next = tabs.at(moves[event.key] % tabs.length);
      next.focus();
      choose(next.textContent);
    });
    const over = new AbortController();
    const placed = () => {
      if (over.signal.aborted) return;
      if (el.closest(".uv-dashboard")?.querySelectorAll(":scope > .uv-view").length === tabs.length) name();
      else requestAnimationFrame(placed);
    };
    model.on("change:chosen", mark);
    mark();
    placed();
    return () => { over.abort(); model.off("change:chosen", mark); };
  },
};
"""

_CSS = """
.uv-tabs [role="tablist"] { display: flex; flex-wrap: wrap; gap: 2px; }
.uv-tabs [role="tab"] { margin: 0; padding: 6px 14px; font: inherit; font-size: 14px; cursor: pointer; color: var(--jp-ui-font-color1, #222);
  background: none; border: 1px solid transparent; border-bottom: 3px solid transparent; border-radius: 4px 4px 0 0; }
.uv-tabs [role="tab"]:hover { background: var(--jp-layout-color2, #eee); }
.uv-tabs [role="tab"][aria-selected="true"] { font-weight: 600; border-bottom-color: #0072b2; color: var(--jp-ui-font-color0, #111); }
.uv-tabs [role="tab"]:focus-visible { outline: 2px solid #0072b2; outline-offset: -2px; }
"""


class Tabs(anywidget.AnyWidget):
    """A row of tabs; what they show is up to who observes `chosen`.

    In the page the tabs name the boxes beside them, `.uv-view-<title>`, as their tab panels.

    Args:
        titles: of the tabs, from left to right; the first is chosen.
    """

    _esm = _ESM
    _css = _CSS

    titles = traitlets.List(traitlets.Unicode()).tag(sync=True)
    chosen = traitlets.Unicode().tag(sync=True)
    prefix = traitlets.Unicode().tag(sync=True)  # of the ids in the page, which several dashboards may share

    def __init__(self, titles: Sequence[str]) -> None:
        super().__init__(titles=list(titles), chosen=titles[0])
        self.prefix = f"uv-{self.model_id}"
