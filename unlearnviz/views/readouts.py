"""Readouts: what is measured for the page, of the present weights, the start and the twin, and which of it is slow."""

from __future__ import annotations

from collections.abc import Collection, Generator, Mapping
from typing import TYPE_CHECKING

from unlearnviz.engine.narration import narrate
from unlearnviz.engine.probes.generation import Generation
from unlearnviz.engine.probes.perplexity import Perplexity
from unlearnviz.engine.progress import Progress
from unlearnviz.engine.twin import ranges
from unlearnviz.views.picture import perplexities

if TYPE_CHECKING:
    from unlearnviz.engine.probes.probe import Probe, Reading
    from unlearnviz.engine.session import Session

SLOW = 0.5  # seconds: a probe that keeps taking longer waits to be asked


class Readouts:
    """The probes of a page and their last readings.

    Attributes:
        news: what happened to the perplexities, in one sentence.
        wanted: label -> whether a person switched this slow probe to live.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self.news = ""
        self.wanted: dict[str, bool] = {}
        self._probes: dict[str, Probe] = {"perplexity": Perplexity(), "generation": Generation()}
        self._start: dict[str, Reading] = {}
        self._twin: dict[str, Reading] = {}
        self._twins: dict[int, dict[str, Reading]] = {}  # seed -> label -> reading, of what was asked of every twin
        self._seconds: dict[str, float] = {}  # label -> how long its last run took
        self._slow: tuple[str, ...] = ()

    def put(self, probe: Probe) -> None:
        """Measure `probe` from now on; one of the same label is replaced."""
        self._probes[probe.label or probe.name] = probe

    def __contains__(self, label: str) -> bool:
        return label in self._probes

    def measuring(
        self, waiting: Collection[str], only: Collection[str], since: int | None
    ) -> Generator[Progress, None, None]:
        """All probes but those that wait to be asked, or only some; readings already taken are not taken again.

        Args:
            waiting: labels of probes that are measured on request.
            only: labels of the probes that were asked for; empty: all that do not wait.
            since: the step that the news compares with; None: the parent of the head.
        """
        if not self.session.forget:
            self.news = ""
            return
        asked = [probe for label, probe in self._probes.items() if (label in only if only else label not in waiting)]
        now = yield from self.session.measuring(*asked, of="now")
        start = yield from self.session.measuring(*(probe for probe in asked if "start" in probe.beside), of="start")
        twin: dict[str, Reading] = {}
        if self.session.active_twin is not None:
            twin = yield from self.session.measuring(*(probe for probe in asked if "twin" in probe.beside), of="twin")
        self._start.update(start)
        self._twin.update(twin)
        self._time(now, twin)
        several = self.session.fitting_twins[1:]
        if several and any("perplexity" not in readings for readings in self.twins().values()):  # once for each: their range is drawn
            yield from self.of_every_twin("perplexity")
        if "perplexity" in now:
            self.news = self._narrate(now["perplexity"], since)

    def of_every_twin(self, label: str) -> Generator[Progress, None, None]:
        """Measure one probe of all twins of the present forget set."""
        for twin in self.session.fitting_twins:
            taken = yield from self.session.measuring(self._probes[label], of=f"twin {twin.seed}")
            self._twins.setdefault(twin.seed, {}).update(taken)

    def twins(self) -> Mapping[int, Mapping[str, Reading]]:
        """Seed -> label -> reading for every twin of the present forget set, the one that stands for all first."""
        groups = self._groups()
        return {
            twin.seed: {label: reading for label, reading in self._twins.get(twin.seed, {}).items() if reading.passages == groups}
            for twin in self.session.fitting_twins
        }

    def _groups(self) -> dict[str, tuple[str, ...]]:
        return {group: tuple(passage.id for passage in members) for group, members in self.session.groups.items()}

    def references(self) -> tuple[Mapping[str, Reading], Mapping[str, Reading]]:
        """Label -> reading of the start, and of the twin: those that were taken on the present groups of texts."""
        groups = self._groups()
        start = {label: reading for label, reading in self._start.items() if reading.passages == groups}
        if self.session.active_twin is None:
            return start, {}
        return start, {label: reading for label, reading in self._twin.items() if reading.passages == groups}

    def clear(self) -> None:
        """Forget the references: the model was taught anew, or there is another twin."""
        self._start, self._twin, self._twins = {}, {}, {}

    def found_slow(self) -> tuple[str, ...]:
        """Labels found slow since this was last asked."""
        slow, self._slow = self._slow, ()
        return slow

    def _time(self, now: Mapping[str, Reading], twin: Mapping[str, Reading]) -> None:
        """Note which probes are slow: two runs in a row above the limit, since a first run also warms up."""
        for label, reading in now.items():
            before = self._seconds.get(label, twin[label].seconds if label in twin else 0.0)
            if reading.seconds == self._seconds.get(label):
                continue  # the same run, looked up again
            self._seconds[label] = reading.seconds
            if min(before, reading.seconds) > SLOW and label != "perplexity" and not self.wanted.get(label):
                self._slow = (*self._slow, label)

    def _narrate(self, now: Reading, since: int | None) -> str:
        """What happened since a step, or since the parent of the head."""
        since = self.session.history[self.session.head].parent if since is None else since
        readings = [] if since is None else self.session.history.readings[since]
        before = next((each for each in readings if each.label == "perplexity" and each.of == "now"), None)
        start, twin = self.references()
        spread = ranges(perplexities(twin, self.twins()), self.session.siblings)
        sentence = narrate(before, now, twin.get("perplexity"), spread, start.get("perplexity"))
        return f"Perplexity: {sentence}"
