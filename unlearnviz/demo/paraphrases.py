"""How well a similarity finds paraphrases: the share of reworded texts that have their own original among the first five.

unlearnviz paraphrases forget10.jsonl     # every scorer, and three small models at every layer: half an hour on 2 cores
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from unlearnviz.demo import results
from unlearnviz.demo.shipped import FOLDER
from unlearnviz.engine.corpus import Corpus, Passage
from unlearnviz.engine.first_lesson import learn
from unlearnviz.engine.hidden_states import MeanStates, cosines
from unlearnviz.engine.model import LanguageModel
from unlearnviz.engine.progress import drain
from unlearnviz.engine.similarity import SCORERS, Normalisation, Similarity

FIRST = 5
SEEDS = (0, 1, 2)
QUANTILE = 1.959964  # of the normal distribution, for intervals of 95 %
FILE = FOLDER / "paraphrases.json"
IGNORING = {
    "case and white space": Normalisation(),
    "case, white space, accents and punctuation": Normalisation(accents=True, punctuation=True),
}
PARTS: Mapping[str, Callable[[Passage], str]] = {
    "question and answer": lambda passage: passage.text,
    "question": lambda passage: passage.prompt,
    "answer": lambda passage: str(passage.answer).strip(),
}
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Pairs:
    """Texts and their paraphrases, in one order: the k-th of one is the k-th of the other in other words."""

    originals: Corpus
    paraphrases: Corpus

    @classmethod
    def read(cls, file: str | Path) -> Pairs:
        """From JSON lines with "question", "answer", "paraphrased_question" and "paraphrased_answer", as TOFU has them.

        Raises:
            UnknownName, BadCorpus: a column is missing, or nothing is in it.
        """
        one, other = (
            Corpus.from_jsonl(file, prompt=f"{start}question", answer=f"{start}answer", holdout=0.0) for start in ("", "paraphrased_")
        )
        reworded = {passage.id for passage in other}
        both = [passage for passage in one if passage.id in reworded]  # a row may lack one of them
        return cls(Corpus(both), Corpus(other[passage.id] for passage in both))

    def texts(self, part: str) -> tuple[list[str], list[str]]:
        """Originals and paraphrases of one part."""
        return [PARTS[part](p) for p in self.originals], [PARTS[part](p) for p in self.paraphrases]


def check_paraphrases(
    pairs: Pairs, tell: Tell, *, seeds: Sequence[int] = SEEDS, size: str = "tiny", epochs: int | None = None
) -> dict[str, Any]:
    """Rank the originals for every paraphrase, by every scorer and by models that learned the originals; what is written as JSON."""
    by_ratio: dict[str, np.ndarray] = {}
    scorers = []
    for part in PARTS:
        originals, paraphrases = pairs.texts(part)
        for scorer in SCORERS:
            for ignoring, normalisation in IGNORING.items():
                places = ranks(Similarity(scorer, normalisation).scores(paraphrases, originals))
                by_ratio.setdefault(part, places)  # the first of SCORERS, ignoring case and white space
                scorers.append({"part": part, "scorer": scorer, "ignoring": ignoring, **recall([places], by_ratio[part])})
            tell(f"{part}: {scorer} done")
    found: dict[tuple[str, int, str], list[np.ndarray]] = {}
    for seed in seeds:
        model = learn(pairs.originals, size=size, epochs=epochs, seed=seed, progress=lambda _: None).model
        tell(f"seed {seed}: learned")
        for part in PARTS:
            for layer in range(model.layout.blocks + 1):
                for centre, places in _read(model, *pairs.texts(part), layer).items():
                    found.setdefault((part, layer, centre), []).append(places)
        tell(f"seed {seed}: every layer read")
    return {
        "texts": len(pairs.originals),
        "originals": pairs.originals.digest(),
        "paraphrases": pairs.paraphrases.digest(),
        "first": FIRST,
        "model": {"size": size, "seeds": list(seeds)},
        "scorers": scorers,
        "layers": [
            {
                "part": part,
                "layer": layer,
                "seen from": centre,
                **recall(places, by_ratio[part]),
                "seeds": [float((each <= FIRST).mean()) for each in places],
            }
            for (part, layer, centre), places in found.items()
        ],
    }


def _read(model: LanguageModel, originals: Sequence[str], paraphrases: Sequence[str], layer: int) -> dict[str, np.ndarray]:
    """Ranks by the cosine of mean hidden states, seen from the mean of the originals and from the origin."""
    known, asked = (MeanStates(model, texts, layer) for texts in (originals, paraphrases))
    for states in (known, asked):
        drain(states.running())
    mean = known.states.mean(axis=0)
    return {
        centre: ranks(cosines(asked.states, known.states, point))
        for centre, point in (("the mean", mean), ("the origin", np.zeros_like(mean)))
    }


def ranks(scores: np.ndarray) -> np.ndarray:
    """The place, from 1, of each row's own column (the k-th of the k-th); equal scores in the order of columns, as in a list of matches."""
    own, place = np.diag(scores)[:, None], np.arange(len(scores))
    better = (scores > own) | ((scores == own) & (place[None, :] < place[:, None]))
    found: np.ndarray = 1 + better.sum(axis=1)
    return found


def recall(places: Sequence[np.ndarray], by_ratio: np.ndarray) -> dict[str, Any]:
    """Shares of texts whose own original is found, averaged over seeds.

    "recall": among the first five, with its 95 % interval from "low" to "high"; "at once": as the very first; "where ratio
    misses": among the first five, of the texts for which `ratio` does not have it there, None where it misses none.
    """
    among = np.array([each <= FIRST for each in places])  # (seeds, texts)
    missed = by_ratio > FIRST
    low, high = wilson(float(among.mean()), among.shape[1])
    return {
        "recall": float(among.mean()),
        "low": low,
        "high": high,
        "at once": float(np.mean([each == 1 for each in places])),
        "where ratio misses": float(among[:, missed].mean()) if missed.any() else None,
    }


def wilson(share: float, number: int) -> tuple[float, float]:
    """The 95 % interval of a share of `number` texts, as if drawn independently (Wilson 1927); seeds add no texts."""
    square = QUANTILE**2 / number
    middle = (share + square / 2) / (1 + square)
    half = math.sqrt(square * share * (1 - share) + square**2 / 4) / (1 + square)
    return max(0.0, middle - half), min(1.0, middle + half)


def recorded(file: Path = FILE) -> dict[str, Any]:
    """What the last full check found; BadModel where there is none."""
    return results.read(file, "The check of paraphrases", "unlearnviz paraphrases FILE")


def report(found: dict[str, Any]) -> str:
    """The table in words: per part the scorers, and the layers of the models as the tool uses them."""
    lines = [
        f"Share of {found['texts']} reworded texts whose own original is among the first {found['first']} of as many, with 95 % intervals."
    ]
    for part in PARTS:
        lines += ["", f"By the {part}:"]
        lines += [_line(row, f"{row['scorer']}, ignoring {row['ignoring']}") for row in found["scorers"] if row["part"] == part]
        lines += [
            _line(row, f"model, layer {row['layer']}, seen from {row['seen from']}") for row in found["layers"] if row["part"] == part
        ]
    return "\n".join(lines)


def _line(row: Mapping[str, Any], name: str) -> str:
    rest = row["where ratio misses"]
    beyond = "" if rest is None else f"; {100 * rest:.0f} % of those that ratio misses"
    return f"{100 * row['recall']:5.1f} % ({100 * row['low']:.1f} to {100 * row['high']:.1f}), at once {100 * row['at once']:.1f} %{beyond}: {name}"
