"""Generation: what the model says when asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from unlearnviz.engine.probes.probe import Probe, Reading, View
from unlearnviz.engine.settings import setting

if TYPE_CHECKING:
    from unlearnviz.engine.corpus import Corpus
    from unlearnviz.engine.model import LanguageModel


@dataclass(frozen=True)
class Generation(Probe):
    """Continuations of prompts: greedy at temperature 0, otherwise sampled with a seed.

    Rows: {"prompt", "text" (the new text only), "tokens" (how many), "note"}. There is no headline number.
    """

    unit = "text"
    direction = "compare with the start and the twin"

    prompts: str | tuple[str, ...] = setting((), help="Prompts to continue; empty: the prompts of the first eight forget texts.")
    max_new_tokens: int = setting(24, help="Tokens to write after each prompt.", minimum=1, maximum=512)
    temperature: float = setting(0.0, help="0 is greedy (always the likeliest word); 1 samples as the model believes.", minimum=0, maximum=5)
    seed: int = setting(0, help="Of the sampling.", minimum=0, advanced=True)

    def __post_init__(self) -> None:
        if isinstance(self.prompts, list):
            object.__setattr__(self, "prompts", tuple(self.prompts))
        super().__post_init__()

    def measure(self, model: LanguageModel, corpus: Corpus, view: View) -> Reading:  # noqa: ARG002
        """One row per prompt."""
        given = (self.prompts,) if isinstance(self.prompts, str) else self.prompts
        prompts = given or tuple(dict.fromkeys(half_prompt(p.text, p.answer_start) for p in view.groups.get("forget", ())[:8]))
        written = model.generate(prompts, max_new_tokens=self.max_new_tokens, temperature=self.temperature, seed=self.seed)
        return self.reading(None, [{"prompt": c.prompt, "text": c.text, "tokens": len(c.ids), "note": c.note} for c in written])


def half_prompt(text: str, answer_start: int | None) -> str:
    """A text up to its fact; where none is marked, its first half of words."""
    if answer_start and text[:answer_start].strip():
        return text[:answer_start].rstrip()  # the blank belongs to the fact's first token
    words = text.split(" ")
    return " ".join(words[: max(1, (len(words) + 1) // 2)])
