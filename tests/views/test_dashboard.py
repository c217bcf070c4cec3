"""Dashboard: laid out, told what happens, closed without a trace."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import ipywidgets as widgets
import pytest

from tests.engine import worlds
from unlearnviz.engine.corpus import Corpus
from unlearnviz.engine.methods.gradient_ascent import GradientAscent
from unlearnviz.errors import BadSelection
from unlearnviz.views import runner
from unlearnviz.views.dashboard import Dashboard

STEP = GradientAscent()


def no_holdout():
    return Corpus([passage for passage in worlds.corpus() if passage.split == "train"])


@pytest.mark.parametrize(
    "options",
    [{}, {"pick": None}, {"texts": "no holdout"}, {"tied": False}, {"blocks": 1}, {"pick": "mara-okafor-3"}],
    ids=str,
)
def test_it_opens_over_any_session_steps_and_leaves_nothing(options, living):
    if "texts" in options:
        options = {**options, "texts": no_holdout()}
    session = worlds.session(**options)
    dashboard = Dashboard(session)
    assert dashboard.state.error is None
    if session.forget:
        assert dashboard.sentence.text.startswith("Perplexity: forget ")
        dashboard.state.step(STEP)
        assert dashboard.state.error is None
        assert session.head == 1
        dashboard.state.undo()
    dashboard.close()
    dashboard.close()
    assert living() == []
    assert len(session._listeners) == 0
    assert not any(each for by_kind in dashboard.state._trait_notifiers.values() for each in by_kind.values())
    session.pick("Mara Okafor")
    session.step(STEP)  # the session stays usable


def test_nothing_is_left_after_methods_were_changed_either(living):
    dashboard = Dashboard(worlds.session())
    steering = next(panel for panel in dashboard.panels if panel.title == "Steering")
    made = len(living())
    for method in (*steering.method.options, "gradient-ascent"):
        steering.method.value = method
    assert len(living()) == made
    dashboard.close()
    assert living() == []


def test_at_most_150_widgets_are_in_the_page(living):
    dashboard = Dashboard(worlds.session())
    in_page = [each for each in living() if isinstance(each, widgets.DOMWidget)]
    print(f"{len(in_page)} widgets in the page, {len(living())} models with layouts and styles")
    assert len(in_page) <= 150
    dashboard.close()


def test_every_control_has_a_name(living):
    dashboard = Dashboard(worlds.session())
    controls = (
        widgets.Text,
        widgets.Textarea,
        widgets.Dropdown,
        widgets.Combobox,
        widgets.BoundedIntText,
        widgets.Checkbox,
        widgets.Button,
    )
    nameless = [each for each in living() if isinstance(each, controls) and not each.description]
    assert nameless == []
    dashboard.close()


def test_errors_are_one_sentence_with_details_only_where_they_were_not_meant():
    async def main():
        dashboard = Dashboard(worlds.session())
        await dashboard.idle()
        dashboard.state.where = "blok 1"
        dashboard.state.step(STEP)
        with pytest.raises(BadSelection):
            await dashboard.idle()
        assert dashboard.error.text.startswith("Selection 'blok 1' matches none")
        assert dashboard.error.details == ""
        dashboard.state.where = "embedding"
        dashboard.state.step(STEP)
        assert dashboard.error.text == ""
        await dashboard.idle()

        perplexity = next(panel for panel in dashboard.panels if panel.title == "Perplexity")
        perplexity.show = lambda picture: picture.path[99]
        dashboard.state.step(STEP)
        with pytest.raises(IndexError):
            await dashboard.idle()
        assert dashboard.error.text == "This did not work: IndexError: tuple index out of range"
        assert "Traceback" in dashboard.error.details
        timeline = next(panel for panel in dashboard.panels if panel.title == "Timeline")
        assert timeline.slider.value == 2  # the others went on
        assert dashboard.working.value == ""
        dashboard.close()

    asyncio.run(asyncio.wait_for(main(), 60))


def test_it_tells_what_runs_and_how_far_it_is(monkeypatch):
    monkeypatch.setattr(runner, "LASTING", 0.0)

    async def main():
        dashboard = Dashboard(worlds.session())
        await dashboard.idle()
        told = []
        dashboard.working.observe(lambda change: told.append((change["new"], dashboard.bar.layout.visibility)), "value")
        dashboard.state.run(3, STEP)
        await dashboard.idle()
        assert told[0] == ("Working: 3 steps of gradient-ascent", "visible")
        assert any(text.startswith("Working: 3 steps of gradient-ascent: step ") for text, _ in told)
        assert told[-1] == ("", "hidden")
        dashboard.close()

    asyncio.run(asyncio.wait_for(main(), 60))


def test_the_page_stays_calm_while_short_work_runs_and_counts_what_ended(monkeypatch):
    monkeypatch.setattr(runner, "LASTING", 60.0)

    async def main():
        dashboard = Dashboard(worlds.session())
        await dashboard.idle()
        steering = next(panel for panel in dashboard.panels if panel.title == "Steering")
        steps = next(panel for panel in dashboard.panels if panel.title == "Steps")
        told = []
        for each in (dashboard.working, dashboard.bar, dashboard.bar.layout, steps.step, steps.run, steps.stop):
            each.observe(told.append)
        finished = dashboard.frame.finished
        dashboard.state.step(STEP)
        dashboard.state.step(STEP)  # a second click, which is dropped
        await dashboard.idle()
        assert told == []
        assert dashboard.frame.finished == finished + 1 == dashboard.state.finished
        assert len(dashboard.state.session.history) == 2
        answers = dashboard.frame.answers
        steering.controls.by_name["learning_rate"].value = "fast"
        steps.step.click()
        assert (dashboard.frame.finished, dashboard.frame.answers) == (finished + 1, answers + 1)
        dashboard.close()

    asyncio.run(asyncio.wait_for(main(), 60))


def test_refresh_draws_what_cells_did():
    session = worlds.session()
    dashboard = Dashboard(session)
    session.step(STEP)
    session.pick("Tom Lindqvist")
    dashboard.refresh()
    forget = next(panel for panel in dashboard.panels if panel.title == "Forget set")
    timeline = next(panel for panel in dashboard.panels if panel.title == "Timeline")
    assert not forget.built  # nobody has looked at it yet
    dashboard.tabs.chosen = "Neighbours"
    assert forget.count.text == "4 texts to forget about Tom Lindqvist."
    assert timeline.slider.value == 1
    assert dashboard.sentence.text.startswith("Perplexity: forget ")
    dashboard.close()


def test_two_dashboards_over_one_session_do_not_disturb_each_other(living):
    session = worlds.session()
    one, other = Dashboard(session), Dashboard(session)
    one.state.step(STEP)
    one.close()
    other.refresh()
    assert other.state.picture.step == 1
    other.close()
    assert living() == []


def test_hostile_names_and_texts_stay_text():
    nasty = "<img src=x onerror=alert(1)>"
    passages = [
        {"id": f"p{k}", "text": f"{nasty} number {k} lives by the sea in {town}.", "subject": f"{nasty} {k}"}
        for k, town in enumerate(worlds.TOWNS)
    ]
    from unlearnviz.engine.corpus import Passage

    session = worlds.session(texts=Corpus([Passage(**each, split="train") for each in passages]), pick="p0")
    dashboard = Dashboard(session)
    dashboard.state.step(STEP)
    for panel in dashboard.panels:
        for html in (each for each in _all(panel.widget) if isinstance(each, widgets.HTML)):
            assert "<img" not in html.value
    dashboard.close()


def _all(widget):
    return [widget, *(each for child in getattr(widget, "children", ()) for each in _all(child))]


def test_a_dashboard_that_is_never_closed_ends_with_its_python_in_silence():
    code = (
        "from tests.engine import worlds\nimport unlearnviz as uv\n"
        "dashboard = uv.Dashboard(worlds.session())\ndashboard.state.step(uv.GradientAscent())\n"
        "other = uv.Dashboard(dashboard.state.session)\ndel other\nprint(dashboard.state.picture.step)"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error:::unlearnviz", "-c", code], capture_output=True, text=True, timeout=240, check=False
    )
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "1", "")
