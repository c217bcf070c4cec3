"""Showing: hidden views are neither built, nor drawn, nor measured; a page that opens is told everything."""

from tests.engine import worlds
from unlearnviz.engine.methods.gradient_ascent import GradientAscent
from unlearnviz.views.dashboard import Dashboard
from unlearnviz.views.showing import VIEWS

STEP = GradientAscent()


def labels(dashboard):
    head = dashboard.state.session.head
    return {reading.label for reading in dashboard.state.session.history.readings[head] if reading.of == "now"}


def test_what_a_hidden_view_shows_is_measured_when_it_is_opened_and_not_before():
    dashboard = Dashboard(worlds.session())
    assert (dashboard.tabs.chosen, dashboard.tabs.titles) == ("Start", list(VIEWS))
    dashboard.state.step(STEP)
    assert labels(dashboard) == {"perplexity", "generation"}
    dashboard.tabs.chosen = "Where"
    assert labels(dashboard) == {"perplexity", "generation", "gradient-norm", "update-size"}
    dashboard.state.step(STEP)
    assert labels(dashboard) == {"perplexity", "gradient-norm", "update-size"}
    dashboard.state.show("Start")
    assert labels(dashboard) == {"perplexity", "generation", "gradient-norm", "update-size"}
    assert dashboard.tabs.chosen == "Start"
    dashboard.close()


def test_what_two_views_show_is_measured_in_both_and_at_once_for_the_one_that_is_opened_first():
    dashboard = Dashboard(worlds.session())
    distance = next(panel for panel in dashboard.panels if panel.title.startswith("Distance"))
    dashboard.state.step(STEP)
    dashboard.tabs.chosen = "Judge"
    assert "update-size" not in labels(dashboard)
    distance.fold.unfolded = True
    assert "update-size" in labels(dashboard)
    assert "from the start" in distance.chart.summary
    dashboard.state.step(STEP)
    assert "update-size" in labels(dashboard)
    dashboard.tabs.chosen = "Start"
    dashboard.state.step(STEP)
    assert "update-size" not in labels(dashboard)
    dashboard.tabs.chosen = "Where"
    assert "update-size" in labels(dashboard)
    dashboard.close()


def test_a_panel_is_built_when_its_view_is_first_shown_and_drawn_only_while_it_is():
    dashboard = Dashboard(worlds.session())
    drift = next(panel for panel in dashboard.panels if panel.title == "Drift")
    assert {panel.view for panel in dashboard.panels if panel.built} == {"", "Start"}
    dashboard.tabs.chosen = "Where"
    assert [box.layout.display for box in dashboard.views.values()] == ["none", "none", None, "none", "none"]
    drawn = drift.chart.revision
    assert drawn > 0
    dashboard.tabs.chosen = "Judge"
    dashboard.state.step(STEP)
    assert drift.chart.revision == drawn
    dashboard.tabs.chosen = "Where"
    assert drift.chart.revision > drawn
    dashboard.close()


def test_a_page_that_was_built_is_told_the_state_of_every_widget(living, monkeypatch):
    dashboard = Dashboard(worlds.session())
    told = []
    for each in living():
        monkeypatch.setattr(each, "send_state", lambda each=each: told.append(each), raising=False)
    dashboard.frame._handle_custom_msg({"kind": "else"}, [])
    assert told == []
    dashboard.frame._handle_custom_msg({"kind": "here"}, [])
    assert {id(each) for each in told} == {id(each) for each in living()}
    dashboard.close()


def test_the_page_knows_the_hash_of_what_was_done():
    dashboard = Dashboard(worlds.session())
    before = dashboard.frame.recipe
    assert before == dashboard.state.session.recipe_hash()[:12]
    dashboard.state.step(STEP)
    assert dashboard.frame.recipe == dashboard.state.session.recipe_hash()[:12] != before
    dashboard.close()
