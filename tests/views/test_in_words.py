"""Every panel as text: what a place without widgets shows, and what print shows."""

from __future__ import annotations

import ipywidgets as widgets
import plotly.graph_objects as go
import pytest

from tests.engine import worlds
from unlearnviz.views.chart import Chart
from unlearnviz.views.dashboard import Dashboard
from unlearnviz.views.fold import folded
from unlearnviz.views.in_words import FEW, in_words
from unlearnviz.views.passages import PassageList
from unlearnviz.views.sentence import Sentence
from unlearnviz.views.showing import VIEWS
from unlearnviz.views.table import Table
from unlearnviz.views.tokens import TokenText
from unlearnviz.views.worded import MISSING

VIEW = "application/vnd.jupyter.widget-view+json"


@pytest.fixture
def dashboard(living):
    made = Dashboard(worlds.session())
    yield made
    made.close()
    assert living() == []


def test_a_chart_is_its_sentence_and_its_numbers(living):
    lines = go.Figure([go.Scatter(x=[0, 1], y=[1.14159, 21.6], name="forget"), go.Scatter(x=list(range(20)), y=list(range(20)), name="many")])
    chart = Chart(lines, summary="It rose.")
    said = in_words(chart).splitlines()
    assert said[:2] == ["It rose.", "  forget: 0: 1.14, 1: 21.6"]
    assert said[2].startswith(f"  many: the last {FEW} of 20: 12: 12, ")
    chart.update(go.Figure(go.Heatmap(z=[[1, 2], [3, 4]])), summary="A map.")
    assert in_words(chart) == "A map.\n  numbers: 2 rows of numbers, drawn as colours"
    chart.close()
    assert [each for each in living() if not isinstance(each, widgets.Layout)] == []


def test_each_kind_of_widget_says_what_it_shows():
    texts = PassageList(label="taught texts", empty="None yet.", on_toggle=print)
    parts = [
        *(widgets.HTML("<h3 class='uv-heading'>Who &amp; what</h3>"), widgets.Label("A label"), Sentence("A sentence.")),
        *(widgets.Text("embedding", description="where"), widgets.Dropdown(options=[("by name", 7)], description="method")),
        TokenText([("now", ["born in ", ("Tavrino", 0.5, "changed")])]),
        Table("Measures", ["what", "now"], [["loss", "1.2"]], summary="One measure."),
        *(texts, widgets.Button(description="Step"), widgets.VBox([widgets.Label("hidden")], layout={"display": "none"})),
        *folded("Advanced", [widgets.Label("inside")]),
    ]
    said = ["== Who & what", "A label", "A sentence.", "where: embedding", "method: by name", "  now: born in Tavrino", "Measures"]
    said += ["  what | now", "  loss | 1.2", "One measure.", "None yet.", "(Advanced: folded)"]
    assert in_words(widgets.VBox(parts)).splitlines() == said
    texts.rows = [{"id": str(k), "text": f"text {k}", "picked": False, "badge": "50"} for k in range(FEW + 2)]
    assert in_words(texts).splitlines() == [f"taught texts: {FEW + 2}", *(f"  - text {k} 50" for k in range(FEW)), "  and 2 more"]
    parts[-2].unfolded = True
    assert in_words(widgets.VBox(parts)).endswith("== Advanced\ninside")
    widgets.Widget.close_all()


@pytest.mark.parametrize("view", VIEWS)
def test_every_panel_of_a_view_says_its_numbers(dashboard, view):
    dashboard.state.step(dashboard.state.method)
    dashboard.state.show(view)
    for panel in dashboard.panels:
        if panel.view == view:
            said = str(panel)
            assert panel.title in said
            assert said in str(dashboard)
            assert panel.folded or len(said.splitlines()) > 1, panel.title


@pytest.mark.parametrize("made", [lambda: Chart(go.Figure(), summary="It rose."), lambda: TokenText([("now", ["It rose."])])])
def test_a_chart_or_text_alone_has_words_too(made):
    widget = made()
    data, _ = widget._repr_mimebundle_()
    assert VIEW in data
    assert data["text/plain"] == f"{MISSING}\n{widget}"
    assert "It rose." in str(widget)
    widget.close()


def test_the_words_stand_in_for_the_widget(dashboard):
    given = dashboard._repr_mimebundle_()
    assert VIEW in given
    assert given["text/plain"] == f"{MISSING}\n{dashboard}"
    numbers = dashboard.state.picture.now("perplexity").rows
    assert f"{numbers[0]['perplexity']:.3g}" in given["text/plain"]
    assert dashboard.sentence.text in given["text/plain"]
