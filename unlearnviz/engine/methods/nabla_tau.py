"""NablaTau: climb the forget loss to where texts that were never seen stand, and no further."""

from __future__ import annotations

import json
import math
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import torch

from unlearnviz.engine.descent import Descent
from unlearnviz.engine.methods.method import UpdatingMethod
from unlearnviz.engine.progress import Progress
from unlearnviz.engine.settings import setting
from unlearnviz.errors import NotPossible
from unlearnviz.numbers import number

if TYPE_CHECKING:
    from unlearnviz.engine.corpus import Passage
    from unlearnviz.engine.work import Work

UPDATES, FEWEST = 200, 5  # a run has at least so many updates, in at least so many passes, where nothing else is asked for
BETWEEN = 10  # updates at least, from one measurement of tau to the next: of few texts a pass is a single update
RATE, SIZE = 1e-3, 2.5e6  # AdamW's rate for models of up to so many parameters; above, it falls with the square root of the size
PLACE = "place"  # name of the tensor in which a commit keeps how far a run is


def nabla_tau(forget: torch.Tensor, retain: torch.Tensor, tau: float, alpha: float) -> torch.Tensor:
    """alpha * ReLU(tau - forget)^2 + (1 - alpha) * retain, of mean token losses in nats (scalars); tau is a mere number."""
    return alpha * (tau - forget).relu() ** 2 + (1 - alpha) * retain


@dataclass(frozen=True, kw_only=True)
class NablaTau(UpdatingMethod):
    """Adaptive ascent: minimise alpha * ReLU(tau - L_f)^2 + (1 - alpha) * L_r, all of them mean token losses.

    tau is the loss of all texts that the model never saw, measured anew before a pass over the forget texts, at the weights of that
    moment. So a forget text that surprises the model as much as they do is left alone, and the ascent fades before it gets
    there. alpha begins at 5/3 of the share of the taught texts that is forgotten, and falls to 0 in a straight line over the K
    updates of a run; by default AdamW's rate falls with it, so that what the texts to keep lost is repaired and stays so. Also by
    default (`steady`) a batch that surprises the model less than the last pass did on average is held to that average: else chance
    in what a batch holds pushes the set beyond tau, from where nothing brings it back.

    One step is a whole run. With `steps` the run is spread over several: how far it is, and AdamW's moments, are part of the
    commit, so that the next step of the same method, settings, selection and forget texts goes on from there. The last one is
    marked "reached", and the step after it begins a new run. Its trajectory has a row per pass: {"updates", "alpha" and "tau" as
    the pass begins, "forget" and "retain": mean loss of its batches, each before its update}; and, where the run ends, one with
    the losses then.
    """

    source = (
        "Trippa et al. 2024, arXiv 2403.14339 (reconstruction: formula, linear decay, 5/3 and the pairing of batches as others have "
        "re-implemented it; number of updates, rate and `steady` are ours)"
    )

    betas: ClassVar[tuple[float, float]] = (0.9, 0.98)  # so that the first, steep updates are forgotten within a run

    optimizer: str = setting("AdamW", help="How an update follows the gradient.", choices=("SGD", "AdamW"), advanced=True)
    learning_rate: float | None = setting(
        None, help="Size of an update; empty: one that suits the model's size (AdamW), or rescaled (SGD).", above=0
    )
    passes: int | None = setting(
        None, help=f"Passes over the forget texts in a run; empty: as many as make {UPDATES} updates.", minimum=1, maximum=10_000
    )
    steps: int = setting(1, help="Steps over which a run is spread.", minimum=1, maximum=10_000)
    alpha: float | None = setting(
        None, help="Share of forgetting as a run begins; empty: 5/3 of the forgotten share of the texts, at most 1.", minimum=0, maximum=1
    )
    refresh: int | None = setting(
        None, help=f"Passes from one measurement of tau to the next; empty: 1, or as many as make {BETWEEN} updates.", minimum=1, advanced=True
    )
    steady: bool = setting(
        True, help="Whether a batch counts as surprising as the last pass on average, where it is less so.", advanced=True
    )
    cool: bool = setting(True, help="Whether the size of an update falls to 0 with alpha.", advanced=True)
    batch_size: int = setting(16, help="Texts per update, at most, of either kind.", minimum=1, maximum=1024, advanced=True)

    def run(self, work: Work) -> Iterator[Progress]:
        """Pass by pass: tau where it is due, then an update per batch of forget texts, each paired with one of texts to keep."""
        self.need_retain(work)
        never_seen = _usable(work, work.never_seen)
        if not never_seen:
            raise NotPossible(
                f"{self.name} raises the forget loss to that of texts which the model never saw, and this corpus holds none; read the texts "
                'with holdout=0.1, or mark some with split="holdout".'
            )
        per_pass = max(1, math.ceil(len(_usable(work, work.forget)) / self.batch_size))
        passes = self.passes or max(FEWEST, math.ceil(UPDATES / per_pass))
        updates = passes * per_pass
        refresh = self.refresh or math.ceil(BETWEEN / per_pass)
        done, tau = _place(work)
        forget, retain = work.batches(work.forget, self.batch_size), work.batches(work.retain, self.batch_size)
        descend = Descent(self._suited(work), work)
        recent: deque[list[float]] = deque(maxlen=per_pass)
        last = min(passes, done + math.ceil(passes / self.steps))
        for at in range(done, last):
            if at % refresh == 0:
                tau = yield from work.mean_loss(never_seen, "never-seen texts")
            row: dict[str, Any] = {"updates": per_pass, "alpha": self._alpha(work, at / passes), "tau": tau}
            for k in range(at * per_pass, (at + 1) * per_pass):
                each, keep = work.model.loss(next(forget)), work.model.loss(next(retain))
                recent.append([each.item(), keep.item()])
                lift = max(0.0, _means(recent)[0] - each.item()) if self.steady else 0.0
                descend(nabla_tau(each + lift, keep, tau, self._alpha(work, k / updates)), share=1 - k / updates if self.cool else 1.0)
                yield Progress(k + 1, updates, f"update {k + 1} of {updates}")
            work.trajectory.append({**row, **dict(zip(("forget", "retain"), _means(recent), strict=True))})
        descend.finish()
        work.did = f"{_passes(done + 1, last, passes)}, {(last - done) * per_pass} updates"
        if last < passes:
            _keep_place(work, last, tau)
            return
        work.state.clear()  # the next run begins anew
        tau = yield from work.mean_loss(never_seen, "never-seen texts")
        losses = yield from work.measuring()
        work.trajectory.append({"updates": 0, "alpha": 0.0, "tau": tau, "losses": losses})
        work.ended = (
            f"all {updates} updates are taken, and the forget texts surprise the model by {number(losses['forget'])} nats a token, "
            f"texts that it never saw by {number(tau)}"
        )

    def _alpha(self, work: Work, along: float) -> float:
        """Share of forgetting where `along` (0 to 1) of the run is done."""
        taught = len(work.forget) + len(work.retain)
        first = min(1.0, 5 / 3 * len(work.forget) / taught) if self.alpha is None else self.alpha
        return first * (1 - along)

    def _suited(self, work: Work) -> NablaTau:
        """This method, with a rate for AdamW where neither rate nor length was given."""
        if self.optimizer != "AdamW" or self.learning_rate is not None or self.update_norm is not None:
            return self
        return replace(self, learning_rate=RATE * min(1.0, math.sqrt(SIZE / work.model.size)))


def _usable(work: Work, passages: Sequence[Passage]) -> list[Passage]:
    """Those of which anything is predicted."""
    return [passage for passage in passages if len(work.model.encode(passage.text)) > 1]


def _means(losses: Sequence[list[float]]) -> list[float]:
    """Of each column."""
    return [math.fsum(column) / len(column) for column in zip(*losses, strict=True)]


def _passes(first: int, last: int, of: int) -> str:
    return f"pass {first} of {of}" if first == last else f"passes {first} to {last} of {of}"


def _place(work: Work) -> tuple[int, float]:
    """Passes done of the run that the parent's commit is in the middle of, and its tau; nothing and no state where there is none."""
    if PLACE in work.state:
        kept = json.loads(bytes(work.state[PLACE].tolist()))
        if kept["forget"] == [passage.id for passage in work.forget]:
            return kept["passes"], kept["tau"]
    work.state.clear()
    return 0, math.nan


def _keep_place(work: Work, passes: int, tau: float) -> None:
    """Make the place part of the commit, which keeps tensors."""
    kept = {"passes": passes, "tau": tau, "forget": [passage.id for passage in work.forget]}
    work.state[PLACE] = torch.tensor(list(json.dumps(kept).encode()), dtype=torch.uint8)
