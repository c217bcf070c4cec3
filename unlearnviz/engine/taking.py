"""Taking texts in turn: what was taken on this path, who is next, and how well the model knows each at this moment."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from unlearnviz.engine.progress import Progress

if TYPE_CHECKING:
    from unlearnviz.engine.corpus import Passage
    from unlearnviz.engine.work import Work

TAKEN = "taken"  # name of the tensor in which a commit keeps what was taken


def recalled(work: Work) -> list[str]:
    """Ids of the passages taken on the path through the parent, in order."""
    return json.loads(bytes(work.state[TAKEN].tolist())) if TAKEN in work.state else []


def remember(work: Work, taken: Sequence[str]) -> None:
    """Make what was taken part of the commit, which keeps tensors."""
    work.state[TAKEN] = torch.tensor(list(json.dumps(taken).encode()), dtype=torch.uint8)


def least_taken(candidates: Sequence[Passage], taken: Sequence[str]) -> list[Passage]:
    """The candidates that were taken least often: no text is taken twice before all were taken once."""
    counts = Counter(taken)
    fewest = min(counts[passage.id] for passage in candidates)
    return [passage for passage in candidates if counts[passage.id] == fewest]


def present_losses(work: Work, passages: Sequence[Passage]) -> Generator[Progress, None, np.ndarray]:
    """Mean token loss of each text in nats at the weights of this moment, float64 of shape (texts,)."""
    model, texts = work.looking(), [passage.text for passage in passages]
    losses, done = np.empty(len(texts)), 0
    for indices in model.chunks(range(len(texts)), texts):
        losses[indices] = [float(each.double().mean()) for each in model.token_losses([texts[k] for k in indices])]
        done += len(indices)
        yield Progress(done, len(texts), f"{done} of {len(texts)} texts scored")
    return losses
