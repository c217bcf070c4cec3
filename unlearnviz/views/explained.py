"""Explained: a "?" beside a label, a heading or under a chart, which opens what its word means."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import anywidget
import ipywidgets as widgets
import traitlets

from unlearnviz.views.terms import TERMS, dictionary, setting_name, term

HERE = Path(__file__).parent
MARK = "uv-term-"  # begins the classes that tell the page (terms.js)
W = TypeVar("W", bound=widgets.DOMWidget)


def explained(widget: W, *names: str) -> W:
    """Give a widget a "?"; the first word is shown at once, the others are a click further.

    Raises:
        UnknownName: a name is no term.
    """
    for name in names:
        widget.add_class(MARK + term(name).name)
    return widget


def explained_anew(widget: widgets.DOMWidget, *names: str) -> None:
    """Other words from now on; a name that is no term, such as that of a method of a notebook cell, is passed over."""
    for each in [each for each in widget._dom_classes if each.startswith(MARK)]:  # noqa: SLF001 (ipywidgets has no other list of them)
        widget.remove_class(each)
    explained(widget, *(name for name in names if name in TERMS))


def explained_setting(widget: W, cls: type[Any], field: str) -> W:
    """Give the control of a setting a "?" with its help."""
    widget.add_class(MARK + setting_name(cls, field))
    return widget


class Explained(anywidget.AnyWidget):
    """The invisible child of a dashboard that makes the "?" of all its marked widgets, also of those that come later."""

    _esm = HERE / "terms.js"
    _css = HERE / "terms.css"

    terms = traitlets.Dict().tag(sync=True)  # once per page: name -> what the box shows
    prefix = traitlets.Unicode().tag(sync=True)  # of the ids in the page, which several dashboards may share

    def __init__(self) -> None:
        super().__init__(terms=dictionary())
        self.prefix = str(self.model_id)
