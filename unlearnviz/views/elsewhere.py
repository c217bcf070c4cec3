"""Elsewhere: what cells and other dashboards do to the session shows here too, so that all pages tell the same truth."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING

import traitlets

from unlearnviz.engine.events import Event, Measured
from unlearnviz.engine.progress import Progress
from unlearnviz.errors import Busy
from unlearnviz.views.runner import Runner, at_work

PATIENCE = 3.0  # seconds that work of a page waits for a piece of another one's

if TYPE_CHECKING:
    from unlearnviz.engine.session import Session
    from unlearnviz.views.picture import Picture
    from unlearnviz.views.readouts import Readouts


class Elsewhere(traitlets.HasTraits):
    """The part of a page's state that hears what others did. Only where an event loop runs: plain Python has one thing going on."""

    session: Session
    runner: Runner
    picture: Picture
    _readouts: Readouts
    _done: str
    _loop: asyncio.AbstractEventLoop | None = None
    _unlisten: Callable[[], None] | None = None
    _told = False  # whether a look is on its way
    _news = False  # whether anything was done elsewhere since the last look
    _behind = False  # whether readings of what another page did are still to be taken
    _missed = False  # whether something was done elsewhere while this page worked

    def start(self, title: str, work: Iterator[Progress], *, quiet: bool = False) -> None:
        """Run a piece of work."""
        raise NotImplementedError

    def _measuring(self) -> Generator[Progress, None, None]:
        raise NotImplementedError

    def _picture(self) -> Picture:
        raise NotImplementedError

    def listen(self) -> None:
        """Hear of everything that happens to the session, from now on."""
        try:
            self._loop = asyncio.get_running_loop()
        except RuntimeError:
            return
        self._unlisten = self.session.listen(self._heard)
        self.session.turn.patience = PATIENCE

    def unlisten(self) -> None:
        """Hear nothing any more."""
        if self._unlisten is not None:
            self._unlisten()
        self._loop = self._unlisten = None

    def _heard(self, event: Event) -> None:
        """On whatever thread did it; what this page does itself is drawn when it ends."""
        loop = self._loop
        if self.runner.here or loop is None or loop.is_closed():
            return
        changed = not isinstance(event, Measured)
        self._news = self._news or changed
        self._behind = self._behind or (changed and at_work())
        if self.runner.running:
            self._missed = self._news or self._behind
        elif not self._told:
            self._told = True
            loop.call_soon_threadsafe(self._look)

    def catch_up(self) -> None:
        """Look at what was done elsewhere while this page worked, if anything was."""
        if self._missed and not self.runner.running:
            self._missed = False
            self._look()

    def _look(self) -> None:
        """Draw what is so now; after the work of another page, measure what this one shows and nobody has measured.

        After a cell nothing is measured until `refresh`: the next cell may be waiting, and would find the session busy.
        """
        self._told = False
        if self.runner.running or self._loop is None:
            return
        if self._news:
            self._news = False
            self._done, self._readouts.news = f"Done elsewhere, by a cell or another page: this is step {self.session.head}.", ""
        self.picture = self._picture()
        if self._behind and self.session.forget:
            self.start("measuring", self._catching_up(), quiet=True)

    def _catching_up(self) -> Iterator[Progress]:
        """Readings; where the other one is measuring just now, they wait until it tells that it has."""
        try:
            yield from self._measuring()
            self._behind = False
        except Busy:
            self._behind = True
