"""Controls: a settings dataclass as labelled controls, and the controls as that dataclass again."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import ipywidgets as widgets

from unlearnviz.errors import BadSetting

WIDE = {"description_width": "130px"}


class Controls:
    """One control per setting of a class; those marked advanced are folded away.

    Args:
        cls: a dataclass whose fields were made with `setting`.
    """

    def __init__(self, cls: type[Any]) -> None:
        self.cls = cls
        self.by_name: dict[str, widgets.Widget] = {}
        basic, advanced = [], []
        for each in fields(cls):
            if "help" not in each.metadata:
                continue
            control = _control(each)
            self.by_name[each.name] = control
            (advanced if each.metadata["advanced"] else basic).append(control)
        parts: list[widgets.Widget] = [*basic]
        if advanced:
            folded = widgets.Accordion(children=[widgets.VBox(advanced)], titles=("Advanced",), selected_index=None)
            parts.append(folded)
        self.widget = widgets.VBox(parts)

    def value(self) -> Any:
        """An instance of the class.

        Raises:
            BadSetting: a control holds no number, or a setting is out of its bounds.
        """
        return self.cls(**{name: _read(self.cls.__name__, name, control) for name, control in self.by_name.items()})

    def set(self, values: dict[str, Any]) -> None:
        """Show other values; names that are no settings of the class are passed over."""
        for name, value in values.items():
            if name in self.by_name:
                control = self.by_name[name]
                control.value = "" if value is None else value if not isinstance(control, widgets.Text) else f"{value:g}"

    def close(self) -> None:
        """Close every control."""
        close_all(self.widget)


def _control(each: Any) -> widgets.Widget:
    name, limits = each.name.replace("_", " "), each.metadata
    common: dict[str, Any] = {"description": name, "tooltip": limits["help"], "description_tooltip": limits["help"], "style": WIDE, "layout": {"width": "97%"}}
    kind = str(each.type)
    if limits["choices"]:
        return widgets.Dropdown(options=limits["choices"], value=each.default, **common)
    if kind == "bool":
        return widgets.Checkbox(value=each.default, indent=False, description=name, tooltip=limits["help"])
    if kind == "int":
        low = int(limits["minimum"]) if limits["minimum"] is not None else 0
        high = int(limits["maximum"]) if limits["maximum"] is not None else 1_000_000
        return widgets.BoundedIntText(value=each.default, min=low, max=high, **common)
    return widgets.Text(value="" if each.default is None else f"{each.default:g}", placeholder="automatic" if "None" in kind else "a number", **common)


def _read(owner: str, name: str, control: widgets.Widget) -> Any:
    if not isinstance(control, widgets.Text):
        return control.value
    written = control.value.strip()
    if not written:
        return None
    with contextlib.suppress(ValueError):
        return float(written.replace(",", "."))
    raise BadSetting(f"{owner}({name}={written!r}) is not a number; write for example 0.25, or leave it empty.")


def button(label: str, on_click: Callable[[], object], *, tooltip: str = "", primary: bool = False, width: str = "auto") -> widgets.Button:
    """A button that calls a function without arguments."""
    made = widgets.Button(description=label, tooltip=tooltip or label, button_style="primary" if primary else "", layout={"width": width})
    made.on_click(lambda _button: on_click())
    return made


def close_all(widget: widgets.Widget) -> None:
    """Close a widget, its layout and style, and all that it holds."""
    for child in getattr(widget, "children", ()):
        close_all(child)
    for part in (getattr(widget, "layout", None), getattr(widget, "style", None)):
        if isinstance(part, widgets.Widget):
            part.close()
    widgets.Widget.close(widget)
