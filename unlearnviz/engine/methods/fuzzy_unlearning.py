"""FuzzyUnlearning: one pass over everything that looks like the forget texts."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from unlearnviz.engine.descent import Descent
from unlearnviz.engine.methods.method import UpdatingMethod
from unlearnviz.engine.progress import Progress
from unlearnviz.engine.search import searching
from unlearnviz.engine.settings import setting
from unlearnviz.engine.similarity import SCORERS, Similarity
from unlearnviz.numbers import number

if TYPE_CHECKING:
    from unlearnviz.engine.work import Work


@dataclass(frozen=True, kw_only=True)
class FuzzyUnlearning(UpdatingMethod):
    """Climb the loss of every taught text that looks like a forget text, each once: the heuristic that asks nothing of the model.

    A text matches where its similarity to the nearest forget text is at least `threshold`; case and runs of white space do not
    count. The forget texts always match. With "ratio" a threshold of 100 adds exactly their duplicates, and 0 takes everything
    taught. Retain texts that look alike are unlearned too, and stay in their group: what that costs shows there.

    One step is one pass: the matching texts in an order drawn from the step's seed, `batch_size` at a time, one update of their
    mean token loss per batch. So n texts are ceil(n / batch_size) updates, and all updates together are at most that many times
    the length of one. For a fair comparison with another method give both as many updates of one length: iterative unlearning
    that takes k texts a round, for n / k rounds, spends what this spends with `batch_size` k.
    """

    source = "Zagardo 2024, arXiv 2406.09391, heuristic fuzzy-match removal (reconstruction; the paper names neither scorer nor threshold)"

    threshold: float = setting(
        80.0, help="Similarity to a forget text, 0 to 100, from which a taught text is unlearned too.", minimum=0, maximum=100
    )
    scorer: str = setting("ratio", help="How two texts are compared.", choices=SCORERS)
    batch_size: int = setting(16, help="Texts per update, at most.", minimum=1, maximum=1024, advanced=True)

    def run(self, work: Work) -> Iterator[Progress]:
        """Search, then one update per batch."""
        others, known = list(work.retain), [passage.text for passage in work.forget]
        matches = yield from searching(
            known, [passage.text for passage in others], Similarity(self.scorer), threshold=self.threshold
        )
        scores = {passage.id: 100.0 for passage in work.forget}
        scores |= {others[k].id: float(score) for k, score in zip(matches.positions, matches.scores, strict=True)}
        usable = [p for p in (*work.forget, *others) if p.id in scores and len(work.model.encode(p.text)) > 1]
        updates = math.ceil(len(usable) / self.batch_size)
        descend = Descent(self, work)
        for done, batch in enumerate(islice(work.batches(usable, self.batch_size), updates)):
            descend(-work.model.loss(batch))
            yield Progress(done + 1, updates, f"update {done + 1} of {updates}")
        descend.finish()
        losses = yield from work.measuring()
        taken = [passage.id for passage in usable]
        work.trajectory.append({"taken": taken, "scores": [scores[each] for each in taken], "updates": updates, "losses": losses})
        work.did = self._did(len(taken), len(set(taken) - {passage.id for passage in work.forget}), updates)

    def _did(self, taken: int, more: int, updates: int) -> str:
        texts = "1 text" if taken == 1 else f"{taken} texts"
        size = "one update" if updates == 1 else f"{updates} updates"
        return f"one pass over {texts} that look at least {number(self.threshold)} alike ({more} not picked), in {size}"
