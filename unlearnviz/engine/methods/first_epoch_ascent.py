"""FirstEpochAscent: climb along the gradients that were stored while the model learned, by default those of the first epoch."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from unlearnviz.engine.methods.ledger_method import LedgerMethod, counted, details, pruned
from unlearnviz.engine.progress import Progress
from unlearnviz.engine.search import searching
from unlearnviz.engine.settings import setting
from unlearnviz.engine.similarity import SCORERS, Similarity
from unlearnviz.engine.stored_sums import Term, apply, stored_gradients, summed
from unlearnviz.engine.taking import least_taken, present_losses, recalled, remember
from unlearnviz.engine.work import total_norm
from unlearnviz.errors import BadSetting, NotPossible
from unlearnviz.numbers import number

if TYPE_CHECKING:
    import torch

    from unlearnviz.engine.ledger import Ledger
    from unlearnviz.engine.work import Work

TAKE = ("picked", "fuzzy", "iterative")
USES = ("gradients", "deltas")


@dataclass(frozen=True, kw_only=True)
class FirstEpochAscent(LedgerMethod):
    """theta <- theta + strength * sum over texts and chosen epochs of rate * share * clip * stored gradient.

    Rate, share of the text in its batch and clip factor are those of the update that used the text, so that with plain SGD a pass
    over all texts and all epochs at strength 1 returns to where the training began. One step is one pass; more passes, or a
    greater strength, climb farther along the same direction, and beyond some point only destroy.

    With "deltas" the recorded changes of the updates that held these texts are subtracted instead. After a training by AdamW only
    they undo anything: stored gradients were not what moved the weights, and the sum of them is an ascent, no undo. Of a tied
    embedding in one use (`where="embedding.input"`) there are gradients, but no deltas.

    "fuzzy" takes every tracked text that looks at least `threshold` like a picked one (the picked ones always). "iterative" takes,
    step by step, the picked texts that the model knows best at that moment, none twice before all were taken once, until the
    forget texts surprise it as much as texts that it never saw; what was taken is part of the commit.

    An update of one epoch is shorter than one of all. For a fair comparison give both one `update_norm`, or let this one be
    rescaled to the length of the update of all epochs.
    """

    source = (
        "Zagardo 2024, arXiv 2406.09391, first-epoch gradient ascent (reconstruction: data, storage, strength and stop rule of the paper "
        "are not known)"
    )

    epochs: str = setting("first", help="Whose gradients: first, all, or numbers such as 1, 3-5.")
    strength: float = setting(1.0, help="How often the sum is added in one pass (lambda).", above=0, maximum=1e6)
    use: str = setting("gradients", help="What is applied: stored gradients, or what the updates changed.", choices=USES)
    update_norm: float | None = setting(None, help="Length (L2 norm) that the sum is rescaled to, before strength; empty: as stored.", above=0)
    as_long_as_all: bool = setting(False, help="Rescale the sum to the length of that of all epochs, for a fair comparison.")
    take: str = setting("picked", help="Which texts: the picked ones, all that look alike, or the best known first.", choices=TAKE)
    threshold: float = setting(80.0, help="Similarity from which a tracked text is taken (fuzzy only).", minimum=0, maximum=100, advanced=True)
    scorer: str = setting("ratio", help="How two texts are compared (fuzzy only).", choices=SCORERS, advanced=True)
    texts: int = setting(1, help="Texts per step (iterative only).", minimum=1, maximum=1024, advanced=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.as_long_as_all and self.update_norm is not None:
            raise BadSetting(
                f"{type(self).__name__} was given update_norm={self.update_norm:g} and as_long_as_all=True; an update has one length, so give one "
                "of the two."
            )

    def run(self, work: Work) -> Iterator[Progress]:
        """Choose the texts, sum what is stored of them, add it."""
        ledger = self.ledger(work)
        epochs = ledger.chosen_epochs(self.epochs)
        row = yield from self._chosen(work, ledger)
        ids = row["taken"]
        update = yield from self._sum(work, ledger, ids, epochs)
        length, wanted = total_norm(update), self.update_norm
        if self.as_long_as_all:
            wanted = total_norm((yield from self._sum(work, ledger, ids, ledger.chosen_epochs("all"))))
        factor = self.strength * (1.0 if wanted is None else wanted / length if length else 0.0)
        apply(work, update, factor)
        losses = yield from work.measuring()
        work.trajectory.append({**row, "updates": 1, "norm": factor * length, "losses": losses})
        if self.take == "iterative":
            remember(work, [*recalled(work), *ids])
            work.ended = self._ended(losses)
        work.did = self._did(ledger, len(ids), epochs)

    def _sum(self, work: Work, ledger: Ledger, ids: Sequence[str], epochs: Sequence[int]) -> Generator[Progress, None, dict[str, torch.Tensor]]:
        """What is to be added, at strength 1 and as it is stored."""
        if self.use == "deltas":
            self.deltas(work, ids, epochs)
            terms: list[Term] = [(-1.0, partial(ledger.delta, step)) for step in ledger.touching(ids, epochs)]
        else:
            ledger.require(ids, work.parameters, "gradients", epochs)
            terms = stored_gradients(work, ledger, ids, epochs)
        return (yield from summed(work, terms))

    def _chosen(self, work: Work, ledger: Ledger) -> Generator[Progress, None, dict[str, Any]]:
        """The texts of this pass: {"taken": ids}, and "scores" where they were scored."""
        if self.take == "picked":
            return {"taken": [passage.id for passage in work.forget]}
        return (yield from (self._alike(work, ledger) if self.take == "fuzzy" else self._known_best(work)))

    def _alike(self, work: Work, ledger: Ledger) -> Generator[Progress, None, dict[str, Any]]:
        """The picked texts, and the tracked ones that look like them."""
        others = [passage for passage in work.retain if passage.id in set(ledger.tracked)]
        scores = {passage.id: 100.0 for passage in work.forget}
        if others:
            known = [passage.text for passage in work.forget]
            matches = yield from searching(known, [each.text for each in others], Similarity(self.scorer), threshold=self.threshold)
            scores |= {others[k].id: float(score) for k, score in zip(matches.positions, matches.scores, strict=True)}
        return {"taken": list(scores), "scores": list(scores.values())}

    def _known_best(self, work: Work) -> Generator[Progress, None, dict[str, Any]]:
        """The next of the picked texts: those with the lowest loss at this moment."""
        if not any(len(work.model.encode(passage.text)) > 1 for passage in work.groups.get("never seen", ())):
            raise BadSetting(
                "take='iterative' goes on until the forget texts are as surprising as texts that the model never saw, and this corpus holds "
                "none; take the picked texts at once, or read the texts with holdout=0.1."
            )
        if ended := self._ended((yield from work.measuring())):
            raise NotPossible(
                f"A further step of {self.name} was asked for, but its stop rule is reached: {ended}. Undo a step, or go on with another method."
            )
        remaining = least_taken([passage for passage in work.forget if len(work.model.encode(passage.text)) > 1], recalled(work))
        losses = yield from present_losses(work, remaining)
        order = np.argsort(losses, kind="stable")[: self.texts]
        return {"taken": [remaining[k].id for k in order], "scores": losses[order].tolist()}

    def _ended(self, losses: dict[str, float]) -> str:
        """Why there is nothing left to do, in words; "" while there is."""
        if losses["forget"] < losses["never seen"]:
            return ""
        forget, never = (number(losses[group]) for group in ("forget", "never seen"))
        return f"the forget texts surprise the model by {forget} nats a token, texts that it never saw by {never}"

    def _did(self, ledger: Ledger, texts: int, epochs: Sequence[int]) -> str:
        when = f"epoch {epochs[0]}" if len(epochs) == 1 else f"epochs {', '.join(map(str, epochs))}"
        if len(epochs) == ledger.epochs:
            when = f"all {counted(ledger.epochs, 'epoch')}"
        if self.use == "deltas":
            said, by = "took back recorded updates", ""
        elif ledger.recipe.optimizer == "SGD":
            said, by = "ascent along stored gradients", ""
        else:
            said, by = "ascent along stored gradients, not an undo of training", f"by {ledger.recipe.optimizer}"
        return said + details(by, counted(texts, "text"), when, pruned(ledger))
