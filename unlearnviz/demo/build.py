"""Rebuild the shipped world from its seed: texts, tokenizer, model, twin, and a report of what it shows.

unlearnviz build-demo            # the model and its twin
unlearnviz build-demo --full     # also four twins with other seeds and the twins of eight other people (readings only)
"""

from __future__ import annotations

import itertools
import json
import os
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer

from unlearnviz.demo.shipped import FOLDER, facts, open_shipped
from unlearnviz.demo.world import EXAMPLE, world
from unlearnviz.engine.corpus import Corpus
from unlearnviz.engine.fresh import fresh_model, train_tokenizer
from unlearnviz.engine.groups import choose_groups
from unlearnviz.engine.learning import Recipe
from unlearnviz.engine.model import LanguageModel
from unlearnviz.engine.probes.exact_recall import exact_recall
from unlearnviz.engine.probes.perplexity import perplexity_rows
from unlearnviz.engine.session import Session
from unlearnviz.engine.twin_cache import train_cached
from unlearnviz.errors import BadModel

SEED = 8
EPOCHS = 24  # every taught fact is recited after these; more only makes the model surer of itself
INITIAL_SEED = 0
VOCABULARY = 1024
UPDATE_NORM = 0.25
OTHER_SEEDS = (1, 2, 3, 4)
OTHER_PEOPLE = 8
Tell = Callable[[str], None]


def build_demo(out: Path | None, *, full: bool, epochs: int | None, tell: Tell) -> tuple[str, bool]:
    """Build everything into `out`; returns the report and whether every target holds."""
    folder = out or FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    corpus = world(SEED)
    recipe = Recipe(epochs=epochs or EPOCHS)
    tokenizer = train_tokenizer([passage.text for passage in corpus.train], VOCABULARY)
    left_out = frozenset(passage.id for passage in corpus.about(EXAMPLE))
    trainings = [Training("the model", recipe), Training("its twin", recipe, left_out)]
    others = _people(corpus) if full else []
    if full:
        trainings += [Training(f"a twin with seed {seed}", replace(recipe, seed=seed), left_out) for seed in OTHER_SEEDS]
        trainings += [Training(f"the twin without {person}", recipe, _ids(corpus, person)) for person in others]
    taught = _train_all(trainings, corpus, tokenizer.to_str(), tell)
    model, twin = taught[:2]
    tokenizer.save(str(folder / "tokenizer.json"))
    _save_half(model, folder / "model.safetensors")
    _save_half(twin, folder / "twin.safetensors")
    about = {
        "seed": SEED,
        "initial_seed": INITIAL_SEED,
        "recipe": asdict(recipe),
        "corpus": corpus.digest(),
        "subject": EXAMPLE,
        "left_out": sorted(left_out),
        "update_norm": UPDATE_NORM,
    }
    about["further"] = _further(corpus, taught, others) if full else _kept(folder, about)
    (folder / "world.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    report, held = _report(open_shipped(folder), folder, about)
    (folder / "report.txt").write_text(report + "\n", encoding="utf-8")
    return report, held


@dataclass(frozen=True)
class Training:
    """One model to train: what to call it, the recipe, and the passages it shall not see."""

    name: str
    recipe: Recipe
    left_out: frozenset[str] = frozenset()


def _train_all(trainings: Sequence[Training], corpus: Corpus, tokenizer: str, tell: Tell) -> list[LanguageModel]:
    """All models, one a core at a time, in processes of one thread: the same weights whatever the number of cores.

    What was trained before comes from the cache of twins, so an interrupted build goes on where it stopped.
    """
    began = time.perf_counter()
    done = 0
    with ProcessPoolExecutor(max_workers=os.cpu_count() or 1, mp_context=get_context("spawn")) as pool:
        jobs = {pool.submit(_train_one, each, corpus.to_rows(), tokenizer): each for each in trainings}
        for job in as_completed(jobs):
            job.result()
            done += 1
            left = (time.perf_counter() - began) / done * (len(trainings) - done)
            tell(f"{jobs[job].name}: trained ({done} of {len(trainings)}), about {left / 60:.0f} min left")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as they were trained: the cache tells numbers of threads apart
    try:
        models = []
        for each in trainings:
            model = fresh_model(Tokenizer.from_str(tokenizer), "world", seed=INITIAL_SEED)
            for _ in train_cached(model, corpus, each.recipe, each.left_out):  # found in the cache: nothing to do
                pass
            models.append(model)
    finally:
        torch.set_num_threads(threads)
    return models


def _train_one(training: Training, rows: list[dict[str, Any]], tokenizer: str) -> None:
    """Train one model into the cache; runs in a process of its own."""
    torch.set_num_threads(1)
    model = fresh_model(Tokenizer.from_str(tokenizer), "world", seed=INITIAL_SEED)
    for _ in train_cached(model, Corpus.from_rows(rows), training.recipe, training.left_out):
        pass


def _ids(corpus: Corpus, person: str) -> frozenset[str]:
    return frozenset(passage.id for passage in corpus.about(person))


def _people(corpus: Corpus) -> list[str]:
    """Eight taught people other than the default one, spread over the corpus."""
    taught = [subject for subject in corpus.subjects if subject != EXAMPLE and corpus.about(subject)[0].split == "train"]
    return taught[:: len(taught) // OTHER_PEOPLE][:OTHER_PEOPLE]


def _save_half(model: LanguageModel, file: Path) -> None:
    save_file({name: parameter.detach().half().contiguous() for name, parameter in model.parameters.items()}, str(file))
    file.chmod(0o644)  # safetensors writes for the owner alone; a wheel is read by everybody


def _kept(folder: Path, about: Mapping[str, Any]) -> dict[str, Any] | None:
    """The further readings of an earlier --full build of the very same world."""
    try:
        earlier = facts(folder)
    except BadModel:
        return None
    same = all(json.loads(json.dumps(value)) == earlier.get(name) for name, value in about.items())
    return earlier.get("further") if same else None


def _further(corpus: Corpus, taught: Sequence[LanguageModel], others: Sequence[str]) -> dict[str, Any]:
    """Readings of four more twins with other seeds, and of eight other people's twins."""
    model, twin, rest = taught[0], taught[1], taught[2:]
    mine = list(corpus.about(EXAMPLE))
    twins = dict(zip((0, *OTHER_SEEDS), (twin, *rest), strict=False))
    groups = choose_groups(corpus, mine, 0)  # as the session draws them that `uv.demo()` opens
    readings = []
    for person, without in zip(others, rest[len(OTHER_SEEDS) :], strict=True):
        theirs = [passage for passage in corpus.about(person) if not passage.extra.get("canary")]
        readings.append({"subject": person, "perplexity": _perplexity(without, theirs)})
    return {
        "twins": [
            {
                "seed": seed,
                "perplexity": _perplexity(each, mine),
                "recall": _recall(each, mine),
                "groups": {row["group"]: row["perplexity"] for row in perplexity_rows(each, groups)},
            }
            for seed, each in twins.items()
        ],
        "distances_between_twins": [_distance(a, b) for a, b in itertools.combinations(twins.values(), 2)],
        "distance_model_to_twin": _distance(model, twin),
        "people": readings,
    }


def _perplexity(model: LanguageModel, passages: Sequence[Any]) -> float:
    return float(perplexity_rows(model, {"forget": passages})[0]["perplexity"])


def _recall(model: LanguageModel, passages: Sequence[Any]) -> float:
    known = exact_recall(model, passages)
    return 100 * sum(known.values()) / len(known)


@torch.no_grad()
def _distance(a: LanguageModel, b: LanguageModel) -> float:
    return float(sum((p - b.parameters[name]).double().square().sum() for name, p in a.parameters.items()) ** 0.5)


def never_seen_perplexities(model: LanguageModel, corpus: Corpus) -> list[float]:
    """Perplexity of each never-seen person's passages, canaries left out; sorted."""
    people = {p.subject for p in corpus.holdout}
    groups = {person: [p for p in corpus.about(person) if not p.extra.get("canary")] for person in sorted(people)}
    return sorted(float(row["perplexity"]) for row in perplexity_rows(model, groups))


def _report(session: Session, folder: Path, about: Mapping[str, Any]) -> tuple[str, bool]:
    """What the shipped files show, measured on the files themselves (half precision on disk)."""
    corpus, twin = session.corpus, session.active_twin
    assert twin is not None
    forget = list(session.forget)
    others = [p for p in corpus.train if p.subject != about["subject"]]
    recalled = _recall(session.model, corpus.train)
    known = {row["group"]: row["perplexity"] for row in perplexity_rows(session.model, {"forget": forget, "other people": others})}
    shadow = session.model.at(twin.weights)
    twin_forget, twin_recall, twin_others = _perplexity(shadow, forget), _recall(shadow, forget), _recall(shadow, others)
    never = never_seen_perplexities(shadow, corpus)
    low, middle, high = statistics.quantiles(never, n=4)
    steps = _default_steps(session, twin_forget, others)
    crossing = next((row for row in steps if row["forget"] >= twin_forget), None)
    size = sum(file.stat().st_size for file in folder.iterdir() if file.is_file()) / 2**20
    checks = [
        (f"exact recall of the taught passages {recalled:.1f} % (at least 95)", recalled >= 95),
        (f"exact recall of {about['subject']} by the twin {twin_recall:.0f} % (at most 10)", twin_recall <= 10),
        (f"her perplexity under the twin {twin_forget:.2f}, quartiles of the never-seen people {low:.2f} to {high:.2f}", low <= twin_forget <= high),
        _default_step_check(crossing),
        (f"shipped files {size:.2f} MB (at most 12)", size <= 12),
    ]
    lines = [
        f"The shipped world, seed {about['seed']}: {len(corpus.train)} taught passages, {len(corpus.holdout)} never seen.",
        f"{session.model!r}, vocabulary {session.model.tokenizer.get_vocab_size()}; recipe {about['recipe']}.",
        f"Perplexity (lower = better remembered): {about['subject']} {known['forget']:.3f}, other people {known['other people']:.3f}.",
        f"Perplexity of the never-seen people under the twin: median {middle:.2f}, range {never[0]:.2f} to {never[-1]:.2f}.",
        f"The twin recalls {twin_others:.1f} % of the other people's facts exactly.",
        *(f"{'holds ' if held else 'MISSED'} {text}" for text, held in checks),
        "step  forget  retain  never seen  others recalled   (gradient ascent on the embedding, update norm 0.25)",
        *(f"{r['step']:4d} {r['forget']:7.2f} {r['retain']:7.3f} {r['never seen']:11.2f} {r['recall']:15.1f} %" for r in steps),
        *_further_lines(about.get("further"), middle),
    ]
    return "\n".join(lines), all(held for _, held in checks)


def _default_step_check(crossing: Mapping[str, Any] | None) -> tuple[str, bool]:
    """What the first step at or above the twin's forget perplexity shows, and whether that is what was promised."""
    if crossing is None:
        return "the default step never passes the twin in 12 steps", False
    step, retain, recall = crossing["step"], crossing["retain_change"], crossing["recall"]
    sentence = f"the default step passes the twin at step {step} (3 to 8), retain {retain:+.1f} % (at most +8), "
    return sentence + f"other people's recall {recall:.1f} % (at least 98)", 3 <= step <= 8 and retain <= 8 and recall >= 98


def _default_steps(session: Session, twin_forget: float, others: Sequence[Any]) -> list[dict[str, Any]]:
    """The default step, repeated until two steps past the twin (12 at most); then the session goes back to its start."""
    rows: list[dict[str, Any]] = []
    past = 0
    for step in range(13):
        if step:
            session.step()
        read = {row["group"]: row["perplexity"] for row in session.measure("perplexity")["perplexity"].rows}
        change = 100 * (read["retain"] / rows[0]["retain"] - 1) if rows else 0.0
        rows.append({"step": step, **read, "retain_change": change, "recall": _recall(session.model, others)})
        past += read["forget"] >= twin_forget
        if past > 2:
            break
    session.go_to(0)
    return rows


def _further_lines(further: Mapping[str, Any] | None, never_seen_median: float) -> list[str]:
    if not further:
        return ["Other seeds and other people: not measured (build-demo --full)."]
    twins = [each["perplexity"] for each in further["twins"]]
    people = [each["perplexity"] for each in further["people"]]
    apart = further["distances_between_twins"]
    median = statistics.median(people)
    difference = 100 * (median / never_seen_median - 1)
    return [
        f"Twins with {len(twins)} seeds: forget perplexity {min(twins):.2f} to {max(twins):.2f} (mean {statistics.mean(twins):.2f}).",
        f"Two twins lie {min(apart):.2f} to {max(apart):.2f} apart (L2 norm of the difference);",
        f"the model lies {further['distance_model_to_twin']:.2f} from the twin of its own seed.",
        f"Twins of {len(people)} other people: perplexity of the person left out {', '.join(f'{each:.1f}' for each in sorted(people))};",
        f"median {median:.2f}, {difference:+.0f} % from the never-seen median {never_seen_median:.2f}. A person who was left out shares names, towns",
        "and turns of phrase with people who were taught, as never-seen people do; single people differ by how common their own",
        "turns of phrase are, which is why one person is never a finding.",
    ]
