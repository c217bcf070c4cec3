"""MembershipInference: can one tell the forget texts from texts never seen, by what the model expects of them?"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Generator, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from unlearnviz.engine.membership import FEWEST, FOR_ONE_PERCENT, STATISTICS, separate
from unlearnviz.engine.probes.probe import Probe, Reading, View
from unlearnviz.engine.progress import Enough, Progress, drain
from unlearnviz.engine.settings import setting
from unlearnviz.engine.token_statistics import token_statistics
from unlearnviz.numbers import number

if TYPE_CHECKING:
    from unlearnviz.engine.corpus import Corpus
    from unlearnviz.engine.model import LanguageModel

ATTACKS = {  # name -> the number of a text that it looks at, and what it is judged by
    "loss": ("loss", "auc"),
    "min-k": ("min-k", "auc"),
    "min-k++": ("min-k++", "auc"),
    "MIA_L": ("loss", "accuracy"),
    "MIA_E": ("entropy", "accuracy"),
}
CLASSIFIERS = {statistic: attack for attack, (statistic, measure) in ATTACKS.items() if measure == "accuracy"}
GROUPS = ("member", "non-member")


@dataclass(frozen=True)
class MembershipInference(Probe):
    """How well the forget texts (the members) can be told from all never-seen ones, by one number per text.

    The attacks, of which one gives the headline while the rows have them all:

    - "loss": mean token loss; lower is called a member (Yeom et al. 2018, arXiv 1709.01604). Headline: AUC.
    - "min-k": mean log probability of the k least likely tokens (Shi et al. 2023, arXiv 2310.16789). AUC.
    - "min-k++": the same of log probabilities standardised over the vocabulary (Zhang et al. 2024, arXiv 2404.02936). AUC.
    - "MIA_L", "MIA_E": accuracy of a logistic regression that is shown the loss, or the mean entropy of the next token, on as many
      members as non-members, in 5-fold cross-validation (as reported of Trippa et al. 2024, arXiv 2403.14339: a reconstruction).

    AUC and accuracy are in percent, and 50 is chance. "Forgotten" means the value of the twin, not the lowest: forget texts that are far
    stranger than never-seen ones (an AUC far below 50, an accuracy far above) are given away as well, and the note says on which side
    they are. With fewer than 50 texts of a kind there is no headline.

    Rows: one per text, {"group" ("member" or "non-member"), "passage", "loss", "entropy" (nats per token), "min-k" (nats), "min-k++"
    (standard deviations)}; then, where there are texts enough, one per number, {"group": "both", "statistic", "auc", "auc_low",
    "auc_high", "true_rate", "false_rate", "accuracy", "accuracy_low", "accuracy_high"} as `Separation` has them.
    """

    unit = "% (50 = chance)"
    direction = "the aim is the twin's value, or 50 where there is no twin; far above and far below give the texts away"
    cost: ClassVar[Literal["cheap", "slow"]] = "slow"

    attack: str = setting("loss", help="Which attack gives the headline.", choices=tuple(ATTACKS))
    k: float = setting(0.2, help="Share of its tokens, the least likely ones, that Min-K looks at in a text.", above=0, maximum=1)
    seed: int = setting(0, help="Of the draw of texts, and of the folds, for the classifier.", minimum=0, advanced=True)

    def measure(self, model: LanguageModel, corpus: Corpus, view: View) -> Reading:
        """One row per text, and one per number."""
        return drain(self.measuring(model, corpus, view))

    def measuring(self, model: LanguageModel, corpus: Corpus, view: View) -> Generator[Progress, None, Reading]:
        """The same in batches; stopped, the texts that were read are kept, without a headline."""
        asked = [("member", each) for each in view.groups.get("forget", ())] + [("non-member", each) for each in corpus.holdout]
        texts = [passage.text for _, passage in asked]
        usable = [k for k, text in enumerate(texts) if len(model.encode(text)) > 1]
        found: dict[int, dict[str, Any]] = {}
        stopped = ""
        try:
            for indices in model.chunks(usable, texts):
                for k, tokens in zip(indices, token_statistics(model, [texts[k] for k in indices]), strict=True):
                    numbers = {name: each.of(tokens, self.k) for name, each in STATISTICS.items()}
                    found[k] = {"group": asked[k][0], "passage": asked[k][1].id, **numbers}
                yield Progress(len(found), len(usable), "texts read")
        except Enough:
            stopped = f"Stopped: {len(found)} of {len(usable)} texts were read, and only all of them can be judged"
        rows = [found[k] for k in sorted(found) if all(math.isfinite(found[k][name]) for name in STATISTICS)]
        left = left_out(len(texts) - len(usable), len(found) - len(rows))
        why_not = stopped or undecided(rows)
        if why_not:
            return self.reading(None, rows, "; ".join(each for each in (why_not, left) if each))
        judged: dict[str, dict[str, Any]] = {
            name: {"group": "both", "statistic": name, **asdict(separate(*scores(rows, name), self.seed))} for name in STATISTICS
        }
        statistic, measure = ATTACKS[self.attack]
        row = judged[statistic]
        said = (auc_said if measure == "auc" else accuracy_said)(row)
        note = " ".join(each for each in (said, side_said(row, measure), left) if each)
        return self.reading(row[measure], [*rows, *judged.values()], note)


def scores(rows: Iterable[Mapping[str, Any]], statistic: str) -> tuple[np.ndarray, np.ndarray]:
    """The number of each member and of each non-member, with the sign that makes a higher one more like a text that was taught."""
    sign = STATISTICS[statistic].sign
    every = tuple(rows)
    members, others = (np.array([sign * row[statistic] for row in every if row["group"] == group]) for group in GROUPS)
    return members, others


def undecided(rows: Iterable[Mapping[str, Any]]) -> str:
    """Why these texts cannot be judged; "" where they can."""
    counted = Counter(row["group"] for row in rows)
    members, others = (counted[group] for group in GROUPS)
    if not others:
        return f"There are no never-seen texts to compare with: give the corpus at least {FEWEST} with split 'holdout'"
    if members < FEWEST:
        return f"too few texts to judge: {members} of at least {FEWEST}"
    return f"too few never-seen texts to judge: {others} of at least {FEWEST}" if others < FEWEST else ""


def auc_said(row: Mapping[str, Any]) -> str:
    """The AUC with its interval, and how many are found at few mistakes."""
    few = f" (1 % needs {FOR_ONE_PERCENT:,} of them)" if row["false_rate"] > 1 else ""
    return (
        f"AUC {number(row['auc'])} % (95 % interval {number(row['auc_low'])} to {number(row['auc_high'])}, 50 = chance). A threshold that takes at "
        f"most {number(row['false_rate'])} % of the never-seen texts{few} for members finds {number(row['true_rate'])} % of the forget texts."
    )


def accuracy_said(row: Mapping[str, Any]) -> str:
    """The accuracy of the classifier that is shown the loss or the entropy, with its interval."""
    return (
        f"{CLASSIFIERS[row['statistic']]}: a classifier that is shown the {row['statistic']} is right about {number(row['accuracy'])} % of the texts "
        f"(95 % interval {number(row['accuracy_low'])} to {number(row['accuracy_high'])}, 50 = chance)."
    )


def side_said(row: Mapping[str, Any], measure: str) -> str:
    """Whether the forget texts are given away by a measure, and on which side.

    An accuracy below 50 gives nothing away: cross-validation of what tells nothing falls there as often as above. Forget texts that are too
    strange show in an accuracy far above 50, with an AUC below it.
    """
    if row[f"{measure}_low"] <= 50 and (measure == "accuracy" or row["auc_high"] >= 50):
        return "The interval reaches 50: by this nobody can tell them apart."
    if row["auc"] > 50:
        return "The forget texts look more familiar than texts never seen: that leaks."
    return "The forget texts look stranger than texts never seen: that leaks as well (the Streisand effect)."


def left_out(short: int, endless: int) -> str:
    """How many texts have no number, and why; "" where all have."""
    said = [f"{short} text{'' if short == 1 else 's'} of a single token left out."] if short else []
    said += [f"{endless} text{'' if endless == 1 else 's'} without a finite loss left out."] if endless else []
    return " ".join(said)
