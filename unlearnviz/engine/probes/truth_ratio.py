"""TruthRatio: does the model still hold the truth likelier than what is wrong?"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from unlearnviz.engine.probes.perplexity import exponential
from unlearnviz.engine.probes.probe import Probe, Reading, View
from unlearnviz.engine.settings import setting

if TYPE_CHECKING:
    from unlearnviz.engine.corpus import Corpus, Passage
    from unlearnviz.engine.model import LanguageModel


@dataclass(frozen=True)
class TruthRatio(Probe):
    """How likely wrong answers are against the right one in other words, as TOFU measures it (Maini et al. 2024, arXiv 2401.06121, section 2.2).

    R = geometric mean over the wrong answers of p(wrong | prompt)^(1 / its tokens) / p(paraphrase | prompt)^(1 / its tokens). The paper
    writes an arithmetic mean over the wrong answers; the geometric one is what its benchmark computes. R is below 1 where the model knows the
    truth, and 1 where it cannot tell it from what is wrong. Of texts to forget TOFU reports the mean of min(R, 1/R), for R far above 1 is a trace
    too; of texts to keep the mean of max(0, 1 - R).

    The columns `paraphrase` (a text, or a list of which the first counts) and `wrong` (a list of texts) stand beside the answer in your
    data; texts without them are left out.

    Rows: {"group", "ratio" (the median R), "indistinct" (mean of min(R, 1/R), 0 to 1), "kept" (mean of max(0, 1 - R)), "texts", "per_text":
    {id: R}}. The headline is "indistinct" of the forget group.
    """

    unit = "mean of min(R, 1/R) (0 to 1)"
    direction = "higher = truth and error are less distinct; 1 = the model cannot tell them apart"

    paraphrase: str = setting("paraphrased_answer", help="Column of your data with the answer in other words.")
    wrong: str = setting("perturbed_answer", help="Column of your data with a list of wrong answers of the same form.")

    def measure(self, model: LanguageModel, corpus: Corpus, view: View) -> Reading:  # noqa: ARG002
        """One row per group that has paraphrases and wrong answers."""
        asked = {passage.id: each for members in view.groups.values() for passage in members if (each := self._answers(passage))}
        nll = iter(_answer_losses(model, [passage for each in asked.values() for passage in each]))
        ratios = {}
        for name, answers in asked.items():
            right, *wrong = (next(nll) for _ in answers)
            ratio = exponential(right - statistics.fmean(wrong))
            if not math.isnan(ratio):
                ratios[name] = ratio
        rows: list[dict[str, Any]] = []
        for group, members in view.groups.items():
            mine = {passage.id: ratios[passage.id] for passage in members if passage.id in ratios}
            if mine:
                rows.append(
                    {
                        "group": group,
                        "ratio": statistics.median(mine.values()),
                        "indistinct": statistics.fmean(min(each, 1 / each) if each else 0.0 for each in mine.values()),
                        "kept": statistics.fmean(max(0.0, 1 - each) for each in mine.values()),
                        "texts": len(mine),
                        "per_text": mine,
                    }
                )
        value = next((row["indistinct"] for row in rows if row["group"] == "forget"), None)
        return self.reading(value, rows, "" if value is not None else self._what_is_needed())

    def _answers(self, passage: Passage) -> list[Passage]:
        """The passage with its paraphrased answer, then with each wrong one; none where one kind is missing."""
        if passage.answer_start is None or not passage.prompt.strip():
            return []
        right, wrong = list(_texts(passage.extra.get(self.paraphrase))), list(_texts(passage.extra.get(self.wrong)))
        prompt = passage.prompt.rstrip()
        said = [f"{prompt} {answer}" for answer in (*right[:1], *wrong)]
        return [replace(passage, text=text, answer_start=len(prompt)) for text in said] if right and wrong else []

    def _what_is_needed(self) -> str:
        return (
            f"No forget text has an answer in other words ({self.paraphrase!r}) and wrong ones ({self.wrong!r}) beside it: "
            "columns of these names in your data are read."
        )


def _texts(given: Any) -> Iterator[str]:
    for each in [given] if isinstance(given, str) else given if isinstance(given, list) else []:
        if isinstance(each, str) and each.strip():
            yield each.strip()


def _answer_losses(model: LanguageModel, passages: list[Passage]) -> list[float]:
    """Mean token loss of each answer in nats, after its prompt; NaN where the context ends before the answer begins."""
    losses = model.token_losses([passage.text for passage in passages])
    answers = (row[model.answer_tokens(passage) - 1 :].double() for passage, row in zip(passages, losses, strict=True))
    return [float(row.mean()) if len(row) else math.nan for row in answers]
