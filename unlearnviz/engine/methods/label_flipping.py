"""LabelFlipping: teach the forget texts with wrong next tokens, in a share of every layer."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from unlearnviz.engine.methods.partial_updates import PartialUpdates
from unlearnviz.engine.settings import setting

if TYPE_CHECKING:
    from unlearnviz.engine.model import Batch
    from unlearnviz.engine.work import Work

LABELS = ("new for every update", "fixed for each text")


@dataclass(frozen=True, kw_only=True)
class LabelFlipping(PartialUpdates):
    """Descend the mean token loss of the forget texts with a wrong token to predict in every place; what is read stays true.

    A wrong token is drawn evenly from the vocabulary without the true one. With `retain_weight` w it descends that loss + w * L(retain),
    the mean token loss of texts to keep with their true tokens.
    """

    source = (
        "Gogineni & Nadimi 2024, arXiv 2403.07611, label flipping with layer-wise partial updates (reconstruction; the paper's labels are "
        "classes of images)"
    )

    labels: str = setting(LABELS[0], help="How long a text keeps its wrong tokens.", choices=LABELS)
    retain_weight: float = setting(0.0, help="Weight w of the texts to keep; 0 leaves them out.", minimum=0, maximum=100)

    @property
    def draws_retain(self) -> bool:
        """Where the texts to keep have a weight."""
        return self.retain_weight > 0

    def loss(self, work: Work, forget: Batch, retain: Batch | None) -> torch.Tensor:
        """The loss of the forget batch with wrong tokens, and of the retain batch by its weight."""
        flipped = flip(forget, work.model.encoder.vocabulary, work.generator if self.labels == LABELS[0] else None)
        loss = work.model.loss(flipped)
        return loss if retain is None else loss + self.retain_weight * work.model.loss(retain)


def flip(batch: Batch, vocabulary: int, generator: torch.Generator | None) -> Batch:
    """The batch with another token than the true one in every place where something is predicted, each of the others as likely.

    Without a generator the draw hangs on the tokens of the text alone, whatever else is in its batch.
    """
    true = batch.labels.cpu()
    if generator is not None:
        drawn = torch.randint(vocabulary - 1, true.shape, generator=generator)
    else:
        drawn = torch.zeros_like(true)
        for row, labels in enumerate(true):
            ids = labels[labels != -100]
            own = torch.Generator().manual_seed(zlib.crc32(ids.numpy().tobytes()))
            drawn[row, : len(ids)] = torch.randint(vocabulary - 1, ids.shape, generator=own)
    wrong = drawn + (drawn >= true)  # steps over the true one
    return replace(batch, labels=torch.where(true == -100, true, wrong).to(batch.labels.device))
