"""SessionState: the only bridge between a session and the widgets. Buttons call its verbs; panels watch its picture."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import traitlets

from unlearnviz.engine.narration import narrate
from unlearnviz.engine.probes.generation import Generation
from unlearnviz.engine.probes.perplexity import Perplexity
from unlearnviz.engine.probes.probe import Probe, Reading
from unlearnviz.engine.progress import Progress
from unlearnviz.errors import UnlearnvizError
from unlearnviz.views.picture import Picture, take
from unlearnviz.views.runner import Outcome, Runner

if TYPE_CHECKING:
    from unlearnviz.engine.corpus import Passage
    from unlearnviz.engine.methods.method import Method
    from unlearnviz.engine.session import Session

SLOW = 0.5  # seconds: a probe that keeps taking longer waits to be asked


class SessionState(traitlets.HasTraits):
    """What the page knows of a session.

    Attributes:
        picture: the immutable mirror of the session; replaced once per piece of work.
        where: the selection for the next step, as text.
        busy: what is running, or "".
        progress: the latest report of what is running, or None.
        error: the last error, or None; cleared when the next work starts.
        on_request: labels of probes whose last two runs took over 0.5 s each: they are measured when asked only.
    """

    picture = traitlets.Instance(Picture, ())
    where = traitlets.Unicode("embedding")
    busy = traitlets.Unicode("")
    progress = traitlets.Any(None)
    error = traitlets.Any(None)
    on_request: traitlets.Tuple[Any, Any] = traitlets.Tuple()

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        self.runner = Runner(self._on_progress, self._on_end)
        self._probes: dict[str, Probe] = {"perplexity": Perplexity(), "generation": Generation()}
        self._wanted: dict[str, bool] = {}  # label -> whether a slow probe was switched to live by hand
        self._start: Mapping[str, Reading] = {}
        self._twin: Mapping[str, Reading] = {}
        self._ending = self._inline = False
        self._slow: tuple[str, ...] = ()  # found slow by the work that runs
        self._seconds: dict[str, float] = {}  # label -> how long its last run took
        self._next: Callable[[], None] | None = None  # latest wins: what a slider asks for while work runs
        self._sentence = ""

    # -- what is measured ---------------------------------------------------------------------------------------------

    def probe(self, probe: Probe) -> None:
        """Measure `probe` after every step; one of the same label is replaced."""
        self._probes[probe.label or probe.name] = probe

    def live(self, label: str, *, live: bool) -> None:
        """Switch a slow probe to be measured after every step, or only when asked."""
        self._wanted[label] = live
        self.on_request = tuple(each for each in self.on_request if each != label) if live else (*self.on_request, label)

    def ask(self, *labels: str) -> None:
        """Measure probes now that are on request."""
        self.start("measuring", self._measuring(only=labels))

    # -- verbs --------------------------------------------------------------------------------------------------------

    def open(self) -> None:
        """Take the first picture, and the first readings if something is picked."""
        self._take("")
        if self.session.forget:
            self.start("measuring", self._measuring())

    def step(self, method: Method) -> None:
        """One step, then the readings."""
        self.start(f"one step of {method.name}", self._stepping(method))

    def run(self, steps: int, method: Method) -> None:
        """Several steps with readings after each; stops by itself where the retain texts suffer."""
        self.start(f"{steps} steps of {method.name}", self._running(steps, method))

    def pick(self, items: list[str | Passage]) -> None:
        """Another forget set, then the readings."""

        def work() -> Iterator[Progress]:
            self.session.pick(*items)
            yield Progress(0, 1, "picked")
            yield from self._measuring()

        self.start("picking", work())

    def undo(self) -> None:
        """One step back."""
        self.start("undo", self._moving(self.session.undo, "Undone"))

    def redo(self) -> None:
        """One step forward again."""
        self.start("redo", self._moving(self.session.redo, "Done again"))

    def go_to(self, target: int | str) -> None:
        """Any step or branch; while work runs the latest wish waits and wins."""
        self.soon(lambda: self.start("moving", self._moving(lambda: self.session.go_to(target), "Moved")))

    def branch(self, name: str) -> None:
        """A new branch from here."""

        def work() -> Iterator[Progress]:
            self.session.branch(name)
            self._sentence = f"You are on the new branch {name!r}, which starts at step {self.session.head}."
            yield Progress(1, 1, "branched")

        self.start("branch", work())

    def learn(self, epochs: int | None = None) -> None:
        """Teach the model its texts."""

        def work() -> Iterator[Progress]:
            yield from self.session.learning(epochs)
            yield from self._measuring()
            self._sentence = "The model has learned the texts; a new history starts here. " + self._sentence

        self.start("learning", work())

    def train_twin(self) -> None:
        """Train the model that never saw the forget set."""

        def work() -> Iterator[Progress]:
            yield from self.session.twinning()
            yield from self._measuring()

        self.start("training the twin", work())

    def stop(self) -> None:
        """Ask what runs to stop; what it has not finished is not kept."""
        self._next = None
        self.runner.stop()

    def soon(self, action: Callable[[], None]) -> None:
        """Do it now, or, while work runs, when it ends: the latest wish wins."""
        if self.runner.running or self._ending:
            self._next = action
        else:
            action()

    # -- work ---------------------------------------------------------------------------------------------------------

    def start(self, title: str, work: Iterator[Progress]) -> None:
        """Run a piece of work; while another runs this one is dropped (a second click never starts a second run)."""
        if self.runner.running:
            return
        self.error = None
        self.busy = title
        self._inline = not _in_event_loop()
        self.runner.start(work, title)
        if self._inline:  # plain Python: the work has ended by now
            self._go_on()

    def _stepping(self, method: Method) -> Iterator[Progress]:
        yield from self.session.stepping(method, self.where)
        yield from self._measuring()

    def _running(self, steps: int, method: Method) -> Iterator[Progress]:
        records = yield from self.session.running(steps, method, self.where)
        yield from self._measuring()
        if records and records[-1].mark == "overshoot":
            self._sentence = (
                f"Overshoot at step {records[-1].id}: the retain texts are more than 3 times as surprising as at the start, so the run "
                f"stopped here. Undo takes you back; a smaller update norm goes slower. {self._sentence}"
            )

    def _moving(self, move: Callable[[], object], done: str) -> Iterator[Progress]:
        move()
        yield Progress(0, 1, "moved")
        yield from self._measuring()
        self._sentence = f"{done}: this is step {self.session.head}. {self._sentence}"

    def _measuring(self, only: tuple[str, ...] = ()) -> Iterator[Progress]:
        """All live probes on the present weights, the start and the twin; readings already taken are not taken again."""
        if not self.session.forget:
            self._start, self._twin = {}, {}
            return
        asked = [probe for label, probe in self._probes.items() if label in only or (label not in self.on_request and not only)]
        now = yield from self.session.measuring(*asked, of="now")
        start = yield from self.session.measuring(*asked, of="start")
        twin: dict[str, Reading] = {}
        if self.session.active_twin is not None:
            twin = yield from self.session.measuring(*asked, of="twin")
        self._start = {**(self._start if only else {}), **start}
        self._twin = {**(self._twin if only else {}), **twin}
        self._time(now, twin)
        self._sentence = self._narrate(now)

    def _time(self, now: Mapping[str, Reading], twin: Mapping[str, Reading]) -> None:
        """Note which probes are slow: two runs in a row above the limit, since a first run also warms up."""
        for label, reading in now.items():
            before = self._seconds.get(label, twin[label].seconds if label in twin else 0.0)
            self._seconds[label] = reading.seconds
            if min(before, reading.seconds) > SLOW and label != "perplexity" and not self._wanted.get(label):
                self._slow = (*self._slow, label)

    def _narrate(self, now: Mapping[str, Reading]) -> str:
        reading = now.get("perplexity")
        if reading is None:
            return self._sentence
        record = self.session.history[self.session.head]
        readings = [] if record.parent is None else self.session.history.readings[record.parent]
        before = next((each for each in readings if each.label == "perplexity" and each.of == "now"), None)
        twin = self.session.active_twin
        sentence = narrate(before, reading, self._twin.get("perplexity"), twin.siblings if twin else ())
        return f"Perplexity: {sentence}"

    def _on_progress(self, progress: Progress) -> None:
        self.progress = progress

    def _on_end(self, outcome: Outcome) -> None:
        """On the event loop: one new picture, then what was asked for meanwhile."""
        if outcome.state == "stopped":
            self._sentence = "Stopped; the unfinished part was not kept. " + self._sentence
        slow, self._slow = self._slow, ()
        self._ending = True
        try:
            self._show_end(outcome, slow)
        finally:
            self._ending = False
        if not self._inline:
            self._go_on()

    def _go_on(self) -> None:
        """Do what was asked for meanwhile."""
        waiting, self._next = self._next, None
        if waiting is not None:
            waiting()

    def _show_end(self, outcome: Outcome, slow: tuple[str, ...]) -> None:
        with self.hold_trait_notifications():
            self.on_request = (*self.on_request, *(label for label in slow if label not in self.on_request))
            self._take(self._sentence)
            self.progress = None
            self.busy = ""
            self.error = outcome.error

    def _take(self, sentence: str) -> None:
        self.picture = take(self.session, sentence, self._start, self._twin)

    def close(self) -> None:
        """Stop what runs and tell nobody any more."""
        self.stop()
        self.unobserve_all()

    def refused(self, error: UnlearnvizError) -> None:
        """Show an error of a control (a number that is none) as if work had failed."""
        self.error = error

    def say(self, sentence: str) -> None:
        """Show a sentence without any work."""
        self.picture = replace(self.picture, sentence=sentence)


def _in_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
