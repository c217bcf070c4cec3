"""ActivationGradient: what each layer holds at each token, times how much the loss depends on it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from unlearnviz.engine.probes.probe import Probe, Reading, View, find_passage
from unlearnviz.engine.settings import setting
from unlearnviz.engine.work import recording

if TYPE_CHECKING:
    from unlearnviz.engine.corpus import Corpus, Passage
    from unlearnviz.engine.model import LanguageModel


@dataclass(frozen=True)
class ActivationGradient(Probe):
    """Activation times gradient, per layer and token: h . dL/dh, summed over the width.

    h is the residual stream at one token: what enters the first block ("embedding": the token's vector, with its position where
    the model adds one), and what leaves each block ("block 0", ...). L is the mean token loss of the text, in nats. The product
    is the first-order change of L, per unit, when h is made longer: positive, what stands there makes the text less likely;
    negative, the text leans on it. A norm takes no notice of length, so where one follows the last block, the product there
    is 0, but for the small constant that norms add.

    Rows: one per text and token, {"passage", "token" (its piece of the text), "position", "loss" (of the token itself, in nats; None
    for the first, which has no prediction), "activation_gradient": {layer: h . dL/dh in nats}, "gradient": {layer: L2 norm of dL/dh, in
    nats per unit of activation}}. Nothing is predicted from the last token, so its gradients are 0. There is no headline number.
    """

    unit = "nats"
    direction = "negative = the text leans on what stands there"
    beside = ("start",)

    passage: str = setting("", help="Id of one text to look at; empty: the forget texts.")
    limit: int = setting(8, help="Forget texts at most, the first ones.", minimum=1, maximum=100, advanced=True)

    def measure(self, model: LanguageModel, corpus: Corpus, view: View) -> Reading:
        """One row per text and token."""
        asked = (
            [find_passage(self.passage, corpus, view)] if self.passage else list(view.groups.get("forget", ()))[: self.limit]
        )
        passages = [passage for passage in asked if len(model.encode(passage.text)) > 1]
        found: dict[int, list[dict[str, Any]]] = {}
        for indices in model.chunks(range(len(passages)), [passage.text for passage in passages]):
            found.update(zip(indices, _look(model, [passages[k] for k in indices]), strict=True))
        short = len(asked) - len(passages)
        note = (
            f"Left out for having a single token, of which nothing is predicted: {short} of {len(asked)} texts."
            if short
            else ""
        )
        return self.reading(None, [row for k in range(len(passages)) for row in found[k]], note)


def _look(model: LanguageModel, passages: Sequence[Passage]) -> list[list[dict[str, Any]]]:
    """The rows of each text: one forward and one backward for all together, since no text's loss depends on another."""
    batch = model.batch([passage.text for passage in passages])
    with recording(), model.following(()), _residual_stream(model) as stream:
        losses, predicted = model.losses(batch)
        counts = predicted.sum(dim=1, keepdim=True).to(losses.dtype)
        means = losses / counts.expand(predicted.shape)[predicted]  # they add up to the mean of each text
        gradients = torch.autograd.grad(means.sum(), list(stream.values()))
    with torch.no_grad():
        own = torch.full(predicted.shape, torch.nan, dtype=torch.float64, device=losses.device)
        own[predicted] = losses.detach().double()
        # each of shape (texts, longest)
        products = [(h.double() * gradient.double()).sum(-1) for h, gradient in zip(stream.values(), gradients, strict=True)]
        norms = [torch.linalg.vector_norm(gradient, dim=-1, dtype=torch.float64) for gradient in gradients]
        tables = [torch.stack(each, dim=-1).tolist() for each in (products, norms)]  # [text][token][layer]
    rows = []
    for k, passage in enumerate(passages):
        surprises = [None, *own[k].tolist()]
        rows.append(
            [
                {
                    "passage": passage.id,
                    "token": token,
                    "position": position,
                    "loss": surprises[position],
                    "activation_gradient": dict(zip(stream, tables[0][k][position], strict=True)),
                    "gradient": dict(zip(stream, tables[1][k][position], strict=True)),
                }
                for position, token in enumerate(model.tokens(passage.text))
            ]
        )
    return rows


@contextlib.contextmanager
def _residual_stream(model: LanguageModel) -> Iterator[dict[str, torch.Tensor]]:
    """Inside, a forward pass fills layer -> its activations, shape (texts, longest, width); the graph begins at the first block."""
    stream: dict[str, torch.Tensor] = {}

    def enter(_: Any, given: tuple[Any, ...], named: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        state = given[0] if given else named["hidden_states"]
        stream["embedding"] = start = state.detach().clone().requires_grad_()
        return ((start, *given[1:]), named) if given else (given, {**named, "hidden_states": start})

    def leave(layer: str) -> Any:
        def note(_: Any, __: Any, output: Any) -> None:
            stream[layer] = output[0] if isinstance(output, tuple) else output

        return note

    blocks = [model.module.get_submodule(f"{model.layout.block_prefix}{k}") for k in range(model.layout.blocks)]
    hooks = [blocks[0].register_forward_pre_hook(enter, with_kwargs=True)]
    hooks += [block.register_forward_hook(leave(f"block {k}")) for k, block in enumerate(blocks)]
    try:
        yield stream
    finally:
        for hook in hooks:
            hook.remove()
