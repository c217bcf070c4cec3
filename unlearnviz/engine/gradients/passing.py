"""One pass: a batch goes forward, and the activations' half of one backward; each use of a parameter meets its gradient."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import torch
from torch import nn

from unlearnviz.engine.gradients.products import Leaving, squares
from unlearnviz.engine.gradients.uses import Use, Watching
from unlearnviz.engine.mean_gradient import text_gradient
from unlearnviz.engine.model import Batch
from unlearnviz.engine.weights import square_norm
from unlearnviz.engine.work import recording

if TYPE_CHECKING:
    from unlearnviz.engine.model import LanguageModel

AGREE = 1e-3  # relative: how closely a rule must agree with autograd on a model's first text; wrong rules miss by far more
_unfit: WeakKeyDictionary[nn.Module, frozenset[str]] = WeakKeyDictionary()


class Unusual(Exception):
    """A batch used parameters in ways for which there is no rule; `names` says which."""

    def __init__(self, names: Collection[str]) -> None:
        super().__init__(", ".join(sorted(names)))
        self.names = frozenset(names)


@dataclass(frozen=True)
class Passed:
    """What a batch gives besides gradients.

    Attributes:
        losses: loss of each token after the first in nats, 0 at padding, shape (texts, tokens - 1).
        predicted: which of them count, shape (texts, tokens - 1).
    """

    losses: torch.Tensor
    predicted: torch.Tensor


Meet = Callable[[Use, torch.Tensor, Watching], None]


def one_pass(
    model: LanguageModel, texts: Sequence[str], meet: Meet, *, without: Collection[str] = (), per_token: float | None = None
) -> Passed:
    """Send texts through a model; `meet` gets each use of a parameter with the gradient of its output.

    The gradients are those of the sum of the texts' mean token losses, so each text's rows are its own gradient's; with
    `per_token` every token's loss has that weight instead.

    Args:
        without: names of parameters that are not watched.

    Raises:
        Unusual: a watched parameter was used in a way for which there is no rule.
    """
    whole = model.batch(texts)
    targets = whole.labels[:, 1:]
    batch = Batch(whole.input_ids[:, :-1], whole.attention_mask[:, :-1], targets)  # nothing is predicted from a last token
    rows, longest = batch.input_ids.shape
    parameters = {name: parameter for name, parameter in model.parameters.items() if name not in without}
    with recording(), model.following(()):

        def met(uses: tuple[Use, ...], gradient: torch.Tensor) -> None:
            for use in uses:
                meet(use, gradient, watching)

        watching = Watching(parameters, rows, longest, met)
        with watching:
            logits = model.logits(batch)
        if watching.unfit:
            raise Unusual(watching.unfit)
        with torch.no_grad():
            predicted = targets != -100
            counted = predicted.double()
            share = counted / counted.sum(dim=1, keepdim=True).clamp(min=1) if per_token is None else counted * per_token
            chosen = targets.clamp(min=0)[:, :, None]
            scores = torch.log_softmax(logits.detach(), dim=2)
            losses = -scores.gather(2, chosen)[:, :, 0] * predicted
            slopes = scores.exp_().scatter_add_(2, chosen, scores.new_full((1, 1, 1), -1.0).expand_as(chosen))
            slopes *= share[:, :, None].to(slopes.dtype)
        torch.autograd.grad(logits, watching.leaves, slopes, allow_unused=True)
    return Passed(losses, predicted)


def unfit(model: LanguageModel, text: str) -> frozenset[str]:
    """Names of the parameters whose gradients have to come from autograd, text by text: checked once per model on one text."""
    if model.module not in _unfit:
        _unfit[model.module] = _check(model, text)
    return _unfit[model.module]


def _check(model: LanguageModel, text: str) -> frozenset[str]:
    gradients = text_gradient(model, [text], model.layout.names)
    truth = {name: square_norm(gradient) for name, gradient in gradients.items()}
    without: frozenset[str] = frozenset()
    while True:
        found: dict[str, torch.Tensor] = dict.fromkeys(model.layout.names, torch.zeros(1))
        leaving: dict[str, Leaving] = {}

        def meet(use: Use, gradient: torch.Tensor, watching: Watching) -> None:
            found[use.name] = found[use.name] + own_squares(use, gradient, watching, leaving)[0]  # noqa: B023 - called within its round

        try:
            one_pass(model, [text], meet, without=without)
        except Unusual as unusual:
            without |= unusual.names
            continue
        whole = sum(truth.values())
        wrong = {
            name for name, square in truth.items() if abs(float(found[name]) - square) > AGREE * (square + 1e-6 * whole)
        }
        return without | wrong


def own_squares(
    use: Use, gradient: torch.Tensor, watching: Watching, leaving: dict[str, Leaving]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Squared norms that one use adds to its parameter's, and those of the use alone; both of shape (texts,).

    They differ where a tied matrix is looked up: then twice the inner product with its output use comes on top, of which
    `leaving` keeps what is needed (outputs come first in a backward pass).
    """
    alone = squares(use, gradient)
    ids = watching.looked_up.get(use.name)
    if ids is None or len(watching.counts[use.name]) == 1:
        return alone, alone
    if use.kind == "matrix":
        leaving[use.name] = Leaving.of(use, gradient, ids)
        return alone, alone
    return alone + 2 * leaving.pop(use.name).cross(use, gradient), alone
