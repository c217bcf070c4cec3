"""Replaying a session's recipe: all its steps taken again, in a history of their own, and compared with what is written."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from unlearnviz.engine import stepping, teaching
from unlearnviz.engine.given import OPENED, say_opened
from unlearnviz.engine.groups import notes_on
from unlearnviz.engine.history import History, StepRecord
from unlearnviz.engine.keeping import made, norm
from unlearnviz.engine.near_duplicates import near_duplicate_notes
from unlearnviz.engine.progress import Progress
from unlearnviz.engine.recipe_plan import RecipePlan, plan
from unlearnviz.numbers import number

if TYPE_CHECKING:
    from unlearnviz.engine.session import Session
    from unlearnviz.engine.session_recipe import SessionRecipe


@dataclass(frozen=True)
class Replayed:
    """What a replay found.

    Attributes:
        steps: how many were taken.
        identical: whether everything that the recipe states of the steps is so to the last bit; of its twins `sentence` speaks.
        largest: the largest relative difference of a step's length (L2 norm of its change) from what is stated; 0 where none differs.
        at: the step where it is.
        sentence: the same in words.
    """

    steps: int
    identical: bool
    largest: float
    at: int
    sentence: str


def replaying(recipe: SessionRecipe, session: Session) -> Generator[Progress, None, Replayed]:
    """Take all steps of a recipe again; the result is a new history in place of the old one. One report per step and part of a step.

    Ended early, by a Stop or an error, the old history is back, bit for bit; only what the model learned first, for a recipe
    that begins with a training, stays learned.

    Raises:
        BadRecipe, NotPossible: it does not fit this session; nothing was changed.
    """
    todo = plan(recipe, session)
    session.snapshots.check(session.head)
    for done, lesson in enumerate(todo.lessons):
        with contextlib.closing(teaching.learn(session, None, lesson.recipe, lesson.track)) as learning:
            for progress in learning:
                yield Progress(progress.done, progress.total, f"training {done + 1} of {len(todo.lessons)}: {progress.text}")
    put_back = _set_aside(session)
    try:
        found = yield from _steps(recipe, session, todo)
    except BaseException:
        put_back()
        raise
    return found


def _set_aside(session: Session) -> Callable[[], None]:
    """Begin a new history at the start; returns what brings the old one back."""
    names = ("history", "typed", "groups", "notes", "warnings", "seed", "update_fraction", "source", "learned", "prompts")
    before: Mapping[str, Any] = {name: getattr(session, name) for name in names}
    head = session.head
    session.snapshots.load(0)
    kept = session.snapshots.set_aside()
    session.history = History()

    def put_back() -> None:
        for name, value in before.items():
            setattr(session, name, value)
        session.snapshots.replace_all(kept, head)

    return put_back


def _steps(recipe: SessionRecipe, session: Session, todo: RecipePlan) -> Generator[Progress, None, Replayed]:
    snapshots = session.snapshots
    session.seed, session.update_fraction, session.prompts = recipe.seed, recipe.update_fraction, recipe.prompts
    if [each.get("start") for each in session.learned] != [each.get("start") for each in recipe.learned]:
        session.source = {}  # it was opened where the recipe's trainings do not begin
    session.learned, session.typed = list(recipe.learned), list(todo.typed)
    worst, at, identical = 0.0, 0, session.keeping.fingerprint(snapshots[0].weights) == recipe.model["start"]
    done = 0
    for step in recipe.steps:
        if step.id not in todo.todo:  # of a branch that was forgotten: nothing stands on it, and its weights were given up
            forgotten = StepRecord(step.id, step.parent, step.branch, step.method, step.settings, step.where, recipe.picks[step.pick], step.seed)
            session.history.records.append(forgotten)
            session.history.readings[step.id] = []
            continue
        history = session.history
        if history.head != step.parent:
            snapshots.load(step.parent)
        history.head, history.branch = step.parent, step.branch
        history.branches[step.branch] = step.parent  # so that the step belongs to it
        session.groups = todo.groups[step.pick]
        with contextlib.closing(stepping.take_step(session, *todo.todo[step.id])) as taking:
            record = yield from _within(taking, done, len(todo.todo))
        history.mark(record.id, step.mark)
        if step.method == OPENED:
            say_opened(session, record.id)
        done += 1
        difference = 0.0 if step.norm is None else _relative(norm(record), step.norm)
        if difference > worst:
            worst, at = difference, step.id
        if step.fingerprint and session.keeping.fingerprint(snapshots[step.id].weights) != step.fingerprint:
            identical = False
        yield session.turn.report(Progress(done, len(todo.todo), f"step {done} of {len(todo.todo)}"))
    _finish(recipe, session, todo)
    identical = identical and not worst
    return Replayed(done, identical, worst, at, _said(recipe, done, identical, worst, at) + _of_twins(recipe, session))


def _within(taking: Generator[Progress, None, StepRecord], done: int, total: int) -> Generator[Progress, None, StepRecord]:
    """One step; its reports tell how far the whole is."""
    while True:
        try:
            inner = next(taking)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        yield Progress(done, total, f"step {done + 1} of {total}: {inner.text}")


def _finish(recipe: SessionRecipe, session: Session, todo: RecipePlan) -> None:
    """The tree, the head and the pick of the recipe; the old history goes."""
    tree = {
        "branches": dict(recipe.branches),
        "branch": recipe.branch,
        "head": recipe.head,
        "visited": {str(step): child for step, child in recipe.visited.items()},
    }
    history = History.from_json({**session.history.to_json(), **tree})
    session.snapshots.load(recipe.head)
    session.history = history
    session.groups = {} if recipe.forget is None else todo.groups[recipe.forget]
    warnings = near_duplicate_notes(session.corpus, session.groups) if session.groups else []
    typed = [passage for passage in session.typed if passage in session.groups.get("forget", ())]
    kept = [note for note in session.notes if note not in session.warnings]
    notes = [*notes_on(session.model, session.forget, typed), *warnings]
    session.notes, session.warnings = [*kept, *(note for note in notes if note not in kept)], warnings
    stays = {0, recipe.head, *recipe.branches.values()}
    session.snapshots.drop(step for step in recipe.given_up if step not in stays)
    session.measurements.clear()


def _relative(found: float, stated: float) -> float:
    return 0.0 if found == stated else abs(found - stated) / max(abs(found), abs(stated))


def _said(recipe: SessionRecipe, steps: int, identical: bool, worst: float, at: int) -> str:
    count = f"{steps} step{'' if steps == 1 else 's'}"
    edited = " The recipe was edited since it was written." if recipe.stated not in ("", recipe.hash) else ""
    if identical:
        return f"Replayed {count}, bit for bit as they were.{edited}"
    here = made()
    others = [_other(name, value, here[name]) for name, value in recipe.made.items() if name in here and value != here[name]]
    where = f" It was made with {', '.join(others)}." if others else ""
    far = f"the largest difference is {_share(worst)} of a step's length, at step {at}" if worst else "every step is as long as it was"
    return f"Replayed {count}, not bit for bit as they were: {far}.{where}{edited}"


def _of_twins(recipe: SessionRecipe, session: Session) -> str:
    """Which of the twins that the recipe was made beside are not here, or are others; "" where all are as they were."""
    found: dict[str, list[str]] = {}
    for stated in recipe.twins:
        here = [twin for twin in session.twins if (twin.seed, twin.left_out) == (stated["seed"], frozenset(stated["left_out"]))]
        weights = [session.keeping.fingerprint(twin.weights) for twin in here if stated["weights"]]
        state = "missing" if not here else "unknown" if not weights else "same" if stated["weights"] in weights else "other"
        found.setdefault(state, []).append(str(stated["seed"]))
    clauses = {
        "missing": "is not here: train it, or add it with session.add_twin",
        "other": "has other weights here, so what stands beside it may be another number",
        "same": "is the same",
    }
    said = [f"twin of seed {', '.join(found[state])} {clause}" for state, clause in clauses.items() if state in found]
    return "" if set(found) <= {"same", "unknown"} else f" Its {'; its '.join(said)}."


def _share(value: float) -> str:
    """A relative difference without powers of ten."""
    if value >= 1e-3:
        return f"{number(100 * value)} %"
    return f"{number(1e6 * value)} millionths" if value >= 1e-9 else "under a billionth"


def _other(name: str, there: Any, here: Any) -> str:
    said = str(there)[:40]
    return f"{said} {name} ({here} here)" if name == "threads" else f"{name} {said} ({here} here)"
