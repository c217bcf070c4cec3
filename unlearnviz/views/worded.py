"""Worded: a widget that is also text: where a page cannot show it, its sentences and numbers stand in its place."""

from __future__ import annotations

from typing import Any, ClassVar

MISSING = (
    "(What follows is shown as text, because widgets are not shown here. `uv.doctor()` says what to mend; "
    "once work has ended, print(...) of the same object shows it anew.)"
)


class Worded:
    """Give this as the first base of a widget class: `print` shows its present words, and so does a place without widgets."""

    missing: ClassVar[str] = MISSING  # stands above the words where they stand in for the widget

    def __str__(self) -> str:
        from unlearnviz.views.in_words import in_words

        return in_words(self)

    def _repr_mimebundle_(self, **options: Any) -> Any:
        """What ipywidgets or anywidget give, with our words as the plain text that stands in for the widget."""
        given = super()._repr_mimebundle_(**options)  # type: ignore[misc]
        data = given[0] if isinstance(given, tuple) else given  # anywidget: (data, metadata); None: nothing is shown
        if data is not None:
            data["text/plain"] = f"{self.missing}\n{self}".strip()
        return given
