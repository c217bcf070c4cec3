"""The check of influence by retraining: what it predicts for texts left out at random, and what happens without them.

unlearnviz removals              # 30 removals of 20 texts, each with 2 seeds: 62 trainings, about an hour on 2 cores
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer

from unlearnviz.demo import results
from unlearnviz.demo.build import INITIAL_SEED, SEED, VOCABULARY
from unlearnviz.demo.shipped import FOLDER
from unlearnviz.demo.world import EXAMPLE, world
from unlearnviz.engine.corpus import Corpus
from unlearnviz.engine.fresh import fresh_model, train_tokenizer
from unlearnviz.engine.gradients.scan import GradientScan
from unlearnviz.engine.learning import Recipe
from unlearnviz.engine.model import LanguageModel
from unlearnviz.engine.progress import drain
from unlearnviz.engine.twin_cache import train_cached

EPOCHS, REMOVALS, TEXTS, SEEDS = 15, 30, 20, (0, 1)
FEWEST = 8  # pairs that an interval is drawn from
FILE = FOLDER / "removals.json"
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """What is left out and taught again: `removals` times `texts` random texts, with each seed once."""

    corpus: Corpus
    subject: str = EXAMPLE
    recipe: Recipe = Recipe(epochs=EPOCHS)  # noqa: RUF009 - frozen
    removals: int = REMOVALS
    texts: int = TEXTS
    seeds: tuple[int, ...] = SEEDS
    size: str = "world"
    vocabulary: int = VOCABULARY

    @property
    def forget(self) -> list[str]:
        """The texts whose loss is watched; they are never left out."""
        return [passage.text for passage in self.corpus.about(self.subject)]

    def left_out(self) -> list[frozenset[str]]:
        """Ids of the texts of each removal, drawn with seed 0."""
        others = sorted(p.id for p in self.corpus.train if p.subject != self.subject)
        draw = random.Random(0)
        return [frozenset(draw.sample(others, self.texts)) for _ in range(self.removals)]


def shipped_plan() -> Plan:
    """The shipped world, its recipe shortened."""
    return Plan(world(SEED))


def check_removals(plan: Plan, tell: Tell) -> dict[str, Any]:
    """Retrain, predict, compare; returns what is written as JSON.

    What was trained before comes from the cache of twins, so an interrupted check goes on where it stopped.
    """
    tokenizer = train_tokenizer([passage.text for passage in plan.corpus.train], plan.vocabulary).to_str()
    removals = plan.left_out()
    losses = _retrain(plan, removals, tokenizer, tell)
    predicted = {seed: _predict(plan, removals, tokenizer, seed) for seed in plan.seeds}
    rows = [
        {
            "left_out": sorted(ids),
            "actual": {str(seed): losses[seed, k] - losses[seed, None] for seed in plan.seeds},
            "predicted": {str(seed): predicted[seed][k] for seed in plan.seeds},
        }
        for k, ids in enumerate(removals)
    ]
    return {
        "subject": plan.subject,
        "corpus": plan.corpus.digest(),
        "recipe": asdict(plan.recipe),
        "seeds": list(plan.seeds),
        "forget_loss": {str(seed): losses[seed, None] for seed in plan.seeds},
        "removals": rows,
        "summary": summary(rows),
    }


def _retrain(
    plan: Plan, removals: Sequence[frozenset[str]], tokenizer: str, tell: Tell
) -> dict[tuple[int, int | None], float]:
    """(seed, removal or None for nothing left out) -> mean token loss of the forget texts in nats."""
    began = time.perf_counter()
    found: dict[tuple[int, int | None], float] = {}
    none: frozenset[str] = frozenset()
    jobs = [(s, k, ids) for k, ids in [(None, none), *enumerate(removals)] for s in plan.seeds]
    with ProcessPoolExecutor(max_workers=os.cpu_count() or 1, mp_context=get_context("spawn")) as pool:
        rows = plan.corpus.to_rows()
        running = {
            pool.submit(_one, plan.recipe, seed, ids, rows, plan.size, plan.forget, tokenizer): (seed, k)
            for seed, k, ids in jobs
        }
        for job in as_completed(running):
            found[running[job]] = job.result()
            left = (time.perf_counter() - began) / len(found) * (len(jobs) - len(found))
            tell(f"{len(found)} of {len(jobs)} models taught, about {left / 60:.0f} min left")
    return found


def _one(
    recipe: Recipe,
    seed: int,
    left_out: frozenset[str],
    rows: list[dict[str, Any]],
    size: str,
    forget: Sequence[str],
    tokenizer: str,
) -> float:
    """Teach one model in a process of its own; the loss of the forget texts."""
    torch.set_num_threads(1)
    return _forget_loss(_taught(recipe, seed, left_out, Corpus.from_rows(rows), size, tokenizer), forget)


def _taught(recipe: Recipe, seed: int, left_out: frozenset[str], corpus: Corpus, size: str, tokenizer: str) -> LanguageModel:
    model = fresh_model(Tokenizer.from_str(tokenizer), size, seed=INITIAL_SEED)
    drain(train_cached(model, corpus, Recipe(**{**asdict(recipe), "seed": seed}), left_out))
    return model


def _forget_loss(model: LanguageModel, forget: Sequence[str]) -> float:
    return float(torch.cat(model.token_losses(forget)).double().mean())


def _predict(plan: Plan, removals: Sequence[frozenset[str]], tokenizer: str, seed: int) -> list[dict[str, float]]:
    """Per removal, the summed influence of its texts on the forget loss, in the model that was taught everything.

    A text weighs as many tokens as it predicts: so much of the taught loss it is.
    """
    model = _taught(plan.recipe, seed, frozenset(), plan.corpus, plan.size, tokenizer)
    taught = plan.corpus.train
    scan = GradientScan(model, [passage.text for passage in taught], toward=plan.forget)
    drain(scan.running())
    assert scan.influence is not None
    tokens = np.array([max(0, len(model.encode(passage.text)) - 1) for passage in taught])
    repeats = np.array([int(passage.extra.get("repeats", 1)) for passage in taught])
    weight = (tokens * repeats)[:, None]
    columns = {
        "all parameters": np.nansum(scan.influence[:, scan.whole], axis=1, keepdims=True) * weight,
        "embedding": np.nan_to_num(scan.column(scan.influence, "embedding"))[:, None] * weight,
    }
    if "embedding.input" in scan.columns:
        columns["shared words"] = np.nan_to_num(scan.column(scan.influence, "embedding.input"))[:, None] * weight
    place = {passage.id: k for k, passage in enumerate(taught)}
    return [
        {name: float(table[[place[each] for each in ids], 0].sum()) for name, table in columns.items()} for ids in removals
    ]


def summary(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Spearman correlation of predicted and actual change, with 95 % intervals over the removals, and the seeds' own as its ceiling."""
    seeds = list(rows[0]["actual"])
    actual = {seed: np.array([row["actual"][seed] for row in rows]) for seed in seeds}
    mean = np.mean(list(actual.values()), axis=0)
    found: dict[str, Any] = {"predictors": {}}
    for name in rows[0]["predicted"][seeds[0]]:
        predicted = np.mean([[row["predicted"][seed][name] for row in rows] for seed in seeds], axis=0)
        found["predictors"][name] = correlation(predicted, mean)
    if len(seeds) > 1:
        found["between seeds"] = correlation(actual[seeds[0]], actual[seeds[1]])
    found["actual"] = {"mean": float(mean.mean()), "least": float(mean.min()), "most": float(mean.max())}
    return found


def correlation(one: np.ndarray, other: np.ndarray) -> dict[str, float | None]:
    """Spearman's rank correlation and its 95 % percentile bootstrap interval, pairs drawn together with seed 0."""
    from scipy.stats import bootstrap, spearmanr

    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return {"spearman": None, "low": None, "high": None}  # no order to compare
    value = float(spearmanr(one, other).statistic)
    if len(one) < FEWEST:
        return {"spearman": value, "low": None, "high": None}

    def statistic(a: np.ndarray, b: np.ndarray) -> float:
        return float(spearmanr(a, b).statistic)

    drawn = bootstrap((one, other), statistic, paired=True, vectorized=False, n_resamples=2000, method="percentile", rng=0)
    low, high = drawn.confidence_interval
    return {"spearman": value, "low": float(low), "high": float(high)}


def recorded(file: Path = FILE) -> dict[str, Any]:
    """What the last full check found; BadModel where there is none."""
    return results.read(file, "The check of influence by retraining", "unlearnviz removals")


def report(found: dict[str, Any]) -> str:
    """The summary in words."""
    texts = len(found["removals"][0]["left_out"])
    lines = [f"{len(found['removals'])} removals of {texts} texts, seeds {found['seeds']}, subject {found['subject']}."]
    for name, each in [
        *found["summary"]["predictors"].items(),
        ("(between the two seeds)", found["summary"].get("between seeds")),
    ]:
        if each is not None and each["spearman"] is not None:
            interval = "" if each["low"] is None else f", 95 % interval {each['low']:+.2f} to {each['high']:+.2f}"
            lines.append(f"{name}: rank correlation {each['spearman']:+.2f}{interval}")
    actual = found["summary"]["actual"]
    lines.append(
        f"The forget loss changed by {actual['least']:+.3f} to {actual['most']:+.3f} nats per token (mean {actual['mean']:+.3f})."
    )
    return "\n".join(lines)
