"""Told: one fact of the picked texts as the model tells it, beside what the text says, from answers that were written anyway."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from unlearnviz.engine.probes.generation import half_prompt

if TYPE_CHECKING:
    from unlearnviz.engine.corpus import Passage
    from unlearnviz.engine.probes.probe import Reading
    from unlearnviz.views.picture import Picture

MORE = 8  # words beyond those of the fact
SILENT = "(nothing: it stops here)"
Rows = list[tuple[str, list[Any]]]


def told(picture: Picture) -> Rows:
    """(label, tokens) rows: the beginning of a fact with what the model adds, and, where that differs, what the text says.

    The fact is the first of the picked texts of which an answer was written; no rows where there is none.
    """
    for passage in sorted(picture.forget, key=lambda each: each.answer_start is None):  # those with a marked fact first
        prompt = half_prompt(passage.text, passage.answer_start)
        reading = picture.latest("generation", picked=True, fits=partial(_holds, prompt))
        if reading is not None:
            return _rows(passage, prompt, _answer(reading, prompt) or "", reading.step, picture.step)
    return []


def _holds(prompt: str, reading: Reading) -> bool:
    return _answer(reading, prompt) is not None


def _answer(reading: Reading, prompt: str) -> str | None:
    return next((row["text"] for row in reading.rows if row["prompt"] == prompt), None)


def _rows(passage: Passage, prompt: str, answer: str, step: int, now: int) -> Rows:
    label = "the model tells it now" if step == now else f"the model told it at step {step}"
    truth, said = passage.text[len(prompt) :].split(), answer.split()
    words: list[Any] = []
    for k, word in enumerate(said[: len(truth) + MORE]):
        same = k < len(truth) and word == truth[k]
        words += [" ", (word, None, "said" if same or k >= len(truth) else "changed")]
    if len(said) > len(truth) + MORE:
        words.append(" …")
    rows: Rows = [(label, [prompt, *(words or [" ", (SILENT, None, "changed" if truth else "said")])])]
    if said[: len(truth)] != truth:
        rows.append(("the text says", ["… ", " ".join(truth)]))
    return rows
