"""Work: what a method gets to do one step, and nothing more."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch

from unlearnviz.engine.model import Batch, LanguageModel
from unlearnviz.engine.progress import Progress
from unlearnviz.engine.weights import Weights, square_norm

if TYPE_CHECKING:
    from unlearnviz.engine.corpus import Passage
    from unlearnviz.engine.history import StepRecord
    from unlearnviz.engine.ledger import Ledger


@dataclass
class Work:
    """One step's worth of material.

    Attributes:
        model: the live model; its forward pass sees edits at once.
        parameters: name -> tensor, the selected ones; edit them in place, without recording gradients.
        forget: passages to forget.
        retain: the other passages that the model was taught.
        never_seen: all passages of the corpus that it was never taught.
        generator: seeded randomness on the CPU; use no other.
        seed: the seed of `generator`.
        reference: the weights of step 0, read-only.
        update_norm: the L2 norm of a default update for this selection.
        state: name -> tensor, what must persist to the next step of the same method (Adam's moments); part of the commit.
        ledger: what was recorded while the model learned, or None.
        groups: the measured groups of texts: "forget", "neighbours", "retain", "never seen".
        path: the steps that led to the present weights, oldest first.
        use: the use of a tied embedding that the step follows: "both", "input" or "output".
        did: what the method did, a few words to stand before "of embedding"; "" where one update, or `updates`, says it all.
        ended: why the method's stop rule is reached, in words; "" while it is not. Nothing is left to do for a further step.
        trajectory: one JSON-safe dictionary per round, kept with the step: see `StepRecord.trajectory`.
    """

    model: LanguageModel
    parameters: Mapping[str, torch.Tensor]
    forget: Sequence[Passage]
    retain: Sequence[Passage]
    generator: torch.Generator
    seed: int
    reference: Weights
    update_norm: float
    state: dict[str, torch.Tensor] = field(default_factory=dict)
    ledger: Ledger | None = None
    groups: Mapping[str, Sequence[Passage]] = field(default_factory=dict)
    never_seen: Sequence[Passage] = ()
    path: Sequence[StepRecord] = ()
    use: str = "both"
    did: str = ""
    ended: str = ""
    trajectory: list[dict[str, Any]] = field(default_factory=list)

    def batches(self, passages: Sequence[Passage], batch_size: int = 16) -> Iterator[Batch]:
        """Endless batches: all passages at once where they fit, else reshuffled passes from the generator.

        Passages of a single token, of which nothing is predicted, are left out.
        """
        passages = [passage for passage in passages if len(self.model.encode(passage.text)) > 1] or passages
        if len(passages) <= batch_size:
            whole = self.model.batch([passage.text for passage in passages])
            while True:
                yield whole
        while True:
            order = torch.randperm(len(passages), generator=self.generator).tolist()
            for start in range(0, len(order), batch_size):
                yield self.model.batch([passages[k].text for k in order[start : start + batch_size]])

    def looking(self) -> LanguageModel:
        """The model as it is at this moment, to measure with: it shares the weights, and following them is not disturbed."""
        return self.model.at(self.model.parameters)

    def measuring(self) -> Generator[Progress, None, dict[str, float]]:
        """Mean token loss of each group of texts in nats, at the weights of this moment; one report per group."""
        found = {}
        for group, passages in self.groups.items():
            losses = torch.cat([torch.zeros(0), *self.looking().token_losses([passage.text for passage in passages])])
            if len(losses):
                found[group] = float(losses.double().mean())
            yield Progress(0, None, f"{group} measured")
        return found

    def mean_loss(self, passages: Sequence[Passage], what: str) -> Generator[Progress, None, float]:
        """Mean token loss of all tokens of some texts in nats, at the weights of this moment; `what` they are, for its reports."""
        texts, total, tokens, done = [passage.text for passage in passages], 0.0, 0, 0
        for indices in self.model.chunks([k for k, text in enumerate(texts) if len(self.model.encode(text)) > 1], texts):
            losses = torch.cat(self.looking().token_losses([texts[k] for k in indices]))
            total, tokens, done = total + float(losses.double().sum()), tokens + len(losses), done + len(indices)
            yield Progress(done, len(texts), f"{done} of {len(texts)} {what} measured")
        return total / tokens

    def gradient(self, loss: torch.Tensor) -> dict[str, torch.Tensor]:
        """d loss / d parameter for every selected parameter, detached; zeros where the loss does not depend on it."""
        names = list(self.parameters)
        found = torch.autograd.grad(loss, [self.parameters[name] for name in names], allow_unused=True)
        return {
            name: torch.zeros_like(self.parameters[name]) if gradient is None else gradient.detach().to_dense()
            for name, gradient in zip(names, found, strict=True)
        }


@contextlib.contextmanager
def recording() -> Iterator[None]:
    """Gradients are recorded inside, whatever the caller chose: grad mode belongs to the thread, and pages change threads."""
    with torch.inference_mode(mode=False), torch.enable_grad():
        yield


def total_norm(tensors: Mapping[str, torch.Tensor]) -> float:
    """L2 norm over several tensors together, accumulated in float64."""
    return math.sqrt(sum(square_norm(tensor) for tensor in tensors.values()))
