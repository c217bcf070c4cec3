"""Stored sums: what a ledger recorded, added up over texts and updates, and applied to the selected weights."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from typing import TYPE_CHECKING

import torch

from unlearnviz.engine.progress import Progress

if TYPE_CHECKING:
    from unlearnviz.engine.ledger import Ledger, LedgerStep
    from unlearnviz.engine.work import Work

Term = tuple[float, Callable[[str], torch.Tensor]]  # a factor, and from a parameter's name its recorded tensor


def stored_gradients(work: Work, ledger: Ledger, ids: Iterable[str], epochs: Sequence[int] | None) -> list[Term]:
    """Of each text in each update that used it: rate x share of its batch x clip factor, and the gradient of its loss just before.

    With plain SGD the update was minus the sum of these terms over all texts of the batch.
    """

    def term(step: LedgerStep, each: str) -> Term:
        factor = step.rate * step.weights[each] * step.clip
        return factor, lambda name: ledger.gradient(step, each, name, use=work.use if name == tied else "both")

    asked, tied = list(ids), work.model.layout.input_embedding
    return [term(step, each) for step in ledger.touching(asked, epochs) for each in asked if each in step.weights]


def summed(work: Work, terms: Sequence[Term]) -> Generator[Progress, None, dict[str, torch.Tensor]]:
    """Selected parameter -> sum of factor x tensor over all terms, in float64 on the CPU; one report per tensor."""
    total, done = len(work.parameters) * len(terms), 0
    found = {}
    for name, parameter in work.parameters.items():
        summing = torch.zeros(parameter.shape, dtype=torch.float64)
        for factor, tensor in terms:
            summing.add_(tensor(name).double(), alpha=factor)
            done += 1
            yield Progress(done, total, f"{done} of {total} recorded tensors")
        found[name] = summing
    return found


@torch.no_grad()
def apply(work: Work, update: dict[str, torch.Tensor], factor: float = 1.0) -> None:
    """theta <- theta + factor * update, in float64, rounded once."""
    for name, parameter in work.parameters.items():
        parameter.copy_(parameter.double().add_(update[name].to(parameter.device), alpha=factor))
