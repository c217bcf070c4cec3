"""RougeL: how much of each answer does the model give, in its order of words?"""

from __future__ import annotations

import statistics
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from unlearnviz.engine.probes.probe import Enough, Probe, Reading, View
from unlearnviz.engine.progress import Progress, drain
from unlearnviz.engine.rouge import RougeScore, rouge_l, words
from unlearnviz.engine.settings import setting

if TYPE_CHECKING:
    from unlearnviz.engine.corpus import Corpus, Passage
    from unlearnviz.engine.model import LanguageModel

PROMPTS_AT_ONCE = 32


@dataclass(frozen=True)
class RougeL(Probe):
    """ROUGE-L of the greedy continuation of each prompt against its answer, as TOFU reports it (Maini et al. 2024, arXiv 2401.06121).

    The longest common subsequence of words, in lower case and not stemmed, over the answer's words (recall, TOFU's number: what is said beyond the
    answer does not matter) or over those said (precision); f is their harmonic mean. TOFU lets the model write as long as it likes up to a
    limit; here the limit is the answer's length in tokens and `beyond` more. Only a-z and 0-9 make words: answers without any are left out.

    Rows: {"group", "recall", "precision", "f" (means over the texts), "texts", "per_text": {id: recall}}. The headline is the forget group's recall.
    """

    unit = "recall (0 to 1)"
    direction = "lower = less of the answer is said; the twin says some of it too"
    cost: ClassVar[Literal["cheap", "slow"]] = "slow"

    beyond: int = setting(16, help="Tokens to write beyond the length of the answer.", minimum=0, maximum=1024, advanced=True)

    def measure(self, model: LanguageModel, corpus: Corpus, view: View) -> Reading:
        """One row per group that has answers."""
        return drain(self.measuring(model, corpus, view))

    def measuring(self, model: LanguageModel, corpus: Corpus, view: View) -> Generator[Progress, None, Reading]:  # noqa: ARG002
        """The same in batches; stopped, what is done is kept."""
        asked = [passage for members in view.groups.values() for passage in members if _is_asked(model, passage)]
        scores: dict[str, RougeScore] = {}
        stopped = ""
        try:
            for start in range(0, len(asked), PROMPTS_AT_ONCE):
                chunk = asked[start : start + PROMPTS_AT_ONCE]
                prompts = [passage.prompt.rstrip() for passage in chunk]  # the blank belongs to the answer's first token
                written = model.generate(prompts, max_new_tokens=[self._room(model, passage) for passage in chunk])
                for passage, continuation in zip(chunk, written, strict=True):
                    scores[passage.id] = rouge_l(str(passage.answer), continuation.text)
                yield Progress(len(scores), len(asked), "prompts asked")
        except Enough:
            stopped = f"Stopped: {len(scores)} of {len(asked)} prompts were asked."
        rows = [row for group, members in view.groups.items() if (row := _row(group, members, scores)) is not None]
        recall = next((row["recall"] for row in rows if row["group"] == "forget"), None)
        missing = "No forget text has a marked answer with words in it: read your data with prompt= and answer=."
        return self.reading(recall, rows, stopped or ("" if recall is not None else missing))

    def _room(self, model: LanguageModel, passage: Passage) -> int:
        """Tokens to write: the answer's and some more, as far as the context goes; of a long prompt its end is read, half a context."""
        prompt, answer = (len(model.encode(text)) for text in (passage.prompt, str(passage.answer)))
        return max(1, min(answer + self.beyond, max(model.context - prompt, model.context // 2)))


def _is_asked(model: LanguageModel, passage: Passage) -> bool:
    return bool(words(passage.answer or "") and model.encode(passage.prompt.rstrip()))


def _row(group: str, members: Sequence[Passage], scores: dict[str, RougeScore]) -> dict[str, Any] | None:
    mine = {passage.id: scores[passage.id] for passage in members if passage.id in scores}
    if not mine:
        return None
    means = {name: statistics.fmean(getattr(score, name) for score in mine.values()) for name in ("recall", "precision", "f")}
    return {"group": group, **means, "texts": len(mine), "per_text": {name: score.recall for name, score in mine.items()}}
