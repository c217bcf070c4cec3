"""Removal: what leaving each taught text out of the training would do to the forget texts, by influence functions."""

from __future__ import annotations

import random
from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from unlearnviz.engine.curvature.products import GaussNewtonProduct, HessianProduct
from unlearnviz.engine.curvature.removing import RemovalInfluence
from unlearnviz.engine.probes.probe import Enough, Probe, Reading, View
from unlearnviz.engine.progress import Progress, drain
from unlearnviz.engine.settings import setting
from unlearnviz.errors import BadForgetSet
from unlearnviz.numbers import number

if TYPE_CHECKING:
    from unlearnviz.engine.corpus import Corpus
    from unlearnviz.engine.model import LanguageModel

CURVATURES = {"Gauss-Newton": GaussNewtonProduct, "Hessian": HessianProduct}


@dataclass(frozen=True)
class Removal(Probe):
    """By how much the forget loss would change had a text not been taught: +(1/n) g(forget)' (H + damping)^-1 g(text).

    Koh & Liang 2017 (arXiv 1703.04730), with the sign of removing; 1/n is the text's share of all taught tokens. H is the curvature of the
    mean token loss of a sample of the taught texts, in the parameters `where` alone; the Gauss-Newton curvature is never negative, the
    Hessian of a model that was not trained to a minimum often is, and then the note says so and what damping it would take. One
    Newton step: a model that is far from a minimum, or a large damping, makes it smaller than the truth.

    Rows: one per text, {"passage", "group" ("forget", "taught" or "never seen"), "influence", "groups": {where: influence}}. The never-seen
    texts tell what a text would have if it were one of the taught. The headline is the largest absolute value among them.
    """

    unit = "nats per token"
    direction = "positive = without this text the forget texts would have a higher loss"
    cost: ClassVar[Literal["cheap", "slow"]] = "slow"
    beside = ("start",)

    where: str = setting("embedding", help="The parameters whose curvature counts: any selection.")
    damping: float = setting(0.1, help="What is added to every eigenvalue of the curvature.", above=0, maximum=1e6)
    curvature: str = setting("Gauss-Newton", help="Which curvature.", choices=tuple(CURVATURES))
    sample: int = setting(
        60, help="Taught texts that the curvature is taken over, drawn with seed 0.", minimum=1, maximum=10_000
    )
    products: int = setting(100, help="Conjugate gradients stop after so many products.", minimum=1, maximum=10_000)

    def measure(self, model: LanguageModel, corpus: Corpus, view: View) -> Reading:
        """One row per text."""
        return drain(self.measuring(model, corpus, view))

    def measuring(self, model: LanguageModel, corpus: Corpus, view: View) -> Generator[Progress, None, Reading]:
        """The same in batches; stopped, what is done is kept."""
        forget, floor = view.groups.get("forget", ()), list(view.groups.get("never seen", ()))
        taught = [passage.text for passage in corpus.train]
        passages = [*corpus.train, *floor]
        usable = [text for text in taught if len(model.encode(text)) > 1]
        if not usable:
            raise BadForgetSet("None of the taught texts has two tokens, so there is no curvature; give longer texts.")
        chosen = random.Random(0).sample(usable, min(self.sample, len(usable)))
        product = CURVATURES[self.curvature](model, chosen, self.where)
        removal = RemovalInfluence(
            product,
            [passage.text for passage in passages],
            [passage.text for passage in forget],
            taught=taught,
            damping=self.damping,
            most=self.products,
        )
        stopped = ""
        try:
            yield from removal.running()
        except Enough:
            stopped = f"Stopped: {removal.done} of {len(passages)} texts were done."
        asked = {passage.id for passage in forget}
        rows: list[dict[str, Any]] = [
            {
                "passage": passage.id,
                "group": "forget" if passage.id in asked else "never seen" if passage.split == "holdout" else "taught",
                "influence": float(value),
                "groups": {self.where: float(value)},
            }
            for passage, value in zip(passages, removal.influence, strict=True)
            if np.isfinite(value)
        ]
        never = [abs(row["influence"]) for row in rows if row["group"] == "never seen"]
        said = " ".join(part for part in (stopped, self._solved(removal, len(chosen)), *removal.notes) if part)
        return self.reading(max(never, default=None), rows, said)

    def _solved(self, removal: RemovalInfluence, texts: int) -> str:
        solution = removal.solution
        if solution is None:
            return "The inverse was not finished."
        return (
            f"{self.curvature} over {texts} taught texts, damping {number(self.damping)}: conjugate gradients took {solution.iterations} products to "
            f"a relative residual of {number(solution.residual)}."
        )
