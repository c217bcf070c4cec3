"""Every method on the same models: the ledger world's people learned, one of them forgotten in each way, beside the retrained model.

unlearnviz every-method    # 5 seeds x all methods: a quarter of an hour on 2 cores
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unlearnviz.demo import results
from unlearnviz.demo.equal_forgetting import recorded_world
from unlearnviz.demo.shipped import FOLDER
from unlearnviz.demo.verdicts import NOT_HERE, REPRODUCED, shown, verdict
from unlearnviz.engine.methods.amnesiac import Amnesiac
from unlearnviz.engine.methods.fine_tune import FineTune
from unlearnviz.engine.methods.first_epoch_ascent import FirstEpochAscent
from unlearnviz.engine.methods.fuzzy_unlearning import FuzzyUnlearning
from unlearnviz.engine.methods.gradient_ascent import GradientAscent
from unlearnviz.engine.methods.gradient_difference import GradientDifference
from unlearnviz.engine.methods.iterative_unlearning import IterativeUnlearning
from unlearnviz.engine.methods.label_flipping import LabelFlipping
from unlearnviz.engine.methods.method import Method
from unlearnviz.engine.methods.nabla_tau import NablaTau
from unlearnviz.engine.methods.npo import NPO
from unlearnviz.engine.methods.optimisation_based import OptimisationBased
from unlearnviz.engine.methods.partial_amnesiac import PartialAmnesiac
from unlearnviz.engine.methods.projected_gradient import ProjectedGradient
from unlearnviz.engine.methods.sim_npo import SimNPO
from unlearnviz.engine.methods.single_gradient import SingleGradient
from unlearnviz.engine.probes.exact_recall import exact_recall
from unlearnviz.engine.probes.perplexity import perplexity_rows
from unlearnviz.engine.session import Session
from unlearnviz.engine.weights import Weights
from unlearnviz.errors import NotPossible, Overshoot

SEEDS, MOST = (0, 1, 2, 3, 4), 20  # steps after which a way is given up
LENGTH = 0.25  # L2 norm of an update, for all methods whose updates are rescaled
FILE = FOLDER / "every_method.json"
NOTHING, RETRAINED = "do nothing", "retrained, other order"
MEASURED = ("forget", "rise", "others recall", "forget recall", "error", "ratio", "steps", "seconds")
MEANS: dict[str, Callable[[Sequence[float]], dict[str, Any]]] = {"forget": results.ratio, "ratio": results.ratio, "rise": results.growth}
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Way:
    """A method with its settings, and the parameters that it moves."""

    method: Method
    where: str = "all"


def ways() -> dict[str, Way]:
    """Every method, where its paper has it, with its defaults but for one length of update; the partial ones beside the naive ones.

    Nabla-tau has a quarter of the updates that it takes by itself, which is enough for five texts.
    """
    length: dict[str, Any] = {"update_norm": LENGTH}
    return {
        "fine-tune only": Way(FineTune(**length)),
        "gradient ascent": Way(GradientAscent(**length)),
        "gradient ascent, embedding": Way(GradientAscent(**length), "embedding"),
        "gradient difference": Way(GradientDifference(**length)),
        "NPO": Way(NPO(**length)),
        "SimNPO": Way(SimNPO(**length)),
        "projected gradient": Way(ProjectedGradient(**length)),
        "fuzzy": Way(FuzzyUnlearning(**length), "embedding"),
        "iterative": Way(IterativeUnlearning(**length), "embedding"),
        "first-epoch ascent": Way(FirstEpochAscent(**length), "embedding"),
        "amnesiac": Way(Amnesiac()),
        "partial amnesiac, 10 %": Way(PartialAmnesiac()),
        "label flipping": Way(LabelFlipping(**length)),
        "label flipping, 10 %": Way(LabelFlipping(keep=0.1, **length)),
        "optimisation-based": Way(OptimisationBased(**length)),
        "optimisation-based, 10 %": Way(OptimisationBased(keep=0.1, **length)),
        "nabla-tau, 50 updates": Way(NablaTau(passes=50)),
        "single gradient": Way(SingleGradient()),
    }


def compare(
    tell: Tell, seeds: Sequence[int] = SEEDS, tried: dict[str, Way] | None = None, opened: Callable[[int], Session] = recorded_world
) -> dict[str, Any]:
    """Forget in every way with every seed (other people, another one to forget); returns what is written as JSON."""
    tried = ways() if tried is None else tried
    rows: list[dict[str, Any]] = []
    for seed in seeds:
        rows += [{"seed": seed, **row} for row in forgotten(opened(seed), tried)]
        tell(f"{seed + 1 - seeds[0]} of {len(seeds)} models made to forget in {len(tried)} ways")
    return gathered(rows, tried)


def gathered(rows: list[dict[str, Any]], tried: dict[str, Way]) -> dict[str, Any]:
    """What is written as JSON."""
    return {
        "seeds": list(dict.fromkeys(row["seed"] for row in rows)),
        "settings": {name: {"method": way.method.name, "where": way.where, **way.method.settings} for name, way in tried.items()},
        "rows": rows,
        "summary": summary(rows),
    }


def forgotten(session: Session, tried: dict[str, Way]) -> list[dict[str, Any]]:
    """One row for doing nothing, for another twin and for each way; every way begins at the start, and the session ends there."""
    twin, start = session.twin().weights, session.weights
    target = losses(session, twin)["forget"]
    nothing: dict[str, Any] = {"way": NOTHING, **reading(session, start, twin), "steps": 0, "seconds": 0.0}
    again = reading(session, session.twin(seed=1).weights, twin)
    rows: list[dict[str, Any]] = [nothing, {"way": RETRAINED, **again, "steps": 0, "seconds": None}]
    for name, way in tried.items():
        began = time.process_time()
        steps = until(session, way, target)
        seconds = time.process_time() - began
        rows.append({"way": name, **reading(session, session.weights, twin), "steps": steps, "seconds": seconds})
        session.go_to(0)
    for row in rows:
        row["rise"] = 100 * (math.exp(min(700.0, row["others"] - nothing["others"])) - 1)
        row["ratio"] = row["error"] / nothing["error"]
        row["forget"], row["target"] = math.exp(min(700.0, row["forget"])), math.exp(target)
    return rows


def until(session: Session, way: Way, target: float) -> int:
    """Step until the forget loss is at least the target, or the method says that it is done; the number of steps."""
    for step in range(MOST):
        try:
            record = session.step(way.method, way.where)
        except (NotPossible, Overshoot):
            return step
        if record.mark == "reached" or losses(session, session.weights)["forget"] >= target:
            return step + 1
    return MOST


def losses(session: Session, weights: Weights, *groups: str) -> dict[str, float]:
    """Mean loss of the forget texts, and of "others", all other taught texts, where that is asked for; nats per token."""
    asked = {passage.id for passage in session.forget}
    texts: dict[str, Any] = {"forget": session.forget}
    if "others" in groups:
        texts["others"] = [passage for passage in session.corpus.train if passage.id not in asked]
    return {row["group"]: row["nll"] for row in perplexity_rows(session.model.at(weights), texts)}


def reading(session: Session, weights: Weights, twin: Weights) -> dict[str, float]:
    """Losses in nats per token, greedy recall of the facts in percent, and the L2 distance to the twin: the verification error."""
    asked = {passage.id for passage in session.forget}
    known = exact_recall(session.model.at(weights), session.corpus.train)
    shares = {"forget": [v for each, v in known.items() if each in asked], "others": [v for each, v in known.items() if each not in asked]}
    return {
        **losses(session, weights, "others"),
        **{f"{group} recall": 100 * sum(found) / max(1, len(found)) for group, found in shares.items()},
        "error": weights.distance(twin),
    }


def summary(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """One line per way: how many seeds reached the twin's forget loss, and every measure with its interval over the seeds.

    "forget" is a perplexity, "rise" the growth of the others' in %, recalls are in % of facts, "error" an L2 norm, "ratio" that over the error of
    doing nothing, "seconds" those of a processor. Perplexities and the ratio have geometric means. "side": whether it ended "nearer" to the
    twin than doing nothing, "farther", or whether that is "undecided", the interval reaching over 1.
    """
    lines = []
    for way in dict.fromkeys(row["way"] for row in rows):
        mine = [row for row in rows if row["way"] == way]
        line: dict[str, Any] = {"way": way, "reached": sum(row["forget"] >= row["target"] * (1 - 1e-9) for row in mine)}
        for name in MEASURED:
            values = [row[name] for row in mine if row[name] is not None]
            line[name] = MEANS.get(name, results.interval)(values) if values else None
        said = verdict([line["ratio"]], "below", 1.0)
        line["side"] = {REPRODUCED: "nearer", NOT_HERE: "farther"}.get(said, "undecided")
        lines.append(line)
    return lines


def table(found: dict[str, Any]) -> str:
    """The summary in Markdown, as README has it."""
    lines = [
        "| method | forget perplexity | others' perplexity | others recalled | distance to the retrained model |",
        "|---|---|---|---|---|",
    ]
    for line in found["summary"]:
        digits = 0 if abs(line["rise"]["mean"]) >= 10 else 1
        grown = f"{round(line['rise']['mean'], digits) + 0.0:+,.{digits}f} %"  # no -0.0
        low, high = line["ratio"]["low"], line["ratio"]["high"]
        far = f"{line['ratio']['mean']:.2f}" + ("" if low is None else f" ({low:.2f} to {high:.2f})")
        lines.append(f"| {line['way']} | {line['forget']['mean']:,.3g} | {grown} | {line['others recall']['mean']:.0f} % | {far} |")
    return "\n".join(lines)


def recorded(file: Path = FILE) -> dict[str, Any]:
    """What the last full run found; BadModel where there is none."""
    return results.read(file, "The table of every method", "unlearnviz every-method")


def report(found: dict[str, Any]) -> str:
    """The summary as lines of text: means with 95 % intervals over the seeds."""
    lines = [f"{len(found['summary'])} ways, seeds {found['seeds']}; mean (95 % interval over the seeds)"]
    for line in found["summary"]:
        reached = f"{line['reached']} of {len(found['seeds'])} reached the twin's forget loss"
        lines.append(f"{line['way']}: {reached}; beside doing nothing: {line['side']}")
        lines += [f"    {name}: {shown(line[name])}" for name in MEASURED if line[name] is not None]
    return "\n".join(lines)
