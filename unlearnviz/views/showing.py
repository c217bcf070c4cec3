"""Showing: which view of the page is shown; what belongs to the others is neither measured nor drawn."""

from __future__ import annotations

from collections.abc import Callable

import traitlets

from unlearnviz.views.picture import Picture

VIEWS = ("Start", "Neighbours", "Where", "Who", "Judge")


class Showing(traitlets.HasTraits):
    """The part of a page's state that knows what can be seen.

    Attributes:
        view: the view that is shown, one of `VIEWS`.
    """

    view = traitlets.Enum(VIEWS, default_value=VIEWS[0])

    picture: Picture
    on_request: tuple[str, ...]
    _homes: dict[str, set[str]]  # label -> the views that show its readings; with "" or without any: all

    def ask(self, *labels: str) -> None:
        """Measure probes now."""
        raise NotImplementedError

    def soon(self, action: Callable[[], None], kind: str) -> None:
        """Do it now, or when what runs has ended."""
        raise NotImplementedError

    def hidden(self) -> tuple[str, ...]:
        """Labels of probes that only a hidden view shows."""
        return tuple(label for label, homes in self._homes.items() if homes.isdisjoint(("", self.view)))

    def show(self, view: str) -> None:
        """Show another view: its panels draw themselves, and what they miss is measured."""
        self.view = view
        missing = [
            label
            for label, homes in self._homes.items()
            if view in homes and label not in self.on_request and self.picture.now(label) is None
        ]
        if missing:
            self.soon(lambda: self.ask(*missing), "ask view")
