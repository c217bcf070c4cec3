"""MemorisationAccuracy: how many tokens of a text does the model know, given those before?"""

from __future__ import annotations

import random
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from unlearnviz.engine.extraction import memorisation_accuracies
from unlearnviz.engine.probes.probe import Probe, Reading, View
from unlearnviz.engine.settings import setting
from unlearnviz.numbers import number

if TYPE_CHECKING:
    from unlearnviz.engine.corpus import Corpus, Passage
    from unlearnviz.engine.model import LanguageModel


@dataclass(frozen=True)
class MemorisationAccuracy(Probe):
    """MA: the share of a text's tokens that are the model's first guess after those before (Jang et al. 2022, arXiv 2210.01504).

    MA(x) = sum over t = 1 .. T-1 of [argmax p(. | x_<t) = x_t] / (T - 1), from 0 to 1; the mean over the texts of a group, each counting once.
    Their threshold is the mean over texts that the model never saw, here the corpus's own, cut after the context like all others: a number
    from another corpus or model means nothing. Texts are forgotten, by their rule, if both MA and EL_n (`ExtractionLikelihood`) are at or
    under it.

    Rows: {"group", "accuracy", "texts", "per_text": {id: accuracy}}; "never seen" has the texts that the threshold is taken over. The headline
    is the forget group's.
    """

    unit = "share of tokens (0 to 1)"
    direction = "lower = less is known by heart; the never-seen mean is the threshold"

    compared: int = setting(
        1000, help="Never-seen texts that the threshold is taken over, at most; drawn with seed 0.", minimum=1, maximum=100_000, advanced=True
    )

    def measure(self, model: LanguageModel, corpus: Corpus, view: View) -> Reading:
        """One row per group, never-seen texts last."""
        never_seen = drawn(corpus.holdout, self.compared)
        groups = {**{name: members for name, members in view.groups.items() if name != "never seen"}, "never seen": never_seen}
        everyone = {passage.id: passage for members in groups.values() for passage in members}
        known = dict(zip(everyone, memorisation_accuracies(model, [each.text for each in everyone.values()]), strict=True))
        rows: list[dict[str, Any]] = []
        for group, members in groups.items():
            per_text = {passage.id: value for passage in members if (value := known[passage.id]) is not None}
            if per_text:
                rows.append(
                    {"group": group, "accuracy": statistics.fmean(per_text.values()), "texts": len(per_text), "per_text": per_text}
                )
        by_group = {row["group"]: row["accuracy"] for row in rows}
        return self.reading(by_group.get("forget"), rows, jangs_rule(by_group.get("forget"), by_group.get("never seen")))


def drawn(passages: Sequence[Passage], most: int) -> list[Passage]:
    """The passages, or so many of them, in their order, drawn with seed 0."""
    places = range(len(passages))
    chosen = places if len(passages) <= most else sorted(random.Random(0).sample(places, most))
    return [passages[k] for k in chosen]


def jangs_rule(value: float | None, threshold: float | None) -> str:
    """The rule in words, and which side of its threshold a value is on; what is needed where one of them is missing."""
    if threshold is None:
        return "There is no never-seen text to take a threshold from: keep some texts back with holdout=."
    rule = (
        f"Never-seen mean: {number(threshold)}. Forgotten by Jang et al.'s rule if and only if "
        "memorisation accuracy and extraction likelihood are both at or under the never-seen mean"
    )
    return f"{rule}." if value is None else f"{rule}: this one is {'' if value <= threshold else 'not '}(it is {number(value)})."
