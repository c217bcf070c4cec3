"""Controls: a settings dataclass as labelled controls, and the controls as that dataclass again."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import MISSING, fields
from typing import Any

import ipywidgets as widgets

from unlearnviz.errors import BadSetting
from unlearnviz.views.explained import explained_setting
from unlearnviz.views.fold import folded

WIDE = {"description_width": "106px"}


class Controls:
    """One control per setting of a class; those marked advanced are folded away.

    Args:
        cls: a dataclass whose fields were made with `setting`.
    """

    def __init__(self, cls: type[Any]) -> None:
        self.cls = cls
        self.by_name: dict[str, widgets.Widget] = {}
        basic: list[widgets.Widget] = []
        advanced: list[widgets.Widget] = []
        self._kinds = {each.name: _kind(each) for each in fields(cls)}
        for each in fields(cls):
            if "help" not in each.metadata or (self._kinds[each.name] == "other" and not each.metadata["choices"]):
                continue  # no setting, or one that has no control: it keeps its default
            control = explained_setting(_control(each), cls, each.name)
            self.by_name[each.name] = control
            (advanced if each.metadata["advanced"] else basic).append(control)
        parts: list[widgets.Widget] = [*basic]
        if advanced:
            parts += folded("Advanced", advanced)
        self.widget = widgets.VBox(parts)

    def value(self) -> Any:
        """An instance of the class.

        Raises:
            BadSetting: a control holds no number, or a setting is out of its bounds.
        """
        return self.cls(
            **{name: _read(self.cls.__name__, name, control, self._kinds[name]) for name, control in self.by_name.items()}
        )

    def set(self, values: dict[str, Any]) -> None:
        """Show other values; names that are no settings of the class are passed over."""
        for name, value in values.items():
            if name in self.by_name:
                control = self.by_name[name]
                control.value = _written(value) if isinstance(control, widgets.Text) else value

    def close(self) -> None:
        """Close every control."""
        close_all(self.widget)


def _kind(each: Any) -> str:
    """What a control has to hold: "bool", "int", "float" or "str", any of them with "| None", or "other"."""
    # a notebook cell without `from __future__ import annotations` hands over the type itself
    kind = each.type.__name__ if isinstance(each.type, type) else str(each.type)
    parts = [part.strip() for part in kind.split("|")]
    optional = " | None" if "None" in parts or each.default is None else ""
    parts = [part for part in parts if part != "None"]
    if set(parts) == {"int", "float"}:
        parts = ["float"]
    return parts[0] + optional if len(parts) == 1 and parts[0] in ("bool", "int", "float", "str") else "other"


def _written(value: Any) -> str:
    """A default as a person would type it; reading it back gives the same number."""
    if value is None or value is MISSING:
        return ""
    return repr(value).removesuffix(".0") if isinstance(value, float) else str(value)


def _control(each: Any) -> widgets.Widget:
    name, limits = each.name.replace("_", " "), each.metadata
    common: dict[str, Any] = {
        "description": name,
        "tooltip": limits["help"],
        "style": WIDE,
        "layout": {"width": "97%"},
    }
    kind = _kind(each)
    if limits["choices"]:
        return widgets.Dropdown(options=limits["choices"], value=None if each.default is MISSING else each.default, **common)
    if kind == "bool":
        return widgets.Checkbox(value=each.default is True, indent=False, description=name, tooltip=limits["help"])
    if kind == "int" and each.default is not MISSING:
        low = int(limits["minimum"]) if limits["minimum"] is not None else 0
        high = int(limits["maximum"]) if limits["maximum"] is not None else 1_000_000
        return widgets.BoundedIntText(value=each.default, min=low, max=high, **common)
    hint = "automatic" if "None" in kind else "a text" if kind == "str" else "a number"
    return widgets.Text(value=_written(each.default), placeholder=hint, **common)


def _read(owner: str, name: str, control: widgets.Widget, kind: str) -> Any:
    if not isinstance(control, widgets.Text):
        return control.value
    written = control.value.strip()
    if not written and kind != "str":
        return None
    if kind.startswith("str"):
        return written
    if kind.startswith("int"):
        with contextlib.suppress(ValueError):
            return int(written)
    with contextlib.suppress(ValueError):
        return float(written.replace(",", "."))
    raise BadSetting(f"{owner}({name}={written!r}) is not a number; write for example 0.25, or leave it empty.")


def button(
    label: str, on_click: Callable[[], object], *, tooltip: str = "", primary: bool = False, width: str = "auto"
) -> widgets.Button:
    """A button that calls a function without arguments."""
    made = widgets.Button(
        description=label, tooltip=tooltip or label, button_style="primary" if primary else "", layout={"width": width}
    )
    made.on_click(lambda _button: on_click())
    return made


def offer(drop: widgets.Dropdown, options: list[tuple[str, str]], callback: Callable[[Any], object]) -> None:
    """Other options of a dropdown, without a call of `callback`, which observes it; the choice stays, or else is the first."""
    if tuple(options) == tuple(drop.options):
        return
    chosen = drop.value
    drop.unobserve(callback, "value")
    try:
        drop.options = options
        values = [value for _, value in options]
        if values:
            drop.value = chosen if chosen in values else values[0]
    finally:
        drop.observe(callback, "value")


def every(widget: widgets.Widget) -> Iterator[widgets.Widget]:
    """What a widget holds, its layout and style, and last the widget itself."""
    for child in getattr(widget, "children", ()):
        yield from every(child)
    for part in (getattr(widget, "layout", None), getattr(widget, "style", None)):
        if isinstance(part, widgets.Widget):
            yield part
    yield widget


def close_all(widget: widgets.Widget) -> None:
    """Close a widget, its layout and style, and all that it holds."""
    for each in list(every(widget)):
        widgets.Widget.close(each)
