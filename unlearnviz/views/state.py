"""SessionState: the only bridge between a session and the widgets. Buttons call its verbs; panels watch its picture."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import traitlets

from unlearnviz.engine.progress import Progress
from unlearnviz.errors import UnlearnvizError
from unlearnviz.views.beside import Beside
from unlearnviz.views.branching import Branching
from unlearnviz.views.elsewhere import Elsewhere
from unlearnviz.views.guided import Guided
from unlearnviz.views.kept import Kept
from unlearnviz.views.next_step import NextStep
from unlearnviz.views.picks import Picks
from unlearnviz.views.picture import Picture, take
from unlearnviz.views.readouts import Readouts
from unlearnviz.views.runner import Outcome, Runner, in_event_loop, part
from unlearnviz.views.showing import Showing
from unlearnviz.views.trials import Trials

if TYPE_CHECKING:
    from unlearnviz.engine.history import StepRecord
    from unlearnviz.engine.methods.method import Method
    from unlearnviz.engine.probes.probe import Probe
    from unlearnviz.engine.session import Session


LAST = "generation"  # measured last: reading takes longer than looking at charts


class SessionState(Branching, Elsewhere, Guided, Kept, NextStep, Picks, Showing, Trials, Beside):
    """What the page knows of a session.

    `Beside` trains twins, `Branching` has the verbs of branches, `Elsewhere` hears what others do, `Guided` has what helps to begin,
    `Kept` the verbs of recipes, `NextStep` what is chosen for the next step, `Picks` the verbs that pick, `Showing` which view is
    shown, `Trials` the verbs that compare runs and judge.

    Attributes:
        picture: the immutable mirror of the session; replaced once per piece of work.
        busy: what is running, or "".
        lasting: the same once it has run for half a second: only then the page shows it and takes its buttons away.
        finished: how many pieces of work have ended.
        progress: the latest report of what is running, or None.
        error: the last error, or None; cleared when the next work starts.
        on_request: labels of probes whose last two runs took over 0.5 s each: they are measured when asked only.
    """

    picture = traitlets.Instance(Picture, ())
    busy = traitlets.Unicode("")
    lasting = traitlets.Unicode("")
    finished = traitlets.Int(0)
    progress = traitlets.Any(None)
    error = traitlets.Any(None)
    on_request: traitlets.Tuple = traitlets.Tuple()

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        self.runner = Runner(self._on_progress, self._on_end, self._on_lasting)
        self._readouts = Readouts(session)
        self._homes = {LAST: {"Start"}}
        self._ending = self._inline = False
        self._wishes: dict[str, Callable[[], None]] = {}  # asked for while work runs; of a kind the latest
        self._fresh: Picture | None = None  # drawn while work runs, when the next report comes
        self._acting = False  # whether what runs changes the session, not only looks at it
        self._failure: BaseException | None = None  # of the last work that a person asked for, or of a panel
        self._done = ""  # what was done; the readouts say what it did

    # -- what is measured ---------------------------------------------------------------------------------------------

    def probe(self, probe: Probe, view: str = "") -> None:
        """Measure `probe` after every step, while `view` or another that asked for it is shown ("": always); replaces one of its label."""
        self._readouts.put(probe)
        self._homes.setdefault(probe.label or probe.name, set()).add(view)

    def live(self, label: str, *, live: bool) -> None:
        """Switch a slow probe to be measured after every step (and at once where it was not), or only when asked."""
        self._readouts.wanted[label] = live
        others = tuple(each for each in self.on_request if each != label)
        self.on_request = others if live else (*others, label)
        if live and self.picture.now(label) is None:
            self.soon(lambda: self.ask(label), f"ask {label}")

    def ask(self, *labels: str) -> None:
        """Measure probes now that are on request."""
        if self.session.forget:
            self.start("measuring", self._measuring(only=labels), quiet=True)

    # -- verbs --------------------------------------------------------------------------------------------------------

    def open(self) -> None:
        """Take the first picture, and the first readings if something is picked."""
        self._done = self._readouts.news = ""
        self.picture = self._picture()
        if self.session.forget:  # a panel that sees the picture may have begun work of its own
            self.soon(lambda: self.start("measuring", self._measuring()), "open")

    def step(self, method: Method) -> None:
        """One step, then the readings."""
        self.start(f"one step of {method.name}", self._stepping(method))

    def run(self, steps: int, method: Method) -> None:
        """Several steps with readings after each; stops by itself where the retain texts suffer."""
        self.start(f"{steps} steps of {method.name}", self._running(steps, method))

    def undo(self) -> None:
        """One step back."""
        self.start("undo", self._moving(self.session.undo, "Undone"))

    def redo(self) -> None:
        """One step forward again."""
        self.start("redo", self._moving(self.session.redo, "Done again"))

    def go_to(self, target: int | str) -> None:
        """Any step or branch; while work runs the latest wish waits and wins."""
        self.soon(lambda: self.start("moving", self._moving(lambda: self.session.go_to(target), "Moved")), "move")

    def learn(self, epochs: int | None = None) -> None:
        """Teach the model its texts."""

        def work() -> Iterator[Progress]:
            yield from self.session.learning(epochs)
            self._readouts.clear()
            self._done = "The model went over its texts; a new history starts here."
            yield from self._measuring()

        self.start("learning", work())

    def stop(self) -> None:
        """Ask what runs to stop; what it has not finished is not kept."""
        self._wishes.clear()
        self.runner.stop()

    def soon(self, action: Callable[[], None], kind: str) -> None:
        """Do it now, or, while work runs, when it ends: of each kind the latest wish wins. A Stop or a failure drops them."""
        if self.runner.running or self._ending:
            self._wishes[kind] = action
        else:
            action()

    def waits(self, kind: str) -> bool:
        """Whether a wish of this kind waits for the end of what runs."""
        return kind in self._wishes

    async def idle(self) -> None:
        """Wait until nothing runs, then raise, once, the error that it ended with."""
        try:
            await self.trainer.idle()
            await self.runner.idle()
        except BaseException:
            self._failure = None
            raise
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    # -- work ---------------------------------------------------------------------------------------------------------

    def start(self, title: str, work: Iterator[Progress], *, quiet: bool = False) -> None:
        """Run a piece of work; while another runs this one is dropped (a second click never starts a second run).

        Quiet work adds readings only: what was said last, and an error, stay on the page.
        """
        if self.runner.running:
            return
        if not quiet:
            self.error = self._failure = None
            self._done = ""
        self.busy = title
        self._inline = not in_event_loop()
        self.runner.start(work, title)
        if self._inline:  # plain Python: the work has ended by now
            self._go_on()

    def _stepping(self, method: Method) -> Iterator[Progress]:
        self._acting, where, branch = True, self.where, self.session.history.branch
        yield from self.before_step(method, where)
        record = yield from self.session.stepping(method, where)
        self._done = _joined(self._began(branch, record), _ended(record))
        yield from self._measuring()

    def _running(self, steps: int, method: Method) -> Iterator[Progress]:
        """Step by step: each is drawn as soon as it is measured."""
        began, where, branch, new = self.session.head, self.where, self.session.history.branch, ""
        for done in range(steps):
            self._acting = True
            yield from part(self.before_step(method, where), done, steps)
            (record,) = yield from part(self.session.running(1, method, where), done, steps)
            new = new or self._began(branch, record)
            self._done = _joined(new, _ended(record) or (f"Step {done + 1} of {steps}." if steps > 1 else ""))
            yield from part(self._measuring(since=began), done, steps)
            self._fresh = self._picture()
            yield Progress(done + 1, steps, f"step {done + 1} of {steps}")
            if record.mark:
                return

    def _moving(self, move: Callable[[], object], done: str) -> Iterator[Progress]:
        self._acting = True
        move()
        self._done = f"{done}: this is step {self.session.head}."
        yield Progress(0, 1, "moved")
        yield from self._measuring()

    def _measuring(self, only: tuple[str, ...] = (), since: int | None = None) -> Generator[Progress, None, None]:
        """What is to be measured now: all live probes, or only some. Charts are drawn while the model still writes its answers."""
        self._acting = since is not None  # a run goes on
        waiting = (*self.on_request, *self.hidden())
        if only or self._acting or LAST in waiting or not self.session.forget:
            yield from self._readouts.measuring(waiting, only, since)
            return
        yield from self._readouts.measuring((*waiting, LAST), (), since)
        self._fresh = self._picture()
        self.runner.hurry = True
        yield Progress(0, 1, "drawn")
        yield from self._readouts.measuring((), (LAST,), since)

    def _on_progress(self, progress: Progress) -> None:
        fresh, self._fresh = self._fresh, None
        if fresh is not None:
            self.picture = fresh
        self.progress = progress

    def _on_lasting(self) -> None:
        self.lasting = self.busy

    def _on_end(self, outcome: Outcome) -> None:
        """On the event loop: one new picture, then what was asked for meanwhile."""
        moved = self.session.head != self.picture.step
        if outcome.state == "stopped":
            self._done = "Stopped; the unfinished part was not kept."
        if outcome.state != "done":
            self._wishes.clear()
            if self._acting and moved:  # finished steps were kept: show what they did
                self._wishes["ask"] = lambda: self.start("measuring", self._measuring(), quiet=True)
        slow = self._readouts.found_slow()
        self._ending = True
        try:
            self._show_end(outcome, slow)
        finally:
            self._ending = False
            if not self._inline:
                self._go_on()

    def _go_on(self) -> None:
        """Do what was asked for meanwhile, one after the other; then look at what others did meanwhile."""
        while self._wishes and not self.runner.running:
            self._wishes.pop(next(iter(self._wishes)))()
        self.take_in()
        self.catch_up()

    def _show_end(self, outcome: Outcome, slow: tuple[str, ...]) -> None:
        with self.hold_trait_notifications():
            self.on_request = (*self.on_request, *(label for label in slow if label not in self.on_request))
            self.picture = self._picture()
            self.progress = self._fresh = None
            self.busy = self.lasting = ""
            if outcome.error is not None:
                self.error = self._failure = outcome.error
            self.finished += 1

    def _picture(self) -> Picture:
        said = _joined(self._done, self._readouts.news)
        picture = take(self.session, said, *self._readouts.references(), self.previews(), self._readouts.twins())
        return replace(picture, compared=self._compared, step_size=self.step_size())

    def close(self) -> None:
        """Stop what runs and tell nobody any more."""
        self.unlisten()
        self.stop_training()
        self.stop()
        self.unobserve_all()

    def refused(self, error: UnlearnvizError) -> None:
        """Show an error of a control (a number that is none) as if work had failed."""
        self.error = error

    def failed(self, error: Exception) -> None:
        """A panel could not draw: the page says so, and the others go on."""
        self.error = self._failure = error


def _joined(*parts: str) -> str:
    return " ".join(part for part in parts if part)


def _ended(record: StepRecord) -> str:
    """Why a run ends with this step, in words, or that it changed nothing; "" where nothing ends it."""
    if not record.update_norm:
        return record.narration
    if record.mark == "overshoot":
        return (
            f"Overshoot at step {record.id}: the retain texts are more than 3 times as surprising as at the start, so the run "
            "stopped here. Undo takes you back; a smaller update norm goes slower."
        )
    return f"Done with step {record.id}. {record.narration}" if record.mark else ""
