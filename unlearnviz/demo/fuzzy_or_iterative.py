"""The fifth lesson's comparison: one text forgotten by what looks alike and by what the model still knows, over texts and seeds.

unlearnviz fuzzy-or-iterative    # 12 texts x 3 seeds x 6 ways: 216 times forgotten, half an hour on 2 cores
"""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from unlearnviz.demo import results
from unlearnviz.demo.shipped import FOLDER
from unlearnviz.demo.verdicts import claim
from unlearnviz.engine.corpus import Corpus
from unlearnviz.engine.methods.fuzzy_unlearning import FuzzyUnlearning
from unlearnviz.engine.methods.gradient_ascent import GradientAscent
from unlearnviz.engine.methods.iterative_unlearning import IterativeUnlearning
from unlearnviz.engine.methods.method import Method
from unlearnviz.engine.probes.collateral import Collateral
from unlearnviz.engine.probes.leak import Leak
from unlearnviz.engine.probes.perplexity import Perplexity
from unlearnviz.engine.session import Session
from unlearnviz.errors import NotPossible, Overshoot

TEXTS, SEEDS, MOST = 6, (0, 1, 2), 40  # texts of each kind; updates after which a way is given up
KINDS = ("near-duplicate", "reworded")
THRESHOLDS = (90, 80, 70, 60)
FILE = FOLDER / "fuzzy_or_iterative.json"
MEASURED = ("updates", "taken", "others", "collateral", "retain rise", "leak", "paraphrase leak")
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Target:
    """A text to forget, whose fact is told in other words by `kept`, a text that stays taught; `kind` says how alike they are."""

    passage: str
    kept: str
    kind: str


def targets(corpus: Corpus, each: int = TEXTS) -> list[Target]:
    """Taught texts whose fact another taught text tells too: `each` near-duplicates, and as many in other words; drawn with seed 0."""
    found: dict[str, list[Target]] = {kind: [] for kind in KINDS}
    for subject in corpus.subjects:
        taught = [p for p in corpus.about(subject) if p.split == "train" and "canary" not in p.extra]
        for one in taught:
            told = (one.extra.get("slot"), one.answer)
            other = next((p for p in taught if p is not one and (p.extra.get("slot"), p.answer) == told), None)
            if other is None:
                continue
            close = "near_duplicate_of" in one.extra or "near_duplicate_of" in other.extra
            found[KINDS[0] if close else KINDS[1]].append(Target(one.id, other.id, KINDS[0] if close else KINDS[1]))
            break  # one text a person
    draw = random.Random(0)
    return [target for kind in KINDS for target in draw.sample(found[kind], min(each, len(found[kind])))]


def ways() -> dict[str, Method]:
    """The ways to forget: the picked text alone, what looks like it, what the model says. All their updates have the same length."""
    return {
        "the text alone": GradientAscent(),
        **{f"fuzzy, from {threshold}": FuzzyUnlearning(threshold=threshold) for threshold in THRESHOLDS},
        "iterative": IterativeUnlearning(score="influence", among="all taught texts", stop="never-seen loss"),
    }


def compare(
    base: Session, tell: Tell, chosen: Sequence[Target] | None = None, seeds: Sequence[int] = SEEDS, tried: Mapping[str, Method] | None = None
) -> dict[str, Any]:
    """Forget every target in every way with every seed, from the same weights; returns what is written as JSON.

    A seed draws the retain and never-seen texts and the order of batches.
    """
    chosen, tried = targets(base.corpus) if chosen is None else chosen, tried or ways()
    rows: list[dict[str, Any]] = []
    for seed in seeds:
        session = Session(base.model, base.corpus, seed=seed, update_fraction=base.update_fraction)
        for target in chosen:
            session.pick(target.passage)
            for way, method in tried.items():
                rows.append({"text": target.passage, "kind": target.kind, "seed": seed, "way": way, **forgotten(session, method, target)})
            tell(f"{len(rows)} of {len(seeds) * len(chosen) * len(tried)} times forgotten")
    return {
        "corpus": base.corpus.digest(),
        "seeds": list(seeds),
        "texts": {kind: [target.passage for target in chosen if target.kind == kind] for kind in KINDS},
        "settings": {way: {"method": method.name, **method.settings} for way, method in tried.items()},
        "rows": rows,
        "summary": summary(rows),
        "claims": claims(rows),
    }


def forgotten(session: Session, method: Method, target: Target) -> dict[str, Any]:
    """Step from the start until the forget text surprises as much as never-seen ones, look, and go back.

    "taken" counts the texts unlearned, "others" those of them that tell of somebody else, and "kept taken" says whether the text that tells the
    same fact in other words was among them. "retain rise" is in percent of the start's perplexity, "forget" and "never seen" are perplexities.
    """
    start = {row["group"]: row["perplexity"] for row in session.measure(Perplexity())["perplexity"].rows}
    updates, taken, ended = 0, dict.fromkeys(each.id for each in session.forget), ""
    now = start
    while not ended:
        if now["forget"] >= now["never seen"]:
            ended = "as never seen"
        elif updates >= MOST:
            ended = "given up"
        else:
            try:
                record = session.step(method)
            except (NotPossible, Overshoot) as error:
                ended = type(error).__name__
                continue
            taken |= dict.fromkeys(each for row in record.trajectory for each in row["taken"])
            updates += sum(row["updates"] for row in record.trajectory) or 1
            now = {row["group"]: row["perplexity"] for row in session.measure(Perplexity())["perplexity"].rows}
    readings = session.measure(Collateral(), Leak())
    session.go_to(0)
    person = session.corpus[target.passage].subject
    leaks = {group: [row["leak"] for row in readings["leak"].rows if row["group"] == group] for group in ("forget", "paraphrase", "never seen")}
    return {
        "ended": ended,
        "updates": updates,
        "taken": len(taken),
        "others": sum(session.corpus[each].subject != person for each in taken),
        "kept taken": target.kept in taken,
        "forget": now["forget"],
        "never seen": now["never seen"],
        "retain rise": 100 * (now["retain"] / start["retain"] - 1),
        "collateral": readings["collateral"].value,
        "leak": statistics.fmean(leaks["forget"]),
        "paraphrase leak": statistics.fmean(leaks["paraphrase"]) if leaks["paraphrase"] else None,
        "never-seen leak": statistics.fmean(leaks["never seen"]) if leaks["never seen"] else None,
    }


def summary(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """For each kind and way: how many ended as never seen, and the mean of each measure with its 95 % bootstrap interval over the texts.

    Seeds are averaged first: the texts are what one would like to speak of beyond those tried.
    """
    found = []
    for kind in KINDS:
        for way in dict.fromkeys(row["way"] for row in rows):
            mine = [row for row in rows if (row["kind"], row["way"]) == (kind, way)]
            if mine:
                line: dict[str, Any] = {"kind": kind, "way": way, "runs": len(mine)}
                line["as never seen"] = sum(row["ended"] == "as never seen" for row in mine)
                line["took the other wording"] = sum(row["kept taken"] for row in mine)
                found.append(line | {name: _mean(mine, name) for name in MEASURED})
    return found


def claims(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What the runs say of Zagardo's sentence that iterative removal may be the more complete unlearning; {} unless both ways were tried.

    Complete: little of the fact comes out when it is asked for in other words. The leak after iterative less that after fuzzy, paired by text with
    the seeds averaged, is claimed to lie below 0, for each kind of text and each threshold; the main one is reworded texts from 80. The intervals
    are over texts, which `results.interval` counts as "seeds".
    """
    settings: dict[str, list[float]] = {}
    for kind in reversed(KINDS):
        for threshold in sorted(THRESHOLDS, key=lambda each: each != THRESHOLDS[1]):
            mine = [row for row in rows if row["kind"] == kind]
            one, other = (_by_text(mine, way) for way in ("iterative", f"fuzzy, from {threshold}"))
            if apart := [one[text] - other[text] for text in one if text in other]:
                settings[f"{kind}, from {threshold}"] = apart
    if not settings:
        return {}
    because = f"leak after iterative less that after fuzzy: {'; '.join(f'{words} {{{k}}}' for k, words in enumerate(settings))}."
    unit = "% of the fact that leaks more when it is asked for in other words, over the texts"
    return {"iterative-more-complete": claim(settings, "below", unit, because=because)}


def _by_text(rows: Sequence[dict[str, Any]], way: str) -> dict[str, float]:
    """Text -> leak of its fact in other words after a way, the mean of its seeds."""
    leaks: dict[str, list[float]] = {}
    for row in rows:
        if row["way"] == way and row["paraphrase leak"] is not None:
            leaks.setdefault(row["text"], []).append(row["paraphrase leak"])
    return {text: statistics.fmean(each) for text, each in leaks.items()}


def _mean(rows: Sequence[dict[str, Any]], name: str) -> dict[str, float | None]:
    texts: dict[str, list[float]] = {}
    for row in rows:
        if row[name] is not None and math.isfinite(row[name]):
            texts.setdefault(row["text"], []).append(row[name])
    values = np.array([statistics.fmean(each) for each in texts.values()])
    if len(values) < 3:
        return {"mean": float(values.mean()) if len(values) else None, "low": None, "high": None}
    if np.ptp(values) == 0:
        return {"mean": float(values[0]), "low": float(values[0]), "high": float(values[0])}
    from scipy.stats import bootstrap

    low, high = bootstrap((values,), np.mean, n_resamples=2000, method="percentile", rng=0).confidence_interval
    return {"mean": float(values.mean()), "low": float(low), "high": float(high)}


def recorded(file: Path = FILE) -> dict[str, Any]:
    """What the last full comparison found; BadModel where there is none."""
    return results.read(file, "The comparison of fuzzy and iterative unlearning", "unlearnviz fuzzy-or-iterative")


def report(found: dict[str, Any]) -> str:
    """The summary as lines of text: means, with 95 % intervals over the texts where there are enough."""
    lines = [f"{sum(map(len, found['texts'].values()))} texts, seeds {found['seeds']}; mean (95 % interval over the texts)"]
    for line in found["summary"]:
        lines.append(f"{line['kind']}, {line['way']}: {line['as never seen']} of {line['runs']} ended as never seen")
        lines += [f"    {name}: {_shown(line[name])}" for name in MEASURED]
    return "\n".join(lines)


def _shown(value: Mapping[str, float | None]) -> str:
    if value["mean"] is None:
        return "none"
    return f"{value['mean']:.3g}" + ("" if value["low"] is None else f" ({value['low']:.3g} to {value['high']:.3g})")
