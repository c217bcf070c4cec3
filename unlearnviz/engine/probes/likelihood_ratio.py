"""LikelihoodRatio: is the model surer of the forget texts than its twins, more than it is of texts never seen?"""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from unlearnviz.engine.likelihood_ratio import SPREADS, confidences, lifts
from unlearnviz.engine.membership import FOR_ONE_PERCENT, auc, auc_interval, true_rate_at
from unlearnviz.engine.probes.membership_inference import MembershipInference, auc_said, left_out, side_said, undecided
from unlearnviz.engine.probes.probe import Probe, Reading, View
from unlearnviz.engine.progress import Progress, drain
from unlearnviz.engine.settings import setting
from unlearnviz.engine.token_statistics import token_statistics

if TYPE_CHECKING:
    from unlearnviz.engine.corpus import Corpus
    from unlearnviz.engine.model import LanguageModel

FEWEST = 2  # models that never saw the texts: of one there is no spread


@dataclass(frozen=True)
class LikelihoodRatio(Probe):
    """How well the forget texts (the members) can be told from all never-seen ones by one who has models like this one that saw neither.

    These are the twins (without the one that is measured, where it is a twin). The confidence of a model in a text is the mean over its
    tokens of log p - log(1 - p); the score of a text is how far this lies above the median of the twins, in their standard deviations. A
    text that is easy for every model does not count as known, as it does by its loss alone. Headline: AUC in percent, 50 = chance.

    LiRA of Carlini et al. 2022 (arXiv 2112.03570), offline; of a text instead of an image, with means over tokens (reconstruction). They
    train up to 256 such models: with a few twins the medians are rough, and an AUC near 50 proves little.

    Rows: one per text, {"group" ("member" or "non-member"), "passage", "confidence", "twins" (their median; both in nats), "score" (standard
    deviations)}; then, where there are texts enough, {"group": "both", "statistic": "score", "auc", "auc_low", "auc_high", "true_rate",
    "false_rate"} as `Separation` has them.
    """

    unit = MembershipInference.unit
    direction = MembershipInference.direction
    reads_twins = True
    cost: ClassVar[Literal["cheap", "slow"]] = "slow"

    spread: str = setting(SPREADS[0], help="Whose confidences say how far the twins lie apart.", choices=SPREADS, advanced=True)

    def measure(self, model: LanguageModel, corpus: Corpus, view: View) -> Reading:
        """One row per text, and the AUC."""
        return drain(self.measuring(model, corpus, view))

    def measuring(self, model: LanguageModel, corpus: Corpus, view: View) -> Generator[Progress, None, Reading]:
        """The same, model by model, in batches."""
        others = [weights for weights in view.twins if weights is not view.weights]
        if len(others) < FEWEST:
            return self.reading(
                None,
                [],
                f"needs at least {FEWEST} twins besides the model that is measured, and there {'is' if len(others) == 1 else 'are'} {len(others)}: "
                "session.twin(seed=...) trains another",
            )
        asked = [("member", each) for each in view.groups.get("forget", ())] + [("non-member", each) for each in corpus.holdout]
        usable = [each for each in asked if len(model.encode(each[1].text)) > 1]
        texts = [passage.text for _, passage in usable]
        now = yield from _means(model, texts, "of this model")
        out = []
        for done, weights in enumerate(others):
            out.append((yield from _means(model.at(weights), texts, f"of twin {done + 1} of {len(others)}")))
        finite = np.isfinite([now, *out]).all(axis=0)
        told = np.array(out)[:, finite]
        scores = lifts(now[finite], told, self.spread)
        rows = [
            {"group": group, "passage": passage.id, "confidence": float(mine), "twins": float(theirs), "score": float(score)}
            for (group, passage), mine, theirs, score in zip(
                [usable[k] for k in np.flatnonzero(finite)], now[finite], np.median(told, axis=0), scores, strict=True
            )
        ]
        left = left_out(len(asked) - len(usable), len(usable) - len(rows))
        why_not = undecided(rows)
        if why_not:
            return self.reading(None, rows, "; ".join(each for each in (why_not, left) if each))
        members, unseen = (scores[[row["group"] == group for row in rows]] for group in ("member", "non-member"))
        row = _judged(members, unseen)
        against = f"Against {len(others)} twins; the paper trains up to 256."
        note = " ".join(each for each in (auc_said(row), side_said(row, "auc"), against, left) if each)
        return self.reading(row["auc"], [*rows, row], note)


def _means(model: LanguageModel, texts: Sequence[str], whose: str) -> Generator[Progress, None, np.ndarray]:
    """Mean confidence of each text in nats, shape (texts,)."""
    found = np.full(len(texts), math.nan)
    done = 0
    for indices in model.chunks(range(len(texts)), texts):
        for k, tokens in zip(indices, token_statistics(model, [texts[k] for k in indices]), strict=True):
            found[k] = confidences(tokens.log_probabilities).mean()
        done += len(indices)
        yield Progress(done, len(texts), f"confidences {whose}: {done} of {len(texts)} texts read")
    return found


def _judged(members: np.ndarray, others: np.ndarray) -> dict[str, Any]:
    area = auc(members, others)
    low, high = auc_interval(area, len(members), len(others))
    false_rate = 0.01 if len(others) >= FOR_ONE_PERCENT else 0.1
    return {
        "group": "both",
        "statistic": "score",
        "auc": 100 * area,
        "auc_low": 100 * low,
        "auc_high": 100 * high,
        "true_rate": 100 * true_rate_at(members, others, false_rate),
        "false_rate": 100 * false_rate,
    }
