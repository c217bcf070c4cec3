"""Keep, with real clicks: thirty steps with branches, downloaded, brought into a fresh kernel; a reload in mid-run; a kernel that ends."""

import json

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import write_notebook
from tests.browser.dashboard_page import ALONE, HOSTILE, SHOW, Page, answer, fits
from tests.browser.dashboard_page import OPEN as OPEN_ALONE
from tests.browser.visit import WAIT, Visit

pytestmark = pytest.mark.browser
OPEN = OPEN_ALONE.removeprefix(ALONE)  # here the work of one kernel is to be found by the next
GROW = """
for k in range(29):
    if k % 10 == 4:
        session.undo(); session.branch(f"branch {k} <img src=x onerror=alert(1)>")
    if k % 12 == 7:
        session.pick(f"The text that somebody typed as number {k} of them.")
    session.step(("gradient-ascent", "npo", "fine-tune")[k % 3], ("embedding", "block 0")[k % 2])
"""


@pytest.fixture(scope="module")
def keep(chromium, lab_server, lab_home):
    """A function (name, cells): a notebook with the dashboard in a page of its own, opened and run."""
    contexts = []

    def opened(name, cells, **options):
        context = chromium.new_context(viewport={"width": 1280, "height": 720}, accept_downloads=True, **options)
        contexts.append(context)
        there = Visit(context.new_page())
        there.dialogs = []
        there.page.on("dialog", lambda dialog: answer(dialog, there.dialogs))
        write_notebook(lab_home / "notebooks" / name, cells)
        there.open_lab(lab_server, name)
        there.run_all()
        there.page.wait_for_selector(".said", timeout=3 * WAIT)
        there.until("() => !JSON.parse(document.querySelector('.said').textContent).busy")
        return Page(there)

    yield opened
    for context in contexts:
        context.close()


def panel(page):
    """The panel, unfolded."""
    found = page.root.locator(".uv-keep")
    line = found.locator(".uv-fold")
    if line.get_attribute("aria-expanded") == "false":
        line.click()
    expect(found.get_by_role("button", name="Download", exact=True).first).to_be_enabled()
    return found


@pytest.fixture(scope="module")
def grown(keep):
    """A page whose session has 30 steps on several branches, the last one by a click."""
    page = keep("keep.ipynb", [OPEN, GROW, SHOW])
    page.after(page.button("Step").click)
    return page


def test_thirty_steps_are_downloaded_and_brought_into_a_fresh_kernel(grown, keep, tmp_path):
    held = grown.kernel()
    assert held["steps"] == 31
    hand = panel(grown)
    with grown.page.expect_download() as coming:
        hand.get_by_role("button", name="Download", exact=True).first.click()
    file = tmp_path / coming.value.suggested_filename
    coming.value.save_as(file)
    recipe = json.loads(file.read_text())
    assert len(recipe["steps"]) == 30
    assert file.stat().st_size < 20_000
    assert grown.root.get_attribute("data-recipe") == recipe["recipe"][:12]
    grown.shot(tmp_path / "keep.png")
    assert grown.there.axe(".uv-keep")[1] == []

    other = keep("keep-other.ipynb", [OPEN, SHOW])
    there = panel(other)
    after = other.after(there.locator("input[type=file]").set_input_files, file)
    assert (after["head"], after["steps"], after["weights"], after["forget"]) == (held["head"], 31, held["weights"], held["forget"])
    expect(other.sentence).to_contain_text("Replayed 30 steps, bit for bit as they were.")
    expect(other.root).to_have_attribute("data-recipe", recipe["recipe"][:12])
    bad = tmp_path / "cut.json"
    bad.write_text(file.read_text()[:1000])
    other.after(there.locator("input[type=file]").set_input_files, bad)
    expect(other.alert).to_contain_text("It seems to be cut short. Nothing was changed.")
    assert other.kernel()["weights"] == held["weights"]
    assert other.root.locator("img").count() == 0
    assert other.there.dialogs == []


def test_a_browser_without_a_clipboard_shows_the_text_selected(grown):
    grown.page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined, configurable: true })")
    hand = panel(grown)
    hand.get_by_role("button", name="Copy as text").click()
    expect(hand.locator(".uv-handed")).to_contain_text("The text is selected: press Ctrl+C")
    assert json.loads(grown.page.evaluate("document.getSelection().toString()"))["unlearnviz"] == "recipe"
    expect(hand.get_by_role("textbox", name="The recipe")).to_be_focused()


def test_as_python_is_shown(grown, tmp_path):
    hand = panel(grown)
    hand.get_by_role("button", name="As Python").click()
    text = hand.get_by_role("textbox", name="Python that rebuilds the present state")
    expect(text).to_be_focused()
    script = text.input_value()
    grown.shot(tmp_path / "python.png")
    assert fits(grown) == []
    assert script.startswith("import unlearnviz as uv\n\nsession = uv.demo()\n")
    assert grown.kernel()["weights"] in script
    hand.get_by_role("button", name="Close").click()
    expect(text).to_be_hidden()


def test_a_reload_in_mid_run_loses_nothing_and_a_kernel_that_ends_is_continued(grown, keep, tmp_path):
    before = grown.kernel()
    grown.root.get_by_label("steps", exact=True).fill("6")
    grown.button("Run").click()
    grown.there.until("n => JSON.parse(document.querySelector('.said').textContent).busy.includes('6 steps')", None)
    grown.there.save()
    grown.page.reload()
    grown.page.wait_for_selector(".said", timeout=3 * WAIT)
    held = grown.there.until(
        """n => {
          const said = JSON.parse(document.querySelector(".said").textContent);
          return !said.busy && said.steps === n && said;
        }""",
        before["steps"] + 6,
    )
    recipe = grown.root.get_attribute("data-recipe")
    expect(grown.sentence).to_contain_text("Perplexity: forget")

    # the kernel is gone, and the same notebook is opened anew
    fresh = keep("keep-fresh.ipynb", [OPEN, SHOW])
    offer = fresh.root.locator(".uv-offer")
    expect(offer).to_contain_text("An earlier session of this model and these texts")
    fresh.shot(tmp_path / "offer.png")
    assert fresh.there.axe(".uv-keep")[1] == []
    assert fits(fresh) == []
    after = fresh.after(offer.get_by_role("button", name=f"Continue at step {held['head']}?").click)
    assert (after["head"], after["steps"], after["weights"]) == (held["head"], held["steps"], held["weights"])
    expect(fresh.root).to_have_attribute("data-recipe", recipe)
    expect(offer).to_have_count(0)
    assert HOSTILE not in fresh.page.locator(".uv-keep").inner_html()
