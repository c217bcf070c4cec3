"""PassagePerplexity: how surprised the model is by single texts."""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from unlearnviz.engine.probes.perplexity import exponential
from unlearnviz.engine.probes.probe import Probe, Reading, View, find_passages
from unlearnviz.engine.progress import Enough, Progress, drain
from unlearnviz.engine.settings import setting

if TYPE_CHECKING:
    from unlearnviz.engine.corpus import Corpus
    from unlearnviz.engine.model import LanguageModel


@dataclass(frozen=True)
class PassagePerplexity(Probe):
    """exp of the mean token loss of each text: what Perplexity says of the texts of its groups, for any texts.

    Rows: one per text, in the order asked, {"passage", "perplexity" (1 = knows every word), "loss" (nats per token), "tokens" (those
    predicted: all but the first)}. Texts of a single token predict nothing and are left out. The headline is the perplexity of
    all these texts together, weighted by tokens.
    """

    unit = "perplexity"
    direction = "lower = better remembered"
    cost: ClassVar[Literal["cheap", "slow"]] = "slow"
    beside = ("start",)

    passages: tuple[str, ...] = setting((), help="Ids of the texts; none: all taught texts.")

    def measure(self, model: LanguageModel, corpus: Corpus, view: View) -> Reading:
        """One row per text."""
        return drain(self.measuring(model, corpus, view))

    def measuring(self, model: LanguageModel, corpus: Corpus, view: View) -> Generator[Progress, None, Reading]:
        """The same in batches; stopped, what is done is kept."""
        passages = find_passages(self.passages, corpus, view) or corpus.train
        texts = [passage.text for passage in passages]
        usable = [k for k, text in enumerate(texts) if len(model.encode(text)) > 1]
        losses: dict[int, tuple[float, int]] = {}
        said = ""
        try:
            for indices in model.chunks(usable, texts):
                found = model.token_losses([texts[k] for k in indices])
                losses.update((k, (float(row.double().mean()), len(row))) for k, row in zip(indices, found, strict=True))
                yield Progress(len(losses), len(usable), "texts read")
        except Enough:
            said = f"Stopped: {len(losses)} of {len(usable)} texts were done."
        rows: list[dict[str, Any]] = [
            {"passage": passages[k].id, "perplexity": exponential(loss), "loss": loss, "tokens": tokens}
            for k, (loss, tokens) in sorted(losses.items())
        ]
        if not rows:
            return self.reading(None, [], said)
        total = math.fsum(row["loss"] * row["tokens"] for row in rows) / sum(row["tokens"] for row in rows)
        return self.reading(exponential(total), rows, said)
