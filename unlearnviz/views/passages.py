"""PassageList: passages in the page, as many as there are: only those in view travel and exist there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar, overload

import anywidget
import traitlets

HERE = Path(__file__).parent
MOST = 200_000  # rows: a page cannot be scrolled much further than they are high
WINDOW = 100  # rows that one answer holds at most
FIRST = 20  # rows that a page gets without asking
LONGEST = 5_000  # characters of a text that travel

Row = Mapping[str, Any]
T = TypeVar("T")


class Rows(Sequence[Row], Generic[T]):
    """Rows that are made when somebody looks at them.

    Args:
        items: what there is a row of.
        row: makes the row of an item; two Rows are equal where items and `row` are.
    """

    def __init__(self, items: Sequence[T], row: Callable[[T], Row]) -> None:
        self.items, self.row = items, row

    def __len__(self) -> int:
        return len(self.items)

    @overload
    def __getitem__(self, key: int) -> Row: ...
    @overload
    def __getitem__(self, key: slice) -> list[Row]: ...
    def __getitem__(self, key: int | slice) -> Row | list[Row]:
        if isinstance(key, slice):
            return [self.row(each) for each in self.items[key]]
        return self.row(self.items[key])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Rows) and self.row == other.row and self.items == other.items

    __hash__ = None  # type: ignore[assignment] # equal rows would need equal hashes, and items may be lists


class PassageList(anywidget.AnyWidget):
    """A scrolling list of passages, each with a button that adds it or takes it out; text only, never HTML.

    Python holds all rows; the page asks for those that come into view (`{"kind": "window", "first": ..., "size": ...}`) and
    keeps no others. Tab enters the list, arrow and page keys go from row to row.

    Args:
        label: what the list is, for screen readers.
        empty: the sentence shown when there are no rows.
        height: pixels until it scrolls.
        on_toggle: called with the id of a row whose button was pressed.
        on_leave: called with the id of a row whose second button was pressed, which rows with "left" have.

    Attributes:
        rows: the rows, any sequence of dictionaries, replaced as a whole; `Rows` makes them when they are looked at. "id", "text"
            and "picked" (bool) are needed. "badge" is a few words at the end of the row. "parts" is the text in pieces [piece, mark]:
            "new" marks what differs, "gone" a place where `piece` is missing. "kind" and "word" name the row's group ("same",
            "other" or "unseen", and how to say it), "note" is a line above the text, "old" (bool) makes it paler. "left" (bool): it
            is left out. "why": it cannot be added, for this reason.
    """

    _esm = "\n".join((HERE / name).read_text("utf-8") for name in ("passage_row.js", "passages.js"))
    _css = HERE / "passages.css"

    count = traitlets.Int(0).tag(sync=True)
    shown = traitlets.Dict().tag(sync=True)  # {"version", "first", "top": id of the first row of all, "rows": [...]}
    label = traitlets.Unicode().tag(sync=True)
    empty = traitlets.Unicode().tag(sync=True)
    height = traitlets.Int(220).tag(sync=True)
    disabled = traitlets.Bool(default_value=False).tag(sync=True)

    def __init__(
        self,
        *,
        label: str,
        empty: str = "",
        height: int = 220,
        on_toggle: Callable[[str], object],
        on_leave: Callable[[str], object] | None = None,
    ) -> None:
        super().__init__(label=label, empty=empty, height=height)
        self._pressed = {"toggle": on_toggle, **({} if on_leave is None else {"leave": on_leave})}
        self._rows: Sequence[Row] = []
        self._first, self._size, self._version = 0, FIRST, 0
        self._known: set[str] = set()  # ids of the rows that the page has
        self.on_msg(self._on_page)

    @property
    def rows(self) -> Sequence[Row]:
        """All rows, in order."""
        return self._rows

    @rows.setter
    def rows(self, rows: Sequence[Row]) -> None:
        if self._version and rows == self._rows:
            return
        top = rows[0]["id"] if len(rows) else ""
        if top != self.shown.get("top"):
            self._first = 0  # other texts are read from the top
        self._rows, self._version = rows, self._version + 1
        self._known = set()
        with self.hold_sync():
            self.count = min(len(rows), MOST)
            self._show(top)

    def _show(self, top: str) -> None:
        first = max(0, min(self._first, self.count - self._size))
        rows = [_cut(row) for row in self._rows[first : min(first + self._size, self.count)]]
        self._known |= {row["id"] for row in rows}
        self.shown = {"version": self._version, "first": first, "top": top, "rows": rows}

    def _on_page(self, _widget: object, content: object, _buffers: object) -> None:
        if not isinstance(content, Mapping):
            return
        kind, passage = content.get("kind"), content.get("id")
        if kind == "window":
            first, size = content.get("first"), content.get("size")
            if isinstance(first, int) and isinstance(size, int):
                self._first, self._size = max(0, min(first, self.count)), max(1, min(size, WINDOW))
                self._show(self.shown.get("top", ""))
        elif kind in self._pressed and passage in self._known and not self.disabled:  # only what the page has can be pressed
            self._pressed[kind](str(passage))


def _cut(row: Row) -> dict[str, Any]:
    text = row["text"]
    return dict(row) if len(text) <= LONGEST else {**row, "text": f"{text[:LONGEST]}… ({len(text):,} characters in all)"}
