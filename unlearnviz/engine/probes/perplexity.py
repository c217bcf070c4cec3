"""Perplexity: how surprised the model is by the four groups of texts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from unlearnviz.engine.probes.probe import Probe, Reading, View
from unlearnviz.engine.settings import setting

if TYPE_CHECKING:
    from unlearnviz.engine.corpus import Corpus, Passage
    from unlearnviz.engine.model import LanguageModel


@dataclass(frozen=True)
class Perplexity(Probe):
    """exp of the mean token loss, per group and per text.

    Token-weighted: perplexity = exp(sum of token losses / number of predicted tokens), over all tokens but the first, which
    has no prediction. Ranges from 1 (knows every word) upwards; about the vocabulary size for a model that knows nothing.
    Rows: {"group", "perplexity", "nll" (nats per token), "tokens", "per_text": {id: perplexity}}. The headline is the forget group's.
    """

    unit = "perplexity"
    direction = "lower = better remembered"

    of_answer: bool = setting(default=False, help="Only the tokens of the fact, where one is marked.")

    def measure(self, model: LanguageModel, corpus: Corpus, view: View) -> Reading:  # noqa: ARG002
        """One row per group that has texts."""
        rows = perplexity_rows(model, view.groups, of_answer=self.of_answer)
        forget = next((row["perplexity"] for row in rows if row["group"] == "forget"), None)
        return self.reading(forget, rows)


def perplexity_rows(model: LanguageModel, groups: Any, *, of_answer: bool = False) -> list[dict[str, Any]]:
    """Rows as described at `Perplexity`, for any mapping from group name to passages."""
    everyone: list[Passage] = [passage for members in groups.values() for passage in members]
    losses = model.token_losses([passage.text for passage in everyone])
    if of_answer:
        losses = [row[model.answer_tokens(p) - 1 :] if p.answer_start is not None else row for p, row in zip(everyone, losses, strict=True)]
    by_id = {passage.id: row.double() for passage, row in zip(everyone, losses, strict=True)}
    rows = []
    for group, members in groups.items():
        counted = [passage for passage in members if len(by_id[passage.id])]
        if not counted:
            continue
        tokens = torch.cat([by_id[passage.id] for passage in counted])
        nll = float(tokens.mean())
        rows.append(
            {
                "group": group,
                "perplexity": exponential(nll),
                "nll": nll,
                "tokens": len(tokens),
                "per_text": {passage.id: exponential(float(by_id[passage.id].mean())) for passage in counted},
            }
        )
    return rows


def exponential(nll: float) -> float:
    """exp without an OverflowError: infinity is an honest perplexity."""
    try:
        return math.exp(nll)
    except OverflowError:
        return math.inf
