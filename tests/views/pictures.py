"""Pictures made by hand, for the tests of figures."""

from __future__ import annotations

from unlearnviz.engine.history import StepRecord
from unlearnviz.engine.probes.probe import Reading
from unlearnviz.views import styles
from unlearnviz.views.picture import Picture

HOSTILE = "<img src=x onerror=alert(1)> %{y} <b>"
MARA, TOM = ({group: (f"{who}-{group}",) for group in styles.COLOURS} for who in ("mara", "tom"))


def record(step, parent):
    return StepRecord(
        id=step, parent=parent, branch="main", method="gradient-ascent", settings={}, where="embedding", forget=("mara",),
        seed=0, seconds=0.1, update_norm={}, mark="", narration="A step.",
    )  # fmt: skip


def reading(label, rows, step=0, passages=MARA, of="now"):
    value = rows[0].get("perplexity")
    return Reading(label, label, step, of, "unit", "direction", value, tuple(rows), passages)


def perplexities(step, forget, passages=MARA, of="now"):
    values = {"forget": forget, "neighbours": 2.0, "retain": 1.5, "never seen": 18.0}
    return reading(
        "perplexity", [{"group": g, "perplexity": v, "per_text": dict.fromkeys(passages[g], v)} for g, v in values.items()], step, passages, of
    )


def norms(step, *values, passages=MARA):
    groups = ["embedding", *(f"block {k}" for k in range(len(values) - 1))]
    return reading("gradient-norm", [{"group": g, "norm": v} for g, v in zip(groups, values, strict=True)], step, passages)


def picture(*readings, path=None, step=None, start=(), twin=(), **more):
    """A picture of a straight path with these readings of "now", by the step that each names."""
    path = tuple(path or range(1 + max((each.step for each in readings), default=0)))
    taken = {}
    for each in readings:
        taken.setdefault(each.label, {})[each.step] = each
    records = tuple(record(each, path[k - 1] if k else None) for k, each in enumerate(path))
    references = {"start": {each.label: each for each in start}, "twin": {each.label: each for each in twin}}
    return Picture(step=path[-1] if step is None else step, path=path, records=records, readings=taken, **references, **more)


def lines(figure):
    return {trace.name: trace for trace in figure.data}
