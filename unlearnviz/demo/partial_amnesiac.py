"""The seventh lesson's experiment: taking back a share of every recorded update, and partial updates beside naive ones.

unlearnviz partial-amnesiac    # 5 seeds, AdamW and SGD: a quarter of an hour on 2 cores

Gogineni and Nadimi (2024) prune what amnesiac unlearning stores, layer by layer, and report that this keeps the model's quality, so that
the short fine-tuning is not needed that amnesiac unlearning needs, and that partial updates keep quality better than naive ones in label
flipping and in optimisation-based unlearning. Their models tell images apart, and their pruning rule is not known: the experiment is our
reconstruction for a language model.

Under AdamW nine tenths of what a gradient does is done by the momentum in later updates, which are in no ledger where they held other
texts. So all is asked of a training by plain SGD as well, where a recorded update is all that its texts did.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from unlearnviz.demo import results
from unlearnviz.demo.equal_forgetting import EqualForgetting, recorded_world
from unlearnviz.demo.shipped import FOLDER
from unlearnviz.demo.verdicts import NOT_HERE, REPRODUCED, claim, shown
from unlearnviz.engine.methods.fine_tune import FineTune
from unlearnviz.engine.methods.label_flipping import LabelFlipping
from unlearnviz.engine.methods.method import Method
from unlearnviz.engine.methods.optimisation_based import OptimisationBased
from unlearnviz.engine.methods.partial_amnesiac import PartialAmnesiac
from unlearnviz.engine.session import Session
from unlearnviz.engine.storage_meter import StorageMeter
from unlearnviz.engine.work import total_norm

SEEDS = (0, 1, 2, 3, 4)
TENTH, WHOLE = (0.1, "magnitude"), (1.0, "magnitude")
TAKEN = (*((keep, "magnitude") for keep in (1.0, 0.5, 0.25, 0.1, 0.05, 0.01)), (0.1, "random"), (0.1, "rotating"))
ASKED = {"AdamW": TAKEN, "SGD": (WHOLE, TENTH)}  # optimizer of the training -> what is taken back; partial updates after the first one only
REPAIR = FineTune(optimizer="AdamW", learning_rate=2e-4)
NEAR, REPAIRS = 1.05, 30  # repaired: a retain loss of at most so many times the start's; updates after which a repair is given up
KEEPS = (1.0, 0.25, 0.1)
PARTIAL = {
    **{f"label flipping, {keep:g}": LabelFlipping(keep=keep, update_norm=0.1) for keep in KEEPS},
    **{f"optimisation-based, {keep:g}": OptimisationBased(keep=keep, update_norm=0.1) for keep in KEEPS},
}
UPDATES = 60  # of partial and naive updates, after which a way is given up
SMALL = 0.16  # share of the storage that a tenth of each layer may take
FILE = FOLDER / "partial_amnesiac.json"
Tell = Callable[[str], None]


def compare(
    tell: Tell,
    seeds: Sequence[int] = SEEDS,
    opened: Callable[[int, str], Session] = lambda seed, optimizer: recorded_world(seed, optimizer, gradients=False),
) -> dict[str, Any]:
    """Everything below for every seed (other people, another one to forget) and optimizer; returns what is written as JSON."""
    runs: list[dict[str, Any]] = []
    for seed in seeds:
        for optimizer in ASKED:
            runs.append({"seed": seed, "optimizer": optimizer, **one(opened(seed, optimizer), optimizer)})
            tell(f"{len(runs)} of {len(seeds) * len(ASKED)} models made to forget")
    return {"seeds": list(seeds), "runs": runs, "claims": claims(runs)}


def one(session: Session, optimizer: str) -> dict[str, Any]:
    """One model: shares of its updates taken back, and partial updates beside naive ones."""
    ground = EqualForgetting(session)
    return {
        "forgotten": [passage.id for passage in session.forget],
        "start": ground.reading(ground.start),
        "twin": ground.reading(ground.twin),
        "taken back": [taken_back(ground, keep, pruning) for keep, pruning in ASKED[optimizer]],
        "updates": {words: updated(ground, method) for words, method in PARTIAL.items() if optimizer == next(iter(ASKED))},
    }


def taken_back(ground: EqualForgetting, keep: float, pruning: str) -> dict[str, Any]:
    """One step of partial amnesiac unlearning, repaired afterwards; and the same direction as far as the twin's forget loss.

    "storage" is the share of the bytes that whole deltas take. "repairs" are the updates of REPAIR until the retain loss is near the
    start's, None where REPAIRS were too few. "scale" is how often the deltas are to be taken back until the forget loss is the
    twin's, None where it never is; "at twin" is read there.
    """
    session = ground.session
    assert session.ledger is not None
    meter = StorageMeter(session.ledger, session.model, session.corpus)
    session.step(PartialAmnesiac(keep=keep, pruning=pruning), "all")
    after = session.weights
    direction = {name: after[name] - ground.start[name] for name in after}
    row: dict[str, Any] = {"keep": keep, "pruning": pruning, "norm": total_norm(direction), **ground.reading(after)}
    row["storage"] = meter.bytes("all", "deltas", keep) / meter.bytes("all", "deltas")
    row["repairs"] = repaired(ground)
    row["after repair"] = {"forget": ground.forget_loss(session.weights), "retain": ground.loss(session.weights, ground.others)}
    session.go_to(0)
    row["scale"] = scale = ground.reach(direction)
    if scale is not None:
        there = ground.reading(ground.along(direction, scale))
        row["at twin"] = {name: there[name] for name in ("retain", "retain recall")}
    return row


def repaired(ground: EqualForgetting) -> int | None:
    """Fine-tune on texts to keep until their loss is near that of the start again; how many updates that took."""
    enough = NEAR * ground.loss(ground.start, ground.others)
    for updates in range(REPAIRS + 1):
        if ground.loss(ground.session.weights, ground.others) <= enough:
            return updates
        if updates < REPAIRS:
            ground.session.step(REPAIR, "all")
    return None


def updated(ground: EqualForgetting, method: Method) -> dict[str, Any]:
    """Step until the forget loss is the twin's, the last step only as far as that; {"updates" (None: not within UPDATES), readings}."""
    session, updates = ground.session, 0
    before = session.weights
    while ground.forget_loss(session.weights) < ground.target and updates < UPDATES:
        before = session.weights
        session.step(method, "all")
        updates += 1
    last = session.weights
    session.go_to(0)
    if ground.forget_loss(last) < ground.target:
        return {"updates": None}
    step = {name: last[name] - before[name] for name in last}
    there = ground.reading(ground.along(step, ground.between(step, 0.0, 1.0, before), before))
    return {"updates": updates, **{name: there[name] for name in ("retain", "forget recall", "retain recall", "distance")}}


def taken(run: Mapping[str, Any], row: tuple[float, str]) -> Mapping[str, Any]:
    """The row of one share and pruning."""
    return next(each for each in run["taken back"] if (each["keep"], each["pruning"]) == row)


def claims(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What the runs say of Gogineni and Nadimi's sentences, with a tenth of each layer taken back (rho 0.1).

    Quality is the loss of the texts to keep, paired by seed: that of the partial way is claimed to be lower, also where both forget as
    much as the twin. No repair: fewer than one update. Still unlearns: the forget loss is claimed not to be below the twin's.
    """
    lost = "nats per token that the texts to keep lose more"
    by_optimizer = {each: [run for run in runs if run["optimizer"] == each] for each in dict.fromkeys(run["optimizer"] for run in runs)}
    quality = {
        f"{optimizer}, {when}": [
            tenth - whole
            for tenth, whole in ((retain(taken(run, TENTH)), retain(taken(run, WHOLE))) for run in mine)
            if tenth is not None and whole is not None
        ]
        for when, retain in (("as recorded", lambda there: there["retain"]), ("at equal forgetting", _at_twin))
        for optimizer, mine in by_optimizer.items()
    }

    def each(row: tuple[float, str], read: Callable[[Mapping[str, Any], Mapping[str, Any]], float]) -> dict[str, list[float]]:
        return {optimizer: [read(run, taken(run, row)) for run in mine] for optimizer, mine in by_optimizer.items()}

    repairs, whole_repairs = (each(row, lambda _run, there: _repairs(there)) for row in (TENTH, WHOLE))
    forgets, whole_forgets = (each(row, lambda run, there: there["forget"] - run["twin"]["forget"]) for row in (TENTH, WHOLE))
    found = {
        "partial-amnesiac-keeps-quality": claim(quality, "below", lost, because=_told("a tenth minus the whole", quality)),
        "partial-amnesiac-needs-no-repair": claim(
            repairs, "below", "updates of repair", line=1.0, because=_beside(f"updates of repair, {REPAIRS} at most", repairs, whole_repairs)
        ),
        "partial-amnesiac-still-unlearns": claim(
            forgets, "above", "nats per token above the twin's forget loss", because=_beside("forget loss minus the twin's", forgets, whole_forgets)
        ),
        "partial-amnesiac-storage": _storage_claim(runs),
    }
    for way, words in (("label flipping", "label-flipping"), ("optimisation-based", "optimisation")):
        apart = {
            f"{keep:g}": [
                run["updates"][f"{way}, {keep:g}"]["retain"] - run["updates"][f"{way}, 1"]["retain"]
                for run in runs
                if run["updates"] and None not in (run["updates"][f"{way}, {keep:g}"]["updates"], run["updates"][f"{way}, 1"]["updates"])
            ]
            for keep in (0.1, 0.25)
        }
        because = _told("partial minus naive, at equal forgetting", apart)
        found[f"partial-{words}-keeps-quality"] = claim(apart, "below", lost, because=because)
    return found


def _at_twin(row: Mapping[str, Any]) -> float | None:
    """Retain loss where the forget loss is the twin's; None where it never is."""
    return None if row["scale"] is None else float(row["at twin"]["retain"])


def _repairs(row: Mapping[str, Any]) -> int:
    """Updates of repair; REPAIRS where that many were too few."""
    return REPAIRS if row["repairs"] is None else int(row["repairs"])


def _beside(what: str, tenth: Mapping[str, Sequence[float]], whole: Mapping[str, Sequence[float]]) -> str:
    """As `_told`, of a tenth, and of the whole in numbers."""
    return f"{_told(f'{what}, a tenth', tenth)[:-1]}; the whole: {'; '.join(f'{o} {shown(results.interval(v))}' for o, v in whole.items())}."


def _told(what: str, settings: Mapping[str, Any]) -> str:
    """A sentence for `claim`: what it is, then each setting with its interval."""
    return f"{what}: " + "; ".join(f"{words} {{{k}}}" for k, words in enumerate(settings)) + "."


def _storage_claim(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Counted, not sampled."""
    share = {row["keep"]: row["storage"] for row in runs[0]["taken back"] if row["pruning"] == "magnitude" and row["keep"] < 1}
    told = ", ".join(f"{keep:.0%} of each layer takes {size:.1%}" for keep, size in share.items())
    return {
        "estimate": share[0.1],
        "low": share[0.1],
        "high": share[0.1],
        "unit": "of the bytes of whole deltas, at a tenth of each layer",
        "verdict": REPRODUCED if share[0.1] <= SMALL else NOT_HERE,
        "because": f"{told}: the values and what says where they belong.",
    }


def recorded(file: Any = FILE) -> dict[str, Any]:
    """What the last full run found; BadModel where there is none."""
    return results.read(file, "The experiment on partial updates", "unlearnviz partial-amnesiac")


def table(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One line per share and pruning taken back, and per way of updating: intervals over the seeds.

    "forget" and "retain %": perplexity of the texts to forget, and rise of that of the others in percent; "at twin %": the same rise where
    the forget loss is the twin's; "repairs", "updates": how many; "repaired": forget perplexity after the repair.
    """
    lines = []
    for optimizer, asked in ASKED.items():
        runs = [run for run in found["runs"] if run["optimizer"] == optimizer]
        for row in asked:
            rows = [taken(run, row) for run in runs]
            line: dict[str, Any] = {"way": f"{optimizer}: take back {row[0]:g} by {row[1]}", "storage": rows[0]["storage"]}
            line["forget"] = results.interval([math.exp(each["forget"]) for each in rows])
            line["retain %"] = _rises(runs, rows)
            line["retain recall"] = results.interval([each["retain recall"] for each in rows])
            line["repairs"] = results.interval([_repairs(each) for each in rows])
            line["repaired"] = results.interval([math.exp(each["after repair"]["forget"]) for each in rows])
            if all(each["scale"] is not None for each in rows):
                line["at twin %"] = _rises(runs, [each["at twin"] for each in rows])
            lines.append(line)
        for way in runs[0]["updates"]:
            rows = [run["updates"][way] for run in runs]
            line = {"way": f"{optimizer}: {way}", "reached": sum(each["updates"] is not None for each in rows)}
            if line["reached"] == len(rows):
                line["updates"] = results.interval([each["updates"] for each in rows])
                line["at twin %"] = _rises(runs, rows)
                line["retain recall"] = results.interval([each["retain recall"] for each in rows])
            lines.append(line)
    return lines


def _rises(runs: Sequence[Mapping[str, Any]], rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """By how many percent the retain perplexity of each run's row is above that of its start."""
    return results.interval([100 * math.expm1(row["retain"] - run["start"]["retain"]) for row, run in zip(rows, runs, strict=True)])


def report(found: Mapping[str, Any]) -> str:
    """The table and the claims as lines of text; intervals are of 95 %, by Student's t over the seeds."""
    lines = [f"seeds {found['seeds']}; mean (95 % interval over the seeds)"]
    for line in table(found):
        told = [f"{name} {shown(value) if isinstance(value, dict) else format(value, '.3g')}" for name, value in line.items() if name != "way"]
        lines.append(f"{line['way']}: {', '.join(told)}")
    return "\n".join(lines + [f"{name}: {each['verdict']}: {each['because']}" for name, each in found["claims"].items()])
