"""The step itself, as a transaction: all of it, or nothing."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Generator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import torch

from unlearnviz.engine.history import StepRecord
from unlearnviz.engine.methods.method import Method
from unlearnviz.engine.methods.method import registry as methods
from unlearnviz.engine.narration import nothing_changed
from unlearnviz.engine.progress import Progress
from unlearnviz.engine.selection import ParameterSelection
from unlearnviz.engine.storage import StoredTensor
from unlearnviz.engine.weights import Weights
from unlearnviz.engine.work import Work, recording
from unlearnviz.errors import BadForgetSet, BadSetting, Busy, ChangedOutside, Overshoot

if TYPE_CHECKING:
    from unlearnviz.engine.session import Session

T = TypeVar("T")


def plan(session: Session, method: Method | str | None, where: str) -> tuple[Method, ParameterSelection]:
    """The method and the selection that were asked for, checked before anything starts."""
    resolved = methods.make("gradient-ascent" if method is None else method, Method)
    selection = ParameterSelection.parse(where, session.model.layout)
    if not session.turn.free():
        raise Busy(
            f"A piece of work is running ({session.turn.what}), so a step has to wait. Stop it with session.cancel(), or wait for it to end."
        )
    if not session.forget:
        raise BadForgetSet(
            f"Nothing is picked to be forgotten; call session.pick(...) first, for example with {session.corpus.train[0].id!r}."
        )
    return resolved, selection


def take_step(session: Session, method: Method, selection: ParameterSelection) -> Generator[Progress, None, StepRecord]:
    """Run a method once and commit the result; returns the StepRecord.

    Whatever ends it early (an error, a Stop, a closed iterator, a full disk) puts every value back, bit for bit.
    """
    snapshots, history, model = session.snapshots, session.history, session.model
    session.settle()
    parent = _secure(session, selection)
    began = time.perf_counter()
    put: list[StoredTensor] = []
    try:
        work = yield from _run(session, method, selection)
        new: dict[str, StoredTensor] = {}
        for name in selection.names:
            # SGD on the looked-up matrix moves the rows of tokens that occur, and no others
            few = name == model.layout.input_embedding and (selection.use == "input" or not model.layout.tied)
            new[name] = snapshots.store.put(model.parameters[name], rows_over=parent.stored[name] if few else None)
            put.append(new[name])
        weights = parent.replaced(new)
        state: dict[str, StoredTensor] = {}
        for name, tensor in work.state.items():
            state[name] = snapshots.store.put(tensor)
            put.append(state[name])
        seconds, moved = time.perf_counter() - began, _moved(session, weights, parent, new)
        record = StepRecord(
            id=len(history),
            parent=history.head,
            branch=history.next_branch(),
            method=method.name,
            settings=json_safe(method),
            where=selection.text,
            forget=tuple(passage.id for passage in session.forget),
            seed=work.seed,
            seconds=seconds,
            update_norm=moved,
            mark="reached" if work.ended else "",
            narration=_narration(method, selection, work, changed=bool(moved)),
            trajectory=_trajectory(method, work),
        )
        snapshots.add(record.id, weights, state)
    except BaseException:
        _take_back(session, selection)
        snapshots.store.discard(put)
        raise
    history.add(record)
    return record


def rehearse(
    session: Session, method: Method, selection: ParameterSelection, look: Callable[[Weights], Generator[Progress, None, T]]
) -> Generator[Progress, None, T]:
    """Run a method once, exactly as `take_step` does, `look` at the live model that it left, and put every value back, bit for bit.

    Args:
        session, method, selection: as for `take_step`.
        look: gets the weights of before; what it returns is returned.
    """
    before = _secure(session, selection)
    try:
        yield from _run(session, method, selection)
        seen = yield from look(before)
    finally:
        _take_back(session, selection)
    session.snapshots.store.fit()  # the copies from which values were put back count too
    return seen


def change(after: torch.Tensor, before: torch.Tensor) -> torch.Tensor:
    """after - before, on the device of `after`; half precision is widened first."""
    kind = torch.promote_types(after.dtype, torch.float32)
    return after.detach().to(kind) - before.to(after.device, kind)


def _secure(session: Session, selection: ParameterSelection) -> Weights:
    """The weights of the head, of which the selected ones have copies from now on: they are about to be edited."""
    head = session.history.head
    session.snapshots.check(head)
    weights = session.snapshots[head].weights
    session.snapshots.secure(weights, selection.names)
    return weights


def _take_back(session: Session, selection: ParameterSelection) -> None:
    """Put back every value that an unfinished step edited."""
    outside = [name for name in session.snapshots.changed_outside() if name not in selection.names]
    session.snapshots.restore([*selection.names, *outside])


def _run(session: Session, method: Method, selection: ParameterSelection) -> Generator[Progress, None, Work]:
    """Run a method once on the live weights and check what it left; whoever called commits that or takes it back."""
    model = session.model
    seed = session.step_seed(session.history.depth() + 1)
    asked = {passage.id for passage in session.forget}
    with model.following(selection.names, selection.use) as parameters:
        work = Work(
            model=model,
            parameters=parameters,
            forget=session.forget,
            retain=tuple(passage for passage in session.corpus.train if passage.id not in asked),
            generator=torch.Generator().manual_seed(seed),
            seed=seed,
            reference=session.snapshots[0].weights,
            update_norm=session.update_norm(selection),
            ledger=session.ledger,
            state=_carried(session, method, selection),
            groups=session.groups,
            never_seen=session.corpus.holdout,
            path=tuple(session.history[step] for step in session.history.path()[1:]),
            use=selection.use,
        )
        yield from _in_rounds(session, method, work)
    _check_scope(session, method, selection)
    _check_finite({name: model.parameters[name] for name in selection.names}, method)
    return work


def _in_rounds(session: Session, method: Method, work: Work) -> Generator[Progress, None, None]:
    """Run a method from one cancel point to the next."""
    with recording():
        running = iter(method.run(work) or ())  # a method without a cancel point returns nothing
    try:
        while True:
            with recording():  # each round may be on another thread
                progress = next(running, _END)
            if progress is _END:
                return
            progress = progress if isinstance(progress, Progress) else Progress(0)  # a bare `yield` is a cancel point too
            session.turn.report(progress)
            yield progress
    finally:
        if isinstance(running, Generator):
            running.close()  # before anything is put back: its `finally` may edit weights


_END: Any = object()


def json_safe(method: Method) -> dict[str, Any]:
    """The settings as they come back from a saved history."""
    try:
        return json.loads(json.dumps(method.settings))  # type: ignore[no-any-return]
    except (TypeError, ValueError) as error:
        raise BadSetting(
            f"The settings of {method.name} cannot be written into the history ({error}); use numbers, texts, lists and True or False."
        ) from error


def _trajectory(method: Method, work: Work) -> tuple[Mapping[str, Any], ...]:
    """What the method noted round by round, as it comes back from a saved history."""
    try:
        return tuple(json.loads(json.dumps(work.trajectory)))
    except (TypeError, ValueError) as error:
        raise BadSetting(
            f"What {method.name} appended to work.trajectory cannot be written into the history ({error}); append dictionaries of numbers, "
            "texts and lists."
        ) from error


def _carried(session: Session, method: Method, selection: ParameterSelection) -> dict[str, torch.Tensor]:
    """The state that the parent's commit holds for the same method, settings and selection; copies."""
    parent = session.history[session.history.head]
    if (parent.method, dict(parent.settings), parent.where) != (method.name, json_safe(method), selection.text):
        return {}
    return {name: stored.value().clone() for name, stored in session.snapshots[parent.id].state.items()}


def _check_scope(session: Session, method: Method, selection: ParameterSelection) -> None:
    """Scoped: what is not selected is as it was."""
    outside = [name for name in session.snapshots.changed_outside() if name not in selection.names]
    if outside:
        raise ChangedOutside(
            f"During this step {outside[0]} was edited, which is not in {selection.text!r}: {method.name} may change work.parameters only, "
            "and nobody else may edit the model meanwhile. Nothing was kept."
        )


def _check_finite(edited: Mapping[str, torch.Tensor], method: Method) -> None:
    for name, parameter in edited.items():
        if not bool(torch.isfinite(parameter.detach().sum())) and not bool(torch.isfinite(parameter).all()):
            raise Overshoot(
                f"After this step of {method.name}, {name} holds values that are not finite; nothing was kept. "
                "Lower the learning rate or the update norm."
            )


def _moved(session: Session, new: Weights, old: Weights, changed: Mapping[str, StoredTensor]) -> dict[str, float]:
    """L2 norm of the change per parameter group, for the groups that moved."""
    norms = {}
    for group, names in session.model.layout.groups.items():
        touched = [name for name in names if name in changed]
        if touched and (distance := new.distance(old, touched)) > 0:
            norms[group] = distance
    return norms


def _narration(method: Method, selection: ParameterSelection, work: Work, *, changed: bool) -> str:
    if not changed:
        return nothing_changed(method.name, selection.text, ended=work.ended, kind=str(work.model.dtype).removeprefix("torch."))
    updates, texts = method.settings.get("updates", 1), len(work.forget)
    did = work.did or ("one update" if updates == 1 else f"{updates} updates")
    reached = f" The stop rule is reached: {work.ended}." if work.ended else ""
    return f"{method.name}: {did} of {selection.text}, to forget {texts} text{'s' if texts != 1 else ''}.{reached}"
