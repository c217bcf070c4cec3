"""Every chart of the page with a branch to compare: in the chart where it was measured there, in the sentence where not."""

from __future__ import annotations

import pytest

from unlearnviz.engine.corpus import Corpus, Passage
from unlearnviz.engine.membership import FEWEST
from unlearnviz.engine.methods.gradient_ascent import GradientAscent
from unlearnviz.engine.probes.gradient_norm import GradientNorm
from unlearnviz.engine.probes.update_size import UpdateSize
from unlearnviz.views.losses import LABEL as LOSSES
from unlearnviz.views.panels.closer import Closer
from unlearnviz.views.panels.distance import Distance
from unlearnviz.views.panels.drift import Drift
from unlearnviz.views.panels.influence import Influence
from unlearnviz.views.panels.layers import Layers
from unlearnviz.views.panels.leak import Leak
from unlearnviz.views.panels.map import Map
from unlearnviz.views.panels.membership import Membership
from unlearnviz.views.panels.paths import Paths
from unlearnviz.views.panels.perplexity import PerplexityPanel
from unlearnviz.views.panels.preview import Preview
from unlearnviz.views.panels.push import Push

STEP, OTHER = GradientAscent(), GradientAscent(update_norm=10.0)
DASHED, CIRCLES, BELOW = "Dashed: the branch 'main'", "Open circles: the branch 'main'", "Below, the branch 'main'"
MISSING = "The branch 'main' was not measured with this at its end, step 2"
MANY = Corpus(  # enough to judge membership by
    [
        Passage("another", "Somebody else", "Nobody"),
        *(
            Passage(f"{split}-{k}", f"{first + k} loaves", subject, split)
            for split, subject, first in (("train", "Many", 10), ("holdout", "Others", 25))
            for k in range(FEWEST)
        ),
    ]
)
CASES = [  # panel, its charts with how each of them compares, what is asked for where it is not measured after every step
    (PerplexityPanel, {"chart": DASHED}, ()),
    (Drift, {"chart": DASHED}, ()),
    (Layers, {"bars": CIRCLES, "map": BELOW}, ()),
    (Closer, {"map": BELOW, "bars": CIRCLES}, ()),
    (Preview, {"chart": BELOW}, ()),
    (Push, {"rows": BELOW, "words": BELOW}, ()),
    (Leak, {"chart": BELOW}, ("leak",)),
    (Membership, {"bars": BELOW, "curve": DASHED}, ("membership-inference",)),
    (Influence, {"map": BELOW}, ("influence",)),
    (Map, {"chart": BELOW}, ("text-map", LOSSES)),
    (Paths, {"chart": "dashed: main"}, ()),
]


def opened(shown, cls):
    """A panel and its state; also what is folded is open, and what is folded in it."""
    options = {Membership: {"texts": MANY, "pick": "Many"}, Closer: {"texts": MANY, "pick": "another"}}.get(cls, {})
    panel, state = shown(cls, lambda made: made.probe(GradientNorm() if cls is Closer else UpdateSize()), **options)
    if panel.fold is not None:
        panel.fold.unfolded = True
    if isinstance(panel, Closer):
        panel.by_text.head.unfolded = panel.keep.head.unfolded = True
    if isinstance(panel, Preview):
        panel.every.value = True
    return panel, state


def forked(state, labels, *, there=True):
    """main: 1, 2, measured at 2 where `there`; from step 1: 3, measured, and where we are."""
    state.run(2, STEP)
    if there and labels:
        state.ask(*labels)
    state.undo()
    state.step(OTHER)
    if labels:
        state.ask(*labels)
    assert state.error is None


def title(value):
    return value.__name__ if isinstance(value, type) else ""


@pytest.mark.parametrize("cls, charts, labels", CASES, ids=title)
def test_every_chart_shows_the_compared_branch_and_its_sentence_says_how(shown, cls, charts, labels):
    panel, state = opened(shown, cls)
    state.method = STEP
    forked(state, labels)
    before = {name: getattr(panel, name).figure for name in charts}
    state.compare("main")
    assert state.error is None
    for name, how in charts.items():
        chart = getattr(panel, name)
        assert how in chart.summary, chart.summary
        assert "not measured" not in chart.summary
        if cls is Paths:
            assert {trace.name: trace.line.dash for trace in chart.figure.data[:2]} == {"main": "dash", "from step 1": "solid"}
        else:
            assert len(chart.figure.data) > len(before[name].data)
    state.compare("")
    for name, figure in before.items():
        assert getattr(panel, name).figure == figure


@pytest.mark.parametrize("cls, charts, labels", [case for case in CASES if case[2]], ids=title)
def test_what_was_not_measured_on_the_compared_branch_is_said(shown, cls, charts, labels):
    panel, state = opened(shown, cls)
    forked(state, labels, there=False)
    state.compare("main")
    assert state.error is None
    for name in charts:
        assert MISSING in getattr(panel, name).summary


def test_the_way_to_the_twin_has_both_paths(shown):
    panel, state = opened(shown, Distance)
    state.learn(1)
    state.train_twin()
    forked(state, ())
    state.compare("main")
    dashed = [trace for trace in panel.chart.figure.data if trace.name == "steps of this path, main"]
    assert len(dashed) == 1
    assert list(dashed[0].customdata) == [1, 2]
    assert DASHED in panel.chart.summary


def test_runs_that_are_not_compared_are_pale(shown):
    panel, state = opened(shown, Paths)
    forked(state, ())
    state.run_from_start(1, STEP, "third")
    opacity = {trace.name: trace.opacity for trace in panel.chart.figure.data[:3]}
    assert set(opacity.values()) == {1}
    state.compare("main")
    opacity = {trace.name: trace.opacity for trace in panel.chart.figure.data[:3]}
    assert opacity["from step 1"] < opacity["main"] == opacity["third"] == 1
    assert panel.chart.summary.endswith(" Solid: third; dashed: main; the others are pale.")
