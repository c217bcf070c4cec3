"""Quality: the default step takes the default person to the twin and leaves the others alone."""

import unlearnviz as uv
from tests.benchmarks.registry import Row
from unlearnviz.engine.probes.exact_recall import exact_recall

MOST_STEPS = 12


def measure(plan):
    ascent = _walk(plan.session(), uv.GradientAscent())
    yield Row(
        "step", "first default step at or above the twin's forget perplexity", ascent["step"], "", ascent["path"], 8, 3
    )
    yield Row("step", "retain perplexity at that step", ascent["retain"], "%", at_most=8)
    yield Row("step", "exact recall of the other people at that step", ascent["others"], "%", at_least=98)
    difference = _walk(plan.session(), uv.GradientDifference())
    base = f"GradientAscent: {_percent(ascent['retain'])} at step {ascent['step']}"
    yield Row("step", "GradientDifference: first step at or above the twin", difference["step"], "", difference["path"])
    yield Row(
        "step",
        "GradientDifference: retain perplexity at that step",
        difference["retain"],
        "%",
        base,
        at_most=ascent["retain"],
    )
    yield Row("step", "GradientDifference: exact recall of the other people", difference["others"], "%", at_least=98)


def _walk(session, method):
    """Steps until the forget perplexity reaches that of the twin (of the never-seen texts where there is none)."""
    start = _perplexities(session)
    twin = _perplexities(session, of="twin")["forget"] if session.active_twin is not None else start["never seen"]
    values = [start["forget"]]
    while values[-1] < twin and len(values) <= MOST_STEPS:
        session.step(method)
        now = _perplexities(session)
        values.append(now["forget"])
    reached = values[-1] >= twin
    path = f"twin {twin:.2f}; forget {' '.join(f'{value:.2f}' for value in values)}"
    if not reached or len(values) == 1:
        return {"step": None, "retain": None, "others": None, "path": path}
    asked = {passage.id for passage in session.forget}
    subjects = {passage.subject for passage in session.forget}
    others = [p for p in session.corpus.train if p.id not in asked and p.subject not in subjects]
    recalled = exact_recall(session.model, others).values()
    return {
        "step": session.head,
        "retain": 100 * (now["retain"] / start["retain"] - 1),
        "others": 100 * sum(recalled) / max(1, len(recalled)),
        "path": path,
    }


def _perplexities(session, of="now"):
    return {row["group"]: row["perplexity"] for row in session.measure(uv.Perplexity(), of=of)["perplexity"].rows}


def _percent(value):
    return "never there" if value is None else f"{value:+.2f} %"
