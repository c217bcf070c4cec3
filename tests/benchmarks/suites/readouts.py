"""Speed: one step with all read-outs, against library calls doing exactly the same work in the same run."""

import math
import statistics

import unlearnviz as uv
from tests.benchmarks.library import Library
from tests.benchmarks.registry import Row
from tests.benchmarks.timing import milliseconds, ratio, take_turns
from unlearnviz.engine.probes.generation import half_prompt

FORGET, PROMPTS, NEW_TOKENS = 5, 8, 24


def measure(plan):
    session = plan.session()
    for settings in (session.model.module.config, session.model.module.generation_config):
        settings.eos_token_id = None  # no text ends early: everybody writes all 24 tokens
    session.pick([passage.id for passage in session.forget[:FORGET]])
    some = [*session.groups["forget"], *session.groups["neighbours"], *session.groups["retain"]]
    prompts = tuple(dict.fromkeys(half_prompt(p.text, p.answer_start) for p in some))[:PROMPTS]
    probes = (uv.Perplexity(), uv.Generation(prompts=prompts, max_new_tokens=NEW_TOKENS), uv.GradientNorm())

    def ours():
        session.step()
        return session.measure(*probes)

    record = session.step()
    update_norm = math.sqrt(sum(norm**2 for norm in record.update_norm.values()))
    session.undo()
    libraries = {
        name: Library(session, prompts, new_tokens=NEW_TOKENS, update_norm=update_norm, tuned=name == "tuned")
        for name in ("plain", "tuned")
    }
    plain, tuned = libraries["plain"], libraries["tuned"]
    yield from _same(session, ours, probes, plain)
    seconds = take_turns(
        {
            "ours": (ours, session.undo),
            "batched": (lambda: plain.everything(batched=True), lambda: plain.reset(session)),
            "tuned": (lambda: tuned.everything(batched=True), lambda: tuned.reset(session)),
            "one by one": (lambda: plain.everything(batched=False), lambda: plain.reset(session)),
        },
        plan.times(9),
    )
    ours_ms = milliseconds(seconds["ours"])
    yield Row("readouts", "one step with all read-outs", ours_ms, "ms")
    for name, words, target in (
        ("batched", "faster than transformers, batched", 1.3),
        ("one by one", "faster than transformers, one by one", 3.5),
        ("tuned", "faster than transformers, batched, with eager attention and fused GELU", None),
    ):
        base = f"{milliseconds(seconds[name]):.0f} ms"
        yield Row("readouts", words, ratio(seconds, name, "ours"), "x", base, at_least=target)
    yield from _parts(plan, session, probes, plain)


def _same(session, ours, probes, library):
    """Both give the same tokens, perplexities and norms, from the same weights after the same step."""
    readings = ours()
    (groups, texts), written, norms = library.everything(batched=True)
    rows = readings["perplexity"].rows
    apart = [abs(row["perplexity"] / groups[row["group"]] - 1) for row in rows]
    apart += [abs(a / b - 1) for row in rows for a, b in zip(row["per_text"].values(), texts[row["group"]], strict=True)]
    mine = [list(each.ids) for each in session.model.generate(probes[1].prompts, max_new_tokens=NEW_TOKENS)]
    layers = [list(row["per_text"].values()) for row in readings["gradient-norm"].rows if "part_of" not in row]
    norms_apart = max(
        abs(a / b - 1) for k, row in enumerate(layers) for a, b in zip(row, (text[k] for text in norms), strict=True)
    )
    different = sum(a != b for a, (b, _) in zip(mine, written, strict=True))
    session.undo()
    library.reset(session)
    single = library.continuations(batched=False)
    batched = library.continuations(batched=True)
    different += sum(a != b for a, b in zip(single, batched, strict=True))
    yield Row("readouts", "continuations that differ from those of transformers", different, "", at_most=0)
    yield Row("readouts", "largest difference of a perplexity", max(apart), "relative", at_most=1e-4)
    yield Row("readouts", "largest difference of a gradient norm", norms_apart, "relative", at_most=1e-3)


def _parts(plan, session, probes, library):
    """Where the time goes: the parts of both, so that a loss of speed can be found."""
    session.step()

    def again(probe):
        session.measurements.clear()
        session.measure(probe)

    perplexity, generation, norms = probes
    seconds = take_turns(
        {
            "step": (session.step, session.undo),
            "step of the library": (library.step, lambda: library.reset(session)),
            "perplexity": lambda: again(perplexity),
            "perplexity of the library": lambda: library.perplexities(batched=True),
            "generation": lambda: again(generation),
            "generation of the library": lambda: library.continuations(batched=True),
            "gradient norms": lambda: again(norms),
            "gradient norms of the library": library.norms,
        },
        plan.times(5),
    )
    for part in ("step", "perplexity", "generation", "gradient norms"):
        base = f"transformers, batched: {statistics.median(seconds[f'{part} of the library']) * 1000:.1f} ms"
        yield Row("readouts", f"{part} alone", milliseconds(seconds[part]), "ms", base)
    session.undo()
