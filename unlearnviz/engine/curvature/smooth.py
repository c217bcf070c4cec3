"""SmoothModel: a private reading of a model through some of its parameters, which can be differentiated twice."""

from __future__ import annotations

import contextlib
import copy
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import torch

from unlearnviz.engine.selection import ParameterSelection
from unlearnviz.engine.work import recording
from unlearnviz.errors import BadForgetSet, BadModel, BadSelection, BadSetting, NotPossible

if TYPE_CHECKING:
    from unlearnviz.engine.model import Batch, LanguageModel

Tensors = Sequence[torch.Tensor]


class SmoothModel:
    """A model that shares the memory of the given one's weights, with eager attention, dropout off and its own flags.

    Fused attention has no second derivative, so the copy computes attention step by step; the given model is not touched.

    Args:
        model: whose weights are looked at; one in half precision is copied to float32.
        where: the parameters to differentiate by; of a tied matrix the use that the selection means.

    Attributes:
        selection: what was selected.
        model: the copy.
        parameters: parameter name -> the tensor to differentiate by.
        notes: sentences about what is done another way than asked.

    Raises:
        BadSelection: the selection holds no parameter.
    """

    def __init__(self, model: LanguageModel, where: str | ParameterSelection = "embedding") -> None:
        self.selection = where if isinstance(where, ParameterSelection) else ParameterSelection.parse(where, model.layout)
        if not self.selection.names:
            raise BadSelection(
                f"The selection {str(where)!r} holds no parameter, so there is nothing to differentiate by; say for example 'embedding'."
            )
        self.notes: list[str] = []
        self._whole = False
        self._live = model
        self._seen = _state(model)
        with recording():  # also where the caller records nothing, so that what is made here can take part in gradients
            self.model = self._private(model)
        following = contextlib.ExitStack()  # entered for as long as this lives: the copy is ours, and so are its flags
        weakref.finalize(self, following.close)
        self.parameters: Mapping[str, torch.Tensor] = following.enter_context(
            self.model.following(self.selection.names, self.selection.use)
        )
        lookup = self.model.module.get_input_embeddings()
        if getattr(lookup, "sparse", False):
            lookup.sparse = False  # sparse gradients have no second derivative

    def _private(self, model: LanguageModel) -> LanguageModel:
        from unlearnviz.engine.model import LanguageModel

        full = model.in_full_precision()
        if full is not model:
            said = str(model.dtype).removeprefix("torch.")
            self.notes.append(f"The model computes in {said}; its curvature is taken on a float32 copy of its weights.")
        shared = {id(p): torch.nn.Parameter(p.detach(), requires_grad=False) for p in full.parameters.values()}
        module = copy.deepcopy(full.module, shared)
        before = module.config._attn_implementation  # noqa: SLF001 - the library's only name for it
        if before not in (None, "eager"):
            module.set_attn_implementation("eager")
            self.notes.append(
                f"Second derivatives need eager attention; they are taken on a copy that has it, and the model keeps its own ({before})."
            )
        private = LanguageModel(module, model.tokenizer, name=model.name, fused=model.fused)
        private.encoder = model.encoder  # one cache of token ids for both
        return private

    def zeros(self) -> dict[str, torch.Tensor]:
        """The vector 0 over the selected parameters."""
        return {name: torch.zeros_like(parameter, requires_grad=False) for name, parameter in self.parameters.items()}

    def vector(self, given: Mapping[str, torch.Tensor]) -> list[torch.Tensor]:
        """A vector over the selected parameters as tensors in their order.

        Raises:
            BadSetting: names or shapes are not those of the selected parameters.
            NotPossible: it is not finite.
        """
        if given.keys() != self.parameters.keys():
            odd = min(given.keys() ^ self.parameters.keys())
            have, lack = ("has", "does not") if odd in given else ("lacks", "does")
            raise BadSetting(
                f"The vector {have} {odd!r}, which the selection {self.selection.text!r} {lack} hold; give one tensor per selected parameter."
            )
        found = []
        for name, parameter in self.parameters.items():
            if given[name].shape != parameter.shape:
                raise BadSetting(
                    f"The vector's {name!r} has the shape {tuple(given[name].shape)} and not {tuple(parameter.shape)}, which the parameter has."
                )
            found.append(given[name].detach().to(parameter.device, parameter.dtype))
        if not all(bool(torch.isfinite(each).all()) for each in found):
            raise NotPossible(
                "The vector is not finite, so no product with it is; look at where it comes from, or undo the step that overshot."
            )
        return found

    def usable(self, texts: Sequence[str], what: str = "texts") -> list[str]:
        """The texts of which something is predicted; that others are left out is said in the notes.

        Raises:
            BadForgetSet: there are none.
        """
        kept = [text for text in texts if len(self.model.encode(text)) > 1]
        if not kept:
            raise BadForgetSet(
                f"None of the {what} has two tokens, so nothing is predicted and the loss has no slope; take longer texts."
            )
        if short := len(texts) - len(kept):
            note = f"Left out of the {what}, as nothing is predicted in a single token: {short}."
            if note not in self.notes:
                self.notes.append(note)
        return kept

    def predicted(self, texts: Sequence[str]) -> int:
        """Number of tokens predicted in all texts together."""
        return sum(max(0, len(self.model.encode(text)) - 1) for text in texts)

    def batches(self, texts: Sequence[str]) -> list[tuple[list[int], Batch]]:
        """Indices of texts, and those texts as a batch."""
        with recording():
            return [
                (indices, self.model.batch([texts[k] for k in indices]))
                for indices in self.model.chunks(range(len(texts)), texts)
            ]

    @contextlib.contextmanager
    def differentiating(self) -> Iterator[list[torch.Tensor]]:
        """Gradients are recorded inside. Yields the selected parameters.

        Raises:
            NotPossible: the given model's weights were changed since.
            BadModel: a part of the model has no second derivative.
        """
        if _state(self._live) != self._seen:
            raise NotPossible(
                "The model's weights changed since its curvature was looked at, which no longer fits them; make the product anew."
            )
        try:
            with recording():
                yield list(self.parameters.values())
        except NotImplementedError as error:
            raise self._not_smooth(str(error).splitlines()[0]) from error
        except RuntimeError as error:
            if "derivative for" not in str(error) and "not implemented" not in str(error):
                raise
            raise self._not_smooth(str(error).splitlines()[0]) from error

    def _not_smooth(self, why: str) -> BadModel:
        return BadModel(f"A part of {self.model.name} has no second derivative, so its curvature cannot be had: {why}.")

    def slopes(
        self, outputs: torch.Tensor, parameters: Tensors, weights: torch.Tensor | None = None
    ) -> dict[int, torch.Tensor]:
        """Index of a parameter -> d (weights . outputs) / d parameter, recorded to be differentiated again, where it can be.

        Raises:
            BadSelection: the outputs depend on none of the parameters.
            BadModel: a part of the model breaks the record off.
            NotPossible: they are not finite.
        """
        if not outputs.requires_grad:
            raise self._without_gradient()
        found = torch.autograd.grad(outputs, parameters, weights, create_graph=True, allow_unused=True)
        if all(each is None for each in found):
            raise self._without_gradient()
        if not all(each is None or bool(torch.isfinite(each).all()) for each in found):
            raise NotPossible(
                "The gradient of these texts is not finite, so neither is the curvature; undo the step that overshot, or take other texts."
            )
        recorded = {k: each for k, each in enumerate(found) if each is not None and each.requires_grad}
        if not self._whole:
            self._check_whole(recorded.values())
        return recorded

    def tangents(self, outputs: torch.Tensor, parameters: Tensors) -> Callable[[Tensors], torch.Tensor]:
        """A function from a direction in the parameters to the derivative of `outputs` along it, J v.

        By two backwards: J'u is linear in u, and its own derivative by u, weighted with v, is J v (Townsend 2017).
        """
        probe = torch.zeros_like(outputs, requires_grad=True)
        pulled = self.slopes(outputs, parameters, probe)

        def along(vector: Tensors) -> torch.Tensor:
            return torch.autograd.grad(list(pulled.values()), probe, [vector[k] for k in pulled], retain_graph=True)[0]

        return along

    def _check_whole(self, recorded: Iterable[torch.Tensor]) -> None:
        """Once per model: operations that can be differentiated only once would drop out of the second derivative unsaid."""
        left, seen = [each.grad_fn for each in recorded], set()
        while left:
            node = left.pop()
            if node is None or node in seen:
                continue
            seen.add(node)
            if node.name().endswith("::Error"):
                raise self._not_smooth("one of its operations can be differentiated only once")
            left.extend(next_node for next_node, _ in node.next_functions)
        self._whole = True

    def _without_gradient(self) -> BadSelection:
        return BadSelection(
            f"The loss of these texts does not depend on the selection {self.selection.text!r}, so it has no gradient there; select other parameters."
        )

    def gradient(self, texts: Sequence[str]) -> dict[str, torch.Tensor]:
        """The gradient of the mean token loss of all texts together (nats per unit of weight)."""
        total, tokens = self.zeros(), self.predicted(texts)
        for _, batch in self.batches(texts):
            with self.differentiating() as parameters:
                losses = self.model.losses(batch)[0]
                if not losses.requires_grad:
                    raise self._without_gradient()
                found = torch.autograd.grad(losses.sum() / tokens, parameters, allow_unused=True)
            for summed, each in zip(total.values(), found, strict=True):
                if each is not None:
                    summed.add_(each)
        if not all(bool(torch.isfinite(each).all()) for each in total.values()):
            raise NotPossible("The gradient of these texts is not finite; undo the step that overshot, or take other texts.")
        return total


def _state(model: LanguageModel) -> list[tuple[int, int]]:
    return [(parameter.data_ptr(), parameter._version) for parameter in model.parameters.values()]  # noqa: SLF001 - torch has no public name for it
