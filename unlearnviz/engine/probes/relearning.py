"""Relearning: how fast does it come back, when a copy of the model is taught one other text?"""

from __future__ import annotations

import copy
import math
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import torch

from unlearnviz.engine.probes.exact_recall import exact_recall
from unlearnviz.engine.probes.probe import Enough, Probe, Reading, View
from unlearnviz.engine.progress import Progress, drain
from unlearnviz.engine.settings import setting
from unlearnviz.engine.work import recording
from unlearnviz.numbers import number

if TYPE_CHECKING:
    from unlearnviz.engine.corpus import Corpus, Passage
    from unlearnviz.engine.model import LanguageModel

LESSONS = ("never seen", "partial")
FORGOTTEN = 0.05  # nats per token above the start: less is no forgetting that could come back
HERE, TWIN = "this one", "twin"


@dataclass(frozen=True)
class Relearning(Probe):
    """How much of the forget texts comes back when a copy of the model is taught one text that does not tell them.

    The text is a never-seen one (benign: it has nothing to do with them), or the first half of one forget text (partial: then the others are
    listened for). A copy of the model takes some updates on it, and after each of them the mean token loss of the forget texts is taken. What
    was only hidden comes back faster than a model that never learned it picks it up: the twin, where there is one, takes the same
    updates beside it, and the never-seen texts are measured in both. The model itself is not touched.

    With L the forget loss, returned = 100 x (L before - lowest L within the updates) / (L before - L at the start), in percent; None where L
    is not higher than at the start, for then nothing is forgotten. A reconstruction of relearning attacks, after Hu et al. 2024 (arXiv
    2406.13356).

    Rows: one per model and update, {"model" ("this one" or "twin"), "update" (0: before), "trained" (loss of the text it is taught), "forget",
    "never seen" (losses in nats per token, the text it is taught aside), "recall" (% of the facts that are completed exactly; None
    without facts)}. The headline is what returned in this one.
    """

    unit = "% of the way back to the start's forget loss"
    direction = "lower = less comes back; the twin shows what anyone would pick up"
    cost: ClassVar[Literal["cheap", "slow"]] = "slow"

    text: str = setting("never seen", help="What the copy is taught: a never-seen text, or the first half of a forget text.", choices=LESSONS)
    updates: int = setting(8, help="Updates on that text.", minimum=1, maximum=1000)
    learning_rate: float = setting(3e-4, help="Of these updates.", above=0, maximum=10)
    optimizer: str = setting("AdamW", help="How an update follows the gradient.", choices=("AdamW", "SGD"), advanced=True)

    def measure(self, model: LanguageModel, corpus: Corpus, view: View) -> Reading:
        """One row per model and update."""
        return drain(self.measuring(model, corpus, view))

    def measuring(self, model: LanguageModel, corpus: Corpus, view: View) -> Generator[Progress, None, Reading]:  # noqa: ARG002
        """The same update by update; stopped, what is done is kept."""
        lesson = _lesson(model, view, self.text)
        if isinstance(lesson, str):
            return self.reading(None, [], lesson)
        with recording():  # a copy that can be taught, also where the caller records nothing
            student = _copy(model)
        before = {name: parameter.detach().clone() for name, parameter in student.parameters.items()}
        now = _loss(student, lesson.forget)
        _load(student, view.start)
        start = _loss(student, lesson.forget)
        if not now - start >= FORGOTTEN:
            said = f"The forget loss, {number(now)} nats per token, is not above the start's, {number(start)}"
            return self.reading(None, [], f"{said}: nothing is forgotten that could come back.")
        runs: dict[str, Mapping[str, torch.Tensor]] = {HERE: before}
        if view.twin is not None and view.twin is not view.weights:
            runs[TWIN] = view.twin
        rows: list[dict[str, Any]] = []
        looks, stopped = len(runs) * (self.updates + 1), ""
        try:
            for name, weights in runs.items():
                _load(student, weights)
                for row in self._taught(student, lesson):
                    rows.append({"model": name, **row})
                    yield Progress(len(rows), looks, f"{name}: {row['update']} of {self.updates} updates")
        except Enough:
            stopped = f"Stopped: {len(rows)} of {looks} looks were taken."
        losses = {name: found for name in runs if (found := [row["forget"] for row in rows if row["model"] == name])}
        value = _returned(losses[HERE], start) if HERE in losses else None
        notes = (stopped, self._note(lesson, losses, start), _meanwhile(rows))
        return self.reading(value, rows, " ".join(each for each in notes if each))

    def _taught(self, student: LanguageModel, lesson: _Lesson) -> Generator[dict[str, Any], None, None]:
        """Teach the student, in place; one row before the first update and one after each, as long as the loss is finite."""
        with student.following(student.layout.names) as parameters:
            optimizer: torch.optim.Optimizer = (
                torch.optim.SGD(parameters.values(), lr=self.learning_rate)
                if self.optimizer == "SGD"
                else torch.optim.AdamW(parameters.values(), lr=self.learning_rate, weight_decay=0.0)
            )
            batch = student.batch([lesson.text])
            for update in range(self.updates + 1):
                if update:
                    with recording():
                        student.loss(batch).backward()
                    optimizer.step()
                    optimizer.zero_grad(set_to_none=True)
                row = {"update": update, **lesson.looked_at(student)}
                if not math.isfinite(row["forget"]):
                    return
                yield row

    def _note(self, lesson: _Lesson, losses: Mapping[str, Sequence[float]], start: float) -> str:
        """What was done, and what came back by it in each model."""
        said = [f"{self.updates} updates ({self.optimizer}, rate {number(self.learning_rate)}) on {lesson.what}."]
        for name, values in losses.items():
            back, half = _returned(values, start), (values[0] + start) / 2
            after = next((k for k, value in enumerate(values) if value <= half), None)
            reached = "" if back is None or after is None else f", half way after {after}"
            way = "" if back is None else f": {number(back)} % of the way back to {number(start)} at the start{reached}"
            said.append(f"{name[0].upper()}{name[1:]}: forget loss {number(values[0])} to {number(min(values))}{way}.")
        return " ".join(said)


@dataclass(frozen=True)
class _Lesson:
    """What is taught, and which texts are looked at besides."""

    text: str
    what: str
    forget: tuple[Passage, ...]
    never_seen: tuple[Passage, ...]

    def looked_at(self, student: LanguageModel) -> dict[str, Any]:
        recalled = exact_recall(student, self.forget)
        return {
            "trained": float(student.token_losses([self.text])[0].double().mean()),
            "forget": _loss(student, self.forget),
            "never seen": _loss(student, self.never_seen) if self.never_seen else None,
            "recall": 100 * sum(recalled.values()) / len(recalled) if recalled else None,
        }


def _lesson(model: LanguageModel, view: View, kind: str) -> _Lesson | str:
    """The lesson, or a sentence on what is needed for one; texts of a single token teach nothing and show nothing."""
    forget, never_seen = (
        tuple(passage for passage in view.groups.get(group, ()) if len(model.encode(passage.text)) > 1) for group in ("forget", "never seen")
    )
    if kind == "never seen":
        if not never_seen:
            return "There is no never-seen text to teach: keep some texts back with holdout=, or choose text='partial'."
        return _Lesson(never_seen[0].text, f"{never_seen[0].id}, a never-seen text", forget, never_seen[1:])
    first = next((passage for passage in forget if len(model.encode(passage.text)) > 3), None)
    if first is None or len(forget) < 2:
        return "To teach a part of one forget text and listen for the others takes two forget texts: pick more, or choose text='never seen'."
    pieces = model.tokens(first.text)
    half = "".join(pieces[: (len(pieces) + 1) // 2])
    return _Lesson(half, f"the first half of {first.id}", tuple(passage for passage in forget if passage is not first), never_seen)


def _copy(model: LanguageModel) -> LanguageModel:
    """A student with weights of its own, in full precision."""
    full = model.in_full_precision()
    if full is not model:
        return full  # a copy already
    student = type(model)(copy.deepcopy(model.module), model.tokenizer, name="student", fused=model.fused)
    student.encoder = model.encoder  # one cache of token ids for both
    return student


@torch.no_grad()
def _load(student: LanguageModel, weights: Mapping[str, torch.Tensor]) -> None:
    for name, parameter in student.parameters.items():
        parameter.copy_(weights[name])


def _loss(model: LanguageModel, passages: Sequence[Passage]) -> float:
    """Mean token loss in nats."""
    return float(torch.cat(model.token_losses([passage.text for passage in passages])).double().mean())


def _returned(losses: Sequence[float], start: float) -> float | None:
    """Percent of the way from the first loss to the start's that the lowest one is; None where the first is not above the start's."""
    if losses[0] - start < FORGOTTEN:
        return None
    return 100 * (losses[0] - min(losses)) / (losses[0] - start)


def _meanwhile(rows: Sequence[Mapping[str, Any]]) -> str:
    """What texts did that no model here was ever taught: the control."""
    never = [row["never seen"] for row in rows if row["model"] == HERE and row["never seen"] is not None]
    return f"Never-seen texts meanwhile: {number(never[0])} to {number(min(never))}." if never else ""
