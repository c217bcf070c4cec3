"""Aim: the gradient of some texts together, kept as what it is a sum of, for other texts to be compared with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from unlearnviz.engine.gradients.passing import one_pass
from unlearnviz.engine.gradients.products import Pull, overlap, pull
from unlearnviz.engine.gradients.uses import Use, Watching
from unlearnviz.engine.mean_gradient import text_gradient
from unlearnviz.engine.weights import square_norm

if TYPE_CHECKING:
    from unlearnviz.engine.model import LanguageModel


class Aim:
    """The gradient of the mean token loss of texts, never formed where its tokens are the smaller thing to keep.

    Args:
        texts: each of two tokens or more.
        looped: names of the parameters that go through autograd.
        without: names of those that are not watched, the looped among them.
        each: keep the texts apart.

    Attributes:
        pulls: parameter name -> its gradient, one Pull per use of the parameter.
        looped: parameter name -> gradient, for the others.
        apart: with `each`, the same for each text alone.
        weights: share of each text in the mean over all tokens, shape (texts,), float64.
        owners: number of texts that are kept apart, or 0.
    """

    def __init__(
        self, model: LanguageModel, texts: Sequence[str], looped: frozenset[str], without: frozenset[str], *, each: bool
    ) -> None:
        lengths = torch.tensor([len(model.encode(text)) - 1 for text in texts], dtype=torch.float64, device=model.device)
        self.weights, self.owners = lengths / lengths.sum(), len(texts) if each else 0
        self.pulls: dict[str, list[Pull]] = {}
        for indices in model.chunks(range(len(texts)), texts):
            self._add(
                model,
                [texts[k] for k in indices],
                torch.tensor(indices, device=model.device),
                without,
                int(lengths.sum()),
            )
        self.looped = text_gradient(model, texts, looped) if looped else {}
        self.apart = [text_gradient(model, [text], looped) for text in texts] if looped and each else []

    def _add(
        self, model: LanguageModel, texts: Sequence[str], indices: torch.Tensor, without: frozenset[str], tokens: int
    ) -> None:
        rows = [len(model.encode(text)) - 1 for text in texts]
        real = torch.arange(max(rows), device=model.device) < torch.tensor(rows, device=model.device)[:, None]

        def meet(use: Use, gradient: torch.Tensor, _watching: Watching) -> None:
            more = pull(use, gradient, indices, real, tokens=tokens, each=bool(self.owners))
            known = self.pulls.setdefault(use.name, [])
            same = next((k for k, kept in enumerate(known) if kept.use == more.use), None)
            if same is None:
                known.append(more)
            else:
                known[same] = known[same].plus(more)

        one_pass(model, texts, meet, without=without, per_token=None if self.owners else 1 / tokens)

    def squares(self) -> dict[str, dict[str, float]]:
        """Parameter name -> squared L2 norm of the whole gradient, in parts: by use, and under "both" what two uses share."""
        found: dict[str, dict[str, float]] = {}
        for name, pulls in self.pulls.items():
            if self.owners:
                weights = self.weights.to(pulls[0].gradients.dtype if pulls[0].gradients is not None else torch.float64)
                pulls = [each.weighted(weights) for each in pulls]  # noqa: PLW2901
            found[name] = {each.use: overlap(each, each) for each in pulls}
            if len(pulls) == 2:
                found[name]["both"] = 2 * overlap(*pulls)
        for name, gradient in self.looped.items():
            found[name] = {"looped": square_norm(gradient)}
        return found
