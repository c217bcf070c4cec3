"""How the page looks that a person sees first: the Start view in Voila, small, zoomed, and for a room. Pictures go to the test's folder.

The browser refuses all storage, as some do: the page needs none.
"""

import re

import pytest
from playwright.sync_api import expect

from tests.browser import servers
from tests.browser.conftest import write_notebook
from tests.browser.dashboard_page import OPEN, SHOW, Page
from tests.browser.visit import WAIT, Visit

pytestmark = pytest.mark.browser
REFUSED = """for (const name of ["localStorage", "sessionStorage", "indexedDB"]) {
  Object.defineProperty(window, name, { get() { throw new DOMException("Storage is refused.", "SecurityError"); } });
}"""
FIRST = ".uv-step", ".uv-perplexitypanel .uv-chart-plot", ".uv-sayings .uv-tokens"


@pytest.fixture(scope="module")
def page(chromium, tmp_path_factory):
    folder = tmp_path_factory.mktemp("looks")
    write_notebook(folder / "page.ipynb", [OPEN, SHOW])
    with servers.voila(folder / "page.ipynb", folder / "server") as address:
        context = chromium.new_context(viewport={"width": 1280, "height": 720})
        context.add_init_script(REFUSED)  # a browser that lets no page keep anything
        page = Page(Visit(context.new_page()))
        page.page.goto(address)
        page.page.wait_for_selector(".said", timeout=3 * WAIT)
        page.there.charts_drawn(1)
        page.see("Start")
        yield page
        context.close()


def flawless(page, path):
    """A picture of what is in the window; nothing in the dashboard is cut, overlaps or is too faint."""
    page.page.screenshot(path=str(path))
    found = page.there.looks(".uv-dashboard")
    assert (found["cut"], found["overlapping"], found["faint"]) == ([], [], [])
    return found


def bottoms(page):
    """How far down the first screen reaches, in pixels: Step, Perplexity and the first two answers."""
    return [page.page.locator(each).nth(k).bounding_box() for each in FIRST for k in range(2 if each == FIRST[2] else 1)]


def test_the_first_screen_shows_step_answers_and_perplexity_without_scrolling(page, tmp_path):
    flawless(page, tmp_path / "start.png")
    for box in bottoms(page):
        assert box["y"] >= 0
        assert box["y"] + box["height"] <= 720
    assert page.page.evaluate("document.scrollingElement.scrollWidth") <= 1280


def test_it_still_does_after_a_step(page, tmp_path):
    page.button("Step").focus()
    page.after(lambda: page.page.keyboard.press("s"))
    flawless(page, tmp_path / "step.png")
    assert all(box["y"] + box["height"] <= 720 for box in bottoms(page))


def test_at_one_and_a_half_times_the_zoom_nothing_is_cut(page, tmp_path):
    page.page.set_viewport_size({"width": 853, "height": 480})  # what is left of 1280 x 720
    page.there.until("document.querySelector('.uv-dashboard').getBoundingClientRect().right <= 853")
    flawless(page, tmp_path / "zoomed.png")
    assert page.page.evaluate("document.scrollingElement.scrollWidth") <= 853
    assert page.page.locator(".uv-step").bounding_box()["y"] < 480
    page.page.set_viewport_size({"width": 853, "height": 1600})
    flawless(page, tmp_path / "zoomed-whole.png")
    page.page.set_viewport_size({"width": 1280, "height": 720})
    page.there.until("document.querySelector('.uv-dashboard').getBoundingClientRect().right > 1200")


def test_a_projector_makes_all_text_large(page, tmp_path):
    switch = page.root.get_by_role("switch", name="Projector")
    switch.press("Enter")
    expect(switch).to_have_attribute("aria-checked", "true")
    expect(page.root).to_have_class(re.compile("uv-projector"))
    found = flawless(page, tmp_path / "projector.png")
    assert found["tiny"] == []
    page.page.set_viewport_size({"width": 1280, "height": 1600})
    flawless(page, tmp_path / "projector-whole.png")
    page.page.set_viewport_size({"width": 1280, "height": 720})
    assert page.there.axe(".uv-dashboard")[1] == []
    switch.press("Enter")


def test_nothing_went_wrong_meanwhile(page):
    assert page.there.errors == []
    assert page.there.external_beyond_voilas == []
