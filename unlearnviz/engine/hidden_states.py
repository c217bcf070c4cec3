"""Hidden states: one vector per text, the mean of what a model holds at its tokens after a chosen block."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn.utils.rnn import pad_sequence

from unlearnviz.engine.progress import Progress
from unlearnviz.errors import BadSetting

if TYPE_CHECKING:
    from unlearnviz.engine.model import LanguageModel


class MeanStates:
    """The mean hidden state of each text: a point for a text, near to those of texts that the model reads alike.

    The mean goes over all tokens but the first. Nothing stands before that one, so its state says nothing of the text; and
    large pretrained models park attention on it, which makes its state far longer than the others (massive activations, Sun et
    al. 2024, arXiv 2402.17762): it would be the mean. Of a text of a single token it is all there is.

    Args:
        model: what reads; any dtype, the mean is taken in at least float32.
        texts: cut after the model's context, as everywhere.
        layer: 0 is the embedding's output, k what comes out of the k-th block, and the number of blocks what comes out of the
            last one and the final norm. The embedding is the default, since small models that learned TOFU here find its
            paraphrases best by it (`unlearnviz paraphrases`: 82 % against 56 to 71 % after a block); of large ones we know nothing.

    Attributes:
        layer: the layer read.
        states: float32 of shape (texts, width); NaN for texts that were not read yet or have no token (of width 1 before the first).
        done: number of texts read.

    Raises:
        BadSetting: a layer that the model does not have.
    """

    def __init__(self, model: LanguageModel, texts: Sequence[str], layer: int = 0) -> None:
        self.layer = checked_layer(model, layer)
        self._model, self._texts = model, list(texts)
        self.states = np.full((len(self._texts), 1), np.nan, dtype=np.float32)
        self.done = 0

    def running(self) -> Generator[Progress, None, None]:
        """Read the texts in batches of similar length, short ones first; every report is a point to stop at."""
        readable = [k for k, text in enumerate(self._texts) if self._model.encode(text)]
        for indices in self._model.chunks(readable, self._texts):
            found = _means(self._model, [self._texts[k] for k in indices], self.layer)
            if not self.done:  # no config says the width of every layer: some models embed in fewer dimensions than they think in
                self.states = np.full((len(self._texts), found.shape[1]), np.nan, dtype=np.float32)
            self.states[indices] = found
            self.done += len(indices)
            yield Progress(self.done, len(readable), "texts read")


def checked_layer(model: LanguageModel, layer: int) -> int:
    """The layer asked for.

    Raises:
        BadSetting: the model has no such layer.
    """
    blocks = model.layout.blocks
    if not 0 <= layer <= blocks:
        raise BadSetting(
            f"layer={layer} is not in this model of {blocks} blocks; allowed is 0 (the embedding) to {blocks} (after the last block)."
        )
    return layer


@torch.no_grad()
def _means(model: LanguageModel, texts: Sequence[str], layer: int) -> np.ndarray:
    """Mean states of a few texts, read together: float32 (texts, width)."""
    rows = [torch.tensor(model.encode(text)) for text in texts]
    lengths = torch.tensor([len(row) for row in rows])
    ids = pad_sequence(rows, batch_first=True)
    mask = torch.arange(ids.shape[1]) < lengths[:, None]  # (texts, longest)
    reading = None if bool(mask.all()) else mask.long().to(model.device)
    body = model.module.base_model  # without the output matrix: of a large vocabulary it would be half of the work
    with model.quiet():
        read = body(input_ids=ids.to(model.device), attention_mask=reading, use_cache=False, output_hidden_states=True)
    states = read.hidden_states[layer]  # (texts, longest, width)
    states = states.to(torch.promote_types(states.dtype, torch.float32))
    counted = mask.clone()
    counted[lengths > 1, 0] = False
    weights = (counted / counted.sum(dim=1, keepdim=True)).to(states)
    means = torch.where(counted.to(states.device)[:, :, None], states, 0).mul(weights[:, :, None]).sum(dim=1)
    return means.float().cpu().numpy()


def cosines(one: np.ndarray, other: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """Cosine of each row of `one` with each row of `other`, both seen from `centre`: shape (one, other), -1 to 1.

    All states share a long mean, so that from the origin any two texts look alike (cosines near 1 in GPT-2: Ethayarajh 2019, arXiv
    1909.00512; on average 0.3 at the embedding of the shipped model and 0.4 at its middle); seen from that mean the average is 0.
    The order changes little by it. A row that is the centre itself has no direction: 0. NaN rows give NaN.
    """
    left, right = (_directions(rows - centre) for rows in (one, other))
    found: np.ndarray = (left @ right.T).clip(-1, 1)
    return found


def _directions(rows: np.ndarray) -> np.ndarray:
    """Rows of length 1; rows of zeros stay so."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    directions: np.ndarray = np.divide(rows, lengths, out=np.where(np.isnan(rows), rows, 0), where=lengths > 0)
    return directions
