"""The first screen in Voila at 1280x720: what is in sight without scrolling, the first Step, a step size found, a claim tried, a prompt clicked."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.dashboard_page import OPEN, SHOW, START_CHARTS, Page, fits
from tests.browser.visit import WAIT

pytestmark = pytest.mark.browser
OUT_OF_SIGHT = """(selectors) => selectors.filter((selector) => {
  const box = document.querySelector(selector)?.getBoundingClientRect();
  return !box || !box.height || box.top < 0 || box.bottom > window.innerHeight || box.right > window.innerWidth;
})"""
FIRST = (
    *(".uv-step", ".uv-start", ".uv-steering", ".uv-perplexitypanel .uv-chart", ".uv-sayings textarea", ".uv-sayings .uv-tokens"),
    *(".uv-tryclaim", ".uv-about"),
)


def test_the_first_screen_and_all_that_helps_to_begin(voila, tmp_path):
    there = voila([OPEN, SHOW], height=720)
    there.page.wait_for_selector(".said", timeout=3 * WAIT)
    there.charts_drawn(START_CHARTS)
    page = Page(there)
    page.see("Start")
    fact = page.root.locator(".uv-start .uv-tokens")
    expect(fact).to_contain_text("Mara Okafor was born in")
    expect(page.panel("What it says now").locator(".uv-tokens").first).to_contain_text("at the start")
    there.page.screenshot(path=str(tmp_path / "first.png"))
    assert there.page.evaluate(OUT_OF_SIGHT, list(FIRST)) == []
    assert fits(page) == []

    held = page.after(page.button("Step").click)  # one click, and nothing was scrolled
    assert held["head"] == 1
    assert there.page.evaluate("window.scrollY") == 0
    expect(fact).to_contain_text("the model tells it now")

    before = page.kernel()["weights"]
    held = page.after(page.button("Find a step size").click)
    assert (held["head"], held["weights"]) == (1, before)
    expect(page.sentence).to_contain_text("One step with update norm")
    found = re.search(r"update norm ([\d.]+)", page.sentence.text_content())[1]
    expect(page.panel("Steering").get_by_label("update norm", exact=True)).to_have_value(found)

    page.root.get_by_role("button", name="Try a claim").click()
    claim = page.root.locator(".uv-tryclaim")
    claim.get_by_label("Claim", exact=True).select_option("The last two blocks alone")
    expect(page.button("Step")).to_be_disabled()
    expect(page.panel("Steps")).to_contain_text("say first which line will move most")
    claim.get_by_label("I say", exact=True).select_option("neighbours")
    expect(page.button("Step")).to_be_enabled()
    held = page.after(claim.get_by_role("button", name="Take the 3 steps").click)
    assert held["head"] == 4
    expect(claim).to_contain_text(re.compile(r"You said neighbours; forget moved most: forget \+[\d.]+ % \("))
    expect(claim).to_contain_text("Measured once: this model, Mara Okafor, 3 steps of gradient-ascent at blocks 10-11 from step 1 on.")
    there.page.screenshot(path=str(tmp_path / "claim.png"), full_page=True)
    claim.get_by_role("button", name="Leave the claim").click()

    page.root.get_by_role("button", name="About this model").click()
    about = page.root.locator(".uv-about")
    expect(about).to_contain_text("it knows only the 120 people in them")
    begin = about.locator(".uv-token").nth(1)
    page.after(begin.click)
    expect(page.panel("What it says now").get_by_label("Prompt 2", exact=True)).to_have_value(begin.text_content())
    page.shot(tmp_path / "about.png")
    assert fits(page) == []
    passes, grave = there.axe(".uv-dashboard")
    assert passes > 0
    assert grave == []
    assert there.external_beyond_voilas == []
    assert there.errors == []
