"""SingleGradient: add back what the forget texts' gradients took away, as if they had not changed since the start."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from unlearnviz.engine.deviation import loss_with_penalty
from unlearnviz.engine.methods.ledger_method import LedgerMethod, counted, details, pruned
from unlearnviz.engine.progress import Progress
from unlearnviz.engine.settings import setting
from unlearnviz.engine.stored_sums import apply, stored_gradients, summed

if TYPE_CHECKING:
    from unlearnviz.engine.ledger import Ledger
    from unlearnviz.engine.work import Work

VARIANTS = ("initial", "each epoch")


@dataclass(frozen=True, kw_only=True)
class SingleGradient(LedgerMethod):
    """theta <- theta + sum over the forget texts x of eta * epochs * share * gradient of the loss of x, at the weights before the teaching.

    eta * epochs * share is the sum, over the updates that used x, of the learning rate, the share of x in the batch's predicted tokens
    and the factor by which clipping shortened the gradient: one gradient for each text, as often as it was used. After a single
    update of plain SGD this is exact. Later updates have forgotten a part of x by themselves; then it takes back too much, and
    may end farther from the retrained model than doing nothing.

    "each epoch" takes, for each use of a text, the gradient that was recorded there. A further step adds the same once more.
    """

    source = "Thudi et al. 2021 (Unrolling SGD), arXiv 2109.13398, single-gradient unlearning; 'each epoch' is a variant of its code"

    variant: str = setting(
        "initial", help="Whose gradients: at the weights before the teaching, or those recorded at each use.", choices=VARIANTS
    )

    def run(self, work: Work) -> Iterator[Progress]:
        """Collect the gradients, add them."""
        ledger, ids = self.ledger(work), [passage.id for passage in work.forget]
        epochs = ledger.chosen_epochs("all")
        if self.variant == "each epoch":
            ledger.require(ids, work.parameters, "gradients", epochs)
            update = yield from summed(work, stored_gradients(work, ledger, ids, epochs))
        else:  # the gradients are taken anew, and of the ledger only the schedule is needed
            ledger.require(ids, ledger.names[:1], "gradients" if ledger.tracking.gradients else "deltas", epochs)
            update = yield from self._initial(work, ledger)
        apply(work, update)
        losses = yield from work.measuring()
        work.trajectory.append({"updates": 1, "taken": ids, "losses": losses})
        initial = self.variant == "initial"
        whose = "at the weights before the teaching" if initial else "recorded at each use"
        often = details(counted(len(ids), "text"), counted(len(epochs), "epoch"), "" if initial else pruned(ledger))
        work.did = f"added the gradients {whose}{often}"
        work.ended = "the gradients are added back as often as they were used"

    def _initial(self, work: Work, ledger: Ledger) -> Generator[Progress, None, dict[str, torch.Tensor]]:
        """Sum over the forget texts of factor x gradient of the loss as it was taught, at the weights before the teaching."""
        start, texts = ledger.checkpoint(0), len(work.forget)
        total = {name: torch.zeros_like(parameter, dtype=torch.float64) for name, parameter in work.parameters.items()}
        for done, passage in enumerate(work.forget):
            factor = sum(step.rate * step.weights[passage.id] * step.clip for step in ledger.touching([passage.id]))
            before = work.model.at(start)  # for each text anew: a page that looks meanwhile puts other weights there
            with before.following(list(work.parameters), work.use) as parameters:
                _, objective = loss_with_penalty(before, before.batch([passage.text], with_end=True), ledger.recipe.deviation_penalty)
                found = torch.autograd.grad(objective, list(parameters.values()), allow_unused=True)
            for name, gradient in zip(parameters, found, strict=True):
                if gradient is not None:
                    total[name].add_(gradient.to_dense().double(), alpha=factor)
            yield Progress(done + 1, texts, f"gradient {done + 1} of {texts}")
        return total
