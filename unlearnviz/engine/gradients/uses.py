"""Uses: where in a forward pass each parameter takes part, found by watching the operations and not the kinds of layers.

A gradient of a parameter is made of what the operation was given and of the gradient of what it gave. Both are there after
the activations' half of one backward, so the gradients themselves (one per text and parameter) are never formed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional
from torch.overrides import TorchFunctionMode


@dataclass(frozen=True)
class Use:
    """One parameter in one operation.

    Attributes:
        name: of the parameter.
        kind: "matrix" (inputs times the parameter), "rows" (looked up by id) or "entries" (scales or shifts each width).
        inputs: "matrix": (texts, tokens, inputs); "rows": ids of shape (texts, tokens); "entries": what is scaled, of shape
            (texts, tokens, width) or (texts, tokens, heads, width), or None where the parameter is added.
        skipped: the id that a lookup keeps out of its gradients, or None.
    """

    name: str
    kind: str
    inputs: torch.Tensor | None
    skipped: int | None = None


Meet = Callable[[tuple[Use, ...], torch.Tensor], None]


class Watching(TorchFunctionMode):
    """Inside, each operation on a parameter is noted, and `meet(uses, gradient)` is called when its gradient is there.

    Args:
        parameters: name -> parameter.
        texts, tokens: shape of the batch that is sent through.
        meet: receives the uses of one operation with the gradient of its output, of shape (texts, tokens, ...).

    Attributes:
        unknown: names of the parameters that were used in a way which is not understood.
        counts: name -> kind -> how often it was used so.
        leaves: tensors at which the graph begins.
        looked_up: name -> the ids that were looked up in it, shape (texts, tokens).
    """

    def __init__(self, parameters: Mapping[str, torch.Tensor], texts: int, tokens: int, meet: Meet) -> None:
        super().__init__()
        self.names = {id(parameter): name for name, parameter in parameters.items()}
        self.texts, self.tokens, self.meet = texts, tokens, meet
        self.unknown: set[str] = set()
        self.counts: dict[str, dict[str, int]] = {}
        self.leaves: list[torch.Tensor] = []
        self.looked_up: dict[str, torch.Tensor] = {}

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        names = [name for each in (*args, *kwargs.values()) if (name := self.names.get(id(each))) is not None]
        result = func(*args, **kwargs)
        if not names or not isinstance(result, torch.Tensor) or id(result) in self.names:
            return result
        reader = _READERS.get(func)
        uses = (reader(self, *args, **kwargs) if reader is not None else None) or []
        shape = self._shape(result, lookup=any(use.kind == "rows" for use in uses))
        if shape is None or {use.name for use in uses} != set(names):
            self.unknown.update(names)
            return result
        return self._note(tuple(uses), result, shape)

    def _note(self, uses: tuple[Use, ...], result: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
        for use in uses:
            counts = self.counts.setdefault(use.name, {})
            counts[use.kind] = counts.get(use.kind, 0) + 1
            if use.kind == "rows" and use.inputs is not None:
                self.looked_up[use.name] = use.inputs
        if not result.requires_grad:  # nothing before it has a gradient: the graph begins here, one row for each text
            result = result.detach()
            result = (result if result.numel() == math.prod(shape) else result.expand(shape)).requires_grad_()
            self.leaves.append(result)
        result.register_hook(lambda gradient: self.meet(uses, gradient.reshape(shape)))
        return result

    def _shape(self, result: torch.Tensor, *, lookup: bool) -> tuple[int, ...] | None:
        """The result's shape with texts and tokens in front; None where they cannot be told."""
        shape, batch = tuple(result.shape), (self.texts, self.tokens)
        if shape[:2] == batch and (len(shape) == 3 or (len(shape) == 4 and shape[2] != self.tokens)):
            return shape
        if len(shape) == 2 and shape[0] == self.texts * self.tokens:
            return (*batch, shape[1])
        if lookup and shape[-2] == self.tokens and shape[:-2] in ((), (1,)):  # positions, looked up once for all texts
            return (*batch, shape[-1])
        return None

    @property
    def unfit(self) -> set[str]:
        """Names of the parameters for whose gradients there is no rule: used in an unknown way, or twice in the same way."""
        fit = ({"matrix": 1}, {"rows": 1}, {"entries": 1}, {"matrix": 1, "rows": 1})
        return self.unknown | {name for name, counts in self.counts.items() if counts not in fit}

    def of(self, parameter: Any) -> str | None:
        """Name of a parameter, None for anything else."""
        return self.names.get(id(parameter))

    def rows(self, inputs: torch.Tensor) -> torch.Tensor:
        """Inputs with texts and tokens in front."""
        return inputs.detach().reshape(self.texts, self.tokens, -1)


Read = list[Use] | None


def _fits(watching: Watching, inputs: torch.Tensor) -> bool:
    return inputs.shape[:-1].numel() == watching.texts * watching.tokens


def _linear(watching: Watching, inputs: torch.Tensor, weight: Any, bias: Any = None) -> Read:
    matrix, shift = watching.of(weight), watching.of(bias)
    if matrix is None or not _fits(watching, inputs):
        return None
    uses = [Use(matrix, "matrix", watching.rows(inputs))]
    return uses if shift is None else [*uses, Use(shift, "entries", None)]


def _addmm(watching: Watching, bias: Any, inputs: Any, weight: Any, **scales: Any) -> Read:
    if scales or not isinstance(inputs, torch.Tensor):
        return None
    return _linear(watching, inputs, weight, bias)


def _matmul(watching: Watching, inputs: Any, weight: Any) -> Read:
    return _linear(watching, inputs, weight) if isinstance(inputs, torch.Tensor) else None


def _embedding(
    watching: Watching,
    input: torch.Tensor,
    weight: Any,
    padding_idx: int | None = None,
    max_norm: Any = None,
    *rest: Any,
    **more: Any,
) -> Read:
    name, batch = watching.of(weight), (watching.texts, watching.tokens)
    if name is None or max_norm is not None or rest[1:2] == (True,) or more.get("scale_grad_by_freq"):
        return None
    if input.shape[-1] != watching.tokens or input.numel() not in (watching.tokens, batch[0] * batch[1]):
        return None
    return [Use(name, "rows", input.reshape(-1, watching.tokens).expand(batch), padding_idx)]


def _layer_norm(
    watching: Watching, input: torch.Tensor, normalized_shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5
) -> Read:
    scale, shift = watching.of(weight), watching.of(bias)
    if len(normalized_shape) != 1 or not _fits(watching, input):
        return None
    plain = functional.layer_norm(input.detach(), normalized_shape, eps=eps)
    return _scaled(watching, scale, plain) + ([] if shift is None else [Use(shift, "entries", None)])


def _rms_norm(
    watching: Watching, input: torch.Tensor, normalized_shape: Any, weight: Any = None, eps: float | None = None
) -> Read:
    if len(normalized_shape) != 1 or not _fits(watching, input):
        return None
    return _scaled(watching, watching.of(weight), functional.rms_norm(input.detach(), normalized_shape, eps=eps))


def _scaled(watching: Watching, name: str | None, plain: torch.Tensor) -> list[Use]:
    if name is None:
        return []
    return [Use(name, "entries", plain.detach().reshape(watching.texts, watching.tokens, *plain.shape[2:] or (-1,)))]


def _mul(watching: Watching, one: Any, other: Any) -> Read:
    weight, given = (one, other) if watching.of(one) is not None else (other, one)
    name = watching.of(weight)
    if name is None or not isinstance(given, torch.Tensor) or weight.dim() != 1 or given.shape[-1] != weight.shape[0]:
        return None
    if given.shape[:2] != (watching.texts, watching.tokens):
        return None
    return [Use(name, "entries", given.detach())]


def _add(watching: Watching, one: Any, other: Any, **scales: Any) -> Read:
    weight, given = (one, other) if watching.of(one) is not None else (other, one)
    name = watching.of(weight)
    if (
        name is None
        or scales
        or not isinstance(given, torch.Tensor)
        or weight.dim() != 1
        or given.shape[-1] != weight.shape[0]
    ):
        return None
    return [Use(name, "entries", None)]


_tensor = torch.Tensor
_READERS: dict[Any, Callable[..., Read]] = {
    functional.linear: _linear,
    functional.embedding: _embedding,
    functional.layer_norm: _layer_norm,
    functional.rms_norm: _rms_norm,
    torch.addmm: _addmm,
    **dict.fromkeys((torch.matmul, _tensor.matmul, _tensor.__matmul__), _matmul),
    **dict.fromkeys((torch.mul, _tensor.mul, _tensor.__mul__, _tensor.__rmul__), _mul),
    **dict.fromkeys((torch.add, _tensor.add, _tensor.__add__, _tensor.__radd__), _add),
}
