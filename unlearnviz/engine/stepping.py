"""The step itself, as a transaction: all of it, or nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import torch

from unlearnviz.engine import measuring
from unlearnviz.engine.history import StepRecord
from unlearnviz.engine.methods.method import Method
from unlearnviz.engine.probes.perplexity import Perplexity
from unlearnviz.engine.progress import Progress
from unlearnviz.engine.selection import ParameterSelection
from unlearnviz.engine.storage import StoredTensor
from unlearnviz.engine.weights import Weights
from unlearnviz.engine.work import Work
from unlearnviz.errors import BadSetting, Overshoot

if TYPE_CHECKING:
    from unlearnviz.engine.session import Session


def take_step(session: Session, method: Method, selection: ParameterSelection) -> Iterator[Progress]:
    """Run a method once and commit the result; returns the StepRecord.

    Whatever ends it early (an error, a Stop, a closed iterator, a full disk) puts every value back, bit for bit.
    """
    snapshots, history, model = session.snapshots, session.history, session.model
    snapshots.check(history.head)
    parent = snapshots[history.head]
    snapshots.secure(parent.weights, selection.names)
    seed = session.step_seed(history.depth() + 1)
    began = time.perf_counter()
    asked = {passage.id for passage in session.forget}
    try:
        with model.following(selection.names, selection.use) as parameters:
            work = Work(
                model=model,
                parameters=parameters,
                forget=session.forget,
                retain=tuple(passage for passage in session.corpus.train if passage.id not in asked),
                generator=torch.Generator().manual_seed(seed),
                seed=seed,
                reference=snapshots[0].weights,
                update_norm=session.update_norm(selection),
                state=_carried(session, method, selection),
            )
            running = method.run(work)
            while True:
                with torch.enable_grad():  # grad mode belongs to the thread, and each round may be on another one
                    progress = next(running, None)
                if progress is None:
                    break
                session.turn.report(progress)
                yield progress
        edited = {name: model.parameters[name] for name in selection.names}
        _check_finite(edited, method)
        rows = selection.use == "input"
        new = {name: snapshots.store.put(p, rows_over=parent.weights.stored[name] if rows else None) for name, p in edited.items()}
        weights = parent.weights.replaced(new)
        state = {name: snapshots.store.put(tensor) for name, tensor in work.state.items()}
        record = StepRecord(
            id=len(history),
            parent=history.head,
            branch=history.branch,
            method=method.name,
            settings=method.settings,
            where=selection.text,
            forget=tuple(passage.id for passage in session.forget),
            seed=seed,
            seconds=time.perf_counter() - began,
            update_norm=_moved(session, weights, parent.weights, new),
            narration=_narration(method, selection, len(asked)),
        )
        snapshots.add(record.id, weights, state)
    except BaseException:
        snapshots.restore(selection.names)
        raise
    history.add(record)
    return record


def take_steps(
    session: Session, steps: int, method: Method, selection: ParameterSelection, stop_at: float, stepped: Callable[[], None]
) -> Iterator[Progress]:
    """Several steps with a look at the retain texts after each; returns the StepRecords.

    The run ends after the first step whose retain perplexity is above `stop_at` times that of the start; that step is marked.
    """
    if not isinstance(steps, int) or steps < 1:
        raise BadSetting(f"A run of {steps!r} steps was asked for; a run has at least 1.")
    if not stop_at > 1:
        raise BadSetting(f"stop_at={stop_at!r} would stop every run; it is a factor above 1 on the start's retain perplexity.")
    records: list[StepRecord] = []
    probe = Perplexity()
    start = yield from measuring.take_readings(session, [probe], "start")
    before = _retain(start["perplexity"].rows)
    for done in range(steps):
        record = yield from take_step(session, method, selection)
        now = yield from measuring.take_readings(session, [probe], "now")
        after = _retain(now["perplexity"].rows)
        overshot = before is not None and after is not None and not after <= stop_at * before
        if overshot:
            record = session.mark(record.id, "overshoot")
        records.append(record)
        stepped()
        progress = Progress(done + 1, steps, f"step {done + 1} of {steps}")
        session.turn.report(progress)
        yield progress
        if overshot:
            break
    return tuple(records)


def _retain(rows: tuple[dict[str, float], ...]) -> float | None:
    return next((row["perplexity"] for row in rows if row["group"] == "retain"), None)  # type: ignore[comparison-overlap]


def _carried(session: Session, method: Method, selection: ParameterSelection) -> dict[str, torch.Tensor]:
    """The state that the parent's commit holds for the same method, settings and selection; copies."""
    parent = session.history[session.history.head]
    if (parent.method, dict(parent.settings), parent.where) != (method.name, method.settings, selection.text):
        return {}
    return {name: stored.value().clone() for name, stored in session.snapshots[parent.id].state.items()}


def _check_finite(edited: dict[str, torch.Tensor], method: Method) -> None:
    for name, parameter in edited.items():
        if not bool(torch.isfinite(parameter.detach().sum())) and not bool(torch.isfinite(parameter).all()):
            raise Overshoot(
                f"After this step of {method.name}, {name} holds values that are not finite; nothing was kept. "
                "Lower the learning rate or the update norm."
            )


def _moved(session: Session, new: Weights, old: Weights, changed: dict[str, StoredTensor]) -> dict[str, float]:
    """L2 norm of the change per parameter group, for the groups that moved."""
    norms = {}
    for group, names in session.model.layout.groups.items():
        touched = [name for name in names if name in changed]
        if touched:
            norms[group] = new.distance(old, touched)
    return norms


def _narration(method: Method, selection: ParameterSelection, texts: int) -> str:
    updates = method.settings.get("updates", 1)
    size = "one update" if updates == 1 else f"{updates} updates"
    return f"{method.name}: {size} of {selection.text}, to forget {texts} text{'s' if texts != 1 else ''}."
