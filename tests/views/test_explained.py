"""Behind every heading, chart, table, text and setting of the page stands a word that is explained."""

from __future__ import annotations

import pytest

from unlearnviz.engine.methods.method import registry
from unlearnviz.errors import UnknownName
from unlearnviz.views.chart import Chart
from unlearnviz.views.controls import Controls, close_all
from unlearnviz.views.explained import MARK, Explained, explained, explained_anew
from unlearnviz.views.fold import FoldButton
from unlearnviz.views.panels import all_panels
from unlearnviz.views.panels.steering import Steering
from unlearnviz.views.panels.verdict import Verdict
from unlearnviz.views.slider import Slider
from unlearnviz.views.table import Table
from unlearnviz.views.terms import TERMS, setting_name
from unlearnviz.views.tokens import TokenText


def marks(widget):
    return [each.removeprefix(MARK) for each in widget._dom_classes if each.startswith(MARK)]


def within(widget):
    yield widget
    for child in getattr(widget, "children", ()):
        yield from within(child)


def unfold(panel):
    """Open every fold, also those within others."""
    opened = set()
    while closed := [each for each in within(panel.widget) if isinstance(each, FoldButton) and each not in opened]:
        for each in closed:
            opened.add(each)
            each.unfolded = True


@pytest.mark.parametrize("cls", all_panels(), ids=lambda cls: cls.__name__)
def test_every_heading_chart_table_and_text_of_a_panel_has_its_words(shown, cls):
    def ready(state):
        state.show(cls.view) if cls.view else None

    panel, _ = shown(cls, ready)
    unfold(panel)
    if cls.view or cls.folded:
        assert cls.terms, f"{cls.__name__} names no terms for its heading"
        assert marks(panel.widget.children[0]) == list(cls.terms)
    bare = [each for each in within(panel.widget) if isinstance(each, Chart | Table | TokenText | Slider) and not marks(each)]
    assert not bare, f"{cls.__name__}: these have no term: {bare}"
    for each in within(panel.widget):
        assert not [name for name in marks(each) if ":" not in name and name not in TERMS]


def test_every_setting_of_every_method_has_its_help_behind_it(living):
    page = Explained()
    for name in registry:
        controls = Controls(registry[name])
        for field, control in controls.by_name.items():
            assert marks(control) == [setting_name(registry[name], field)]
            assert page.terms[marks(control)[0]]["sentence"] == registry[name].__dataclass_fields__[field].metadata["help"]
        controls.close()
    close_all(page)
    assert living() == []


def test_the_list_of_methods_explains_the_one_that_is_chosen(shown):
    panel, _ = shown(Steering)
    assert marks(panel.method) == ["gradient-ascent", "step"]
    panel.method.value = "npo"
    assert marks(panel.method) == ["npo", "step"]
    explained_anew(panel.method, "of-a-notebook", "step")
    assert marks(panel.method) == ["step"]


def test_every_line_of_the_verdict_has_its_word(shown):
    panel, _ = shown(Verdict, lambda state: state.show("Judge"))
    unfold(panel)
    assert panel.table.terms == [each.name for each in panel.measures]
    assert not [name for name in panel.table.terms if name not in TERMS]


def test_a_word_that_is_none_is_refused():
    slider = Slider(label="x")
    with pytest.raises(UnknownName, match="No term named 'perplexty'"):
        explained(slider, "perplexty")
    slider.close()
