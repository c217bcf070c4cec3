"""TextMap: all texts as points in a plane, near to each other where the model read them alike at the start."""

from __future__ import annotations

import random
from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from unlearnviz.engine.hidden_states import MeanStates
from unlearnviz.engine.probes.probe import Probe, Reading, View, find_passages
from unlearnviz.engine.progress import Enough, Progress, drain
from unlearnviz.engine.settings import setting
from unlearnviz.numbers import number

if TYPE_CHECKING:
    from unlearnviz.engine.corpus import Corpus
    from unlearnviz.engine.model import LanguageModel


@dataclass(frozen=True)
class TextMap(Probe):
    """The two directions in which the texts' mean hidden states differ most (principal components), and each text's place there.

    The map is fixed, so that one can find a text again: it is always drawn at the weights of the start, whichever weights are
    looked at, and its axes depend on the corpus alone, not on what is picked. Near on the map means read alike only as far as
    the note says: the rest of the variance lies in directions that the plane does not show.

    Rows: one per text, {"passage", "x", "y"} in units of the hidden state, the centre of the corpus at (0, 0). These are up to `limit`
    texts of the corpus, drawn with seed 0, and always the present groups. The headline is the share of variance shown, in percent.
    """

    unit = "% of variance"
    direction = "higher = distances on the map tell more"
    cost: ClassVar[Literal["cheap", "slow"]] = "slow"
    beside = ()

    passages: tuple[str, ...] = setting((), help="Ids of further texts that must be on the map.")
    layer: int = setting(0, help="0 = the embedding, k = after the k-th block.", minimum=0, maximum=1000, advanced=True)
    limit: int = setting(2000, help="Texts of the corpus on the map, at most.", minimum=2, maximum=100_000, advanced=True)

    def measure(self, model: LanguageModel, corpus: Corpus, view: View) -> Reading:
        """One row per text."""
        return drain(self.measuring(model, corpus, view))

    def measuring(self, model: LanguageModel, corpus: Corpus, view: View) -> Generator[Progress, None, Reading]:
        """The same in batches; stopped, the axes are those of the texts read so far."""
        drawn = random.Random(0).sample(list(corpus), min(self.limit, len(corpus)))
        grouped = [passage for members in view.groups.values() for passage in members]
        wanted = {passage.id: passage for passage in (*drawn, *grouped, *find_passages(self.passages, corpus, view))}
        passages = list(wanted.values())
        states = MeanStates(model.at(view.start), [passage.text for passage in passages], self.layer)
        stopped = ""
        try:
            yield from states.running()
        except Enough:
            stopped = f"Stopped: {states.done} of {len(passages)} texts were read. "
        read = ~np.isnan(states.states[:, 0])
        basis = states.states[: len(drawn)][read[: len(drawn)]].astype(np.float64)
        if len(basis) < 2:
            return self.reading(None, [], f"{stopped}A map needs at least two texts of the corpus.")
        axes, share = principal_axes(basis)
        places = (states.states - basis.mean(axis=0)) @ axes.T  # (texts, 2)
        rows: list[dict[str, Any]] = [
            {"passage": passage.id, "x": float(x), "y": float(y)}
            for passage, (x, y), known in zip(passages, places, read, strict=True)
            if known
        ]
        said = (
            f"{stopped}The plane shows {number(100 * share)} % of the variance of {len(basis)} texts after layer {states.layer} of "
            f"{model.layout.blocks}, at the weights of the start: the map stays while the model changes."
        )
        return self.reading(100 * share, rows, said)


def principal_axes(states: np.ndarray) -> tuple[np.ndarray, float]:
    """The two orthogonal directions of the largest variance, shape (2, width), and the share of variance they hold, 0 to 1.

    An axis points to where its largest component is positive, so that the map is never mirrored. Where the texts differ in
    fewer than two directions an axis is zero; where they do not differ at all the share is 1: nothing is hidden.
    """
    _, lengths, directions = np.linalg.svd(states - states.mean(axis=0), full_matrices=False)
    variances, axes = np.zeros(2), np.zeros((2, states.shape[1]))
    for k, (length, axis) in enumerate(zip(lengths[:2], directions[:2], strict=True)):
        if length > lengths[0] * np.finfo(np.float32).eps:  # less is what rounding leaves
            variances[k], axes[k] = length**2, axis * np.sign(axis[np.abs(axis).argmax()])
    total = float((lengths**2).sum())
    return axes, float(variances.sum()) / total if total else 1.0
