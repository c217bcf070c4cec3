"""Products of a vector with the curvature of the loss: the Hessian, or its Gauss-Newton part, without ever forming either.

For g the gradient of the loss, H v is the derivative of g'v (Pearlmutter 1994). The gradient is recorded once, and each vector
costs one backward through it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch.autograd.graph import saved_tensors_hooks

from unlearnviz.engine.curvature.smooth import SmoothModel, Tensors
from unlearnviz.engine.progress import Progress, drain
from unlearnviz.errors import NotPossible

if TYPE_CHECKING:
    from unlearnviz.engine.model import Batch, LanguageModel
    from unlearnviz.engine.selection import ParameterSelection

MEMORY = 2**31  # bytes of recorded gradients to keep between products
Multiply = Callable[[Tensors], Sequence[torch.Tensor | None]]


class CurvatureProduct:
    """The curvature of the mean token loss of all texts together, in the selected parameters, as something to multiply by.

    The loss is weighted by tokens: texts are taken in several batches where they do not fit into one, with the same result.
    What one batch records is kept for the next vector as long as all that is kept fits into `memory`; the batches beyond
    are recorded anew for each vector, at about 1.5 times the cost of theirs, so that memory stays bounded.

    Args:
        model: its weights are looked at; products refuse to go on once they have changed.
        texts: whose loss it is; those of a single token are left out.
        where: the parameters to differentiate by; the product is restricted to them on both sides.
        memory: bytes to keep between products.

    Attributes:
        smooth: the model as it is differentiated.
        texts: those that count.
        tokens: how many tokens are predicted in them.
        notes: sentences about what was left out or done another way.
        products: number of vectors multiplied so far.

    Raises:
        BadForgetSet: no text has two tokens.
        BadSelection: the selection matches no parameter.
    """

    name = "curvature"

    def __init__(
        self,
        model: LanguageModel,
        texts: Sequence[str],
        where: str | ParameterSelection = "embedding",
        *,
        memory: int = MEMORY,
    ) -> None:
        self.smooth = SmoothModel(model, where)
        self.texts = self.smooth.usable(texts)
        self.tokens = self.smooth.predicted(self.texts)
        self.products = 0
        self._batches = [batch for _, batch in self.smooth.batches(self.texts)]
        self._memory, self._room = memory, memory
        self._per_text: float | None = None
        self._kept: dict[int, Multiply] = {}

    @property
    def notes(self) -> list[str]:
        """Sentences about what was left out or done another way."""
        return self.smooth.notes

    @property
    def kept(self) -> int:
        """Number of batches of which the recorded gradient is kept."""
        return len(self._kept)

    def times(self, vector: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """The curvature times a vector over the selected parameters, name -> tensor.

        Raises:
            BadSetting: names or shapes are not those of the selected parameters.
            BadSelection: the loss does not depend on the selected parameters.
            NotPossible: a gradient or a product is not finite, or the weights were changed since.
        """
        return drain(self.multiplying(vector))

    def multiplying(self, vector: Mapping[str, torch.Tensor]) -> Generator[Progress, None, dict[str, torch.Tensor]]:
        """`times` as long work: one report per batch, each a point to stop at."""
        given = self.smooth.vector(vector)
        total = self.smooth.zeros()
        for done, batch in enumerate(self._batches):
            with self.smooth.differentiating() as parameters:
                multiply = self._kept.get(done) or self._recorded(done, batch, parameters)
                found = multiply(given)
                del multiply
            for summed, each in zip(total.values(), found, strict=True):
                if each is not None:
                    summed.add_(each)
            yield Progress(done + 1, len(self._batches), f"batch {done + 1} of {len(self._batches)}")
        if not all(bool(torch.isfinite(each).all()) for each in total.values()):
            raise NotPossible(
                f"The {self.name} times this vector is not finite; take a shorter vector, or undo the step that overshot."
            )
        self.products += 1
        return total

    def gradient(self) -> dict[str, torch.Tensor]:
        """The gradient of the same loss."""
        return self.smooth.gradient(self.texts)

    def _recorded(self, number: int, batch: Batch, parameters: Tensors) -> Multiply:
        """What multiplies by one batch's share of the curvature; kept where there is room."""
        needs = int(self._bytes_per_token(parameters) * batch.input_ids.numel())
        multiply = self._record(batch, parameters)
        if needs <= self._room:
            self._room -= needs
            self._kept[number] = multiply
        elif not any("anew" in note for note in self.notes):
            self.notes.append(
                f"The {len(self._batches)} batches do not all fit into the {self._memory / 2**20:.0f} MiB to be kept between products; "
                "some are recorded anew for each."
            )
        return multiply

    def _bytes_per_token(self, parameters: Tensors) -> float:
        """What recording the longest text keeps, per token; a batch is padded to its longest and grows with its texts."""
        if self._per_text is None:
            longest = max(self.texts, key=lambda text: len(self.smooth.model.encode(text)))
            own = {parameter.untyped_storage().data_ptr() for parameter in self.smooth.model.parameters.values()}
            sizes: dict[int, torch.UntypedStorage] = {}

            def pack(tensor: torch.Tensor) -> torch.Tensor:
                storage = tensor.untyped_storage()
                if storage.data_ptr() not in own:
                    sizes[storage.data_ptr()] = storage  # held, so that no address is used twice
                return tensor.detach()

            batch = self.smooth.model.batch([longest])
            with saved_tensors_hooks(pack, lambda tensor: tensor):
                self._record(batch, parameters)
            self._per_text = sum(storage.nbytes() for storage in sizes.values()) / batch.input_ids.numel()
        return self._per_text

    def _record(self, batch: Batch, parameters: Tensors) -> Multiply:
        raise NotImplementedError


class HessianProduct(CurvatureProduct):
    """H v, with H the second derivatives of the mean token loss: exact, and indefinite away from a minimum."""

    name = "Hessian"

    def _record(self, batch: Batch, parameters: Tensors) -> Multiply:
        loss = self.smooth.model.losses(batch)[0].sum() / self.tokens
        gradients = self.smooth.slopes(loss, parameters)

        def multiply(vector: Tensors) -> Sequence[torch.Tensor | None]:
            if not gradients:  # the loss is linear here
                return [None] * len(parameters)
            weights = [vector[k] for k in gradients]
            return torch.autograd.grad(list(gradients.values()), parameters, weights, retain_graph=True, allow_unused=True)

        return multiply


class GaussNewtonProduct(CurvatureProduct):
    """J' D J v, with J the derivatives of the logits and D the second derivatives of the loss by the logits.

    What is left of the Hessian where the logits are taken as linear in the weights; equal to the Fisher matrix of the model's
    own predictions, and never negative (Schraudolph 2002; Martens 2014, arXiv 1412.1193).
    """

    name = "Gauss-Newton matrix"

    def _record(self, batch: Batch, parameters: Tensors) -> Multiply:
        predicted = batch.labels[:, 1:] != -100
        logits = self.smooth.model.logits(batch)[:, :-1][predicted]  # (predicted, vocabulary)
        along = self.smooth.tangents(logits, parameters)
        chances, tokens = logits.detach().softmax(dim=-1), self.tokens

        def multiply(vector: Tensors) -> Sequence[torch.Tensor | None]:
            moved = along(vector)
            curved = chances * (moved - (chances * moved).sum(dim=-1, keepdim=True)) / tokens
            return torch.autograd.grad(logits, parameters, grad_outputs=curved, retain_graph=True, allow_unused=True)

        return multiply
