"""Recording while a model learns: what it costs beside the plain training, and how exactly it leads back."""

import contextlib
import copy

import torch

from tests.benchmarks.registry import Row
from tests.benchmarks.timing import milliseconds, ratio, take_turns
from unlearnviz.engine.learning import Recipe, Training
from unlearnviz.engine.ledger import Ledger
from unlearnviz.engine.model import LanguageModel
from unlearnviz.engine.recorder import Recorder
from unlearnviz.engine.tracking import Tracking

ROUNDS = 5  # each is an epoch of every way to learn


def measure(plan):
    session = plan.session()
    recipe = session.lineage.recipe if session.lineage is not None else Recipe(epochs=6)
    texts = tuple(passage.id for passage in session.forget)[:5]
    ways = {
        "plain": None,
        "gradients and deltas": Tracking(texts=texts),
        "deltas, a tenth": Tracking(texts=texts, gradients=False, keep=0.1),
        "deltas, whole": Tracking(texts=texts, gradients=False),
        "all parameters, deltas": Tracking(texts=texts, gradients=False, where="all"),
    }
    with contextlib.ExitStack() as stack:
        epochs, recorders = {}, {}
        for way, tracking in ways.items():
            training = Training(_copy(session.model), session.corpus, recipe)
            if tracking is not None:
                training.watching = recorders[way] = Recorder(training, tracking)
                stack.callback(training.watching.abandon)
            epochs[way] = _epoch(training, stack.enter_context(contextlib.closing(training.running())))
        seconds = take_turns(epochs, min(plan.times(ROUNDS), recipe.epochs - 1))
        base = f"{milliseconds(seconds['plain']):.0f} ms an epoch"
        for way, limit in (("gradients and deltas", 1.25), ("deltas, a tenth", 1.15), ("all parameters, deltas", None)):
            place = "" if way.startswith("all") else ", embedding"
            yield Row("ledger", f"learning with {way} of {len(texts)} texts{place}", ratio(seconds, way, "plain"), "x", base, at_most=limit)
        whole, tenth = (_bytes(recorders[way]) for way in ("deltas, whole", "deltas, a tenth"))
        base = f"{whole / 1e6:.2f} MB"
        yield Row("ledger", "deltas at a tenth of each layer, on disk", tenth / whole, "x of whole deltas", base, at_most=0.16)
    yield from _back(plan)


def _copy(model):
    return LanguageModel(copy.deepcopy(model.module), model.tokenizer)


def _epoch(training, running):
    def epoch():
        for _ in range(training.per_epoch):
            next(running)

    return epoch


def _bytes(recorder):
    return sum(size for step in recorder.content["steps"] for size in step["bytes"]["deltas"].values())


def _back(plan):
    """All updates subtracted, newest first."""
    session = plan.session()
    recipe = Recipe(epochs=2, learning_rate=1e-3, batch_size=4)
    training = Training(_copy(session.model), session.corpus, recipe)
    training.watching = recorder = Recorder(training, Tracking(where="embedding", gradients=False))
    for _ in training.running():
        pass
    recorder.finish()
    ledger = Ledger(recorder.folder, private=True)
    (name,) = ledger.names
    found = training.model.parameters[name].detach().double().clone()
    for step in reversed(ledger.steps):
        found -= ledger.delta(step, name).double()
    away = float((found - ledger.checkpoint(0)[name].double()).abs().max())
    how = f"{len(ledger.steps)} updates of AdamW, {torch.finfo(torch.float32).eps:.1g} is float32's rounding of 1"
    yield Row("ledger", "all deltas taken back, newest first: farthest entry from the start", away, "", how, at_most=1e-8)
