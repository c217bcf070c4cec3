"""TokenInfluence: which tokens of one text push for or against the forget texts, and in which part of the model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from unlearnviz.engine.gradients.scan import GradientScan
from unlearnviz.engine.probes.probe import Probe, Reading, View, find_passage
from unlearnviz.engine.progress import drain
from unlearnviz.engine.settings import setting

if TYPE_CHECKING:
    from unlearnviz.engine.corpus import Corpus
    from unlearnviz.engine.model import LanguageModel


@dataclass(frozen=True)
class TokenInfluence(Probe):
    """What each token of a text adds to the text's influence on the forget texts.

    The text's gradient is a sum over its tokens, and so is its inner product with the gradient of the forget loss. A share
    belongs to the token that is read there, from which the next one is predicted; the shares add up to the text's Influence.

    Rows: one per token, {"passage", "token" (its piece of the text), "position", "influence" (over the whole model), "groups": {parameter
    group: influence}}. "embedding.input" there is the share of shared words (TracIn-WE), word by word. The headline is the sum.
    """

    unit = "nats per token, per unit of learning rate"
    direction = "positive = learning from this token would lower the loss of the forget texts"
    beside = ()

    passage: str = setting("", help="Id of the text to look at; empty: the first forget text.")

    def measure(self, model: LanguageModel, corpus: Corpus, view: View) -> Reading:
        """One row per token."""
        forget = view.groups.get("forget", ())
        passage = find_passage(self.passage, corpus, view) if self.passage else forget[0]
        scan = GradientScan(model, [passage.text], toward=[p.text for p in forget], tokens=True)
        drain(scan.running())
        rows: list[dict[str, Any]] = [
            {
                "passage": passage.id,
                "token": piece,
                "position": position,
                "influence": float(shares[scan.whole].sum()),
                "groups": dict(zip(scan.columns, shares.tolist(), strict=True)),
            }
            for position, (piece, shares) in enumerate(zip(model.tokens(passage.text), scan.tokens[0], strict=False))
        ]
        return self.reading(sum(row["influence"] for row in rows), rows, " ".join(scan.notes))
