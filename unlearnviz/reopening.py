"""Reopening: the session that a recipe was made in, opened where it came from and brought to where it was."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from unlearnviz.errors import BadRecipe

if TYPE_CHECKING:
    import os

    from unlearnviz.engine.progress import Progress
    from unlearnviz.engine.recipe_replay import Replayed
    from unlearnviz.engine.session import Session
    from unlearnviz.engine.session_recipe import SessionRecipe


def replay(recipe: SessionRecipe | str | os.PathLike[str], session: Session | None = None) -> Session:
    """Take all steps of a recipe again; returns the session, in which the last of its `notes` says how exactly that succeeded.

    Args:
        recipe: a path, the text itself, or what `session.recipe()` returns.
        session: of the same model and texts, such as `Session.from_pretrained(name, corpus=...)`; its own history gives way. Where it
            is left out, the shipped world or the saved session that the recipe names is opened.

    Raises:
        BadRecipe: it is damaged, or of another model or other texts, or does not say where its model is; nothing was changed.
    """
    opened, found = reopened(recipe, session)
    opened.notes = [*opened.notes, found.sentence]
    return opened


def reopened(
    recipe: SessionRecipe | str | os.PathLike[str], session: Session | None = None, tell: Callable[[Progress], object] | None = None
) -> tuple[Session, Replayed]:
    """`replay`, with a word at every report; returns the session and what was found."""
    from unlearnviz.engine.recipe_reading import read_recipe

    checked = read_recipe(recipe)
    opened = session or _open(checked)
    work = opened.repeating(checked)
    while True:
        try:
            progress = next(work)
        except StopIteration as end:
            return opened, end.value
        if tell is not None:
            tell(progress)


def measures(session: Session) -> list[str]:
    """The perplexities of all groups, the facts recalled word for word, and the answers to the session's prompts, a line each.

    Of the head, the start, and the twin where one fits; the answers of the head only. Nothing where nothing is picked.
    """
    from unlearnviz.engine.probes.generation import Generation
    from unlearnviz.numbers import number

    if not session.forget:
        return []
    perplexities, recalls = [], []
    for of in ("now", "start", *(("twin",) if session.active_twin is not None else ())):
        found = session.measure("perplexity", "exact-recall", of=of)
        texts = (f"{row['group']} {number(row['perplexity'])}" for row in found["perplexity"].rows)
        perplexities.append(f"perplexity, {of}: {', '.join(texts)}")
        rows = (row for row in found["exact-recall"].rows if row["group"] in ("forget", "retain"))
        facts = [f"{row['group']} {row['recalled']} of {row['texts']}" for row in rows]
        recalls += [f"facts recalled word for word, {of}: {', '.join(facts)}"] if facts else []
    if not session.prompts:
        return perplexities + recalls
    answers = session.measure(Generation(prompts=session.prompts))["generation"].rows
    # as literals: a prompt or an answer may hold what a terminal takes for a command
    return [*perplexities, *recalls, *(f"asked {row['prompt']!r}, it says {row['text']!r}" for row in answers)]


def _open(recipe: SessionRecipe) -> Session:
    from unlearnviz.engine.session import Session

    if recipe.source.get("world") == "shipped":
        from unlearnviz.demo import demo

        return demo()
    if "session" in recipe.source:
        return Session.load(recipe.source["session"])
    if "model" in recipe.source:
        name = recipe.source["model"]
        raise BadRecipe(
            f"The recipe was made on the model {name[:200]!r} with texts of somebody's own, which it does not hold; open both and give them: "
            "replay(recipe, session=Session.from_pretrained(model, corpus=...))."
        )
    raise BadRecipe(
        "The recipe does not say where its model came from; open it with its texts and give it: replay(recipe, session=...). On the command "
        "line, --session takes the folder that session.save(path) wrote."
    )
