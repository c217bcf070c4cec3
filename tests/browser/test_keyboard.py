"""Everything by keyboard alone, in JupyterLab: no key reaches the notebook, every control is reached and seen, every action works.

The tests share one page and build on each other's history; the last ones look at every view on a dark page.
"""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import write_notebook
from tests.browser.dashboard_page import OPEN, SHOW, Page
from tests.browser.servers import TOKEN
from tests.browser.visit import WAIT, Visit

pytestmark = pytest.mark.browser
VIEWS = ("Start", "Neighbours", "Where", "Who", "Judge")
# What Tab has to stop at, in the order of the page; of tabs and of lists only one has the stop.
STOPS = """() => [...document.querySelectorAll(".uv-dashboard :is(button, input, select, textarea, summary, a[href], [tabindex='0'])")]
  .filter((each) => each.tabIndex >= 0 && !each.disabled && each.checkVisibility({ visibilityProperty: true }))
  .map((each, k) => {
    each.dataset.stop = k;
    return each.textContent.trim().slice(0, 40) || each.ariaLabel || each.placeholder || each.className;
  })"""
# Where the focus is: the number of the stop, and how well its ring is seen (contrast to what is around it).
FOCUSED = """() => {
  const here = document.activeElement;
  const root = here.closest(".uv-dashboard");
  if (!root) return null;
  const rgb = (css) => css.match(/[\\d.]+/g).map(Number);
  const light = (css) => {
    const [r, g, b] = rgb(css).map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  let behind = here.parentElement;
  while (rgb(getComputedStyle(behind).backgroundColor)[3] === 0 && behind.parentElement) behind = behind.parentElement;
  const { outlineStyle, outlineWidth, outlineColor } = getComputedStyle(here);
  const [high, low] = [light(outlineColor), light(getComputedStyle(behind).backgroundColor)].sort((a, b) => b - a);
  const ring = outlineStyle === "none" || parseFloat(outlineWidth) < 2 ? 0 : (high + 0.05) / (low + 0.05);
  return { stop: here.dataset.stop === undefined ? null : Number(here.dataset.stop), ring, what: here.outerHTML.slice(0, 120) };
}"""
KERNELS = f"fetch('/api/kernels?token={TOKEN}').then((answer) => answer.json()).then((all) => all.map(({{ id }}) => id))"


@pytest.fixture(scope="module")
def page(chromium, lab_server, lab_home):
    context = chromium.new_context(viewport={"width": 1280, "height": 1000})
    there = Visit(context.new_page())
    write_notebook(lab_home / "notebooks" / "keyboard.ipynb", [OPEN, SHOW, "'the last cell'"])
    there.open_lab(lab_server, "keyboard.ipynb")
    there.run_all()
    there.page.wait_for_selector(".said", timeout=3 * WAIT)
    page = Page(there)
    page.see("Start")
    yield page
    context.close()


def press(page, *keys):
    for key in keys:
        page.page.keyboard.press(key)


def focus_of(page):
    return page.page.evaluate("document.activeElement.textContent.trim() || document.activeElement.ariaLabel")


def notebook(page):
    """What keys could change in the notebook: its cells, what they hold, what ran, and its kernel."""
    cells = page.page.locator(".jp-Cell").evaluate_all(
        "all => all.map((each) => [each.className.split(' ').find((name) => name.endsWith('Cell')), each.querySelector('.cm-content')?.textContent])"
    )
    return cells, page.page.locator(".jp-InputPrompt").all_text_contents(), page.page.evaluate(KERNELS)


def test_keys_that_are_pressed_in_the_dashboard_never_reach_the_notebook(page):
    before = notebook(page)
    keys = [
        "d",
        "d",
        "0",
        "0",
        "x",
        "a",
        "b",
        "m",
        "y",
        "c",
        "v",
        "z",
        "l",
        "ArrowUp",
        "ArrowDown",
        "Shift+ArrowDown",
        "Shift+Enter",
    ]
    keys += ["Control+Enter", "Alt+Enter", "Control+z", "Control+a", "Control+Shift+ArrowDown", "Escape"]
    for where in (page.root.get_by_role("tab", name="Start"), page.root.locator(".uv-steps input[type=number]")):
        where.focus()
        press(page, *keys)
        expect(where).to_be_focused()
    page.root.locator(".uv-chart-summary").first.click()  # words: the dashboard has the focus then, not the notebook
    press(page, *keys)
    assert page.page.locator(".jp-Dialog").count() == 0
    assert notebook(page) == before
    held = page.kernel()
    assert (held["head"], held["steps"]) == (0, 1)


def test_steps_are_taken_undone_redone_and_scrubbed(page):
    page.button("Step").focus()
    assert page.after(press, page, "Enter")["head"] == 1
    expect(page.button("Step")).to_be_focused()  # it was disabled meanwhile, and has the focus again
    assert page.after(press, page, "s")["head"] == 2
    expect(page.button("Undo")).to_be_enabled()
    one = page.after(press, page, "u")
    assert one["head"] == 1
    expect(page.button("Redo")).to_be_enabled()
    assert page.after(press, page, "r")["head"] == 2
    assert page.after(press, page, "ArrowLeft")["weights"] == one["weights"]
    assert page.after(press, page, "ArrowLeft")["head"] == 0
    expect(page.button("Undo")).to_be_disabled()
    press(page, "ArrowLeft", "u")  # there is nothing before the start
    assert page.after(press, page, "ArrowRight")["head"] == 1
    slider = page.panel("Timeline").locator("input[type=range]")
    slider.focus()
    assert page.after(press, page, "End")["head"] == 2


def test_escape_stops_a_run_also_from_the_field_beside_it(page):
    before, count = page.kernel(), page.root.locator(".uv-steps input[type=number]")
    count.focus()
    press(page, "Control+a")
    page.page.keyboard.type("40")
    press(page, "Tab")
    page.button("Run").focus()

    def run_and_stop():
        press(page, "Enter")
        page.says(r"Step ([2-9]|[123]\d) of 40\.")
        count.focus()
        press(page, "Escape")

    held = page.after(run_and_stop)
    assert before["head"] + 2 <= held["head"] < before["head"] + 40
    expect(page.sentence).to_contain_text("Stopped; the unfinished part was not kept.")


def test_arrows_go_from_tab_to_tab(page):
    tabs = page.root.get_by_role("tab")
    tabs.first.focus()
    for name in [*VIEWS[1:], VIEWS[0]]:
        press(page, "ArrowRight")
        assert focus_of(page) == name
        expect(tabs.filter(has_text=name)).to_have_attribute("aria-selected", "true")
        page.arrived(name)
    press(page, "End")
    assert focus_of(page) == VIEWS[-1]
    page.arrived(VIEWS[-1])
    press(page, "Home")
    page.see("Start")


def test_a_text_is_searched_and_picked(page):
    page.button("Step").focus()
    before = page.kernel()
    press(page, "/")
    expect(page.root.get_by_label("Search")).to_be_focused()
    page.see("Neighbours")
    page.page.keyboard.type("aldo rows")  # letters are letters in a field
    results = page.root.get_by_role("list", name="Texts the model was taught").locator("li")
    expect(results).to_have_count(1)
    assert page.kernel()["steps"] == before["steps"]
    for _ in range(6):
        press(page, "Tab")
        if page.page.evaluate("document.activeElement.closest('[role=list]')?.ariaLabel") == "Texts the model was taught":
            break
    held = page.after(press, page, "Enter")
    assert len(held["forget"]) == len(before["forget"]) + 1
    page.root.get_by_role("list", name="Picked to be forgotten").locator("button[tabindex='0']").focus()
    press(page, "End")
    page.there.until("document.activeElement.ariaLabel?.startsWith('Take out: ')")
    assert page.after(press, page, "Enter")["forget"] == before["forget"]
    page.see("Start")


def test_a_number_of_a_chart_chooses_the_place_of_the_next_step(page):
    layers = page.panel("Layers")
    layers.locator("summary").first.focus()
    press(page, "Enter")
    layers.locator("table button").nth(3).focus()
    press(page, "Enter")
    page.there.until("JSON.parse(document.querySelector('.said').textContent).where !== 'embedding'")
    press(page, "ArrowLeft")  # scrolls the table, perhaps, but takes nobody back
    layers.locator("summary").first.focus()
    press(page, "Enter")
    page.type("where", "embedding")


def test_the_list_of_keys_opens_and_gives_the_focus_back(page):
    page.button("Step").focus()
    press(page, "?")
    dialog = page.root.get_by_role("dialog", name="Keys")
    expect(dialog).to_be_visible()
    assert page.there.axe(".uv-keys[open]")[1] == []
    press(page, "Escape")
    expect(dialog).to_be_hidden()
    assert focus_of(page) == "Step"


def turn_folds(page, unfolded):
    """Open all folds of a view, or close them, each by its key; wait for what that begins."""
    folds = page.root.locator(f".uv-view button.uv-fold[aria-expanded={unfolded}]:visible")
    for fold in reversed(folds.all()):  # from below: the others keep their places
        fold.press("Enter")
    expect(folds).to_have_count(0)
    here = page.kernel()["view"]
    page.see("Judge" if here == "Start" else "Start")  # the kernel answers in order: what the folds hold was sent before
    page.see(here)


@pytest.mark.parametrize("view", VIEWS)
def test_tab_reaches_everything_and_its_ring_is_seen(page, view):
    page.see(view)
    turn_folds(page, "false")
    stops = page.page.evaluate(STOPS)
    page.page.evaluate("document.querySelector('.uv-dashboard').focus()")
    reached, rings = [], {}
    for _ in range(len(stops) + 20):  # a scrolled box is a stop of its own in Chromium
        press(page, "Tab")
        here = page.page.evaluate(FOCUSED)
        if here is None:
            break
        reached.append(here["stop"])
        rings[here["what"]] = here["ring"]
    assert here is None, f"Tab never leaves: {here}"
    assert [stops[k] for k in range(len(stops)) if k not in reached] == []
    passed = [stop for stop in reached if stop is not None]
    assert passed == sorted(passed)
    assert {what: ring for what, ring in rings.items() if ring < 3} == {}
    press(page, "Shift+Tab")
    assert page.page.evaluate(FOCUSED)["stop"] == len(stops) - 1
    turn_folds(page, "true")


def themed(page, name):
    """JupyterLab's own way to another theme."""
    page.page.locator(".lm-MenuBar-item", has_text="Settings").click()
    page.page.locator(".lm-Menu-item", has_text=re.compile("^Theme$")).click()
    page.page.locator(".lm-Menu-item", has_text=name).first.click()
    page.there.until("name => document.body.dataset.jpThemeName === name", name)


@pytest.mark.parametrize("view", VIEWS)
def test_each_view_can_be_read_in_the_dark_and_in_the_light(page, view, tmp_path):
    page.see(view)
    for theme in ("JupyterLab Dark", "JupyterLab Light"):
        themed(page, theme)
        page.shot(tmp_path / f"{view}-{theme[-5:].strip()}.png")
        found = page.there.looks(".uv-dashboard")
        assert (found["cut"], found["overlapping"], found["faint"]) == ([], [], [])
        passes, grave = page.there.axe(".uv-dashboard")
        assert passes > 0
        assert grave == []


def test_a_second_page_on_the_same_kernel_shows_the_same_truth(page, lab_server):
    page.see("Start")
    page.root.get_by_role("switch", name="Projector").press("Enter")
    page.there.save()
    there = Visit(page.page.context.new_page())
    there.open_lab(lab_server, "keyboard.ipynb")
    there.page.wait_for_selector(".said")
    other = Page(there)
    other.see("Start")
    expect(other.root).to_have_class(re.compile("uv-projector"))  # as it was left
    expect(other.sentence).to_have_text(page.sentence.text_content())
    held = other.after(other.button("Step").press, "Enter")
    same = "n => { const said = JSON.parse(document.querySelector('.said').textContent); return said.ends >= n && said; }"
    assert page.there.until(same, held["ends"]) == held
    expect(page.sentence).to_have_text(other.sentence.text_content())
    expect(page.button("Undo")).to_be_enabled()
    page.root.get_by_role("switch", name="Projector").press("Enter")
    expect(other.root).not_to_have_class(re.compile("uv-projector"))
    page.after(page.button("Undo").press, "Enter")
    expect(other.sentence).to_have_text(page.sentence.text_content())
    assert there.errors == []
    there.page.close()


def test_nothing_went_wrong_meanwhile(page):
    assert page.there.errors == []
    assert page.there.external == []
