"""Keys: keys pressed in a dashboard stay in it, single ones press its buttons, and a list says which."""

from __future__ import annotations

from pathlib import Path

import anywidget
import ipywidgets as widgets
import traitlets

HERE = Path(__file__).parent
NAMES = ("step", "undo", "redo", "stop", "scrub", "search")


class Keys(anywidget.AnyWidget):
    """The button "Keys" and its list; in the page it listens at the dashboard that it is placed in.

    Attributes:
        single: whether single keys act; without, only Escape does (speech input types letters, see WCAG 2.1.4).
    """

    _esm = "\n".join((HERE / name).read_text("utf-8") for name in ("keys_list.js", "kept_focus.js", "keys.js"))
    _css = HERE / "keys.css"

    single = traitlets.Bool(default_value=True).tag(sync=True)


def keyed(widget: widgets.DOMWidget, name: str) -> widgets.DOMWidget:
    """Let a key press this button ("step", "undo", "redo", "stop"), or go to this slider ("scrub") or field ("search")."""
    if name not in NAMES:
        raise ValueError(f"No key is called {name!r}; there are {', '.join(NAMES)}.")
    return widget.add_class(f"uv-key-{name}")
