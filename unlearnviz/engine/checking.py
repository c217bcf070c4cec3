"""Check: a reading beside the same number, recomputed by the plainest loop there is."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from unlearnviz.engine import measuring
from unlearnviz.engine.generation import ends_of
from unlearnviz.engine.plain_model import PlainModel
from unlearnviz.engine.probes.perplexity import exponential
from unlearnviz.engine.progress import Progress
from unlearnviz.errors import NotPossible
from unlearnviz.numbers import number

if TYPE_CHECKING:
    from unlearnviz.engine.corpus import Passage
    from unlearnviz.engine.model import LanguageModel
    from unlearnviz.engine.probes.probe import Probe, Reading
    from unlearnviz.engine.session import Session

ROUNDING = 1e-4  # relative: batches and padding sum float32 in another order
HALF = 0.05  # the same where the model itself rounds every layer to half precision


@dataclass(frozen=True)
class Check:
    """A reading, and the same by a plain loop.

    Attributes:
        reading: the reading, of the present weights.
        numbers: group -> (as it was read, as the plain loop has it).
        tolerance: largest relative difference that is rounding; 0 for a number of whole texts or tokens.
        plain: class of the stock model.
        half: whether the model keeps its weights in half precision.
        fused: whether it computes its activation in a fused form.
    """

    reading: Reading
    numbers: Mapping[str, tuple[float, float]]
    tolerance: float
    plain: str
    half: bool = False
    fused: bool = False

    @property
    def difference(self) -> float:
        """The largest relative difference; 0.0 where both are equal, also where neither is finite."""
        return max((_apart(*pair) for pair in self.numbers.values()), default=0.0)

    @property
    def agrees(self) -> bool:
        """Whether the difference is rounding."""
        return self.difference <= self.tolerance

    @property
    def sentence(self) -> str:
        """Both numbers of every group, whether they agree, and why they may differ."""
        both = "; ".join(f"{group} {read:.7g} here, {plain:.7g} by the loop" for group, (read, plain) in self.numbers.items())
        name = f"{self.reading.label[:1].upper()}{self.reading.label[1:]}"
        return (
            f"{name} at step {self.reading.step}, recomputed by a plain {self.plain}, one text and one token at a time: {both}. "
            f"{self._judged()}"
        )

    def _judged(self) -> str:
        order, tie = "texts in one batch are padded and summed in another order", "two words that are likeliest alike may change places"
        why = [order if self.tolerance else tie]
        why += ["the model's activation is computed in one piece"] if self.fused else []
        why += ["the model rounds to half precision, the loop does not"] if self.half else []
        if not self.difference:
            return "They are equal to the last digit."
        apart, rounding, reasons = f"by {number(100 * self.difference)} % at most", f"{number(100 * self.tolerance)} %", "; ".join(why)
        if self.agrees:
            return f"They agree: they differ {apart}, and up to {rounding} is rounding ({reasons})."
        return f"They DIFFER, {apart}, where {rounding} may be rounding ({reasons}): do not trust this number, and tell us."


def check_reading(session: Session, probe: Probe | str) -> Generator[Progress, None, Check]:
    """Take a probe's reading of the present weights, and the same by its plain loop; one report per text.

    Raises:
        NotPossible: no plain loop is defined for this probe or these settings.
    """
    (resolved,) = measuring.resolve([probe])
    if resolved.name not in LOOPS or getattr(resolved, "of_answer", False):
        known = ", ".join(repr(name) for name in LOOPS)
        raise NotPossible(
            f"There is no plain loop for {resolved.name!r} with these settings: it is put together from other numbers, or of weights alone. "
            f"Those it rests on can be checked: {known}."
        )
    readings = yield from measuring.take_readings(session, [resolved], "now")
    reading = readings[resolved.label or resolved.name]
    plain = PlainModel(session.model)
    groups = {row["group"]: tuple(row["per_text"]) for row in reading.rows}
    texts = {each: _passage(session, each) for ids in groups.values() for each in ids}
    key, loop, tolerance = LOOPS[resolved.name]
    found: dict[str, Any] = {}
    for done, (name, passage) in enumerate(texts.items()):
        found[name] = loop(plain, session.model, passage)
        progress = Progress(done + 1, len(texts), f"{done + 1} of {len(texts)} texts recomputed")
        session.turn.report(progress)
        yield progress
    half = session.model.dtype in (torch.float16, torch.bfloat16)
    together = TOGETHER[resolved.name]
    numbers = {row["group"]: (float(row[key]), together([found[each] for each in groups[row["group"]]])) for row in reading.rows}
    return Check(reading, numbers, HALF if half and tolerance else tolerance, plain.name, half, bool(session.model.fused))


def _passage(session: Session, name: str) -> Passage:
    members = (passage for group in session.groups.values() for passage in group if passage.id == name)
    return next(members, None) or session.corpus[name]


def _losses(plain: PlainModel, model: LanguageModel, passage: Passage) -> list[float]:
    return plain.losses(model.encode(passage.text))


def _recalled(plain: PlainModel, model: LanguageModel, passage: Passage) -> bool:
    """Whether the prompt is continued with the fact, word for word."""
    fact = str(passage.answer)
    wanted = max(1, min(len(model.encode(fact)) + 2, model.context - 1))
    read = model.encoder.whole(passage.prompt.rstrip()).ids[-(model.context - wanted) :]
    new = plain.written(read, wanted, ends_of(model))
    return model.decode([*read, *new])[len(model.decode(read)) :].strip().startswith(fact.strip())


def _guessed(plain: PlainModel, model: LanguageModel, passage: Passage) -> float:
    return statistics.fmean(plain.guesses(model.encode(passage.text)))


def _perplexity(losses: Sequence[Sequence[float]]) -> float:
    every = [loss for text in losses for loss in text]
    return exponential(math.fsum(every) / len(every))


LOOPS: Mapping[str, tuple[str, Callable[[PlainModel, LanguageModel, Passage], Any], float]] = {
    "perplexity": ("perplexity", _losses, ROUNDING),
    "exact-recall": ("recall", _recalled, 0.0),
    "memorisation-accuracy": ("accuracy", _guessed, 0.0),
}
TOGETHER: Mapping[str, Callable[[Sequence[Any]], float]] = {
    "perplexity": _perplexity,
    "exact-recall": lambda recalled: 100 * sum(recalled) / len(recalled),
    "memorisation-accuracy": statistics.fmean,
}


def _apart(read: float, plain: float) -> float:
    """Relative difference of two numbers; 0.0 where both are the same infinity, or not a number."""
    if read == plain or (math.isnan(read) and math.isnan(plain)):
        return 0.0
    size = max(abs(read), abs(plain))
    return abs(read - plain) / size if math.isfinite(size) else math.inf
