"""The sixth lesson's experiment: ascent along stored gradients, by epochs and by parts of the model, at equal forgetting.

unlearnviz first-epoch    # 5 seeds x AdamW and SGD: a quarter of an hour on 2 cores

Zagardo (2024) reports that the gradients of the first epoch unlearn better than those of all epochs, that the embedding is what
matters and the last two layers do nothing, that storing the embedding alone halves the storage, and that a wrong strength may
leave or bring back what was to go. His data, recipe, strength and measures are not known: the experiment is our reconstruction.

A pass over stored gradients adds the same update each time, so all strengths and all numbers of passes lie on one straight line
through weight space. Each direction is therefore taken once, as one step of the real method, and walked along.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from unlearnviz.demo import results
from unlearnviz.demo.equal_forgetting import Direction, EqualForgetting, change, recorded_world
from unlearnviz.demo.shipped import FOLDER
from unlearnviz.demo.verdicts import NOT_HERE, REPRODUCED, claim, shown
from unlearnviz.engine.methods.first_epoch_ascent import FirstEpochAscent
from unlearnviz.engine.selection import ParameterSelection
from unlearnviz.engine.session import Session
from unlearnviz.engine.storage_meter import StorageMeter
from unlearnviz.engine.work import total_norm

SEEDS, OPTIMIZERS = (0, 1, 2, 3, 4), ("AdamW", "SGD")
EPOCHS = ("first", "all")
PLACES = ("all", "embedding", "embedding.input", "embedding.output", "blocks 0-9", "blocks 10-11")
COMPARED, LAST = ("embedding", "all"), "blocks 10-11"
NORMS = (0.5, 1.0, 2.0)  # L2 norms of the update at which ways are compared at equal length
MULTIPLES = (0.0, 0.125, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0, 8.0, 16.0)  # of the norm at which the twin's forget loss is reached
FILE = FOLDER / "first_epoch.json"
LITTLE = 5.0  # % of what the embedding does: up to there we call it no effect
Tell = Callable[[str], None]


def compare(
    tell: Tell,
    seeds: Sequence[int] = SEEDS,
    optimizers: Sequence[str] = OPTIMIZERS,
    opened: Callable[[int, str], Session] = lambda seed, optimizer: recorded_world(seed, optimizer, deltas=False),
) -> dict[str, Any]:
    """Everything below for every seed (other people, another one to forget) and optimizer; returns what is written as JSON."""
    runs = []
    for seed in seeds:
        for optimizer in optimizers:
            runs.append({"seed": seed, "optimizer": optimizer, **one(opened(seed, optimizer))})
            tell(f"{len(runs)} of {len(seeds) * len(optimizers)} models made to forget")
    return {"seeds": list(seeds), "optimizers": list(optimizers), "runs": runs, "gpt2": gpt2_share(), "claims": claims(runs)}


def one(session: Session) -> dict[str, Any]:
    """One model: every way at equal forgetting and at equal norms, what the last blocks do, the way beyond, and the storage."""
    ground = EqualForgetting(session)
    paths = {(epochs, place): direction for epochs in EPOCHS for place, direction in directions(session, epochs).items()}
    scales = {way: ground.reach(direction) for way, direction in paths.items()}
    found: dict[str, Any] = {
        "forgotten": [passage.id for passage in session.forget],
        "start": ground.reading(ground.start),
        "twin": ground.reading(ground.twin),
        "ways": [],
        "equal norm": [],
    }
    for (epochs, place), direction in paths.items():
        scale, length = scales[epochs, place], total_norm(direction)
        row: dict[str, Any] = {"epochs": epochs, "place": place, "norm": None if scale is None else scale * length}
        if scale is not None:
            there = ground.reading(ground.along(direction, scale))
            row |= {name: there[name] for name in ("retain", "forget recall", "retain recall", "distance")}
        found["ways"].append(row)
        if place in COMPARED:
            found["equal norm"].append({"epochs": epochs, "place": place, **walked(ground, direction, [norm / length for norm in NORMS])})
    scale, embedding, last = scales["first", "embedding"], paths["first", "embedding"], paths["first", LAST]
    if scale is not None:
        found["last blocks"] = last_blocks(ground, embedding, last, scale)
    found["beyond"] = {
        place: walked(ground, paths["first", place], [multiple * reached for multiple in MULTIPLES])
        for place in COMPARED
        if (reached := scales["first", place]) is not None
    }
    found["storage"] = storage(session)
    return found


def directions(session: Session, epochs: str) -> dict[str, Direction]:
    """Place -> the update of one pass over the stored gradients of some epochs, in their natural lengths to each other.

    Taken at a strength of 1 / (peak learning rate): about as long as a gradient, so that float32 weights carry it well.
    """
    assert session.ledger is not None
    method = FirstEpochAscent(epochs=epochs, strength=1 / session.ledger.recipe.learning_rate)
    whole = change(session, method, "all")
    found: dict[str, Direction] = {}
    for place in PLACES:
        selection = ParameterSelection.parse(place, session.model.layout)
        taken = whole if selection.use == "both" else change(session, method, place)
        found[place] = {name: taken[name] for name in selection.names}
    return found


def last_blocks(ground: EqualForgetting, embedding: Direction, last: Direction, scale: float) -> dict[str, float]:
    """By how many percent of the embedding's effect the last two blocks raise the forget loss.

    "equal norm": moved as far as the embedding is where it reaches the twin. "equal strength": as far as the same strength moves them.
    """
    nothing = ground.forget_loss(ground.start)
    far = scale * total_norm(embedding) / total_norm(last)
    moved = {"equal norm": far, "equal strength": scale}
    return {ruler: 100 * (ground.forget_loss(ground.along(last, s)) - nothing) / (ground.target - nothing) for ruler, s in moved.items()}


def walked(ground: EqualForgetting, direction: Direction, scales: Sequence[float]) -> dict[str, list[float]]:
    """Forget and retain loss at some scales of a direction: what more passes, or a greater strength, do."""
    places = [ground.along(direction, scale) for scale in scales]
    return {"forget": [ground.forget_loss(each) for each in places], "retain": [ground.loss(each, ground.others) for each in places]}


def storage(session: Session) -> dict[str, float]:
    """Bytes that the gradients of all texts and updates take: of the embedding, of everything, and the share in percent."""
    assert session.ledger is not None
    meter = StorageMeter(session.ledger, session.model, session.corpus)
    part, whole = (meter.bytes(where, "gradients") for where in ("embedding", "all"))
    return {"embedding": part, "all": whole, "share": 100 * part / whole}


def gpt2_share(blocks: int = 12) -> float:
    """Percent of the parameters of GPT-2 small that are its (tied) token embedding, counted from shapes; no weights are made."""
    from transformers import GPT2Config, GPT2LMHeadModel

    with torch.device("meta"):
        model = GPT2LMHeadModel(GPT2Config(n_layer=blocks))
    return 100 * float(model.transformer.wte.weight.numel() / sum(parameter.numel() for parameter in model.parameters()))


def rise(run: Mapping[str, Any], epochs: str, place: str) -> float | None:
    """How much the loss of the texts to keep rose where the forget loss is the twin's, nats per token; None where it never is."""
    row = next(row for row in run["ways"] if (row["epochs"], row["place"]) == (epochs, place))
    return None if row["norm"] is None else float(row["retain"] - run["start"]["retain"])


def claims(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What the runs say of Zagardo's sentences.

    The first three compare the retain rise at equal forgetting, paired by seed: it is claimed to be smaller. The last blocks are claimed to
    do less than LITTLE percent of what the embedding does. "comes back" asks how far above the twin's the forget loss stays in all
    longer passes: a value below 0 means that the model knows the texts again.
    """
    by_optimizer = {each: [run for run in runs if run["optimizer"] == each] for each in dict.fromkeys(run["optimizer"] for run in runs)}

    def paired(one: tuple[str, str], other: tuple[str, str]) -> dict[str, list[float]]:
        rises = {words: [(rise(run, *one), rise(run, *other)) for run in mine] for words, mine in by_optimizer.items()}
        return {words: [a - b for a, b in pairs if a is not None and b is not None] for words, pairs in rises.items()}

    unit = "nats per token that the texts to keep lose more, where the texts to forget are as surprising as to the twin"
    first = {
        f"{optimizer}, {place}": values
        for place in COMPARED
        for optimizer, values in paired(("first", place), ("all", place)).items()
    }
    part = {
        f"{optimizer}, {epochs}": values
        for epochs in ("first", "all")
        for optimizer, values in paired((epochs, "embedding"), (epochs, "all")).items()
    }
    across = paired(("first", "embedding"), ("all", "all"))
    last = {
        f"{optimizer}, {ruler}": [run["last blocks"][ruler] for run in mine]
        for ruler in ("equal strength", "equal norm")
        for optimizer, mine in by_optimizer.items()
    }
    later = MULTIPLES.index(1.0) + 1
    again = {
        f"{optimizer}, {place}": [min(run["beyond"][place]["forget"][later:]) - run["twin"]["forget"] for run in mine]
        for place in COMPARED
        for optimizer, mine in by_optimizer.items()
    }
    return {
        "first-epoch-better": claim(first, "below", unit, because=_told("first epoch minus all epochs", first)),
        "first-epoch-embedding-beats-whole-model": claim(
            across, "below", unit, because=_told("embedding, first epoch, minus everything, all epochs", across)
        ),
        "embedding-most-selective": claim(part, "below", unit, because=_told("embedding minus everything", part)),
        "last-blocks-no-effect": claim(last, "below", "% of the embedding's effect", line=LITTLE, because=_told("what blocks 10 and 11 do", last)),
        "embedding-halves-storage": _storage_claim(runs),
        "texts-come-back": claim(again, "below", "nats per token above the twin's forget loss", because=_told("least distance on the way", again)),
    }


def _told(what: str, settings: Mapping[str, Any]) -> str:
    """A sentence for `claim`: what it is, then each setting with its interval."""
    return f"{what}: " + "; ".join(f"{words} {{{k}}}" for k, words in enumerate(settings)) + "."


def _storage_claim(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Counted, not sampled: half means 45 to 55 percent of GPT-2 small's gradient."""
    share, ours = gpt2_share(), runs[0]["storage"]["share"]
    return {
        "estimate": share,
        "low": share,
        "high": share,
        "unit": "% of GPT-2 small's parameters that are its embedding",
        "verdict": REPRODUCED if 45 <= share <= 55 else NOT_HERE,
        "because": (
            f"the embedding is {share:.1f} % of GPT-2 small, {gpt2_share(6):.1f} % of a GPT-2 of half as many blocks, and {ours:.1f} % of what "
            "the shipped model's gradients take."
        ),
    }


def recorded(file: Any = FILE) -> dict[str, Any]:
    """What the last full run found; BadModel where there is none."""
    return results.read(file, "The experiment on stored gradients", "unlearnviz first-epoch")


def table(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One line per optimizer, epochs and place: intervals over the seeds that reached the twin's forget loss, and how many did.

    "retain %": rise of the retain perplexity in percent; "retain recall": % of the others' facts; "distance": to the twin, as a share of
    the distance of doing nothing.
    """
    lines = []
    for optimizer in found["optimizers"]:
        mine = [run for run in found["runs"] if run["optimizer"] == optimizer]
        for epochs in EPOCHS:
            for place in PLACES:
                rows = [(run, row) for run in mine for row in run["ways"] if (row["epochs"], row["place"]) == (epochs, place)]
                there = [(run, row) for run, row in rows if row["norm"] is not None]
                line: dict[str, Any] = {"optimizer": optimizer, "epochs": epochs, "place": place, "runs": len(rows), "reached": len(there)}
                if there:
                    line["norm"] = results.interval([row["norm"] for _, row in there])
                    line["retain %"] = results.interval([100 * math.expm1(row["retain"] - run["start"]["retain"]) for run, row in there])
                    line["retain recall"] = results.interval([row["retain recall"] for _, row in there])
                    line["distance"] = results.interval([row["distance"] / run["start"]["distance"] for run, row in there])
                lines.append(line)
    return lines


def report(found: Mapping[str, Any]) -> str:
    """The table and the claims as lines of text; intervals are of 95 %, by Student's t over the seeds."""
    lines = [f"seeds {found['seeds']}; where the forget loss is the twin's: mean (95 % interval over the seeds)"]
    for line in table(found):
        told = ", ".join(f"{name} {shown(line[name])}" for name in ("norm", "retain %", "retain recall", "distance") if name in line)
        lines.append(f"{line['optimizer']}, {line['epochs']} epochs, {line['place']}: {line['reached']} of {line['runs']} reached; {told}")
    return "\n".join(lines + [f"{name}: {each['verdict']}: {each['because']}" for name, each in found["claims"].items()])
