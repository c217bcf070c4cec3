"""Until: when a run has gone far enough, as a number, a word, a mapping or a function says it."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Mapping
from typing import TYPE_CHECKING, Any

from unlearnviz.engine import measuring
from unlearnviz.engine.probes.perplexity import Perplexity
from unlearnviz.errors import BadSetting, unknown

if TYPE_CHECKING:
    from unlearnviz.engine.probes.probe import Reading
    from unlearnviz.engine.progress import Progress
    from unlearnviz.engine.session import Session

Readings = Mapping[str, "Reading"]
Until = float | str | Mapping[str, float] | Callable[[Readings], object]
AT_MOST = 100  # steps of a run that is given no number of them

ALLOWED = (
    "allowed are a perplexity of the forget texts, 'twin' (theirs by the twin), a mapping from groups to perplexities, one of which is to be "
    "reached, or a function of the readings that says True"
)


def check_until(until: Any, session: Session) -> None:
    """Whether `until` says when to stop.

    Raises:
        BadSetting: it is none of the four, or a number that no perplexity can be.
        UnknownName: a group that there is not.
    """
    if isinstance(until, Mapping):
        for group, value in until.items():
            if group not in session.groups:
                raise unknown("group of texts", group, session.groups)
            _check_perplexity(value, f"until={dict(until)!r}")
        if until:
            return
    elif callable(until) or until == "twin":
        return
    elif isinstance(until, int | float) and not isinstance(until, bool):
        _check_perplexity(until, f"until={until!r}")
        return
    raise BadSetting(f"until={until!r} does not say when to stop; {ALLOWED}.")


def _check_perplexity(value: Any, asked: str) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or value < 1:
        raise BadSetting(f"{asked} asks for a perplexity that no model has; it is a finite number, at least 1.")


def goal(until: Until, session: Session) -> Generator[Progress, None, Callable[[Readings], bool]]:
    """The function that says, of readings with perplexity, whether a run has gone far enough; returned after the twin was looked at.

    Raises:
        NotPossible: "twin" was asked for, and none fits the forget set.
    """
    if not isinstance(until, Mapping | str) and callable(until):
        return lambda readings: bool(until(readings))
    wanted: Mapping[str, float]
    if until == "twin":
        readings = yield from measuring.take_readings(session, [Perplexity()], "twin")
        wanted = {"forget": _by_group(readings)["forget"]}
    else:
        wanted = until if isinstance(until, Mapping) else {"forget": float(until)}
    return lambda readings: any(_by_group(readings).get(group, -math.inf) >= value for group, value in wanted.items())


def _by_group(readings: Readings) -> dict[str, float]:
    return {row["group"]: row["perplexity"] for row in readings["perplexity"].rows}
