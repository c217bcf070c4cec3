"""RecipePlan: whether a recipe fits a session, asked before anything changes: its model, its texts, and every step of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from unlearnviz.engine.corpus import Passage
from unlearnviz.engine.given import OPENED, Opened
from unlearnviz.engine.groups import choose_groups, notes_on, resolve
from unlearnviz.engine.learning import Recipe
from unlearnviz.engine.methods.ledger_method import LedgerMethod
from unlearnviz.engine.methods.method import Method
from unlearnviz.engine.methods.method import registry as methods
from unlearnviz.engine.selection import ParameterSelection
from unlearnviz.engine.session_recipe import SHOWN, RecipeStep, SessionRecipe
from unlearnviz.engine.tracking import Tracking
from unlearnviz.errors import BadRecipe, NotPossible, UnlearnvizError, unknown

if TYPE_CHECKING:
    from unlearnviz.engine.session import Session


@dataclass(frozen=True)
class Lesson:
    """A training to be done again: the recipe of it, and what a ledger is to record."""

    recipe: Recipe
    track: Tracking | None


@dataclass(frozen=True)
class RecipePlan:
    """What a replay will do.

    Attributes:
        lessons: trainings that lead from the session's start to that of the recipe; most often none.
        typed: the texts that a person typed.
        picks: the passages of every pick that is needed, by its number.
        groups: the same with neighbours, retain and never seen.
        todo: step id -> method and selection, for the steps that a branch stands on.
    """

    lessons: tuple[Lesson, ...]
    typed: tuple[Passage, ...]
    picks: Mapping[int, tuple[Passage, ...]]
    groups: Mapping[int, Mapping[str, tuple[Passage, ...]]]
    todo: Mapping[int, tuple[Method, ParameterSelection]]


def plan(recipe: SessionRecipe, session: Session) -> RecipePlan:
    """Everything that a replay needs, checked; nothing is changed.

    Raises:
        BadRecipe: another model, other texts, or a step that cannot be taken here; the sentence says what can still be used.
        NotPossible: the model would have to learn first, and the session has steps already.
    """
    lessons = _lessons(recipe, session)
    typed = _typed(recipe, session)
    needed = recipe.needed
    picks: dict[int, tuple[Passage, ...]] = {}
    groups: dict[int, Mapping[str, tuple[Passage, ...]]] = {}
    asked = {step.pick for step in recipe.steps if step.id in needed}
    for number in sorted(asked if recipe.forget is None else {*asked, recipe.forget}):
        if not recipe.picks[number]:  # of a model that was opened beside its start nothing was picked yet
            picks[number], groups[number] = (), {}
            continue
        try:
            chosen, _ = resolve(session.corpus, typed, recipe.picks[number])
            notes_on(session.model, chosen, ())
        except UnlearnvizError as error:
            raise BadRecipe(f"Pick {number} of the recipe cannot be picked here: {error} Nothing was changed.") from error
        picks[number] = tuple(chosen)
        groups[number] = choose_groups(session.corpus, chosen, recipe.seed)
    recorded = session.ledger is not None if not lessons else lessons[-1].track is not None
    todo = {step.id: _doable(step, session, recorded) for step in recipe.steps if step.id in needed}
    return RecipePlan(lessons, typed, picks, groups, todo)


def _lessons(recipe: SessionRecipe, session: Session) -> tuple[Lesson, ...]:
    """What the session's model has to learn first; BadRecipe where that does not lead to the recipe's model."""
    start, corpus = session.keeping.fingerprint(session.snapshots[0].weights), session.keeping.corpus(session)
    same_texts = corpus == recipe.corpus
    on_the_way = [lesson.get("start") for lesson in recipe.learned]
    if same_texts and start == recipe.model["start"]:
        return ()
    if same_texts and start in on_the_way:
        if len(session.history) > 1:
            raise NotPossible(
                "This recipe begins with a training of the model, and the session has steps already, which a training would end; "
                "open the model anew, or save this session first. Nothing was changed."
            )
        return tuple(lesson_of(lesson) for lesson in recipe.learned[on_the_way.index(start) :])
    models = f"model: its start has the hash {recipe.model['start'][:SHOWN]}, that of {session.model.name!r} is {start[:SHOWN]}"
    texts = f"texts: their hash is {recipe.corpus[:SHOWN]}, here it is {corpus[:SHOWN]}"
    if same_texts:
        raise BadRecipe(
            f"This recipe was made on another {models}. The texts are the same, so its picks, settings and prompts can be used here by hand; "
            "its steps need the other model. Nothing was changed."
        )
    if start == recipe.model["start"]:
        raise BadRecipe(
            f"This recipe was made on other {texts}. The model is the same, so its settings, typed texts and prompts can be used here by hand; "
            "its picks need the other texts. Nothing was changed."
        )
    raise BadRecipe(
        f"This recipe was made on another {models}; and on other {texts}. Its settings, typed texts and prompts can be used here by hand. "
        "Nothing was changed."
    )


def lesson_of(given: Mapping[str, Any]) -> Lesson:
    """A training from what a recipe says of it; BadRecipe where it says nothing that can be done."""
    track = given.get("track")
    try:
        return Lesson(Recipe(**given["recipe"]), None if track is None else Tracking(**{**track, "folder": None}))  # no file says where to write
    except (KeyError, TypeError, UnlearnvizError) as error:
        raise BadRecipe(f"A training of the recipe cannot be repeated: {error} Nothing was changed.") from error


def _typed(recipe: SessionRecipe, session: Session) -> tuple[Passage, ...]:
    typed = tuple(Passage(each["id"], each["text"], extra=each.get("extra", {})) for each in recipe.typed)
    ids = [*(passage.id for passage in session.corpus), *(passage.id for passage in typed)]
    if len(set(ids)) < len(ids):
        twice = next(passage.id for passage in typed if ids.count(passage.id) > 1)
        raise BadRecipe(f"The typed text {twice[:60]!r} of the recipe has the id of another text. Nothing was changed.")
    return typed


def _doable(step: RecipeStep, session: Session, recorded: bool) -> tuple[Method, ParameterSelection]:
    """A step's method and selection on this model."""
    if step.method == OPENED:
        return _opened(step, session)
    try:
        known = [each.name for each in fields(methods[step.method])]
        strange = next((name for name in step.settings if name not in known), None)
        if strange is not None:
            raise unknown(f"setting of {step.method}", strange[:60], known)
        method = methods[step.method](**step.settings)
        selection = ParameterSelection.parse(step.where, session.model.layout)
    except UnlearnvizError as error:
        raise BadRecipe(f"Step {step.id} of the recipe cannot be taken: {error} Nothing was changed.") from error
    if isinstance(method, LedgerMethod) and not recorded:
        raise BadRecipe(
            f"Step {step.id} of the recipe is one of {method.name}, which takes back what a ledger recorded, and there is none here; "
            "call session.open_ledger(folder) first. Nothing was changed."
        )
    return method, selection


def _opened(step: RecipeStep, session: Session) -> tuple[Method, ParameterSelection]:
    """The step that opening a model beside its start brought with it: here it is taken to the weights that this session was opened with."""
    own = next((record.id for record in session.history if record.method == OPENED), None)
    if own is None:
        raise BadRecipe(
            f"Step {step.id} of the recipe is a model that was opened beside its start; open it likewise, with "
            "Session.from_pretrained(..., start=folder), and repeat the recipe there. Nothing was changed."
        )
    weights = session.snapshots[own].weights
    return Opened({name: weights[name] for name in weights}), ParameterSelection.parse("all", session.model.layout)
