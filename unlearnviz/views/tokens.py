"""TokenText: text in the page whose tokens are shaded by a number, and whose changed words are marked."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from unlearnviz.errors import BadSetting
from unlearnviz.views.worded import Worded

HERE = Path(__file__).parent
MARKS = ("", "changed", "said")

Token = str | Sequence[Any]  # text, (text, value) or (text, value, mark); value None: not shaded
Row = tuple[str, Iterable[Token]]  # (label, tokens)


class TokenText(Worded, anywidget.AnyWidget):
    """Rows of text, each token shaded by its number: blue below `middle`, orange above it.

    The number of the token under the pointer or the keyboard's focus is written out in a line below the text, so that
    nothing is told by colour alone. Arrow keys walk from token to token.

    Args:
        rows: one (label, tokens) per row; a token is `text`, `(text, value)` or `(text, value, mark)`. A value of None
            is not shaded; the mark "changed" underlines the token and sets it bold, "said" sets it bold.
        label: what the numbers are, such as "loss of each token".
        unit: the unit of the numbers, such as "nats".
        low, middle, high: the scale. `low` and `high` default to the widest distance from `middle`, on both sides.
        columns: how many rows stand side by side (start, now, twin: 3).
    """

    _esm = "\n".join((HERE / name).read_text("utf-8") for name in ("number.js", "tokens.js"))
    _css = HERE / "tokens.css"

    rows: traitlets.List[Any] = traitlets.List().tag(
        sync=True
    )  # [{"label": str, "tokens": [[text, number | "nan" | "inf" | None, mark]]}]
    label = traitlets.Unicode().tag(sync=True)
    unit = traitlets.Unicode().tag(sync=True)
    scale = traitlets.List([-1.0, 0.0, 1.0]).tag(sync=True)  # [low, middle, high]
    columns = traitlets.Int(1, min=1).tag(sync=True)
    clickable = traitlets.Bool(default_value=False).tag(sync=True)
    notice = traitlets.Unicode().tag(sync=True)  # one line under the text: a click that failed

    def __init__(
        self,
        rows: Iterable[Row] = (),
        *,
        label: str = "",
        unit: str = "",
        low: float | None = None,
        middle: float = 0.0,
        high: float | None = None,
        columns: int = 1,
        **traits: Any,
    ) -> None:
        self._clicked: list[Callable[[dict[str, Any]], object]] = []
        super().__init__(label=label, unit=unit, columns=columns, **traits)
        self.on_msg(self._on_page)
        self.update(rows, low=low, middle=middle, high=high)

    def update(
        self, rows: Iterable[Row], *, low: float | None = None, middle: float = 0.0, high: float | None = None
    ) -> None:
        """Show other rows, on the given scale, in one message."""
        written = [{"label": str(label), "tokens": [_token(each) for each in tokens]} for label, tokens in rows]
        values = [token[1] for row in written for token in row["tokens"] if isinstance(token[1], float)]
        ends = scale(values, low, middle, high)
        with self.hold_sync():
            self.rows = written
            self.scale = ends
            self.notice = ""

    def on_click(self, callback: Callable[[dict[str, Any]], object]) -> Callable[[], None]:
        """Call `callback` with {row, token, text, value, mark} for every token chosen; returns a function that ends this.

        A token is chosen by a click, or by Enter or Space while it has the focus; `row` and `token` are indices.
        """
        self._clicked.append(callback)
        self.clickable = True

        def unsubscribe() -> None:
            if callback in self._clicked:
                self._clicked.remove(callback)
            self.clickable = bool(self._clicked)

        return unsubscribe

    def _on_page(self, _widget: object, content: object, _buffers: object) -> None:
        """The page tells of a click by two indices; what they point at is looked up here."""
        if not isinstance(content, Mapping) or content.get("kind") != "click":
            return
        row: Any = content.get("row")
        token: Any = content.get("token")
        try:
            text, value, mark = self.rows[row]["tokens"][token]
        except (IndexError, TypeError):  # the text changed between the click and its arrival
            return
        self.notice = ""
        number = float(value) if isinstance(value, str) else value
        for callback in tuple(self._clicked):
            try:
                callback({"row": row, "token": token, "text": text, "value": number, "mark": mark})
            except Exception as error:
                self.notice = f"This click could not be followed: {type(error).__name__}: {error}"


def scale(values: Iterable[float], low: float | None, middle: float, high: float | None) -> list[float]:
    """[low, middle, high]: what is not given lies as far from the middle as the farthest value."""
    reach = max((abs(value - middle) for value in values), default=1.0) or 1.0
    ends = [middle - reach if low is None else float(low), float(middle), middle + reach if high is None else float(high)]
    if not ends[0] < ends[1] < ends[2]:
        raise BadSetting(f"The scale {ends} of a TokenText must rise: low < middle < high.")
    return ends


def _token(token: Token) -> list[Any]:
    """[text, value, mark] as it travels; JSON has no nan and no inf, so these travel as text."""
    parts: list[Any] = [token] if isinstance(token, str) else list(token)
    text, value, mark = parts + [None, ""][len(parts) - 1 :]
    if mark not in MARKS:
        raise BadSetting(f"A token's mark is '', 'changed' or 'said', not {mark!r}.")
    if value is not None:
        number = float(value)
        value = number if math.isfinite(number) else str(number)
    return [str(text), value, mark]
