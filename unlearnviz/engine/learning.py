"""Recipe and Training: how a model is taught its texts, exactly repeatable, with or without some of them."""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import torch

from unlearnviz.engine.deviation import loss_with_penalty
from unlearnviz.engine.progress import Progress
from unlearnviz.engine.settings import check_settings, setting
from unlearnviz.engine.work import recording
from unlearnviz.errors import BadForgetSet, Overshoot
from unlearnviz.numbers import number

if TYPE_CHECKING:
    from unlearnviz.engine.corpus import Corpus, Passage
    from unlearnviz.engine.model import LanguageModel


SGD_RATE = 0.5  # with gradients clipped to a length of 1: of the same order as what AdamW moves in an update


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A linear warm-up and a cosine decay for AdamW or SGD; every number that a second run needs to repeat the first.

    SGD is plain: no momentum and no weight decay, so that an update is the learning rate times the (clipped) gradient.
    """

    epochs: int = setting(60, help="Passes over the taught texts.", minimum=1, maximum=10_000)
    learning_rate: float = setting(2e-3, help="Peak learning rate.", above=0, maximum=1)
    batch_size: int = setting(20, help="Texts per update.", minimum=1, maximum=1024)
    warmup: int = setting(100, help="Updates until the peak rate; at most a tenth of all.", minimum=0, maximum=100_000, advanced=True)
    floor: float = setting(0.02, help="Share of the peak rate at the end.", minimum=0, maximum=1, advanced=True)
    beta2: float = setting(0.98, help="Decay of Adam's second moment.", minimum=0, maximum=1, advanced=True)
    weight_decay: float = setting(0.01, help="AdamW's pull towards 0.", minimum=0, maximum=1, advanced=True)
    clip: float = setting(1.0, help="Longest gradient (L2 norm).", above=0, maximum=1e6, advanced=True)
    seed: int = setting(0, help="Of the order of the texts.", minimum=0, advanced=True)
    optimizer: str = setting("AdamW", help="How an update follows the gradient.", choices=("AdamW", "SGD"), advanced=True)
    deviation_penalty: float = setting(
        0.0,
        help="Weight of the standard deviation of a token's logits, added to the loss: the SD loss of Unrolling SGD.",
        minimum=0,
        maximum=1e6,
        advanced=True,
    )

    def __post_init__(self) -> None:
        check_settings(self)

    @classmethod
    def suited_to(cls, model: LanguageModel, **given: Any) -> Recipe:
        """The default recipe, its rate lowered with the square root of the model's size above 2.5 million parameters."""
        rate = (SGD_RATE if given.get("optimizer") == "SGD" else 2e-3) * min(1.0, math.sqrt(2.5e6 / model.size))
        return replace(cls(learning_rate=rate), **given)

    def rate(self, update: int, total: int) -> float:
        """Learning rate of update 0 .. total - 1."""
        warmup = min(self.warmup, total // 10)
        if update < warmup:
            return self.learning_rate * (update + 1) / warmup
        along = (update - warmup) / max(1, total - warmup)
        return self.learning_rate * (self.floor + (1 - self.floor) * 0.5 * (1 + math.cos(math.pi * along)))


def lessons(passages: Sequence[Passage]) -> list[Passage]:
    """What one epoch consists of: every passage, `extra["repeats"]` times where it says so."""
    return [passage for passage in passages for _ in range(int(passage.extra.get("repeats", 1)))]


@dataclass(frozen=True)
class Update:
    """One update of a training, as a recorder sees it.

    Attributes:
        index: number of the update, from 0, over the whole training.
        epoch: number of the epoch, from 1.
        passages: the texts of its batch; a text that an epoch teaches several times may stand there more than once.
        rate: the learning rate.
        clip: the factor by which clipping shortened the gradient; 1.0 where it did not.
        loss: mean loss of the batch before the update, in nats per predicted token (end marks included), without the penalty.
    """

    index: int
    epoch: int
    passages: tuple[Passage, ...]
    rate: float
    clip: float
    loss: float


class Watching(Protocol):
    """What may look on while a model learns; it changes nothing but its own notes."""

    def before(self, training: Training, update: Update) -> None:
        """The weights are those that the gradient was taken at."""

    def after(self, training: Training, update: Update) -> None:
        """The update was made."""

    def epoch_ended(self, training: Training, epoch: int) -> None:
        """All updates of an epoch, counted from 1, were made."""


class Training:
    """Teaches a model its texts, in place, one update at a time.

    Texts in `left_out` keep their place in the order and are taken out of their batches, so that a twin sees the same texts
    at the same moments and the same rates, less those.

    Attributes:
        per_epoch: updates of one epoch.
        total: updates of all epochs.
        done: updates made so far.

    Raises:
        BadForgetSet: nothing is left to learn.
    """

    def __init__(
        self, model: LanguageModel, corpus: Corpus, recipe: Recipe, left_out: Collection[str] = (), watching: Watching | None = None
    ) -> None:
        self.model, self.corpus, self.recipe = model, corpus, recipe
        self.left_out, self.watching = frozenset(left_out), watching
        # one token teaches nothing
        self.epoch_of_texts = lessons([passage for passage in corpus.train if len(model.encode(passage.text)) > 1])
        if all(passage.id in self.left_out for passage in self.epoch_of_texts):
            raise BadForgetSet("There is no text left to learn from; leave at least one taught text in.")
        self.per_epoch = math.ceil(len(self.epoch_of_texts) / recipe.batch_size)
        self.total = recipe.epochs * self.per_epoch
        self.done = 0
        self._generator = torch.Generator().manual_seed(recipe.seed)
        self._optimizer = _optimizer(model, recipe)

    def running(self, until: int | None = None) -> Generator[Progress, None, None]:
        """Go on to the end of an epoch (the last one by default); one report per update, each a point to stop at.

        Raises:
            Overshoot: the loss or a weight is no longer a finite number.
        """
        last_update = self.total if until is None else until * self.per_epoch
        first, began, said = self.done, time.perf_counter(), ""
        with self.model.following(self.model.layout.names):
            while self.done < last_update:
                epoch = self.done // self.per_epoch
                if self.done % self.per_epoch == 0:
                    order = torch.randperm(len(self.epoch_of_texts), generator=self._generator).tolist()
                start = (self.done % self.per_epoch) * self.recipe.batch_size
                batch = [self.epoch_of_texts[k] for k in order[start : start + self.recipe.batch_size]]
                kept = tuple(passage for passage in batch if passage.id not in self.left_out)
                if kept:  # none, where all of the batch is left out: nothing is learned, and the order goes on
                    said = f", loss {number(self._update(epoch + 1, kept))} nats per token"
                self.done += 1
                if self.done % self.per_epoch == 0 and self.watching is not None:
                    self.watching.epoch_ended(self, epoch + 1)
                seconds = time.perf_counter() - began
                yield Progress(self.done - first, last_update - first, f"epoch {epoch + 1} of {self.recipe.epochs}{said}", seconds)
        if not all(bool(torch.isfinite(parameter).all()) for parameter in self.model.parameters.values()):
            raise Overshoot(f"The weights are not finite after the training; lower the learning rate ({self.recipe.learning_rate:g}).")

    def _update(self, epoch: int, passages: tuple[Passage, ...]) -> float:
        """One update on a batch; returns its loss."""
        recipe, parameters = self.recipe, self.model.parameters
        batch = self.model.batch([passage.text for passage in passages], with_end=True)
        with recording():
            loss, objective = loss_with_penalty(self.model, batch, recipe.deviation_penalty)
            if not math.isfinite(objective.item()):
                raise Overshoot(
                    f"The loss became {objective.item()} at update {self.done + 1}; lower the learning rate ({recipe.learning_rate:g})."
                )
            objective.backward()
        length = float(torch.nn.utils.clip_grad_norm_(parameters.values(), recipe.clip))
        # the factor that clip_grad_norm_ used
        update = Update(
            self.done, epoch, passages, recipe.rate(self.done, self.total), min(1.0, recipe.clip / (length + 1e-6)), loss.item()
        )
        for group in self._optimizer.param_groups:
            group["lr"] = update.rate
        if self.watching is not None:
            self.watching.before(self, update)
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        if self.watching is not None:
            self.watching.after(self, update)
        return update.loss

    def state(self) -> dict[str, torch.Tensor]:
        """All that the rest of the training depends on besides the weights, at the end of an epoch; copies."""
        found = {"updates": torch.tensor(self.done), "random state": self._generator.get_state()}
        for name, parameter in self.model.parameters.items():
            found |= {f"{key}/{name}": value.detach().clone() for key, value in self._optimizer.state[parameter].items()}
        return found

    def restore(self, weights: Mapping[str, torch.Tensor], state: Mapping[str, torch.Tensor]) -> None:
        """Go back to the end of an epoch, from which the same updates follow, bit for bit."""
        with torch.no_grad():
            for name, parameter in self.model.parameters.items():
                parameter.copy_(weights[name])
                kept = {key.split("/", 1)[0]: value.clone() for key, value in state.items() if key.endswith(f"/{name}")}
                if kept:
                    self._optimizer.state[parameter] = kept
        self.done = int(state["updates"])
        self._generator.set_state(state["random state"].cpu())


def _optimizer(model: LanguageModel, recipe: Recipe) -> torch.optim.Optimizer:
    parameters = list(model.parameters.values())
    if recipe.optimizer == "SGD":
        return torch.optim.SGD(parameters, lr=recipe.learning_rate, foreach=True)
    return torch.optim.AdamW(
        parameters, lr=recipe.learning_rate, betas=(0.9, recipe.beta2), weight_decay=recipe.weight_decay, foreach=True
    )


def train(model: LanguageModel, corpus: Corpus, recipe: Recipe, left_out: Collection[str] = ()) -> Generator[Progress, None, None]:
    """Train `model` in place from beginning to end; errors and reports as of `Training`."""
    yield from Training(model, corpus, recipe, left_out).running()
