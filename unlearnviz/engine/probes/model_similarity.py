"""ModelSimilarity: which texts the model reads much as it reads the forget texts, whatever their words."""

from __future__ import annotations

import random
from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from unlearnviz.engine.hidden_states import MeanStates, cosines
from unlearnviz.engine.probes.probe import Probe, Reading, View, find_passages
from unlearnviz.engine.progress import Enough, Progress, drain
from unlearnviz.engine.settings import setting

if TYPE_CHECKING:
    from unlearnviz.engine.corpus import Corpus
    from unlearnviz.engine.model import LanguageModel

CENTRE = 500  # taught texts whose mean is the centre; that of so many is off by a twentieth of their spread


@dataclass(frozen=True)
class ModelSimilarity(Probe):
    """Cosine of each text's mean hidden state to that of the nearest forget text, both seen from the mean of the taught texts.

    A second opinion beside the fuzzy match, which counts characters: a paraphrase may share few words and still be read alike,
    as far as this model understands it. Small models understand little: those that learned TOFU here find 82 % of its
    paraphrases where `ratio` finds 98 %, though some of those that `ratio` misses (`unlearnviz paraphrases`). The mean is
    subtracted because all states share it (`cosines` says more); it is taken over all taught texts, or over 500 of them drawn
    with seed 0, so that a score does not depend on which texts were asked for. At the weights looked at: unlearning moves it too.

    Rows: one per text, best first, {"passage", "similarity" (cosine, -1 to 1), "nearest" (id of the forget text)}. Texts without a
    token are left out. The headline is the highest similarity.
    """

    unit = "cosine of mean hidden states, centred"
    direction = "higher = the model reads it more like a forget text"
    cost: ClassVar[Literal["cheap", "slow"]] = "slow"
    beside = ("start",)

    passages: tuple[str, ...] = setting((), help="Ids of the texts to compare; none: all taught texts that are not to be forgotten.")
    layer: int = setting(0, help="0 = the embedding, k = after the k-th block.", minimum=0, maximum=1000, advanced=True)

    def measure(self, model: LanguageModel, corpus: Corpus, view: View) -> Reading:
        """One row per text."""
        return drain(self.measuring(model, corpus, view))

    def measuring(self, model: LanguageModel, corpus: Corpus, view: View) -> Generator[Progress, None, Reading]:
        """The same in batches; stopped, what is done is kept."""
        forget, taught = view.groups.get("forget", ()), corpus.train
        asked = {passage.id for passage in forget}
        passages = find_passages(self.passages, corpus, view) or tuple(p for p in taught if p.id not in asked)
        sample = random.Random(0).sample(taught, min(CENTRE, len(taught)))
        known = MeanStates(model, [passage.text for passage in (*forget, *sample)], self.layer)
        others = MeanStates(model, [passage.text for passage in passages], self.layer)
        said = f"After layer {known.layer} of {model.layout.blocks}, seen from the mean of {len(sample)} taught texts."
        try:
            yield from known.running()
            yield from others.running()
        except Enough:
            said = f"Stopped: {others.done} of {len(passages)} texts were done. {said}"
        if not others.done:
            return self.reading(None, [], said)
        scores = cosines(known.states[: len(forget)], others.states, np.nanmean(known.states[len(forget) :], axis=0))
        rows: list[dict[str, Any]] = []
        for passage, column in zip(passages, scores.T, strict=True):
            if np.isfinite(column).any():
                best = int(np.nanargmax(column))
                rows.append({"passage": passage.id, "similarity": float(column[best]), "nearest": forget[best].id})
        rows.sort(key=lambda row: -row["similarity"])
        return self.reading(rows[0]["similarity"] if rows else None, rows, said)
