"""ProjectedGradient: ascent on the forget texts, beside the input directions that texts to keep use."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from unlearnviz.engine.descent import Descent
from unlearnviz.engine.layer_inputs import Layer, LayerInputs, layers, leading
from unlearnviz.engine.methods.gradient_ascent import GradientAscent
from unlearnviz.engine.progress import Progress
from unlearnviz.engine.settings import setting
from unlearnviz.engine.work import total_norm
from unlearnviz.errors import NotPossible

if TYPE_CHECKING:
    from unlearnviz.engine.work import Work

ROUNDING = 100  # machine epsilons: where a projection leaves less of an update, it has left nothing


@dataclass(frozen=True, kw_only=True)
class ProjectedGradient(GradientAscent):
    """Climb the mean token loss of the forget texts without the part of each update that texts to keep would feel.

    In a linear layer y = a W, W <- W + step * (G - P G), where P projects on the leading k right singular vectors of the inputs a of
    all tokens of the texts to keep: what these directions carry goes through as before. k is the largest number of singular values whose
    sum is at most `protect` of the sum of all; at 1 the texts that were looked at keep every logit, and a layer whose inputs they fill
    is frozen. The token embedding is a linear layer of one-hot inputs: there P freezes the rows of the
    tokens of those texts, whatever `protect` is. A tied matrix is protected in both uses, whichever is followed. All else that
    is selected is frozen: biases, norms, positions, and layers that the texts to keep did not go through.

    The inputs are read anew for each step, at its start. With AdamW it is the update that is projected, and not the gradient.
    """

    source = (
        "Hoang et al. 2023, arXiv 2312.04095, projected-gradient unlearning (reconstruction: plain ascent on the loss of tokens in place of "
        "the paper's loss of classes)"
    )

    protect: float = setting(
        0.95, help="Share of the singular values of a layer's inputs whose directions stay untouched (rho).", minimum=0, maximum=1
    )
    texts: int = setting(256, help="Texts to keep whose inputs are looked at, at most.", minimum=1, maximum=100_000)

    def run(self, work: Work) -> Iterator[Progress]:
        """Read texts to keep, find the directions that they use, and climb beside these."""
        self.need_retain(work)
        watched = layers(work.model, work.parameters)
        if not watched:
            raise NotPossible(
                f"{self.name} moves linear layers and the token embedding, and this selection holds neither, but {next(iter(work.parameters))}; "
                "choose for example 'block 0' or 'embedding'."
            )
        inputs, texts = LayerInputs(work.model, watched), self._drawn(work)
        for done, indices in enumerate(work.model.chunks(range(len(texts)), texts)):
            inputs.read([texts[k] for k in indices])
            yield Progress(done + 1, None, "texts to keep read")
        beside = Beside(self)
        for done, (layer, sums) in enumerate(inputs.sums.items()):
            beside.protect(layer, sums)
            yield Progress(done + 1, len(inputs.sums), f"{done + 1} of {len(inputs.sums)} layers protected")
        forget, climb = work.batches(work.forget, self.batch_size), Descent(self, work, beside)
        for done in range(self.updates):
            climb(self.loss(work, next(forget), None))
            yield Progress(done + 1, self.updates, f"update {done + 1} of {self.updates}")
        climb.finish()

    def _drawn(self, work: Work) -> list[str]:
        """Texts to keep of which anything is predicted: all, or as many as are looked at."""
        texts = [passage.text for passage in work.retain if len(work.model.encode(passage.text)) > 1]
        if len(texts) <= self.texts:
            return texts
        return [texts[k] for k in torch.randperm(len(texts), generator=work.generator)[: self.texts].tolist()]


class Beside:
    """Takes out of updates what the texts to keep would feel; updates are dictionaries of parameter name -> tensor.

    Args:
        method: whose settings say how many directions are protected.
    """

    def __init__(self, method: ProjectedGradient) -> None:
        self.method = method
        self.cuts: dict[str, list[Callable[[torch.Tensor], torch.Tensor]]] = {}  # one for each use of a parameter

    def protect(self, layer: Layer, sums: torch.Tensor) -> None:
        """Protect the texts whose inputs to a layer were summed up in its `LayerInputs.sums`."""
        cut = Rows(sums.nonzero()[:, 0]) if layer.lookup else Span(leading(sums, self.method.protect), layer.inputs_first)
        self.cuts.setdefault(layer.name, []).append(cut)

    def __call__(self, update: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """The update beside what is protected: 0 where nothing may move.

        Raises:
            NotPossible: nothing but rounding is left, of which an update of a given length would be made.
        """
        left = {}
        for name, tensor in update.items():
            left[name] = tensor if name in self.cuts else torch.zeros_like(tensor)
            for cut in self.cuts.get(name, ()):
                left[name] = cut(left[name])
        rounding = ROUNDING * max(torch.finfo(tensor.dtype).eps for tensor in update.values())
        if total_norm(left) <= rounding * total_norm(update):
            raise NotPossible(
                f"Texts to keep use every input of the selected layers that this update of {self.method.name} would act on, so nothing of it is "
                "left; lower protect or texts, or choose other layers."
            )
        return left


@dataclass(frozen=True, eq=False)
class Rows:
    """Freezes rows of a table; `ids` of shape (frozen,)."""

    ids: torch.Tensor

    def __call__(self, update: torch.Tensor) -> torch.Tensor:
        """The update with 0 in these rows."""
        return update.index_fill(0, self.ids, 0)


@dataclass(frozen=True, eq=False)
class Span:
    """Removes what acts on inputs in the span of orthonormal columns.

    Attributes:
        directions: (inputs, k), float64.
        inputs_first: whether updates are (inputs, outputs) or (outputs, inputs).
    """

    directions: torch.Tensor
    inputs_first: bool

    def __call__(self, update: torch.Tensor) -> torch.Tensor:
        """The update without its part along the directions; exactly 0 where they are all there are."""
        if self.directions.shape[0] == self.directions.shape[1]:
            return torch.zeros_like(update)
        exact = update.to(torch.promote_types(update.dtype, torch.float32))
        basis = self.directions.to(exact.dtype)
        felt = basis @ (basis.T @ exact) if self.inputs_first else (exact @ basis) @ basis.T
        return (exact - felt).to(update.dtype)
