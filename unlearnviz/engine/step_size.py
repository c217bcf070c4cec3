"""Step size: the one that raises the loss of the forget texts by a given amount, found by trying and without taking a step.

Every trial is the step itself, taken by the code that takes it and put back bit for bit; so the size that is proposed does, when
it is taken, what was measured here. Sizes are sought on a logarithmic scale, because a rise grows roughly as a power of the size.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import torch

from unlearnviz.engine.progress import Progress
from unlearnviz.engine.stepping import json_safe, rehearse
from unlearnviz.errors import BadSetting, NotPossible, Overshoot
from unlearnviz.numbers import number, percent, signed

if TYPE_CHECKING:
    from unlearnviz.engine.corpus import Passage
    from unlearnviz.engine.methods.method import Method
    from unlearnviz.engine.selection import ParameterSelection
    from unlearnviz.engine.session import Session
    from unlearnviz.engine.weights import Weights

TARGET = 0.3  # nats per token: the texts become a third more surprising
MOST = 10  # trials
CLOSE, NEAR = 0.05, 0.1  # of the target: where the search ends, and what is still proposed when all trials are spent
FARTHEST = 32.0  # times larger or smaller from one trial to the next
MEASURED = ("forget", "neighbours", "retain")
FIRST_RATE = 1e-3  # where a method has a learning rate and says none


@dataclass(frozen=True)
class TriedSize:
    """One trial: group of texts -> rise of its mean token loss in nats; empty where a loss or a weight was not finite."""

    size: float
    rise: Mapping[str, float]

    @property
    def forget(self) -> float:
        """The rise of the forget texts; infinite where the step ended in numbers that are not finite."""
        return self.rise.get("forget", math.inf)


@dataclass(frozen=True)
class StepSize:
    """What was found, JSON-safe.

    Attributes:
        method: name of the method.
        settings: its settings, with the size where one was found.
        where: the selection, as text.
        step: id of the step it would start from.
        setting: which setting the size is of: "update_norm" or "learning_rate".
        target: nats per token by which the forget texts' mean loss shall rise.
        size: the size that does it, to three digits; None where none of those tried does.
        rise: group of texts ("forget", "neighbours", "retain") -> rise of its mean token loss at that size, in nats; empty where none was found.
        trials: all sizes that were tried, in order.
        forget: passage ids of the forget set.
    """

    method: str
    settings: Mapping[str, Any]
    where: str
    step: int
    setting: str
    target: float
    size: float | None
    rise: Mapping[str, float]
    trials: tuple[TriedSize, ...]
    forget: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """What was found, what it would cost the retain texts, and what was odd."""
        name = self.setting.replace("_", " ")
        tried = f"{len(self.trials)} trial{'s' if len(self.trials) != 1 else ''}, nothing was changed"
        if self.size is None:
            said = f"No {name} was found that raises the mean loss of the texts to forget by {number(self.target)} nats: {self._most()} ({tried})."
        else:
            others = [group for group in ("retain", "neighbours") if group in self.rise][:1]  # a small corpus has neighbours only
            beside = f", and of the {others[0]} texts by {_change(self.rise[others[0]])}" if others else "; there are no others"
            raised = f"raises the mean loss of the texts to forget by {_change(self.rise['forget'])}"
            said = f"One step with {name} {number(self.size)} {raised}{beside} ({tried})."
        return " ".join(part for part in (said, self._odd()) if part)

    def _most(self) -> str:
        finite = [trial for trial in self.trials if math.isfinite(trial.forget)]
        if not finite:
            return f"from {number(min(trial.size for trial in self.trials))} on, no trial ended in finite numbers"
        nearest = min(finite, key=lambda trial: abs(trial.forget - self.target))
        return f"nearest came {number(nearest.size)}, with {signed(nearest.forget)}"

    def _odd(self) -> str:
        by_size = sorted(self.trials, key=lambda trial: trial.size)
        finite = [trial for trial in by_size if math.isfinite(trial.forget)]
        for small, large in itertools.pairwise(finite):
            if large.forget < small.forget - CLOSE * self.target:
                gave = [f"{number(each.size)} gave {signed(each.forget)}" for each in (small, large)]
                return f"More is not always more here: {', '.join(gave)}."
        broken = next((trial for trial in by_size if not math.isfinite(trial.forget)), None)
        return "" if broken is None or not finite else f"At {number(broken.size)} the numbers were no longer finite."


def size_setting(method: Method) -> str:
    """The setting that says how long an update is: the learning rate where one is given, else the update norm.

    Raises:
        NotPossible: the method has neither.
    """
    names = {each.name for each in fields(method)}
    given = [name for name in ("learning_rate", "update_norm") if getattr(method, name, None) is not None]
    found = next((name for name in (*given, "update_norm", "learning_rate") if name in names), None)
    if found is None:
        raise NotPossible(
            f"{method.name} has no update norm and no learning rate, so there is no step size to find; take a method that moves by updates, "
            "such as 'gradient-ascent'."
        )
    return found


def find_step_size(session: Session, method: Method, selection: ParameterSelection, target: float) -> Generator[Progress, None, StepSize]:
    """Try sizes until one raises the forget texts' mean loss by `target` nats; returns the StepSize.

    Atomic like a step: however it ends, weights, head and history are bit-identical to before.

    Raises:
        BadSetting: a target that is no finite number above 0.
        NotPossible: a method without a size.
    """
    if isinstance(target, bool) or not isinstance(target, (int, float)) or not (math.isfinite(target) and target > 0):
        raise BadSetting(f"find_step_size(target={target!r}) is out of range; allowed are nats per token above 0, for example {TARGET}.")
    setting = size_setting(method)
    before = yield from _losses(session)
    if "forget" not in before:
        raise NotPossible("None of the texts to forget has two tokens, so they have no loss to raise; pick others.")
    size: float | None = _three_digits(_first(session, method, selection, setting))
    trials: list[TriedSize] = []
    found: TriedSize | None = None
    while size is not None and len(trials) < MOST:
        resized = replace(method, **{setting: size})
        trial = TriedSize(size, (yield from _numbered(_tried(session, resized, selection, before), len(trials), size)))
        trials.append(trial)
        if found is None or abs(trial.forget - target) < abs(found.forget - target):
            found = trial
        if abs(found.forget - target) <= CLOSE * target:
            break
        size = next_size(trials, target)
    reached = found is not None and abs(found.forget - target) <= NEAR * target
    best = found if reached else None
    return StepSize(
        method=method.name,
        settings=json_safe(method if best is None else replace(method, **{setting: best.size})),
        where=selection.text,
        step=session.head,
        setting=setting,
        target=target,
        size=None if best is None else best.size,
        rise={} if best is None else dict(best.rise),
        trials=tuple(trials),
        forget=tuple(passage.id for passage in session.forget),
    )


def next_size(trials: Sequence[TriedSize], target: float) -> float | None:
    """The size to try after these (one at least), to three digits; None where there is none between them.

    A rise that falls short is followed by a larger size, one that is too large or not finite by a smaller one; between two of them
    the rise is taken to be a power of the size.
    """
    high = min((trial for trial in trials if not trial.forget < target), key=lambda trial: trial.size, default=None)
    below = [trial for trial in trials if trial.forget < target and (high is None or trial.size < high.size)]
    low = max(below, key=lambda trial: trial.size, default=None)
    if low is None or high is None:
        known = [trial for trial in trials if 0 < trial.forget < math.inf]
        last = low or high
        assert last is not None
        size = last.size * _factor(last, _power(known), target, grow=high is None)
    else:
        size = low.size * (high.size / low.size) ** _share(low.forget, high.forget, target)
    size = _three_digits(size)
    return size if math.isfinite(size) and size > 0 and all(trial.size != size for trial in trials) else None


def _factor(last: TriedSize, power: float, target: float, *, grow: bool) -> float:
    """From the outermost trial to the next one outside."""
    if not 0 < last.forget < math.inf:
        return 8.0 if grow else 1 / FARTHEST
    factor: float = (target / last.forget) ** (1 / power)
    return min(max(factor, 1.1), FARTHEST) if grow else max(min(factor, 1 / 1.1), 1 / FARTHEST)


def _power(known: Sequence[TriedSize]) -> float:
    """The power of the size with which the rise grows, of the last two trials; 1 where it is not known."""
    if len(known) < 2 or known[-1].size == known[-2].size:
        return 1.0
    power: float = math.log(known[-1].forget / known[-2].forget) / math.log(known[-1].size / known[-2].size)
    return min(max(power, 0.5), 4.0)


def _share(low: float, high: float, target: float) -> float:
    """Where between two sizes the target lies, from 0 to 1 on the logarithmic scale, never close to an end."""
    if low <= 0 or not math.isfinite(high):
        return 0.5
    return min(max(math.log(target / low) / math.log(high / low), 0.1), 0.9)


def _first(session: Session, method: Method, selection: ParameterSelection, setting: str) -> float:
    given = getattr(method, setting)
    if given is not None:
        return float(given)
    return session.update_norm(selection) if setting == "update_norm" else FIRST_RATE


def _three_digits(size: float) -> float:
    """As a page writes it: what is proposed is what was tried."""
    return float(f"{size:.3g}")


def _tried(
    session: Session, method: Method, selection: ParameterSelection, before: Mapping[str, float]
) -> Generator[Progress, None, dict[str, float]]:
    """Group -> rise of its mean loss by one step; empty where the step cannot be kept, or leaves losses that are not finite."""

    def look(_before: Weights) -> Generator[Progress, None, dict[str, float]]:
        return (yield from _losses(session))

    try:
        after = yield from rehearse(session, method, selection, look)
    except Overshoot:
        return {}
    rise = {group: after[group] - before[group] for group in before}
    return rise if all(map(math.isfinite, rise.values())) else {}


def _losses(session: Session) -> Generator[Progress, None, dict[str, float]]:
    """Mean token loss in nats of the groups that are looked at, at the live weights; a point to stop at after each."""
    found = {}
    for group in MEASURED:
        passages: Sequence[Passage] = session.groups.get(group, ())
        losses = torch.cat([torch.zeros(0), *session.model.token_losses([passage.text for passage in passages])])
        if len(losses):
            found[group] = float(losses.double().mean())
        yield session.turn.report(Progress(0, None, f"{group} measured"))
    return found


def _numbered(work: Generator[Progress, None, dict[str, float]], done: int, size: float) -> Generator[Progress, None, dict[str, float]]:
    """A trial's reports tell which trial it is."""
    try:
        while True:
            inner = next(work)
            yield Progress(done, MOST, f"trial {done + 1} of at most {MOST}, size {number(size)}: {inner.text}")
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]
    finally:
        work.close()


def _change(rise: float) -> str:
    """A rise in nats, and what it makes of the perplexity."""
    return f"{number(rise)} nats (perplexity {percent(math.expm1(rise))})"
