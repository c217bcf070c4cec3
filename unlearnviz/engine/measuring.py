"""Taking readings: of the live model, or of the same model with the weights of the start, the twin or another step."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from unlearnviz.engine.probes.probe import Enough, Probe, Reading, View
from unlearnviz.engine.probes.probe import registry as probes_by_name
from unlearnviz.engine.progress import Progress
from unlearnviz.errors import BadForgetSet, BadSetting, Cancelled, ChangedOutside, NotPossible, unknown

if TYPE_CHECKING:
    from unlearnviz.engine.model import LanguageModel
    from unlearnviz.engine.session import Session
    from unlearnviz.engine.twin import Twin
    from unlearnviz.engine.weights import Weights


class Measurements:
    """Readings already taken, so that scrubbing through a history measures nothing twice."""

    def __init__(self) -> None:
        self._taken: dict[Any, Reading] = {}

    def find(self, key: Any) -> Reading | None:
        """The reading under a key, or None."""
        return self._taken.get(key)

    def keep(self, key: Any, reading: Reading) -> None:
        """Remember a reading."""
        self._taken[key] = reading

    def clear(self) -> None:
        """Forget all: the model was taught anew."""
        self._taken.clear()


def resolve(probes: Sequence[Probe | str]) -> list[Probe]:
    """Probes from probes and names.

    Raises:
        UnknownName: no probe of that name.
        BadSetting: two probes under one label.
    """
    found = [probes_by_name.make(probe, Probe) for probe in probes]
    labels = [probe.label or probe.name for probe in found]
    twice = next((label for label in labels if labels.count(label) > 1), None)
    if twice is not None:
        raise BadSetting(f"Two probes would both be called {twice!r}; give one of them label='...'.")
    return found


def take_readings(session: Session, probes: Sequence[Probe], of: str | int) -> Generator[Progress, None, dict[str, Reading]]:
    """Take each probe's reading; returns label -> Reading. One report per probe, each a point to stop at."""
    if not session.forget:
        raise BadForgetSet("Nothing is picked, so there are no groups to measure; call session.pick(...) first.")
    weights, step, key = _whose(session, of)
    edited = of == "now" and bool(session.snapshots.changed_outside())
    passages = {group: tuple(passage.id for passage in members) for group, members in session.groups.items()}
    twin = session.active_twin
    readings: dict[str, Reading] = {}
    for done, probe in enumerate(probes):
        twins = session.fitting_twins if probe.reads_twins else ()  # others are not measured again when one more is trained
        full_key = (type(probe), repr(probe), key, tuple(passages.items()), id(twin), *map(id, twins))
        reading = None if edited else session.measurements.find(full_key)
        if reading is None:
            live = weights is session.weights
            parent = session.history[step].parent if isinstance(step, int) else None
            view = View(
                groups=session.groups,
                weights=weights,
                start=session.snapshots[0].weights,
                twin=twin.weights if twin else None,
                previous=session.snapshots[parent].weights if parent is not None and session.snapshots.holds(parent) else None,
                history=session.history,
                step=session.head if step is None else step,
                twins=tuple(each.weights for each in twins),
                lineage=session.lineage,
            )
            began = time.perf_counter()
            model = session.model if live else session.model.at(weights, copied=session.snapshots.small)
            before = _versions(model)
            partly: list[Reading] = []
            try:
                reading = yield from _in_rounds(session, probe.measuring(model, session.corpus, view), partly)
            except (GeneratorExit, Cancelled):
                for part in partly:
                    session.history.keep(replace(part, step=view.step, of=str(of), passages=passages, seconds=time.perf_counter() - began))
                raise
            finally:
                if live and not edited:
                    _take_back(session, probe)
                elif _versions(model) != before:
                    raise ChangedOutside(f"The probe {probe.name!r} edited the weights it was shown; a probe may only look.")
            reading = replace(reading, of=str(of), passages=passages, seconds=time.perf_counter() - began)
            if not edited:
                session.measurements.keep(full_key, reading)
        reading = replace(reading, step=session.head if step is None or of == "start" else step, of=str(of))
        session.history.keep(reading)
        readings[reading.label] = reading
        progress = Progress(done + 1, len(probes), f"{reading.label} measured")
        session.turn.report(progress)
        yield progress
    return readings


def _in_rounds(session: Session, running: Generator[Progress, None, Reading], partly: list[Reading]) -> Generator[Progress, None, Reading]:
    """A probe's reading, with a point to stop at after each of its reports; stopped, `partly` gets the reading of what was done."""
    while True:
        try:
            progress = next(running)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        try:
            session.turn.report(progress)
            yield progress
        except (GeneratorExit, Cancelled):
            try:
                running.throw(Enough())
            except StopIteration as end:
                partly.append(end.value)
            except Enough:
                pass
            finally:
                running.close()
            raise


def _whose(session: Session, of: str | int) -> tuple[Weights, int | None, Any]:
    """Weights, step (None for the twin) and cache key of what is to be measured."""
    if of == "now":
        return session.weights, session.head, session.head
    if of == "start":
        return session.snapshots[0].weights, 0, 0
    if of == "twin" or _seed(of) is not None:
        twin = _twin(session, _seed(of))
        return twin.weights, None, ("twin", id(twin))
    if isinstance(of, int) or str(of).isdigit():
        step = session.history.find(int(of))
        return session.snapshots[step].weights, step, step
    raise unknown("reference", of, ["now", "start", "twin", "a step id"])


def _seed(of: str | int) -> int | None:
    """Of "twin 3" the 3."""
    word, _, seed = str(of).partition(" ")
    return int(seed) if word == "twin" and seed.isdecimal() else None


def _twin(session: Session, seed: int | None) -> Twin:
    """The twin of the present forget set, or the one of this seed among several."""
    fitting = session.fitting_twins
    if not fitting:
        raise NotPossible("No twin was trained without exactly the present forget set; session.twin() trains one where the recipe is known.")
    found = next((twin for twin in fitting if seed in (None, twin.seed)), None)
    if found is None:
        known = ", ".join(f"'twin {twin.seed}'" for twin in fitting)
        raise NotPossible(f"No twin of seed {seed} was trained without the present forget set, but {known}; session.twin(seed={seed}) trains it.")
    return found


def _take_back(session: Session, probe: Probe) -> None:
    """Looking changes nothing: a probe that edits weights is stopped here, and its edits are taken back."""
    changed = session.snapshots.changed_outside()
    if changed:
        lost = session.snapshots.restore(changed)
        end = f"There is no copy of {lost[0]}: open the model again." if lost else "Its edits were taken back."
        raise ChangedOutside(f"The probe {probe.name!r} edited {changed[0]}; a probe may only look. {end}")


def _versions(model: LanguageModel) -> list[int]:
    return [parameter._version for parameter in model.parameters.values()]  # noqa: SLF001 - torch has no public name for it
