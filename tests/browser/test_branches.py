"""Branches in the page: a step after undo says that it began one; renamed, compared as dashed lines, and forgotten."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import write_notebook
from tests.browser.dashboard_page import OPEN, SHOW, Page
from tests.browser.visit import WAIT, Visit

pytestmark = pytest.mark.browser
LARGE = "for _ in range(2):\n    session.step(uv.GradientAscent(update_norm=0.6))"
DASHED = """() => [...document.querySelectorAll(".uv-perplexitypanel .uv-chart .scatterlayer .lines path.js-line")]
  .map((each) => getComputedStyle(each)).filter((each) => each.strokeDasharray === "6px, 3px").map((each) => parseFloat(each.strokeWidth))"""


@pytest.fixture(scope="module")
def page(chromium, lab_server, lab_home):
    """A dashboard that stands at the second of two large steps."""
    context = chromium.new_context(viewport={"width": 1280, "height": 720})
    there = Visit(context.new_page())
    there.page.on("dialog", lambda dialog: dialog.accept())
    write_notebook(lab_home / "notebooks" / "branches.ipynb", [OPEN + LARGE, SHOW])
    there.open_lab(lab_server, "branches.ipynb")
    there.run_all()
    there.page.wait_for_selector(".said", timeout=3 * WAIT)
    made = Page(there)
    made.see("Start")
    yield made
    context.close()


def chosen(page, label):
    return page.panel("Timeline").get_by_label(label, exact=True)


def test_a_step_after_undo_says_that_it_is_a_new_branch(page):
    expect(chosen(page, "Branch")).to_be_hidden()  # there is one only
    page.after(page.button("Undo").click)
    page.after(page.button("Step").click)
    expect(page.sentence).to_contain_text("This is a new branch, 'from step 1', because step 2 was already there; that stays on 'main'.")
    expect(chosen(page, "Branch")).to_have_value("from step 1")


def test_the_lines_of_a_compared_branch_are_dashed_and_thin(page, tmp_path):
    assert page.page.evaluate(DASHED) == []
    page.after(lambda: chosen(page, "compare").select_option("main"))
    widths = page.there.until(f"() => {{ const found = ({DASHED})(); return found.length >= 4 && found; }}")
    assert len(widths) == 4
    assert max(widths) < 2
    expect(page.panel("Perplexity")).to_contain_text("Dashed: the branch 'main' from step 1 to step 2, where forget is")
    page.shot(tmp_path / "compared.png")


def test_branches_are_renamed_and_forgotten_by_keyboard(page, tmp_path):
    timeline = page.panel("Timeline")
    timeline.locator(".uv-fold").press("Enter")
    expect(timeline.get_by_role("radio")).to_have_count(2)
    here = timeline.get_by_role("radio", name="from step 1: leaves main at step 1, 1 step of its own")
    expect(here).to_be_checked()
    here.press("ArrowUp")
    main = timeline.get_by_role("radio", name="main: 2 steps")
    expect(main).to_be_checked()
    page.page.screenshot(path=str(tmp_path / "branches.png"))
    tree, lines = timeline.locator(".uv-branches"), timeline.locator(".uv-branches .widget-radio-box label")
    assert tree.evaluate("each => each.scrollHeight <= each.clientHeight + 1")
    assert lines.evaluate_all("all => all.every((each) => each.scrollHeight <= each.offsetHeight + 1)")
    assert lines.evaluate_all(
        "all => all.every((each) => each.querySelector('input').getBoundingClientRect().right < each.getBoundingClientRect().left + 30)"
    )  # the circle comes first
    assert timeline.evaluate("each => each.scrollWidth <= each.clientWidth + 1")
    assert page.there.axe(".uv-timeline")[1] == []
    timeline.get_by_label("New name").fill("large")
    page.after(page.button("Rename").press, "Enter")
    expect(page.sentence).to_contain_text("The branch 'main' is called 'large' now.")
    expect(chosen(page, "compare")).to_have_value("large")
    timeline.get_by_role("radio", name="large: 2 steps").check()
    timeline.get_by_role("button", name="Forget\N{HORIZONTAL ELLIPSIS}").press("Enter")
    expect(timeline).to_contain_text("Forget 'large' with the 1 step that only it has? No Undo brings it back.")
    page.after(page.button("Yes, forget it").press, "Enter")
    expect(page.sentence).to_contain_text("The branch 'large' is forgotten; the weights of its 1 step gave back")
    expect(timeline.get_by_role("radio")).to_have_count(1)
    expect(chosen(page, "Branch")).to_be_hidden()
    assert page.there.until(f"() => ({DASHED})().length === 0")
    assert page.there.errors == []
