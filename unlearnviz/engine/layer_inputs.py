"""Layer inputs: what reaches linear layers and the token embedding while texts are read, summed up token by token."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

if TYPE_CHECKING:
    from unlearnviz.engine.model import LanguageModel


@dataclass(frozen=True, eq=False)
class Layer:
    """One use of a matrix.

    Attributes:
        name: of the parameter.
        module: that applies it.
        lookup: whether it is looked up by token id, and not multiplied with.
        inputs_first: whether a multiplied matrix is (inputs, outputs), as in GPT-2's blocks, or (outputs, inputs).
    """

    name: str
    module: Any
    lookup: bool
    inputs_first: bool


def layers(model: LanguageModel, parameters: Mapping[str, torch.Tensor]) -> tuple[Layer, ...]:
    """The uses of some parameters in linear layers and as the token embedding, in the model's order; of a tied matrix there are two.

    Args:
        parameters: name -> tensor. Also where a step follows one use of a tied matrix, editing it changes both.
    """
    from transformers.pytorch_utils import Conv1D

    names = {parameter.data_ptr(): name for name, parameter in parameters.items()}
    table = model.module.get_input_embeddings()
    kinds = [each for each in model.module.modules() if each is table or isinstance(each, nn.Linear | Conv1D)]
    named = [(names.get(each.weight.data_ptr()), each) for each in kinds]
    return tuple(Layer(name, each, each is table, isinstance(each, Conv1D)) for name, each in named if name is not None)


class LayerInputs:
    """Sums over the tokens of texts.

    Args:
        model: what reads; dropout is off while it does.
        watched: its layers that are looked at.

    Attributes:
        sums: layer -> of a lookup, how often each token came, int64 of shape (vocabulary,); else the sum of a^T a over its inputs a,
            float64 of shape (inputs, inputs). A layer that nothing went through is not in it.
    """

    def __init__(self, model: LanguageModel, watched: Sequence[Layer]) -> None:
        self.model, self.watched = model, watched
        self.sums: dict[Layer, torch.Tensor] = {}

    @torch.no_grad()
    def read(self, texts: Sequence[str]) -> None:
        """Read some texts in one batch, and add what reaches the layers; padding does not count."""
        batch = self.model.batch(texts)
        tokens = batch.attention_mask.bool().flatten()
        handles = [layer.module.register_forward_pre_hook(self._adding(layer, tokens)) for layer in self.watched]
        try:
            with self.model.quiet():
                self.model.logits(batch)
        finally:
            for handle in handles:
                handle.remove()

    def _adding(self, layer: Layer, tokens: torch.Tensor) -> Callable[..., None]:
        def add(module: Any, given: tuple[torch.Tensor, ...]) -> None:
            flat = given[0].flatten() if layer.lookup else given[0].flatten(0, -2)  # (texts x tokens) or (texts x tokens, inputs)
            if len(flat) == len(tokens):  # a layer that is shown a choice of them, as an expert, is shown no padding on purpose
                flat = flat[tokens.to(flat.device)]
            found = torch.bincount(flat, minlength=len(module.weight)) if layer.lookup else flat.double().T @ flat.double()
            self.sums[layer] = self.sums[layer] + found if layer in self.sums else found

        return add


def leading(squares: torch.Tensor, share: float) -> torch.Tensor:
    """Orthonormal columns (inputs, k): the directions of the k largest singular values of inputs whose squares are summed in `squares`.

    k is the largest number of them whose sum is at most `share` (0 to 1) of the sum of all: none at 0, and at 1 every direction that
    the inputs have, up to rounding.
    """
    values, vectors = torch.linalg.eigh(squares)
    values, vectors = values.flip(0), vectors.flip(1)  # descending
    values = values[values > values[0] * len(values) * torch.finfo(values.dtype).eps]
    sums = values.sqrt().cumsum(0)
    count = int((sums <= share * sums[-1:]).sum())
    found: torch.Tensor = vectors[:, :count]
    return found
