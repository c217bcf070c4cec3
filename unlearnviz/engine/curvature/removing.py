"""RemovalInfluence: what leaving a text out of the training would do to the loss of other texts, by influence functions."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from unlearnviz.engine.curvature.solving import DAMPING, Solution, conjugate_gradients
from unlearnviz.engine.progress import Progress
from unlearnviz.errors import BadSetting

if TYPE_CHECKING:
    import torch

    from unlearnviz.engine.curvature.products import CurvatureProduct


class RemovalInfluence:
    """Per text z, by how much the mean token loss of the target texts would change if z had not been taught.

    influence = +(1/n) g(targets)' (H + damping)^-1 g(z)   (Koh & Liang 2017, arXiv 1703.04730; there with the sign of adding z)

    in nats per token; positive = removing the text raises the targets' loss: the text helps them. g is the gradient of a mean token
    loss, H the curvature of the mean token loss of what was taught, and 1/n the share of z's predicted tokens in all that
    were taught: n is the number of texts where all are equally long. This is the answer of one Newton step at a minimum of the
    damped loss; a model that has not converged, or a large damping, makes it smaller than the truth.

    One solve serves all texts, as H is symmetric: s = (H + damping)^-1 g(targets), and then s'g(z) is the derivative of z's loss
    along s, which two backwards give for a whole batch of texts.

    Args:
        product: the curvature, over the taught texts or a sample of them.
        texts: the taught texts to remove, each on its own; those of a single token get 0, for they taught nothing.
        targets: the texts whose loss is asked about.
        taught: all taught texts, for n; by default `texts`.
        damping: what is added to every eigenvalue of H.
        tolerance: relative residual of the solve.
        most: iterations of it at most.
        solution: s, where it is known already; then nothing is solved.

    Attributes:
        influence: shape (texts,), nats per token; NaN where not done.
        solution: how s was found, or None before.
        done: number of texts done.
        notes: sentences about what was left out, done another way or did not converge.
        unit: what `influence` is measured in.
        direction: what its sign means.

    Raises:
        BadForgetSet: none of the texts or targets has two tokens.
        BadSetting: a setting is not positive.
    """

    unit = "nats per token"
    direction = "positive = removing the text raises the targets' loss"

    def __init__(
        self,
        product: CurvatureProduct,
        texts: Sequence[str],
        targets: Sequence[str],
        *,
        taught: Sequence[str] | None = None,
        damping: float = DAMPING,
        tolerance: float = 1e-3,
        most: int = 100,
        solution: Solution | None = None,
    ) -> None:
        smooth = product.smooth
        self.product, self.texts = product, list(texts)
        self.targets = smooth.usable(targets, "target texts")
        smooth.usable(texts, "texts to remove")
        self.tokens = smooth.predicted(self.texts if taught is None else taught)
        if self.tokens < smooth.predicted([max(texts, key=lambda text: len(smooth.model.encode(text)))]):
            raise BadSetting(
                "taught= holds fewer tokens than one of the texts to remove; give all texts that the model was taught."
            )
        self._solving = {"damping": damping, "tolerance": tolerance, "most": most}
        self.influence = np.full(len(self.texts), np.nan)
        self.solution = solution
        self.done = 0

    @property
    def notes(self) -> list[str]:
        """Sentences about what was left out, done another way or did not converge."""
        ending = [] if self.solution is None or self.solution.converged else [self.solution.note]
        return [*self.product.notes, *ending]

    def running(self) -> Generator[Progress, None, None]:
        """Solve, then go over all texts; what is done stays when it is closed, and goes on when run again."""
        smooth = self.product.smooth
        if self.solution is None:
            target = smooth.gradient(self.targets)
            yield Progress(0, None, "gradient of the targets")
            self.solution = yield from conjugate_gradients(self.product, target, **self._solving)  # type: ignore[arg-type]
        for k, text in enumerate(self.texts):
            if np.isnan(self.influence[k]) and len(smooth.model.encode(text)) < 2:
                self.influence[k] = 0.0
                self.done += 1
        left = [k for k in range(len(self.texts)) if np.isnan(self.influence[k])]
        for indices, sums in _sums_along(self.product, [self.texts[k] for k in left], self.solution.vector):
            for index, summed in zip(indices, sums, strict=True):
                self.influence[left[index]] = summed / self.tokens
            self.done += len(indices)
            yield Progress(self.done, len(self.texts), f"{self.done} of {len(self.texts)} texts")


def _sums_along(
    product: CurvatureProduct, texts: Sequence[str], vector: Mapping[str, torch.Tensor]
) -> Generator[tuple[list[int], list[float]], None, None]:
    """Batch by batch, the derivative along a vector of each text's summed token losses."""
    smooth = product.smooth
    given = smooth.vector(vector)
    for indices, batch in smooth.batches(texts):
        with smooth.differentiating() as parameters:
            losses, predicted = smooth.model.losses(batch)
            moved = smooth.tangents(losses, parameters)(given).detach().double()
            del losses
        yield indices, [float(each.sum()) for each in moved.cpu().split(predicted.sum(dim=1).tolist())]
