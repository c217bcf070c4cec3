"""The page's half of Chart, without any server: models of our own stand in for kernels that answer late or never."""

import pytest

from tests.browser.chart_stage import DRAWN, set_up

pytestmark = pytest.mark.browser


@pytest.fixture
def stage(visit):
    """A blank page with a clock of ours and `add(kernel)`, which puts a chart of that kernel on it."""
    there = visit()
    there.page.clock.install()
    return set_up(there)


def add(stage, *kernels):
    for kernel in kernels:
        stage.page.evaluate("kernel => add(kernel)", kernel)


def asked(stage):
    return stage.page.evaluate("asked")


def test_one_chart_asks_for_all(stage):
    add(stage, *["one"] * 8)
    assert asked(stage) == ["one"]
    stage.page.evaluate("models[0].answer()")
    stage.until(DRAWN, 8)
    add(stage, "one", "two")
    stage.until(DRAWN, 10)
    assert asked(stage) == ["one"]
    assert stage.page.evaluate("runs") == 1


def test_the_pages_own_plotly_and_amd_loader_are_left_alone(stage):
    stage.page.evaluate("window.Plotly = 'their own'; window.defined = 0;")
    add(stage, "one")
    stage.page.evaluate("window.define = () => { defined += 1; }; models[0].answer()")
    stage.until(DRAWN, 1)
    assert stage.page.evaluate("[Plotly, defined, runs]") == ["their own", 0, 1]


def test_when_the_asking_chart_leaves_the_next_one_asks_at_once(stage):
    add(stage, "one", "one", "one")
    stage.page.evaluate("models[0].close()")
    assert asked(stage) == ["one", "one"]
    stage.page.evaluate("models[1].answer()")
    stage.until(DRAWN, 2)


def test_another_kernel_is_asked_where_the_first_stays_silent_and_a_late_answer_does_no_harm(stage):
    add(stage, "dead", "alive", "alive")
    assert asked(stage) == ["dead"]
    stage.page.clock.fast_forward(6_000)
    assert asked(stage) == ["dead", "alive"]
    stage.page.evaluate("models[1].answer()")
    stage.until(DRAWN, 3)
    stage.page.evaluate("models[0].answer()")
    stage.page.evaluate("models[0].update()")
    stage.until("document.querySelector('[data-drawn=\"2\"]') !== null")
    assert stage.page.evaluate("runs") == 1


def test_without_a_kernel_the_sentence_and_the_numbers_are_there(stage):
    add(stage, *["gone"] * 4)
    stage.page.clock.fast_forward(10 * 60_000)
    assert len(asked(stage)) <= 6
    chart = stage.page.locator(".uv-chart").first
    assert chart.locator(".uv-chart-summary").text_content() == "One sentence."
    assert chart.locator(".uv-chart-note").text_content().startswith("Waiting for the kernel to draw this chart.")
    chart.get_by_text("Show the numbers").click()
    stage.until("document.querySelectorAll('td').length === 2")
    assert chart.locator("td").all_text_contents() == ["1", "2"]


def test_a_library_that_does_not_run_is_said_under_the_chart(stage):
    stage.page.evaluate("library = 'window.nothing = 1;'")
    add(stage, "one")
    stage.page.evaluate("models[0].answer()")
    stage.page.locator(".uv-chart-note", has_text="plotly.js did not start").wait_for()


def test_a_hidden_chart_waits_until_it_is_seen_and_then_draws_the_latest_once(stage):
    stage.page.evaluate("add('one', { hidden: true })")
    add(stage, "one")
    stage.page.evaluate("models[0].answer()")
    stage.until(DRAWN, 1)
    stage.page.evaluate("models[0].update(); models[0].update()")
    assert stage.page.evaluate("models[0].state.drawn") == 0
    before = stage.page.evaluate("theirs.drawn.length")
    stage.page.evaluate("models[0].el.hidden = false")
    stage.until("models[0].state.drawn === 3")
    assert stage.page.evaluate("theirs.drawn.length") == before + 1


def test_a_chart_follows_the_width_of_its_place(stage):
    add(stage, "one")
    stage.page.evaluate("models[0].answer()")
    stage.until(DRAWN, 1)
    stage.page.evaluate("models[0].el.style.width = '400px'")
    stage.until("theirs.drawn.at(-1) === 400")


def test_a_chart_that_is_removed_is_purged(stage):
    add(stage, "one")
    stage.page.evaluate("models[0].answer()")
    stage.until(DRAWN, 1)
    stage.page.evaluate("models[0].close()")
    assert stage.page.evaluate("[purged, document.querySelectorAll('.uv-chart').length]") == [1, 0]
