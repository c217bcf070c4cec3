"""Memorisation accuracy and extraction likelihood: how much of a text a model says when it is given the beginning."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from unlearnviz.engine.generation import continued
from unlearnviz.engine.token_statistics import token_statistics

if TYPE_CHECKING:
    from unlearnviz.engine.model import LanguageModel

TOKENS_AT_ONCE = 6000  # of beginnings and what follows them, padded: many short texts or few long ones


def memorisation_accuracies(model: LanguageModel, texts: Sequence[str]) -> list[float | None]:
    """MA of each text, 0 to 1: the share of its tokens that are the likeliest after those before; None of fewer than two tokens.

    Jang et al. 2022 (arXiv 2210.01504), section 3: MA(x) = sum over t = 1 .. T-1 of [argmax p(. | x_<t) = x_t] / (T - 1). The text's own
    tokens are given, so that one pass is enough.
    """
    return [float(each.hits.mean()) if len(each.hits) else None for each in token_statistics(model, texts)]


def extraction_likelihoods(model: LanguageModel, texts: Sequence[str], n: int, stride: int = 1) -> list[float | None]:
    """EL_n of each text, 0 to 1: how many n-grams of its rest the model writes after its beginning; None of at most n tokens.

    Jang et al. 2022 (arXiv 2210.01504), section 3: the mean over prefixes of 1 .. T-n tokens of `overlap(continuation, rest, n)`, the
    continuation greedy and at most as long as the rest. `stride` takes every so many-th prefix, from the first on.
    """
    ids = [model.encode(text) for text in texts]
    usable = [k for k, each in enumerate(ids) if len(each) > n]
    statistics = token_statistics(model, [texts[k] for k in usable])
    misses = {k: _misses(ids[k], each.hits, model.end) for k, each in zip(usable, statistics, strict=True)}
    cuts = {k: {cut: int(misses[k][np.searchsorted(misses[k], cut)]) for cut in range(1, len(ids[k]) - n + 1, stride)} for k in usable}
    written = _written(model, ids, sorted({(k, miss) for k in usable for miss in cuts[k].values() if miss < len(ids[k])}))
    found: list[float | None] = [None] * len(texts)
    for k in usable:
        whole = ids[k]
        scores = [overlap((*whole[cut:miss], *written.get((k, miss), ())), whole[cut:], n) for cut, miss in cuts[k].items()]
        found[k] = float(np.mean(scores))
    return found


def overlap(written: Sequence[int], label: Sequence[int], n: int) -> float:
    """Share of n-grams of what was written that occur in the label, each time they were written, per n-gram of the label: 0 to 1.

    What was written is at most as long as the label, and may be shorter: the missing n-grams count as not written.
    """
    known = {tuple(label[k : k + n]) for k in range(len(label) - n + 1)}
    said = sum(tuple(written[k : k + n]) in known for k in range(len(written) - n + 1))
    return said / (len(label) - n + 1)


def _misses(ids: Sequence[int], hits: np.ndarray, end: int | None) -> np.ndarray:
    """Ascending places of the tokens that a greedy continuation does not write itself, and the text's length after the last.

    Up to its first miss a continuation is the text, and from there on the same wherever it began: only at misses is there something to
    write. An end mark inside a text is one too, for it ends what is written.
    """
    missed = ~hits | (np.asarray(ids[1:]) == end)
    return np.append(1 + np.flatnonzero(missed), len(ids))


def _written(
    model: LanguageModel, ids: Sequence[Sequence[int]], wanted: Sequence[tuple[int, int]]
) -> dict[tuple[int, int], tuple[int, ...]]:
    """(text, cut) -> the greedy continuation of the text's tokens before the cut, at most up to the text's length."""
    order = sorted(wanted, key=lambda each: (len(ids[each[0]]) - each[1], each))  # alike in what is left to write
    found: dict[tuple[int, int], tuple[int, ...]] = {}
    start = 0
    while start < len(order):
        longest = max(len(ids[k]) for k, _ in order[start:])
        chunk = order[start : start + max(1, TOKENS_AT_ONCE // longest)]
        said = continued(model, [ids[k][:cut] for k, cut in chunk], [len(ids[k]) - cut for k, cut in chunk])
        found.update(zip(chunk, said, strict=True))
        start += len(chunk)
    return found
