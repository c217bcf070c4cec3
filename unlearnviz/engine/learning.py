"""Recipe and training: how a model is taught its texts, exactly repeatable, with or without some of them."""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Generator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch

from unlearnviz.engine.progress import Progress
from unlearnviz.engine.settings import check_settings, setting
from unlearnviz.engine.work import recording
from unlearnviz.errors import BadForgetSet, Overshoot

if TYPE_CHECKING:
    from unlearnviz.engine.corpus import Corpus, Passage
    from unlearnviz.engine.model import LanguageModel


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """AdamW with a linear warm-up and a cosine decay; every number that a second run needs to repeat the first."""

    epochs: int = setting(60, help="Passes over the taught texts.", minimum=1, maximum=10_000)
    learning_rate: float = setting(2e-3, help="Peak rate of AdamW.", above=0, maximum=1)
    batch_size: int = setting(20, help="Texts per update.", minimum=1, maximum=1024)
    warmup: int = setting(100, help="Updates until the peak rate; at most a tenth of all.", minimum=0, maximum=100_000, advanced=True)
    floor: float = setting(0.02, help="Share of the peak rate at the end.", minimum=0, maximum=1, advanced=True)
    beta2: float = setting(0.98, help="Decay of Adam's second moment.", minimum=0, maximum=1, advanced=True)
    weight_decay: float = setting(0.01, help="AdamW's pull towards 0.", minimum=0, maximum=1, advanced=True)
    clip: float = setting(1.0, help="Longest gradient (L2 norm).", above=0, maximum=1e6, advanced=True)
    seed: int = setting(0, help="Of the order of the texts.", minimum=0, advanced=True)

    def __post_init__(self) -> None:
        check_settings(self)

    @classmethod
    def suited_to(cls, model: LanguageModel, **given: Any) -> Recipe:
        """The default recipe, its rate lowered with the square root of the model's size above 2.5 million parameters."""
        rate = 2e-3 * min(1.0, math.sqrt(2.5e6 / model.size))
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


def train(model: LanguageModel, corpus: Corpus, recipe: Recipe, left_out: Collection[str] = ()) -> Generator[Progress, None, None]:
    """Train `model` in place on the taught texts; one report per update, each a point to stop at.

    Texts in `left_out` keep their place in the order and are taken out of their batches, so that a twin sees the same texts
    at the same moments and the same rates, less those.

    Raises:
        BadForgetSet: nothing is left to learn.
        Overshoot: the loss is no longer a finite number.
    """
    epoch = lessons([passage for passage in corpus.train if len(model.encode(passage.text)) > 1])  # one token teaches nothing
    if all(passage.id in left_out for passage in epoch):
        raise BadForgetSet("There is no text left to learn from; leave at least one taught text in.")
    per_epoch = math.ceil(len(epoch) / recipe.batch_size)
    total = recipe.epochs * per_epoch
    generator = torch.Generator().manual_seed(recipe.seed)
    began = time.perf_counter()
    last = math.nan  # of no loss yet: the first texts may be left out
    with model.following(model.layout.names) as parameters:
        optimizer = torch.optim.AdamW(
            parameters.values(), lr=recipe.learning_rate, betas=(0.9, recipe.beta2), weight_decay=recipe.weight_decay, foreach=True
        )
        for update in range(total):
            if update % per_epoch == 0:
                order = torch.randperm(len(epoch), generator=generator).tolist()
            start = (update % per_epoch) * recipe.batch_size
            chosen = [epoch[k] for k in order[start : start + recipe.batch_size]]
            kept = [passage.text for passage in chosen if passage.id not in left_out]
            if kept:
                with recording():
                    loss = model.loss(model.batch(kept, with_end=True))
                    if not math.isfinite(loss.item()):
                        raise Overshoot(f"The loss became {loss.item()} at update {update + 1}; lower the learning rate ({recipe.learning_rate:g}).")
                    loss.backward()
                torch.nn.utils.clip_grad_norm_(parameters.values(), recipe.clip)
                for group in optimizer.param_groups:
                    group["lr"] = recipe.rate(update, total)
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
                last = loss.item()
            said = f"epoch {update // per_epoch + 1} of {recipe.epochs}"
            if not math.isnan(last):
                said += f", loss {last:.2f} nats per token"
            yield Progress(update + 1, total, said, time.perf_counter() - began)
        if not all(bool(torch.isfinite(parameter).all()) for parameter in parameters.values()):
            raise Overshoot(f"The weights are not finite after the training; lower the learning rate ({recipe.learning_rate:g}).")
