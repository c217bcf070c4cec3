"""The ninth lesson's measurements: how far single-gradient unlearning ends from a retrained model, and whether its proxy knows.

unlearnviz unrolling-sgd    # 5 seeds x 12 trainings, each with its twin: a quarter of an hour on 2 cores
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from unlearnviz.demo import results
from unlearnviz.demo.ledger_world import ledger_recipe, ledger_session, people_to_forget
from unlearnviz.demo.shipped import FOLDER
from unlearnviz.demo.verdicts import claim_of, shown
from unlearnviz.engine.learning import Recipe
from unlearnviz.engine.methods.single_gradient import SingleGradient
from unlearnviz.engine.probes.exact_recall import ExactRecall
from unlearnviz.engine.probes.perplexity import Perplexity
from unlearnviz.engine.probes.unlearning_error import UnlearningError
from unlearnviz.engine.probes.verification_error import VerificationError
from unlearnviz.engine.session import Session
from unlearnviz.engine.tracking import Tracking

SEEDS = (0, 1, 2, 3, 4)
TAUGHT, FORGOTTEN = 8, 1  # people
EPOCHS, RATES = (1, 2, 3, 5), (0.02, 0.05)
PENALTIES, PENALISED = (0.5, 2.0), (1, 3)  # weights, and epochs of the trainings that have them
PROXY = UnlearningError(sample=8, products=8)
STRONG, MODEST = 0.5, 1.1  # rank correlation from which we call it strong; growth of perplexity up to which a cost is modest
FILE = FOLDER / "unrolling_sgd.json"
PREDICTORS = ("proxy", "rate x updates", "distance")
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Training:
    """Plain SGD at one rate, unclipped, as the derivation has it; `penalty` is the weight of the SD penalty."""

    epochs: int
    learning_rate: float
    penalty: float = 0.0

    @property
    def recipe(self) -> Recipe:
        """The same for the training."""
        given: dict[str, Any] = {"floor": 1.0, "warmup": 0, "clip": 1e6, "deviation_penalty": self.penalty}
        return ledger_recipe("SGD", epochs=self.epochs, learning_rate=self.learning_rate, **given)


def trainings() -> tuple[Training, ...]:
    """Each length at each rate; and some lengths with each weight of the penalty, at the first rate."""
    plain = [Training(epochs, rate) for rate in RATES for epochs in EPOCHS]
    return (*plain, *(Training(epochs, RATES[0], penalty) for penalty in PENALTIES for epochs in PENALISED))


def compare(tell: Tell, seeds: Sequence[int] = SEEDS, chosen: Sequence[Training] | None = None, taught: int = TAUGHT) -> dict[str, Any]:
    """Train, unlearn and verify with every seed in every way; returns what is written as JSON. A seed draws the people."""
    chosen = trainings() if chosen is None else chosen
    rows = []
    for seed in seeds:
        for training in chosen:
            session = trained(seed, training, taught)
            rows.append({"seed": seed, **asdict(training), **errors(session), **quality(session)})
            tell(f"{len(rows)} of {len(seeds) * len(chosen)} trainings verified")
    return gathered(rows, taught)


def gathered(rows: list[dict[str, Any]], taught: int = TAUGHT) -> dict[str, Any]:
    """What is written as JSON."""
    seeds = [mine[0]["seed"] for mine in _by_seed(rows)]
    return {"seeds": seeds, "taught": taught, "forgotten": FORGOTTEN, "rows": rows, "summary": summary(rows), "claims": claims(rows)}


def trained(seed: int, training: Training, taught: int = TAUGHT) -> Session:
    """The shipped model after it learned some new people, one of them picked, and its twin trained without that one."""
    session = ledger_session(seed, taught=taught, never_seen=taught)
    session.pick(*people_to_forget(session.corpus, FORGOTTEN, seed))
    # of the ledger only the schedule is needed: the gradients are taken anew, at the weights before the training
    session.learn(recipe=training.recipe, track=Tracking(texts=tuple(p.id for p in session.forget), where="norm", gradients=False))
    session.twin()
    return session


def errors(session: Session) -> dict[str, float]:
    """The verification error of single-gradient unlearning and of doing nothing, the proxy, and what it is made of; session at the start."""
    proxy = session.measure(PROXY)[PROXY.name].rows[-1]
    nothing = session.measure(VerificationError())["verification-error"].value
    session.step(SingleGradient(), where="all")
    error = session.measure(VerificationError())["verification-error"].value
    forget = session.measure(Perplexity())["perplexity"].value
    session.go_to(0)
    assert session.ledger is not None  # `trained` recorded one
    assert nothing is not None  # and a twin
    assert error is not None
    assert forget is not None
    return {
        "single gradient": error,
        "do nothing": nothing,
        "proxy": proxy["paper"],
        "rate x updates": session.ledger.recipe.learning_rate * session.ledger.updates,
        "distance": proxy["distance"],
        "sigma": proxy["sigma"],
        "forget perplexity": forget,
    }


def quality(session: Session) -> dict[str, float]:
    """What the training was worth: perplexity and recall (in percent) of the others, perplexity of the forget texts with and without them."""
    readings, twin = session.measure(Perplexity(), ExactRecall()), session.measure(Perplexity(), of="twin")
    found = {row["group"]: row["perplexity"] for row in readings["perplexity"].rows}
    others = [row for row in readings["exact-recall"].rows if row["group"] in ("neighbours", "retain")]
    return {
        "trained forget perplexity": found["forget"],
        "twin forget perplexity": twin["perplexity"].rows[0]["perplexity"],
        "others perplexity": found["neighbours"],
        "others recall": 100 * sum(row["recalled"] for row in others) / sum(row["texts"] for row in others),
    }


def summary(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Intervals over the seeds: of each training, of the correlations over its trainings, and of what the penalty does.

    "correlations" are Spearman's over the trainings of one seed, and Pearson's of the logarithms, between a predictor and the
    verification error. "penalty" are ratios to the same training without it, averaged over the lengths.
    """
    ways = list(dict.fromkeys((row["epochs"], row["learning_rate"], row["penalty"]) for row in rows))
    lines = []
    for epochs, rate, penalty in ways:
        mine = [row for row in rows if (row["epochs"], row["learning_rate"], row["penalty"]) == (epochs, rate, penalty)]
        measured = ("single gradient", "do nothing", "proxy", "sigma", "others perplexity", "others recall", "trained forget perplexity")
        line = {"epochs": epochs, "learning_rate": rate, "penalty": penalty}
        line["ratio"] = results.ratio([row["single gradient"] / row["do nothing"] for row in mine])
        lines.append(line | {name: results.interval([row[name] for row in mine]) for name in measured})
    return {"trainings": lines, "correlations": correlations(rows), "penalty": penalties(rows)}


def correlations(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Predictor -> its Spearman and Pearson (of logarithms) correlation with the error of single-gradient unlearning; {} for under 3 trainings."""
    import numpy as np
    from scipy.stats import pearsonr, spearmanr

    found: dict[str, Any] = {}
    for predictor in PREDICTORS:
        ranks, lines = [], []
        for mine in _by_seed(rows):
            pairs = np.array([(row[predictor], row["single gradient"]) for row in mine])
            if len(pairs) < 3:
                return {}
            ranks.append(float(spearmanr(*pairs.T).statistic))
            lines.append(float(pearsonr(*np.log(pairs.T)).statistic))
        found[predictor] = {"spearman": _within_one(ranks), "pearson": _within_one(lines)}
    return found


def penalties(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """A line for all weights of the penalty together ("penalty": None) and one for each: ratios to the training without it."""
    plain = {(row["seed"], row["epochs"], row["learning_rate"]): row for row in rows if not row["penalty"]}
    weights = sorted({row["penalty"] for row in rows if row["penalty"]})
    lines = []
    for asked in [None, *weights] if weights else []:
        line: dict[str, Any] = {"penalty": asked}
        for name in ("single gradient", "do nothing", "proxy", "sigma", "others perplexity"):
            means = []
            for mine in _by_seed(rows):
                with_it = [row for row in mine if row["penalty"] and asked in (None, row["penalty"])]
                without = [plain[row["seed"], row["epochs"], row["learning_rate"]] for row in with_it]
                means.append(statistics.geometric_mean(one[name] / other[name] for one, other in zip(with_it, without, strict=True)))
            line[name] = results.ratio(means)
        lines.append(line)
    return lines


def claims(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What the measurements say of the paper's sentences, by `verdict` and lines that were fixed before looking.

    - the proxy goes with the error: a rank correlation above 0.5;
    - nearer than doing nothing: the ratio of the two errors below 1, over all trainings without the penalty and for each of them;
    - the penalty lowers both errors: the ratio to the training without it below 1, over both weights and for each of them;
    - at a modest cost: the others' perplexity below 1.1 times that without it.
    """
    found, said = summary(rows), {}
    if ranks := {predictor: each["spearman"] for predictor, each in found["correlations"].items()}:
        trivial = ", ".join(f"{predictor} has {each['mean']:.2f}" for predictor, each in ranks.items() if predictor != "proxy")
        because = f"rank correlation of proxy and error over the trainings: {{0}}; {trivial}"
        said["unrolling-sgd-proxy"] = claim_of({"proxy": ranks["proxy"]}, "above", "rank correlation", line=STRONG, because=because)
    plain = [line for line in found["trainings"] if not line["penalty"]]
    per_seed = [[row for row in mine if not row["penalty"]] for mine in _by_seed(rows)]
    overall = results.ratio([statistics.geometric_mean(row["single gradient"] / row["do nothing"] for row in mine) for mine in per_seed])
    nearness = {"all": overall} | {f"{line['epochs']} epochs at {line['learning_rate']:g}": line["ratio"] for line in plain}
    because = "its error is {0} times that of doing nothing; " + "; ".join(f"{words}: {{{k}}}" for k, words in enumerate(nearness) if k)
    said["unrolling-sgd-nearer"] = claim_of(nearness, "below", "times the error of doing nothing", line=1.0, because=because)
    if found["penalty"]:
        words = {line["penalty"]: "both weights" if line["penalty"] is None else f"weight {line['penalty']:g}" for line in found["penalty"]}
        told = "; ".join(f"{each}: {{{k}}}" for k, each in enumerate(words.values()))
        for name, measure, bound in (("error", "single gradient", 1.0), ("proxy", "proxy", 1.0), ("cost", "others perplexity", MODEST)):
            ratios = {words[line["penalty"]]: line[measure] for line in found["penalty"]}
            because = f"with the SD penalty the {_WORDS.get(measure, measure)} is so many times that without it: {told}"
            said[f"unrolling-sgd-penalty-{name}"] = claim_of(ratios, "below", "times that without it", line=bound, because=because)
    return said


_WORDS = {"single gradient": "verification error", "others perplexity": "perplexity of the texts to keep"}


def recorded(file: Path = FILE) -> dict[str, Any]:
    """What the last full run found; BadModel where there is none."""
    return results.read(file, "The verification of single-gradient unlearning", "unlearnviz unrolling-sgd")


def report(found: dict[str, Any]) -> str:
    """The summary as lines of text: means with 95 % intervals over the seeds."""
    lines = [f"{len(found['rows'])} trainings of {found['taught']} people; error of a single gradient, of doing nothing, proxy:"]
    for line in found["summary"]["trainings"]:
        told = ", ".join(shown(line[name]) for name in ("single gradient", "do nothing", "proxy"))
        lines.append(f"    {line['epochs']} epochs at {line['learning_rate']:g}, penalty {line['penalty']:g}: {told}")
    for predictor, each in found["summary"]["correlations"].items():
        lines.append(f"{predictor}: rank correlation with the error {shown(each['spearman'])}")
    lines += [f"{claim}: {each['verdict']}: {each['because']}" for claim, each in found["claims"].items()]
    return "\n".join(lines)


def _within_one(values: Sequence[float]) -> dict[str, Any]:
    """An interval of correlations, which end at 1."""
    found = results.interval(values)
    return {name: value if value is None or name == "seeds" else max(-1.0, min(1.0, value)) for name, value in found.items()}


def _by_seed(rows: Sequence[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    return [[row for row in rows if row["seed"] == seed] for seed in dict.fromkeys(row["seed"] for row in rows)]
