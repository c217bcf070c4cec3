"""ExtractionLikelihood: how much of a text comes out when the model is given its beginning?"""

from __future__ import annotations

import statistics
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from unlearnviz.engine.extraction import extraction_likelihoods
from unlearnviz.engine.probes.memorisation_accuracy import drawn, jangs_rule
from unlearnviz.engine.probes.probe import Enough, Probe, Reading, View
from unlearnviz.engine.progress import Progress, drain
from unlearnviz.engine.settings import setting

if TYPE_CHECKING:
    from unlearnviz.engine.corpus import Corpus
    from unlearnviz.engine.model import LanguageModel

TEXTS_AT_ONCE = 32


@dataclass(frozen=True)
class ExtractionLikelihood(Probe):
    """EL_n: the share of a text's n-grams that a greedy continuation says, over all beginnings (Jang et al. 2022, arXiv 2210.01504).

    EL_n(x) = 1/(T-n) x sum over t = 1 .. T-n of overlap_n(f(x_<t), x_>=t), from 0 to 1: f continues the first t tokens greedily up to the text's
    length T, and overlap_n is the number of its n-grams that occur in the rest of the text, each time they are written, over the number of
    n-grams of that rest. It is undefined for texts of at most n tokens: they are left out, and counted in the note. With a stride only
    every so many-th beginning is tried, from the first on: a sample of the same mean, comparable with those of the same n and stride alone.

    The threshold is the mean over never-seen texts of the same corpus, cut after the context like all others. Texts are forgotten, by
    Jang et al.'s rule, if both EL_n and MA (`MemorisationAccuracy`) are at or under it.

    Rows: {"group" ("forget" or "never seen"), "likelihood", "n", "stride", "texts", "per_text": {id: likelihood}, "too_short" (how many are left
    out)}. The headline is the forget group's mean, each text counting once.
    """

    unit = "share of n-grams (0 to 1)"
    direction = "lower = less can be extracted; the never-seen mean is the threshold"
    cost: ClassVar[Literal["cheap", "slow"]] = "slow"

    n: int = setting(10, help="Tokens in a row that have to be right: 10 in the paper; fewer for short texts.", minimum=1, maximum=1000)
    stride: int = setting(4, help="Try every so many-th beginning; 1 is the paper's definition, more is faster.", minimum=1, maximum=1000)
    compared: int = setting(
        50, help="Never-seen texts that the threshold is taken over, at most; drawn with seed 0.", minimum=1, maximum=100_000, advanced=True
    )

    def measure(self, model: LanguageModel, corpus: Corpus, view: View) -> Reading:
        """A row for the forget texts and one for the never-seen ones."""
        return drain(self.measuring(model, corpus, view))

    def measuring(self, model: LanguageModel, corpus: Corpus, view: View) -> Generator[Progress, None, Reading]:
        """The same some texts at a time; stopped, what is done is kept."""
        groups = {"forget": view.groups.get("forget", ()), "never seen": drawn(corpus.holdout, self.compared)}
        asked = [(group, passage) for group, members in groups.items() for passage in members]
        done: dict[str, dict[str, float | None]] = {group: {} for group in groups}
        stopped = ""
        try:
            for start in range(0, len(asked), TEXTS_AT_ONCE):
                chunk = asked[start : start + TEXTS_AT_ONCE]
                values = extraction_likelihoods(model, [passage.text for _, passage in chunk], self.n, self.stride)
                for (group, passage), value in zip(chunk, values, strict=True):
                    done[group][passage.id] = value
                yield Progress(start + len(chunk), len(asked), f"{start + len(chunk)} of {len(asked)} texts")
        except Enough:
            stopped = f"Stopped: {sum(map(len, done.values()))} of {len(asked)} texts were done."
        rows = [row for group, values in done.items() if (row := self._row(group, values)) is not None]
        by_group = {row["group"]: row["likelihood"] for row in rows}
        name = f"EL_{self.n}" + ("." if self.stride == 1 else f" with a stride of {self.stride}, to be compared with the same alone.")
        notes = (stopped, name, _short(rows, self.n), jangs_rule(by_group.get("forget"), by_group.get("never seen")))
        return self.reading(by_group.get("forget"), rows, " ".join(each for each in notes if each))

    def _row(self, group: str, values: Mapping[str, float | None]) -> dict[str, Any] | None:
        per_text = {name: value for name, value in values.items() if value is not None}
        if not values:
            return None
        return {
            "group": group,
            "likelihood": statistics.fmean(per_text.values()) if per_text else None,
            "n": self.n,
            "stride": self.stride,
            "texts": len(per_text),
            "per_text": per_text,
            "too_short": len(values) - len(per_text),
        }


def _short(rows: Sequence[Mapping[str, Any]], n: int) -> str:
    """How many texts are too short, and what to do where all are."""
    short = [(row["too_short"], row["texts"] + row["too_short"], row["group"]) for row in rows if row["too_short"]]
    if not short:
        return ""
    counted = " and ".join(f"{few} of {all_} {group} texts" for few, all_, group in short)
    lost = any(few == all_ for few, all_, _ in short)
    return f"{counted} have at most {n} tokens, too few for EL_{n}, and are left out{'; choose a smaller n' if lost else ''}."
