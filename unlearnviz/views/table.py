"""Table: lines of text and numbers in the page, as a table that a screen reader reads and keys reach."""

from __future__ import annotations

from collections.abc import Sequence

import anywidget
import traitlets

_ESM = """
// Everything is written with textContent.
function cell(kind, text) {
  const made = document.createElement(kind);
  made.textContent = text;
  return made;
}

export default {
  render({ model, el }) {
    const root = document.createElement("div");
    const scroll = document.createElement("div");
    const said = document.createElement("p");
    root.className = "uv-table";
    scroll.className = "uv-table-scroll";
    scroll.tabIndex = 0; // a wide table scrolls inside, by keys too
    scroll.setAttribute("role", "region");
    root.append(scroll, said);
    el.append(root);
    const show = () => {
      const table = document.createElement("table");
      const caption = document.createElement("caption");
      caption.textContent = model.get("caption");
      scroll.setAttribute("aria-label", model.get("caption"));
      const top = table.createTHead().insertRow();
      for (const text of model.get("head")) {
        const title = cell("th", text);
        title.scope = "col";
        top.append(title);
      }
      const body = table.createTBody();
      for (const [index, [first, ...others]] of model.get("rows").entries()) {
        const line = body.insertRow();
        const title = cell("th", first);
        title.scope = "row";
        if (model.get("terms")[index]) title.className = `uv-term-${model.get("terms")[index]}`; // gets a "?" (terms.js)
        line.append(title, ...others.map((text) => cell("td", text)));
      }
      table.prepend(caption);
      scroll.replaceChildren(table);
      scroll.hidden = !model.get("rows").length;
      said.textContent = model.get("summary");
    };
    for (const name of ["rows", "head", "caption", "summary"]) model.on(`change:${name}`, show);
    show();
    return () => { for (const name of ["rows", "head", "caption", "summary"]) model.off(`change:${name}`, show); };
  },
};
"""

_CSS = """
.uv-table { width: 100%; font-size: 13px; line-height: 1.4; color: var(--jp-ui-font-color1, #222); }
.uv-table-scroll { overflow-x: auto; }
.uv-table-scroll:focus-visible { outline: 2px solid #0072b2; outline-offset: 1px; }
.uv-table table { border-collapse: collapse; margin: 4px 0; font-variant-numeric: tabular-nums; color: inherit; }
.uv-table caption { text-align: left; caption-side: top; padding: 2px 0; font-weight: 600; color: inherit; }
.uv-table th, .uv-table td { border: 0; border-bottom: 1px solid var(--jp-border-color2, #ddd); padding: 3px 14px 3px 0; text-align: left;
  vertical-align: top; white-space: normal; max-width: 46ch; }
.uv-table th { font-weight: 600; }
.uv-table p { margin: 4px 0; max-width: 90ch; }
.uv-table p:empty { display: none; }
"""


class Table(anywidget.AnyWidget):
    """A table with its sentence; text only, never HTML.

    Args:
        caption: its title, and what a screen reader calls it.
        head: the titles of the columns.
        rows: one sequence of texts per line; the first one names the line.
        summary: what it says, in a sentence below.
        terms: names of terms, one per line, each behind a "?" beside the title of its line.
    """

    _esm = _ESM
    _css = _CSS

    caption = traitlets.Unicode().tag(sync=True)
    head: traitlets.List[str] = traitlets.List(traitlets.Unicode()).tag(sync=True)
    rows: traitlets.List[list[str]] = traitlets.List().tag(sync=True)
    summary = traitlets.Unicode().tag(sync=True)
    terms: traitlets.List[str] = traitlets.List(traitlets.Unicode()).tag(sync=True)  # the word that each line is about

    def __init__(
        self, caption: str, head: Sequence[str], rows: Sequence[Sequence[str]] = (), *, summary: str = "", terms: Sequence[str] = ()
    ) -> None:
        super().__init__(caption=caption, head=list(head), rows=[list(row) for row in rows], summary=summary, terms=list(terms))

    def update(self, rows: Sequence[Sequence[str]], *, summary: str) -> None:
        """Other lines and another sentence, in one message."""
        with self.hold_sync():
            self.rows = [list(row) for row in rows]
            self.summary = summary
