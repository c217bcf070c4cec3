"""Influence: which texts keep the forget texts in the model, and through which parts of it."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from unlearnviz.engine.gradients.scan import GradientScan
from unlearnviz.engine.probes.probe import Enough, Probe, Reading, View
from unlearnviz.engine.progress import Progress, drain
from unlearnviz.engine.settings import setting

if TYPE_CHECKING:
    from unlearnviz.engine.corpus import Corpus, Passage
    from unlearnviz.engine.model import LanguageModel

SCORES = ("gradient product", "cosine", "shared words")


@dataclass(frozen=True)
class Influence(Probe):
    """How far each taught text pulls the way of the forget texts, per parameter group, at the weights looked at.

    "gradient product" is the inner product of the text's gradient with that of the forget loss (TracIn, Pruthi et al. 2020, at
    one checkpoint and without the learning rate): how many nats per token one SGD step on the text would take off the forget
    loss, per unit of learning rate. "cosine" divides it by both norms (-1 to 1): direction alone. "shared words" looks at the
    token embedding's input use only (TracIn-WE, Yeh et al. 2022): words that both texts have. First order, at these weights:
    no statement on what training without the text would have given.

    Rows: one per text, {"passage", "group" ("forget", "taught" or "never seen"), "influence" (over the whole model), "norm" (of the
    text's gradient, nats per unit of weight), "groups": {parameter group: influence}, and with `each` "texts": {forget id: inner
    product with this forget text alone}}. The never-seen texts of the session's groups come last: their scores are what texts
    have in common that the model was never taught, the noise floor. The headline is the largest absolute score among them.
    """

    unit = "nats per token, per unit of learning rate"
    direction = "positive = one more small SGD step on this text would lower the loss of the forget texts"
    cost: ClassVar[Literal["cheap", "slow"]] = "slow"
    beside = ("start",)

    score: str = setting("gradient product", help="What is counted.", choices=SCORES)
    each: bool = setting(False, help="Also keep the forget texts apart (gradient product only).", advanced=True)

    def measure(self, model: LanguageModel, corpus: Corpus, view: View) -> Reading:
        """One row per text."""
        return drain(self.measuring(model, corpus, view))

    def measuring(self, model: LanguageModel, corpus: Corpus, view: View) -> Generator[Progress, None, Reading]:
        """The same in batches; stopped, what is done is kept."""
        forget = view.groups.get("forget", ())
        taught, floor = list(corpus.train), list(view.groups.get("never seen", ()))
        passages = [*(p for p in forget if p not in taught), *taught, *floor]
        scan = GradientScan(model, [p.text for p in passages], toward=[p.text for p in forget], each=self.each)
        with contextlib.suppress(Enough):
            yield from scan.running()
        rows = self._rows(scan, passages, forget)
        never = [abs(row["influence"]) for row in rows if row["group"] == "never seen"]
        return self.reading(max(never, default=None), rows, _note(scan))

    def _rows(self, scan: GradientScan, passages: Sequence[Passage], forget: Sequence[Passage]) -> list[dict[str, Any]]:
        values, total = scores(scan, self.score)
        whole = np.sqrt((scan.norms[:, scan.whole] ** 2).sum(axis=1))
        asked, columns = {p.id for p in forget}, columns_of(scan, self.score)
        rows = []
        for k, passage in enumerate(passages):
            if np.isnan(scan.losses[k]):
                continue
            group = "forget" if passage.id in asked else "never seen" if passage.split == "holdout" else "taught"
            row: dict[str, Any] = {
                "passage": passage.id,
                "group": group,
                "influence": float(total[k]),
                "norm": float(whole[k]),
                "groups": dict(zip(columns, values[k].tolist(), strict=True)),
            }
            if scan.each is not None:
                row["texts"] = {
                    p.id: float(value) for p, value in zip(forget, scan.each[k], strict=True) if np.isfinite(value)
                }
            rows.append(row)
        return rows


def columns_of(scan: GradientScan, score: str) -> tuple[str, ...]:
    """Names of the columns that a score has."""
    if score != "shared words":
        return scan.columns
    return ("embedding.input",) if "embedding.input" in scan.columns else ("embedding",)


def scores(scan: GradientScan, score: str) -> tuple[np.ndarray, np.ndarray]:
    """Per text its scores by column, shape (texts, columns), and over the whole model, shape (texts,)."""
    assert scan.influence is not None
    assert scan.toward_norms is not None
    values, total = scan.influence, scan.influence[:, scan.whole].sum(axis=1)
    if score == "shared words":
        values = scan.column(values, columns_of(scan, score)[0])[:, None]
        return values, values[:, 0]
    if score == "cosine":
        squares, aims = scan.norms**2, scan.toward_norms**2
        lengths = np.sqrt(squares[:, scan.whole].sum(axis=1) * aims[scan.whole].sum())
        return _ratio(values, scan.norms * scan.toward_norms), _ratio(total, lengths)
    return values, total


def _ratio(value: np.ndarray, length: np.ndarray) -> np.ndarray:
    """value / length, 0 where a gradient is 0."""
    found: np.ndarray = np.divide(value, length, out=np.where(np.isnan(length), np.nan, 0.0), where=length > 0)
    return found


def _note(scan: GradientScan) -> str:
    said = list(scan.notes)
    if scan.done < scan.usable:
        said.insert(0, f"Stopped: {scan.done} of {scan.usable} texts were done.")
    return " ".join(said)
