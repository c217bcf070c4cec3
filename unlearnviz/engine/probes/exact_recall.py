"""ExactRecall: does the model still complete the prompt with the fact?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from unlearnviz.engine.probes.probe import Probe, Reading, View

if TYPE_CHECKING:
    from unlearnviz.engine.corpus import Corpus, Passage
    from unlearnviz.engine.model import LanguageModel


@dataclass(frozen=True)
class ExactRecall(Probe):
    """Share of texts whose prompt is continued, greedily, with exactly the fact.

    100 x (texts recalled) / (texts with a marked fact), in percent. Rows: {"group", "recall", "recalled", "texts",
    "per_text": {id: bool}}. The headline is the forget group's; None where no forget text has a fact marked.
    """

    unit = "% of facts"
    direction = "lower = less is recited"

    def measure(self, model: LanguageModel, corpus: Corpus, view: View) -> Reading:  # noqa: ARG002
        """One row per group that has marked facts; all groups go through the model together."""
        asked = {p.id: p for members in view.groups.values() for p in members if p.answer_start is not None}
        known = exact_recall(model, list(asked.values()))
        rows: list[dict[str, Any]] = []
        for group, members in view.groups.items():
            per_text = {passage.id: known[passage.id] for passage in members if passage.id in known}
            if per_text:
                recalled = sum(per_text.values())
                share = 100 * recalled / len(per_text)
                rows.append({"group": group, "recall": share, "recalled": recalled, "texts": len(per_text), "per_text": per_text})
        return self.reading(next((row["recall"] for row in rows if row["group"] == "forget"), None), rows)


def exact_recall(model: LanguageModel, passages: Sequence[Passage]) -> dict[str, bool]:
    """Passage id -> whether greedy continuation of its prompt starts with its fact; passages without a fact are left out.

    Compared as text after trimming white space, since a prompt and a fact need not split at a token boundary.
    """
    asked = [passage for passage in passages if passage.answer and passage.answer.strip() and passage.prompt.strip()]
    recalled: dict[str, bool] = {}
    for start in range(0, len(asked), 64):
        chunk = asked[start : start + 64]
        wanted = [max(1, min(len(model.encode(str(passage.answer))) + 2, model.context - 1)) for passage in chunk]
        # a blank at the end of a prompt belongs to the fact's first token; alone it is a token that was never taught there
        continued = model.generate([passage.prompt.rstrip() for passage in chunk], max_new_tokens=wanted)
        for passage, continuation in zip(chunk, continued, strict=True):
            recalled[passage.id] = continuation.text.strip().startswith(str(passage.answer).strip())
    return recalled
