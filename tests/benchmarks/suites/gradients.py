"""Norms and influences of many texts in one pass, in plain training epochs over the same texts.

An epoch is what anybody would write: forward with labels and a full backward of the model as transformers loads it. `--peers` also
measures other libraries on the same model and the same texts (tests/benchmarks/peers).
"""

import contextlib
import copy
import json
import os
import platform
import statistics
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import torch

from tests.benchmarks.processes import fresh
from tests.benchmarks.registry import Row
from tests.benchmarks.suites.large import large_session
from tests.benchmarks.timing import Peak, milliseconds, ratio, take_turns
from unlearnviz.engine.gradients.scan import GradientScan
from unlearnviz.engine.model import LanguageModel
from unlearnviz.engine.progress import drain

MEMORY = """
import json, sys
from tests.benchmarks.suites.gradients import pass_memory
print(json.dumps(pass_memory(sys.argv[1], json.loads(sys.argv[2]))))
"""
LOOPED = 24  # texts that the plain loop goes over; its time is scaled up to all


def measure(plan):
    yield conditions("when it began")
    session = plan.session()
    texts = [passage.text for passage in session.corpus.train]
    forget = [passage.text for passage in session.forget]
    limits = {"norms": 0.85, "influence": 1.1, "norms ready-made": 1.1}
    where = f"the {len(texts)} taught texts"
    yield from _speeds(session.model, texts, forget, plan.times(5), where, limits)
    config = {} if plan.effort else {"n_layer": 2, "n_embd": 64, "n_head": 2, "vocab_size": 2000}
    large = large_session(config)
    texts, forget = [p.text for p in large.corpus.train], [p.text for p in large.forget]
    limits = {"norms": 0.75, "influence": 0.8}
    yield from _speeds(large.model, texts, forget, plan.times(3), f"{len(texts)} texts, GPT-2's size", limits)
    yield from _errors(session)
    added = {what: fresh(MEMORY, what, json.dumps(config))["added"] for what in ("epoch", "norms", "influence")}
    for what in ("norms", "influence"):
        yield Row(
            "gradients",
            f"memory that {what} add, GPT-2's size",
            added[what] / added["epoch"],
            "x",
            f"one training pass: {added['epoch']:.0f} MB",
            at_most=1.3,
        )
    if plan.peers is not None:
        from tests.benchmarks.peers import measure as peers

        yield from peers.measure(plan)
    yield conditions("when it ended")


def conditions(when):
    """The load of the machine, beside what else a reader needs to know about the run."""
    versions = ", ".join(f"{name} {version(name)}" for name in ("torch", "transformers", "numpy"))
    said = (
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC; {_processor()}, {os.cpu_count()} cores, torch on {torch.get_num_threads()} of them; "
        f"Python {platform.python_version()}, {versions}"
    )
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return Row("gradients", f"load of the machine {when}", load, "processes", said)


def _processor():
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def as_transformers_loads_it(model):
    """The same weights with attention and activation as the library chooses them, in a module of its own."""
    config = copy.deepcopy(model.module.config)
    config._attn_implementation = "sdpa"
    if getattr(config, "activation_function", "") == "gelu_pytorch_tanh":
        config.activation_function = "gelu_new"
    module = type(model.module)(config).eval()
    module.load_state_dict(model.module.state_dict())
    return LanguageModel(module.to(model.dtype), model.tokenizer)


def plain_epoch(model, texts):
    """Forward with labels and a full backward, batch by batch."""
    for indices in model.chunks(range(len(texts)), texts):
        batch = model.batch([texts[k] for k in indices])
        mask = None if bool(batch.attention_mask.all()) else batch.attention_mask
        model.module(input_ids=batch.input_ids, attention_mask=mask, labels=batch.labels).loss.backward()
        model.module.zero_grad()


def scanned(model, texts, **options):
    """A finished scan."""
    scan = GradientScan(model, texts, **options)
    drain(scan.running())
    return scan


def _speeds(model, texts, forget, rounds, where, limits):
    plain = as_transformers_loads_it(model)
    plain.encoder = model.encoder
    variants = {
        "epoch": lambda: plain_epoch(plain, texts),
        "tuned epoch": lambda: plain_epoch(model, texts),
        "norms": lambda: scanned(model, texts),
        "influence": lambda: scanned(model, texts, toward=forget, tokens=True),
    }
    if "norms ready-made" in limits:
        variants["norms ready-made"] = lambda: scanned(plain, texts)
        variants["each"] = lambda: scanned(model, texts, toward=forget, tokens=True, each=True)
        variants["loop"] = lambda: _loop(plain, texts[:LOOPED])
    seconds = take_turns(variants, rounds)
    if "loop" in seconds:
        share = sum(len(model.encode(text)) for text in texts) / sum(len(model.encode(text)) for text in texts[:LOOPED])
        seconds["loop"] = [each * share for each in seconds["loop"]]
    base = f"{statistics.median(seconds['epoch']):.2f} s an epoch"
    words = {
        "norms": "norms of all texts, all groups",
        "influence": "influence on the forget texts, with norms and tokens",
        "norms ready-made": "norms, on the model as transformers loads it",
        "each": "influence on each forget text, with norms and tokens",
        "loop": "the plain loop, a backward for each text (from a few of them)",
        "tuned epoch": "an epoch with eager attention and fused GELU",
    }
    for name, said in words.items():
        if name in seconds:
            yield Row("gradients", f"{said}: {where}", ratio(seconds, name, "epoch"), "x", base, at_most=limits.get(name))
    yield Row("gradients", f"norms of all texts: {where}", milliseconds(seconds["norms"]), "ms")


def _loop(model, texts):
    for text in texts:
        model.loss(model.batch([text])).backward()
        for parameter in model.parameters.values():
            if parameter.grad is not None:
                torch.linalg.vector_norm(parameter.grad)
        model.module.zero_grad()


def _errors(session):
    """Against one float64 backward for each text, from the logits."""
    model = session.model
    texts = [passage.text for passage in session.corpus.train[:12]]
    forget = [passage.text for passage in session.forget]
    exact = LanguageModel(copy.deepcopy(model.module).double(), model.tokenizer)
    one, double = scanned(model, texts, toward=forget), scanned(exact, texts, toward=forget)
    truth = [_gradient(exact, [text]) for text in texts]
    aim = _gradient(exact, forget)
    worst = {"float32": [0.0, 0.0], "float64": [0.0, 0.0]}
    for k, gradient in enumerate(truth):
        for group, names in exact.layout.groups.items():
            norm = sum(float(gradient[name].square().sum()) for name in names) ** 0.5
            reach = norm * sum(float(aim[name].square().sum()) for name in names) ** 0.5
            product = sum(float((gradient[name] * aim[name]).sum()) for name in names)
            for name, scan in (("float32", one), ("float64", double)):
                found = worst[name]
                found[0] = max(found[0], abs(float(scan.column(scan.norms, group)[k]) / norm - 1))
                found[1] = max(found[1], abs(float(scan.column(scan.influence, group)[k]) - product) / reach)
    for name, target in (("float32", 1e-5), ("float64", 1e-10)):
        yield Row("gradients", f"largest error of a norm, {name}", worst[name][0], "relative", at_most=target)
        yield Row("gradients", f"largest error of an influence, {name}", worst[name][1], "of both norms", at_most=target)


def _gradient(model, texts):
    with model.following(model.layout.names) as parameters:
        found = torch.autograd.grad(model.loss(model.batch(texts)), list(parameters.values()))
    return dict(zip(parameters, found, strict=True))


def pass_memory(what, config):
    """Megabytes that one pass over 32 texts adds to a model of GPT-2's size; in a process of its own."""
    session = large_session(config)
    texts, forget = [p.text for p in session.corpus.train], [p.text for p in session.forget]
    plain = as_transformers_loads_it(session.model) if what == "epoch" else session.model
    plain.encoder = session.model.encoder
    if what == "epoch":
        session = None
    with torch.no_grad():  # what any use of the model takes
        plain.module(input_ids=plain.batch(texts[:1]).input_ids)
    with Peak() as peak:
        if what == "epoch":
            plain_epoch(plain, texts)
        else:
            scanned(plain, texts, toward=forget if what == "influence" else ())
    return {"added": (peak.highest - peak.before) / 2**20}
