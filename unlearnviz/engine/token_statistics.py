"""Token statistics: what a model expected at each token of a text, in float64: the ground that measures of memory stand on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from unlearnviz.engine.model import LanguageModel

LOGITS_AT_ONCE = 2**20  # 8 MiB in float64: a large vocabulary is never held twice as a whole


@dataclass(frozen=True)
class TokenStatistics:
    """One text, token by token; each array has one entry per token but the first, which nothing predicts: shape (tokens - 1,).

    Attributes:
        log_probabilities: log p of the token that follows, float64, nats, at most 0.
        means: sum of p log p over the vocabulary: the log p that the model expects to find; float64, nats, -log(vocabulary) to 0.
        deviations: standard deviation of log p under p itself, float64, nats; exactly 0 where all tokens are equally likely.
        entropies: of p, float64, nats: the means with the other sign.
        hits: whether the token that follows is the likeliest one (of equals the first in the vocabulary), bool.
    """

    log_probabilities: np.ndarray
    means: np.ndarray
    deviations: np.ndarray
    entropies: np.ndarray
    hits: np.ndarray

    @property
    def standardised(self) -> np.ndarray:
        """(log p - mean) / deviation of each token: the z of Min-K%++ (Zhang et al. 2024, arXiv 2404.02936, section 3).

        0 where the deviation is 0: of equally likely tokens none is more expected than another.
        """
        away = self.log_probabilities - self.means
        found: np.ndarray = np.divide(away, self.deviations, out=np.zeros_like(away), where=self.deviations > 0)
        return found

    @classmethod
    def of(cls, logits: torch.Tensor, targets: torch.Tensor) -> TokenStatistics:
        """From logits (tokens - 1, vocabulary) of any floating type and the ids that follow (tokens - 1,)."""
        rows = max(1, LOGITS_AT_ONCE // logits.shape[-1])
        parts = [_columns(*part) for part in zip(logits.split(rows), targets.split(rows), strict=True)]
        return cls(*(torch.cat(column).cpu().numpy() for column in zip(*parts, strict=True)))

    def split(self, lengths: Sequence[int]) -> list[TokenStatistics]:
        """The same of several texts that stand one after the other, text by text."""
        ends = np.cumsum(lengths)[:-1]
        columns = [np.split(getattr(self, each.name), ends) for each in fields(self)]
        return [TokenStatistics(*row) for row in zip(*columns, strict=True)]


def _columns(logits: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """The columns of TokenStatistics for some tokens."""
    logs = logits.double().log_softmax(dim=-1)  # (tokens, vocabulary)
    shares = logs.exp()
    entropies = torch.special.entr(shares).sum(dim=-1)  # a token of probability 0 adds 0
    away = torch.where(shares > 0, logs + entropies[:, None], 0)
    equal = logits.amax(dim=-1) == logits.amin(dim=-1)  # rounding would leave a deviation of 1e-16, and then a z of any size
    deviations = (shares * away.square()).sum(dim=-1).sqrt().masked_fill(equal, 0)
    hits = logits.argmax(dim=-1) == targets
    return logs.gather(1, targets[:, None])[:, 0], -entropies, deviations, entropies, hits


@torch.no_grad()
def token_statistics(model: LanguageModel, texts: Sequence[str]) -> list[TokenStatistics]:
    """Per text, what the model expected at each token; empty arrays for a text of fewer than two tokens.

    Batches of similar length, without dropout and without gradients. The logits are the model's own: in half precision they are
    as coarse as the model makes them, and only what is computed from them is in float64.
    """
    found: dict[int, TokenStatistics] = {}
    with model.quiet():
        for indices in model.chunks([k for k, text in enumerate(texts) if len(model.encode(text)) > 1], texts):
            batch = model.batch([texts[k] for k in indices])
            targets = batch.labels[:, 1:]
            predicted = targets != -100
            together = TokenStatistics.of(model.logits(batch)[:, :-1][predicted], targets[predicted])
            found.update(zip(indices, together.split(predicted.sum(dim=1).tolist()), strict=True))
    nothing = np.zeros(0)
    empty = TokenStatistics(nothing, nothing, nothing, nothing, np.zeros(0, dtype=bool))
    return [found.get(k, empty) for k in range(len(texts))]
