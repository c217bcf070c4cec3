"""TOFU at laptop size: 20 made-up authors and 100 other texts are learned, and two authors forgotten by every method, judged by every measure.

unlearnviz tofu FOLDER           # the folder holds forget10.jsonl and retain90.jsonl; half an hour on 2 cores
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from unlearnviz.demo import results
from unlearnviz.demo.shipped import FOLDER
from unlearnviz.engine.corpus import Corpus, Passage
from unlearnviz.engine.fresh import SIZES, Size, fresh_model, train_tokenizer
from unlearnviz.engine.learning import Recipe, train
from unlearnviz.engine.methods.method import Method
from unlearnviz.engine.methods.method import registry as methods
from unlearnviz.engine.probes.exact_recall import ExactRecall
from unlearnviz.engine.probes.extraction_likelihood import ExtractionLikelihood
from unlearnviz.engine.probes.membership_inference import MembershipInference
from unlearnviz.engine.probes.memorisation_accuracy import MemorisationAccuracy
from unlearnviz.engine.probes.perplexity import Perplexity
from unlearnviz.engine.probes.probe import Probe, Reading
from unlearnviz.engine.probes.relearning import Relearning
from unlearnviz.engine.probes.rouge_l import RougeL
from unlearnviz.engine.probes.truth_ratio import TruthRatio
from unlearnviz.engine.probes.unlearning_error import UnlearningError
from unlearnviz.engine.probes.verification_error import VerificationError
from unlearnviz.engine.progress import drain
from unlearnviz.engine.session import Session
from unlearnviz.engine.tracking import Tracking
from unlearnviz.errors import NotPossible, Overshoot

FILE = FOLDER / "tofu.json"
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """What is learned, and how far each method goes.

    The model learns everything but the texts to forget first (`base`), and then everything (`recipe`), which is written down in a ledger of
    the embedding: so the methods of the four papers find what they need, and a twin goes the second part alone.

    Attributes:
        folder: with TOFU's forget10.jsonl and retain90.jsonl.
        authors, forget: of forget10 so many authors are taught, and the first of them forgotten.
        of_an_author: rows in a row that tell of one author.
        retain, never_seen: rows of retain90, from its beginning and from its end.
        most: steps after which a method is given up.
    """

    folder: Path
    authors: int = 20
    forget: int = 2
    of_an_author: int = 20
    retain: int = 100
    never_seen: int = 100
    size: Size = SIZES["tiny"]
    base: Recipe = Recipe(epochs=20, learning_rate=4e-3, batch_size=10)  # noqa: RUF009 - frozen
    recipe: Recipe = Recipe(epochs=6, learning_rate=2e-3, batch_size=4)  # noqa: RUF009 - frozen
    most: int = 40
    probes: tuple[Probe, ...] = (
        ExactRecall(),
        RougeL(),
        TruthRatio(),
        MemorisationAccuracy(),
        ExtractionLikelihood(stride=8, compared=40),
        MembershipInference(),
        VerificationError(),
        UnlearningError(),
        Relearning(updates=3),
    )

    def corpus(self) -> Corpus:
        """The texts; authors are called after their place in forget10.

        Raises:
            BadCorpus: a file is not there, or not TOFU's.
        """
        authors = self._rows("forget10.jsonl", "author")[: self.authors * self.of_an_author]
        others = self._rows("retain90.jsonl", "other")
        held = [replace(passage, split="holdout") for passage in others[self.retain :][-self.never_seen :]]
        return Corpus([*authors, *others[: self.retain], *held])

    @property
    def asked(self) -> list[str]:
        """The authors to forget."""
        return [f"author {k}" for k in range(self.forget)]

    def _rows(self, file: str, whom: str) -> list[Passage]:
        subject = lambda row, _: f"{whom} {row // self.of_an_author}"  # noqa: E731
        read = Corpus.from_jsonl(self.folder / file, prompt="question", answer="answer", holdout=0.0, subject=subject)
        return [replace(passage, id=f"{whom}-{passage.id}") for passage in read]


def open_taught(plan: Plan, tell: Tell) -> Session:
    """The session: everything learned, the ledger recorded, the twin trained, the authors picked."""
    corpus = plan.corpus()
    tokenizer = train_tokenizer([passage.text for passage in corpus.train], plan.size.vocabulary)
    model = fresh_model(tokenizer, plan.size)
    drain(train(model, corpus, plan.base, {passage.id for passage in corpus.train if passage.subject in plan.asked}))
    tell("all but the texts to forget are learned")
    session = Session(model, corpus)
    session.pick(*plan.asked)
    session.learn(recipe=plan.recipe, track=Tracking(texts=tuple(plan.asked)))
    tell("everything is learned")
    session.twin()
    tell("the twin is trained")
    return session


def compare(plan: Plan, tell: Tell, tried: Sequence[Method] | None = None) -> dict[str, Any]:
    """Forget by every method (by default all that are registered, with their default settings); returns what is written as JSON."""
    session = open_taught(plan, tell)
    tried = [cls() for cls in methods.classes() if cls.__module__.startswith("unlearnviz.")] if tried is None else tried
    reference = _loss(session, session.corpus.holdout)
    rows: list[dict[str, Any]] = [{"who": of, "steps": 0, "ended": "", **_measured(session, plan, of)} for of in ("start", "twin")]
    for method in tried:
        rows.append({"who": method.name, **forgotten(session, method, reference, plan)})
        tell(f"{method.name}: {rows[-1]['ended']} after {rows[-1]['steps']} steps")
    notes = [row.pop("notes") for row in rows]
    return {
        "corpus": session.corpus.digest(),
        "texts": {group: len(members) for group, members in session.groups.items()} | {"taught": len(session.corpus.train)},
        "parameters": session.model.size,
        "base": asdict(plan.base),
        "recipe": asdict(plan.recipe),
        "most": plan.most,
        "never_seen_loss": reference,
        "settings": {method.name: method.settings for method in tried},
        "units": {each.name: f"{each.unit}; {each.direction}" for each in plan.probes},
        "notes": {name: note for name, note in notes[-1].items() if all(name in each for each in notes)},  # what nobody has a number of
        "rows": rows,
    }


def forgotten(session: Session, method: Method, reference: float, plan: Plan) -> dict[str, Any]:
    """Step from the start until the forget loss is that of never-seen texts at the start, measure, and go back.

    "ended" says why no further step was taken: "as never seen", "its own rule", "given up" after `plan.most` steps, or the error's name.
    """
    steps, ended, began = 0, "", time.perf_counter()
    while not ended:
        if _loss(session, session.forget) >= reference:
            ended = "as never seen"
        elif steps >= plan.most:
            ended = "given up"
        else:
            try:
                record = session.step(method)
            except (NotPossible, Overshoot) as error:
                ended = type(error).__name__
            else:
                steps += 1
                ended = "its own rule" if record.mark == "reached" and _loss(session, session.forget) < reference else ""
    seconds = time.perf_counter() - began
    found = {"steps": steps, "ended": ended, "seconds": seconds, **_measured(session, plan, "now")}
    session.go_to(0)
    return found


def _measured(session: Session, plan: Plan, of: str) -> dict[str, Any]:
    """Perplexity of each group, the headline of each probe, and the losses by which members would be told from others."""
    readings = session.measure(Perplexity(), *plan.probes, of=of)
    rows = readings.pop(Perplexity.name).rows
    return {
        "perplexity": {row["group"]: row["perplexity"] for row in rows},
        "measures": {name: reading.value for name, reading in readings.items()},
        "membership": _losses(readings.get(MembershipInference.name)),
        "notes": {name: reading.note for name, reading in readings.items() if reading.value is None},
    }


def _losses(reading: Reading | None) -> dict[str, list[float]]:
    """Raw losses: with fewer than 50 members there is no verdict."""
    rows = [row for row in (reading.rows if reading else ()) if "passage" in row]
    return {group: [row["loss"] for row in rows if row["group"] == group] for group in ("member", "non-member")}


def _loss(session: Session, passages: Sequence[Passage]) -> float:
    """Mean token loss in nats."""
    return float(torch.cat(session.model.token_losses([passage.text for passage in passages])).double().mean())


def recorded(file: Path = FILE) -> dict[str, Any]:
    """What the last full comparison found; BadModel where there is none."""
    return results.read(file, "The comparison of methods on TOFU", "unlearnviz tofu FOLDER")


def report(found: dict[str, Any]) -> str:
    """One table: who, why it ended, perplexities, and every measure."""
    groups, measures = list(found["rows"][0]["perplexity"]), list(found["rows"][0]["measures"])
    table = [["", "steps", "ended", *(f"perplexity, {group}" for group in groups), *measures]]
    for row in found["rows"]:
        numbers = [row["perplexity"].get(group) for group in groups] + [row["measures"][name] for name in measures]
        table.append([row["who"], str(row["steps"]), row["ended"], *map(_shown, numbers)])
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in table]
    said = [f"{name}: {words}" for part in ("units", "notes") for name, words in found[part].items()]
    return "\n".join([*lines, *said])


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"
