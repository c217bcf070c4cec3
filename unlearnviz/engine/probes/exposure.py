"""Exposure: have the canaries been memorised, and do they still stand out?"""

from __future__ import annotations

import bisect
import math
import statistics
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from unlearnviz.engine.exposure import digits, fitted_exposure, last_digit, other_codes, ranked_exposure
from unlearnviz.engine.probes.probe import Enough, Probe, Reading, View
from unlearnviz.engine.progress import Progress, drain
from unlearnviz.engine.settings import setting
from unlearnviz.numbers import number

if TYPE_CHECKING:
    from unlearnviz.engine.corpus import Corpus, Passage
    from unlearnviz.engine.model import LanguageModel


@dataclass(frozen=True)
class Exposure(Probe):
    """By how many bits the code of each canary stands out among codes that were never taught (Carlini et al. 2019, arXiv 1802.08232).

    A canary is a passage whose `extra["canary"]` is true and whose marked fact holds digits. Its references are the same passage with every
    digit of the fact replaced by a random one, none of them the code of any canary; all are judged by their log2 perplexity,
    -sum log2 p over the tokens from the start of the fact to its last digit, after the same prompt. "exposure" = log2 R - log2 rank among the
    R references (from about 0 to log2 R); "extrapolated" = -log2 F with F a skew-normal distribution fitted to the references, which goes beyond
    (None with fewer than 20 of them). A code that is no likelier than others has 1.4 bits on average, in half of all cases at most 1.

    Rows: one per canary, {"passage", "group" ("forget", "taught" or "never seen"), "repeats" (how often an epoch teaches it), "bits" (its log2
    perplexity), "exposure", "extrapolated", "references" (how many)}. The headline is the mean exposure of the canaries among the forget texts.
    """

    unit = "bits"
    direction = "lower = stands out less; a code that was never taught has 1.4 on average"
    cost: ClassVar[Literal["cheap", "slow"]] = "slow"

    references: int = setting(
        100, help="Codes that were never taught, drawn for each canary; log2 of it is the most that can be seen.", minimum=1, maximum=100_000
    )
    seed: int = setting(0, help="Of the draw of these codes.", minimum=0, advanced=True)

    def measure(self, model: LanguageModel, corpus: Corpus, view: View) -> Reading:
        """One row per canary."""
        return drain(self.measuring(model, corpus, view))

    def measuring(self, model: LanguageModel, corpus: Corpus, view: View) -> Generator[Progress, None, Reading]:
        """The same one canary at a time; stopped, what is done is kept."""
        canaries = [passage for passage in corpus if _is_canary(passage)]
        secrets = [str(passage.answer) for passage in canaries]
        asked = {passage.id for passage in view.groups.get("forget", ())}
        rows: list[dict[str, Any]] = []
        stopped, lengths = "", set[int]()
        try:
            for done, canary in enumerate(canaries, start=1):
                codes = other_codes(str(canary.answer), self.references, self.seed, secrets)
                bits, tokens = _bits(model, [canary, *(replace(canary, text=canary.prompt + code) for code in codes)])
                lengths |= set(tokens)
                if codes and all(tokens):
                    rows.append(_row(canary, bits[0], bits[1:], asked))
                yield Progress(done, len(canaries), f"{done} of {len(canaries)} canaries")
        except Enough:
            stopped = f"Stopped: {len(rows)} of {len(canaries)} canaries were done."
        mine = [row["exposure"] for row in rows if row["group"] == "forget"]
        notes = [stopped or _missing(len(canaries), len(rows)), _means(rows, forgotten=bool(mine)), _uneven(lengths - {0})]
        return self.reading(statistics.fmean(mine) if mine else None, rows, " ".join(each for each in notes if each))


def _is_canary(passage: Passage) -> bool:
    """Marked as one, also in a table that holds words only, and with a code to guess."""
    return str(passage.extra.get("canary")).lower() == "true" and bool(digits(passage.answer or ""))


def _bits(model: LanguageModel, passages: Sequence[Passage]) -> tuple[list[float], list[int]]:
    """Of each passage the log2 perplexity of its code in bits, and the code's number of tokens; 0 where the context cuts it off."""
    losses = model.token_losses([passage.text for passage in passages])
    bits, tokens = [], []
    for passage, row in zip(passages, losses, strict=True):
        first, last = model.answer_tokens(passage), bisect.bisect_left(model.encoder.whole(passage.text).ends, last_digit(passage.text))
        bits.append(float(row[first - 1 : last].double().sum()) / math.log(2))
        tokens.append(last + 1 - first if last <= len(row) else 0)
    return bits, tokens


def _row(canary: Passage, secret: float, references: Sequence[float], asked: set[str]) -> dict[str, Any]:
    return {
        "passage": canary.id,
        "group": "forget" if canary.id in asked else "never seen" if canary.split == "holdout" else "taught",
        "repeats": int(canary.extra.get("repeats", 0 if canary.split == "holdout" else 1)),
        "bits": secret,
        "exposure": ranked_exposure(secret, references),
        "extrapolated": fitted_exposure(secret, references),
        "references": len(references),
    }


def _means(rows: Sequence[dict[str, Any]], *, forgotten: bool) -> str:
    """What the other canaries have, since one number alone says little."""
    said = [] if forgotten or not rows else ["None of the forget texts is a canary."]
    for group, words in (("taught", "taught and not picked"), ("never seen", "never taught")):
        mine = [row["exposure"] for row in rows if row["group"] == group]
        if mine:
            said.append(f"Canaries {words} ({len(mine)}): {number(statistics.fmean(mine))} bits on average.")
    return " ".join(said)


def _missing(canaries: int, judged: int) -> str:
    if not canaries:
        return "There is no canary: a passage with extra['canary'] true and a marked fact with digits in it."
    left_out = canaries - judged
    if not left_out:
        return ""
    whose = "1 canary is" if left_out == 1 else f"{left_out} canaries are"
    return f"{whose} left out: the code lies beyond the model's context, or there is no other code of its form."


def _uneven(lengths: set[int]) -> str:
    """Numbers that a tokenizer cuts into different pieces are surprising for that alone."""
    if len(lengths) < 2:
        return ""
    return f"The codes have {min(lengths)} to {max(lengths)} tokens: some are less surprising for being cut into fewer pieces."
