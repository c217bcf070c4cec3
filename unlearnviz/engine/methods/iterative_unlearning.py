"""IterativeUnlearning: text by text, by what the model still knows, until a stop rule."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from unlearnviz.engine.descent import Descent
from unlearnviz.engine.gradients.scan import GradientScan
from unlearnviz.engine.methods.method import UpdatingMethod
from unlearnviz.engine.probes.exact_recall import exact_recall
from unlearnviz.engine.progress import Progress
from unlearnviz.engine.settings import setting
from unlearnviz.engine.taking import least_taken, present_losses, recalled, remember
from unlearnviz.errors import BadSetting, NotPossible
from unlearnviz.numbers import number

if TYPE_CHECKING:
    from unlearnviz.engine.corpus import Passage
    from unlearnviz.engine.work import Work

SCORES = {"loss": "known best", "influence": "pulls most"}  # and how a text is that is taken first
AMONG = ("picked texts", "all taught texts")
RULES = ("budget", "never-seen loss", "extraction")


@dataclass(frozen=True, kw_only=True)
class IterativeUnlearning(UpdatingMethod):
    """Ask the model what it still knows, unlearn that, and ask again.

    Each round scores the candidates, takes `take` of them, climbs their mean token loss by one update, and measures. "loss" takes
    the texts with the lowest mean token loss. "influence" takes those whose gradient has the largest inner product with that of
    the mean loss of all forget texts, over the parameters that the step may change: the texts that hold them there (TracIn at
    one checkpoint, Pruthi et al. 2020). Both are asked of the model as it is in that round; ties go to the text that comes first.

    No text is taken twice before all were taken once. What was taken is part of the commit: the next step of the same method,
    settings and selection goes on from there, on the path that it stands on; with other settings it begins anew.

    It ends by a rule, looked at before every step and after every round. "never-seen loss": the forget texts surprise the model
    at least as much as texts that it never saw. "extraction": of the forget facts at most `extraction_below` percent are recited.
    "budget": `budget` texts were taken, or each candidate once where it is empty. A `budget` holds beside the other rules too;
    without it they go on until they are reached. That a rule is reached once does not mean that the texts stay forgotten: the
    trajectory shows what came before.
    """

    source = "Zagardo 2024, arXiv 2406.09391, iterative removal (reconstruction; the paper gives neither score nor stop rule)"

    score: str = setting(
        "loss", help="What is taken first: what the model knows best, or what pulls most towards the forget texts.", choices=tuple(SCORES)
    )
    among: str = setting("picked texts", help="Which texts may be taken.", choices=AMONG)
    take: int = setting(1, help="Texts per round.", minimum=1, maximum=1024)
    rounds: int = setting(1, help="Rounds in one step.", minimum=1, maximum=1000, advanced=True)
    stop: str = setting("budget", help="When there is nothing left to do.", choices=RULES)
    budget: int | None = setting(
        None, help="Texts to take at most, counted on this path; empty: each once, or until another rule is reached.", minimum=1
    )
    extraction_below: float = setting(
        0.0, help="Percent of the forget facts that may still be recited (extraction only).", minimum=0, maximum=100, advanced=True
    )

    def run(self, work: Work) -> Iterator[Progress]:
        """`rounds` times: score, take, update, measure."""
        self._check(work)
        candidates = [*work.forget, *(work.retain if self.among == "all taught texts" else ())]
        candidates = [passage for passage in candidates if len(work.model.encode(passage.text)) > 1]
        taken = recalled(work)
        before = {} if self.stop == "budget" else (yield from self._measured(work))
        if ended := self._ended(before, candidates, taken):
            raise NotPossible(
                f"A further step of {self.name} was asked for, but its stop rule is reached: {ended}. Undo a step, go on with other "
                "settings (with them it begins anew), or with another method."
            )
        descend = Descent(self, work)
        for done in range(self.rounds):
            remaining, room = self._remaining(candidates, taken)
            scores = yield from self._scored(work, remaining)
            order = np.argsort(scores if self.score == "loss" else -scores, kind="stable")[:room]
            chosen = [remaining[k] for k in order]
            descend(-work.model.loss(work.model.batch([passage.text for passage in chosen])))
            yield Progress(done + 1, self.rounds, f"round {done + 1} of {self.rounds}")
            ids = [passage.id for passage in chosen]
            taken += ids
            after = yield from self._measured(work)
            work.trajectory.append({"taken": ids, "scores": scores[order].tolist(), "updates": 1, **after})
            work.ended = self._ended(after, candidates, taken)
            if work.ended:
                break
        descend.finish()
        remember(work, taken)
        work.did = self._did(work)

    def _check(self, work: Work) -> None:
        """A rule needs something to look at."""
        if self.stop == "never-seen loss" and not any(len(work.model.encode(p.text)) > 1 for p in work.groups.get("never seen", ())):
            raise BadSetting(
                "stop='never-seen loss' compares with texts that the model never saw, and this corpus holds none; choose another stop "
                "rule, or read the texts with holdout=0.1."
            )
        if self.stop == "extraction" and not any(p.answer and p.answer.strip() and p.prompt.strip() for p in work.forget):
            raise BadSetting(
                "stop='extraction' asks which facts are recited, and none is marked in the forget texts; choose another stop rule, or "
                "read the texts with prompt= and answer=."
            )

    def _remaining(self, candidates: Sequence[Passage], taken: Sequence[str]) -> tuple[list[Passage], int]:
        """The candidates that were taken least often, and how many of them a round may take."""
        counts = Counter(taken)
        left = self.take if self.budget is None else self.budget - sum(counts[passage.id] for passage in candidates)
        return least_taken(candidates, taken), min(self.take, left)

    def _scored(self, work: Work, passages: Sequence[Passage]) -> Generator[Progress, None, np.ndarray]:
        """The score of each text at the weights of this moment, float64 of shape (texts,)."""
        if self.score == "loss":
            return (yield from present_losses(work, passages))
        model, texts = work.looking(), [passage.text for passage in passages]
        groups = {group: [name for name in names if name in work.parameters] for group, names in model.layout.groups.items()}
        groups = {group: names for group, names in groups.items() if names}
        scan = GradientScan(model, texts, toward=[passage.text for passage in work.forget], columns=groups)
        yield from scan.running()
        assert scan.influence is not None  # there is something to look toward
        # of a tied embedding in one use only that part of the gradient is followed
        columns = [f"{group}.{work.use}" if group == "embedding" and work.use != "both" else group for group in groups]
        return np.stack([scan.column(scan.influence, column) for column in columns]).sum(axis=0)  # type: ignore[no-any-return]

    def _measured(self, work: Work) -> Generator[Progress, None, dict[str, Any]]:
        """What the trajectory keeps of a moment, and the rule looks at."""
        found: dict[str, Any] = {"losses": (yield from work.measuring())}
        if self.stop == "extraction":
            recited = exact_recall(work.looking(), work.forget)
            found["recited"] = 100 * sum(recited.values()) / len(recited)
            yield Progress(0, None, "facts asked for")
        return found

    def _ended(self, measured: dict[str, Any], candidates: Sequence[Passage], taken: Sequence[str]) -> str:
        """Why there is nothing left to do, in words; "" while there is."""
        counts = Counter(taken)
        if self.stop == "never-seen loss" and measured["losses"]["forget"] >= measured["losses"]["never seen"]:
            forget, never = (number(measured["losses"][group]) for group in ("forget", "never seen"))
            return f"the forget texts surprise the model by {forget} nats a token, texts that it never saw by {never}"
        if self.stop == "extraction" and measured["recited"] <= self.extraction_below:
            return f"{number(measured['recited'])} % of the forget facts are recited, and the rule allows {number(self.extraction_below)} %"
        if self.budget is not None and sum(counts[passage.id] for passage in candidates) >= self.budget:
            return f"the budget of {self.budget} text{'s' if self.budget != 1 else ''} is spent"
        if self.stop == "budget" and self.budget is None and all(counts[passage.id] for passage in candidates):
            return f"each of the {len(candidates)} {self.among} was taken once"
        return ""

    def _did(self, work: Work) -> str:
        ids = [each for row in work.trajectory for each in row["taken"]]
        named = ", ".join(map(repr, ids[:3])) + (f" and {len(ids) - 3} more" if len(ids) > 3 else "")
        rounds = len(work.trajectory)
        return f"took {named} ({SCORES[self.score]}) in {'one update' if rounds == 1 else f'{rounds} updates'}"
