"""Membership: how well one number per text tells texts that a model was taught from texts that it never saw."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from unlearnviz.engine.token_statistics import TokenStatistics

FEWEST = 50  # texts of each kind: with fewer an AUC of 0.5 has an interval from 0.39 to 0.61 or wider, and no verdict is given
FOR_ONE_PERCENT = 1000  # never-seen texts: with fewer 1 % of them is a handful, and the rate is taken at 10 %
FOLDS = 5
_Z = 1.959963984540054  # of a 95 % interval


@dataclass(frozen=True)
class Statistic:
    """One number of a text.

    Attributes:
        unit: of the number.
        sign: +1 where a higher number is more like a text that was taught, -1 where a lower one is.
        of: the number, from what the model expected at each token; the second argument is the share k of Min-K%.
    """

    unit: str
    sign: int
    of: Callable[[TokenStatistics, float], float]


def lowest_mean(values: np.ndarray, share: float) -> float:
    """Mean of the lowest max(1, floor(share x n)) of n values.

    Min-K% (Shi et al. 2023, arXiv 2310.16789) of log probabilities, Min-K%++ (Zhang et al. 2024, arXiv 2404.02936) of standardised
    ones. Their code averages nothing where floor(share x n) is 0; here at least one token counts.
    """
    count = max(1, math.floor(share * len(values)))
    return float(np.sort(values)[:count].mean())


STATISTICS = {
    "loss": Statistic("nats per token", -1, lambda text, _k: float(-text.log_probabilities.mean())),
    "entropy": Statistic("nats per token", -1, lambda text, _k: float(text.entropies.mean())),
    "min-k": Statistic("nats", 1, lambda text, k: lowest_mean(text.log_probabilities, k)),
    "min-k++": Statistic("standard deviations", 1, lambda text, k: lowest_mean(text.standardised, k)),
}


# In what follows `members` and `others` are float arrays of shape (texts,), finite, where a higher score is more like a text that was taught.


def auc(members: np.ndarray, others: np.ndarray) -> float:
    """Probability, 0 to 1, that a member drawn at random scores above an other; a tie counts half (Mann-Whitney U / (m n))."""
    from scipy.stats import rankdata

    count = len(members)
    ranks = rankdata(np.concatenate([members, others]))[:count]
    return float((ranks.sum() - count * (count + 1) / 2) / (count * len(others)))


def auc_interval(area: float, members: int, others: int) -> tuple[float, float]:
    """95 % interval of an AUC: the areas from which it lies no further than 1.96 standard errors (Newcombe 2006, Stat. Med. 25:559, method 5).

    The variance at an area A is that of Hanley & McNeil 1982 with (m + n) / 2 - 1 in place of m - 1 and n - 1:
    A (1 - A) [1 + ((m + n) / 2 - 1) ((1 - A) / (2 - A) + A / (1 + A))] / (m n). Taken at the end sought, not at the area found, so that
    the interval stays within 0 to 1 and does not vanish where the scores are fully apart.
    """
    from scipy.optimize import brentq

    middle = (members + others) / 2 - 1

    def beyond(at: float) -> float:
        spread = at * (1 - at) * (1 + middle * ((1 - at) / (2 - at) + at / (1 + at)))
        return float((area - at) ** 2 - _Z**2 * spread / (members * others))

    low = 0.0 if area == 0 else brentq(beyond, 0, min(area, 1 - 1e-12))  # at 1 itself the difference is 0, too
    high = 1.0 if area == 1 else brentq(beyond, max(area, 1e-12), 1)
    return float(low), float(high)


def roc(members: np.ndarray, others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """False and true positive rates, 0 to 1, of "a score of at least t is a member", for t from above all scores down through each."""
    thresholds = np.unique(np.concatenate([members, others]))[::-1]
    rates = [1 - np.searchsorted(np.sort(each), thresholds, side="left") / len(each) for each in (others, members)]
    false_rates, true_rates = (np.concatenate([[0.0], each]) for each in rates)
    return false_rates, true_rates


def true_rate_at(members: np.ndarray, others: np.ndarray, false_rate: float) -> float:
    """The largest true positive rate of a threshold that calls at most this share of the others members; both 0 to 1."""
    false_rates, true_rates = roc(members, others)
    return float(true_rates[false_rates <= false_rate].max())


def classifier_accuracy(members: np.ndarray, others: np.ndarray, seed: int) -> tuple[float, int]:
    """Accuracy, 0 to 1, of a logistic regression that is shown the score, and on how many texts: MIA_L and MIA_E of nabla-tau.

    As reported of Trippa et al. 2024 (arXiv 2403.14339), a reconstruction: the larger class is thinned out to the size of the smaller one
    (drawn with `seed`); mean accuracy over 5 stratified folds. Scores are standardised within each fold's training part, so that their
    unit does not matter. Needs 5 texts of each kind.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    size = min(len(members), len(others))
    draw = np.random.default_rng(seed)
    scores = np.concatenate([draw.permutation(each)[:size] for each in (members, others)])
    labels = np.repeat([1, 0], size)
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    classifier = make_pipeline(StandardScaler(), LogisticRegression())
    return float(cross_val_score(classifier, scores[:, None], labels, cv=folds).mean()), 2 * size


def wilson(share: float, count: int) -> tuple[float, float]:
    """95 % interval of a share of `count` independent trials (Wilson 1927)."""
    middle = (share + _Z**2 / (2 * count)) / (1 + _Z**2 / count)
    half = _Z / (1 + _Z**2 / count) * math.sqrt(share * (1 - share) / count + _Z**2 / (4 * count**2))
    return middle - half, middle + half


@dataclass(frozen=True)
class Separation:
    """How well a score tells members from others; every number in percent, 50 = chance for `auc` and `accuracy`.

    Attributes:
        auc, auc_low, auc_high: area under the ROC curve, and its 95 % interval (`auc_interval`).
        true_rate: members found by the best threshold that calls at most `false_rate` of the others members.
        false_rate: 1 with at least 1,000 others, else 10.
        accuracy, accuracy_low, accuracy_high: of the classifier, and its interval (`wilson`). Its predictions are not independent: of scores
            that tell nothing 84 to 91 % of such intervals held 50 here (200 draws each of 50 to 200 members), so near 50 trust the AUC.
    """

    auc: float
    auc_low: float
    auc_high: float
    true_rate: float
    false_rate: float
    accuracy: float
    accuracy_low: float
    accuracy_high: float


def separate(members: np.ndarray, others: np.ndarray, seed: int) -> Separation:
    """All of it, for scores of at least 5 members and 5 others."""
    area = auc(members, others)
    low, high = auc_interval(area, len(members), len(others))
    false_rate = 0.01 if len(others) >= FOR_ONE_PERCENT else 0.1
    accuracy, tried = classifier_accuracy(members, others, seed)
    worst, best = wilson(accuracy, tried)
    return Separation(
        auc=100 * area,
        auc_low=100 * low,
        auc_high=100 * high,
        true_rate=100 * true_rate_at(members, others, false_rate),
        false_rate=100 * false_rate,
        accuracy=100 * accuracy,
        accuracy_low=100 * worst,
        accuracy_high=100 * best,
    )
