"""References: what the page compares with while no twin fits the forget set, and what training one would take."""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING

from unlearnviz.engine.learning import Training, lessons
from unlearnviz.engine.progress import Progress

if TYPE_CHECKING:
    from unlearnviz.engine.corpus import Passage
    from unlearnviz.engine.session import Session

NAMED = 3  # people of whom a sentence speaks by name
QUICK = 20_000_000  # parameters: of a larger model no update is made only to see how long it takes
TIMED = 2  # updates, the faster one counts: the first also warms up, and any may have to wait for the rest of the computer


def why_no_twin(session: Session) -> str:
    """Whom the twins at hand still met, what to compare with instead, and what a fitting twin would take; "" while one fits."""
    wanted = session.taught_forget
    if not session.forget or session.active_twin is not None:
        return ""
    if not wanted:
        return "You typed these texts and the model was never taught them: compare with the never-seen texts."
    nearest = max(session.twins, key=lambda twin: len(twin.left_out & wanted), default=None)
    if nearest is None:
        said = "No twin was trained without these texts; compare with the never-seen texts"
    elif wanted <= nearest.left_out:
        more = len(nearest.left_out - wanted)
        said = f"This twin never met {more} other text{'s' if more != 1 else ''} either; compare with the never-seen texts"
    else:
        met = [passage for passage in session.forget if passage.id in wanted - nearest.left_out]
        said = f"This twin still met {_who(met)}; compare with the never-seen texts"
    if session.lineage is None:
        return f"{said}."
    return f"{said}, or train the twin of these texts ({_about(seconds_of_a_twin(session))})."


def _who(passages: Sequence[Passage]) -> str:
    """People by their names, and how many texts are about nobody."""
    names = list(dict.fromkeys(passage.subject for passage in passages if passage.subject))
    nobody = sum(not passage.subject for passage in passages)
    said = [" ".join(name.split())[:60] for name in names[:NAMED]]
    said += [f"{len(names) - NAMED} more"] if len(names) > NAMED else []
    said += [f"{nobody} of these texts"] if nobody else []
    return said[0] if len(said) == 1 else f"{', '.join(said[:-1])} and {said[-1]}"


def seconds_of_a_twin(session: Session) -> float | None:
    """How long training the twin of the forget set may take here: all its updates, as fast as those that were timed last.

    None where no update was timed yet, or the recipe is not known.
    """
    if session.lineage is None or session.pace is None:
        return None
    texts = len(lessons(session.corpus.train))
    recipes = (session.lineage.recipe, *session.lineage.further)
    return session.pace * sum(recipe.epochs * math.ceil(texts / recipe.batch_size) for recipe in recipes)


def _about(seconds: float | None) -> str:
    if seconds is None:
        return "as long as the model itself took"
    if seconds < 90:
        return f"about {max(1, round(seconds))} s"
    return f"about {seconds / 60:.0f} min" if seconds < 5400 else f"about {seconds / 3600:.0f} h"


def pace(progress: Progress) -> float | None:
    """Seconds per update of a training, by one of its reports; None where that cannot be said."""
    return progress.seconds / progress.done if progress.seconds and progress.done else None


def timing(session: Session) -> Generator[Progress, None, None]:
    """Find out how long an update takes, on a copy, where that is worth knowing and takes no longer than a step."""
    from unlearnviz.engine.twin_training import student_of

    lineage = session.lineage
    if session.pace is not None or lineage is None or not why_no_twin(session) or not session.taught_forget or session.model.size > QUICK:
        return
    training = Training(student_of(session.model, lineage), session.corpus, lineage.recipe, session.taught_forget).running()
    took = []
    try:
        for done in range(TIMED):
            began = time.perf_counter()
            if next(training, None) is None:
                break
            took.append(time.perf_counter() - began)
            yield Progress(done + 1, TIMED, "updates timed")
    finally:
        training.close()
    session.pace = min(took)
