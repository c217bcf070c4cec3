"""Leak: how much of the facts still comes out, asked for in the taught words, in others, and by the way."""

from __future__ import annotations

import statistics
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from unlearnviz.engine.fact_score import OTHERS, SEED, OtherFacts, beyond_chance, chance_score, fact_score
from unlearnviz.engine.probes.probe import Probe, Reading, View
from unlearnviz.engine.probes.questions import Question, questions
from unlearnviz.engine.progress import Enough, Progress, drain
from unlearnviz.engine.settings import setting
from unlearnviz.numbers import number

if TYPE_CHECKING:
    from unlearnviz.engine.corpus import Corpus
    from unlearnviz.engine.model import LanguageModel

PROMPTS_AT_ONCE = 32


@dataclass(frozen=True)
class Leak(Probe):
    """How much of each fact the model still says, beyond what chance would match.

    leak = 100 x (score - chance) / (100 - chance), clipped to 0..100. The model continues a prompt greedily; `score` says how well the stretch that
    fits the fact best fits it (0 to 100, see `fact_score`), and `chance` is the median score of the same continuation against other
    people's facts in the same slot: "Foundry Lane" is much like any other street, and who says it need not know where somebody lives.
    The slot of a passage is the kind of its fact, `extra["slot"]`: a column of that name in your data.

    Rows: one per prompt, {"group", "passage" (whose prompt it is), "prompt", "said", "fact" (that is listened for), "score", "chance" (None
    where nobody else has a fact to compare with: the score is then left as it is), "leak", "exact" (the continuation begins with the
    fact)}. The groups:

    - "forget": each forget text up to its fact;
    - "paraphrase": other texts, taught or not, of the same subject and slot (where slots are not named, of the same subject and fact), and
      the wordings in the column `paraphrases`;
    - "neighbours": the session's other neighbours, listening for the fact of the forget text that each is most like; one that rightly tells
      this very fact of somebody else is left out;
    - "never seen": texts that the model was never taught, listening for their own facts. What leaks there is the noise floor.

    The headline is the mean leak over the rows of "forget" and "paraphrase", each prompt counting once.
    """

    unit = "% of the way from chance to the whole fact"
    direction = "lower = less comes out; the never-seen rows are the floor"
    cost: ClassVar[Literal["cheap", "slow"]] = "slow"

    paraphrases: str = setting("", help="Column of your data with other wordings of the prompt: a text or a list of texts.")
    beyond: int = setting(8, help="Tokens to write beyond the length of the fact.", minimum=0, maximum=256, advanced=True)

    def measure(self, model: LanguageModel, corpus: Corpus, view: View) -> Reading:
        """One row per prompt."""
        return drain(self.measuring(model, corpus, view))

    def measuring(self, model: LanguageModel, corpus: Corpus, view: View) -> Generator[Progress, None, Reading]:
        """The same in batches; stopped, what is done is kept."""
        asked = [each for each in questions(view.groups, corpus, self.paraphrases) if model.encode(each.prompt)]
        others = OtherFacts(corpus)
        rows: list[dict[str, Any]] = []
        said = ""
        try:
            for start in range(0, len(asked), PROMPTS_AT_ONCE):
                rows += self._rows(model, asked[start : start + PROMPTS_AT_ONCE], others)
                yield Progress(len(rows), len(asked), "prompts asked")
        except Enough:
            said = f"Stopped: {len(rows)} of {len(asked)} prompts were asked."
        counted = [row["leak"] for row in rows if row["group"] in ("forget", "paraphrase")]
        without = {p.id for p in view.groups.get("forget", ())} - {each.passage for each in asked if each.group == "forget"}
        slots = all(others.of(each.fact)[1] for each in asked)
        notes = (said, _without_fact(len(without)), _floor(rows), _compared(rows, slots=slots))
        return self.reading(statistics.fmean(counted) if counted else None, rows, " ".join(each for each in notes if each))

    def _rows(self, model: LanguageModel, asked: Sequence[Question], others: OtherFacts) -> list[dict[str, Any]]:
        room = [self._room(model, each) for each in asked]
        rows = []
        for question, continuation in zip(asked, model.generate([each.prompt for each in asked], max_new_tokens=room), strict=True):
            fact, said = str(question.fact.answer).strip(), continuation.text
            score, chance = fact_score(fact, said), chance_score(others.of(question.fact)[0], said)
            rows.append(
                {
                    "group": question.group,
                    "passage": question.passage,
                    "prompt": question.prompt,
                    "said": said,
                    "fact": fact,
                    "score": score,
                    "chance": chance,
                    "leak": beyond_chance(score, chance or 0.0),
                    "exact": said.strip().startswith(fact),
                }
            )
        return rows

    def _room(self, model: LanguageModel, question: Question) -> int:
        """Tokens to write: the fact's and some more, as far as the context goes; of a long prompt its end is read, half a context."""
        prompt, fact = (len(model.encode(text)) for text in (question.prompt, str(question.fact.answer)))
        return max(1, min(fact + self.beyond, max(model.context - prompt, model.context // 2)))


def _without_fact(texts: int) -> str:
    if not texts:
        return ""
    return f"{texts} forget text{' has' if texts == 1 else 's have'} no fact marked after a prompt, and cannot be asked."


def _floor(rows: Sequence[dict[str, Any]]) -> str:
    never = sorted(row["leak"] for row in rows if row["group"] == "never seen")
    if not never:
        return ""
    return (
        f"The floor, facts that the model was never taught: {number(statistics.fmean(never))} on average, "
        f"half of the {len(never)} at most {number(never[(len(never) - 1) // 2])}, nine in ten at most {number(never[(9 * len(never) - 1) // 10])}."
    )


def _compared(rows: Sequence[dict[str, Any]], *, slots: bool) -> str:
    """How chance was taken, where it was not from facts of the same slot."""
    if any(row["chance"] is None for row in rows):
        return "Where chance is None nobody else has a fact of this kind to compare with, and the score is not corrected."
    if slots:
        return ""
    drawn = f"at most {OTHERS} of them, drawn with seed {SEED}"
    return f"Where a fact has no slot that others have a fact in, chance is taken from all facts of others ({drawn})."
