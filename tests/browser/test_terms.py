"""The “?” in a page: opened, read and closed by keys, whole at every edge, one at a time, and readable on dark pages."""

import random

import pytest

from tests.browser.visit import Visit
from unlearnviz.numbers import number
from unlearnviz.views.controls import close_all
from unlearnviz.views.explained import HERE, Explained
from unlearnviz.views.terms import dictionary, term

pytestmark = pytest.mark.browser

HOSTILE = "<img src=x onerror=alert(1)>"
LIGHT = "--jp-layout-color1: #fff; --jp-layout-color2: #eee; --jp-ui-font-color0: #111; --jp-ui-font-color1: #222; --jp-ui-font-color2: #616161"
DARK = "--jp-layout-color1: #111; --jp-layout-color2: #333; --jp-ui-font-color0: #fff; --jp-ui-font-color1: #ddd; --jp-ui-font-color2: #bbb"
SETTING = """
async ({ esm, css, terms, look }) => {
  window.heard = []; // what reaches the notebook around the dashboard
  document.addEventListener("keydown", ({ key }) => heard.push(key));
  document.head.append(Object.assign(document.createElement("style"), { textContent: css }));
  document.body.style.cssText = `${look}; background: var(--jp-layout-color1); color: var(--jp-ui-font-color1); margin: 0`;
  document.body.innerHTML = `<main><h2>A notebook</h2><div class="uv-dashboard" style="contain: content; overflow: hidden; height: 470px">
    <div class="widget-html uv-term-perplexity uv-term-twin"><div class="widget-html-content"><h3 class="uv-heading">Perplexity</h3></div></div>
    <div class="widget-text uv-term-npo:beta" style="display: flex"><label class="widget-label" for="beta">beta</label><input id="beta"></div>
    <div class="uv-fold-button uv-term-ledger"><h3 class="uv-heading uv-fold-heading"><button class="uv-fold" type="button">Ledger</button></h3></div>
    <div class="widget-inline-hbox uv-term-cell:ceiling" style="display: flex"><label class="widget-label"
      title="Where it stops.">ceiling</label></div>
    <div class="corner uv-term-where" style="position: absolute; right: 0; bottom: 0"><label class="widget-label">where</label></div>
    <div class="table"></div></div></main>`;
  const { default: widget } = await import(URL.createObjectURL(new Blob([esm], { type: "text/javascript" })));
  const state = { terms, prefix: "one" };
  const el = document.createElement("div");
  document.querySelector(".uv-dashboard").prepend(el);
  window.end = widget.render({ model: { get: (name) => state[name] }, el });
}"""


@pytest.fixture(scope="module")
def tab(chromium):
    context = chromium.new_context(viewport={"width": 1280, "height": 720})
    yield Visit(context.new_page())
    context.close()


@pytest.fixture
def page(tab):
    """A dashboard of five marked widgets in a page without a server; a function that sets it up."""

    def set_up(look=LIGHT, width=1280, height=720, **more):
        tab.page.set_viewport_size({"width": width, "height": height})
        tab.page.set_content("<!doctype html><html lang=en><title>A stage</title><body>")
        given = {"esm": (HERE / "terms.js").read_text(), "css": (HERE / "terms.css").read_text(), "terms": {**dictionary(), **more}, "look": look}
        tab.page.evaluate(SETTING, given)
        return tab.page

    return set_up


def box(page):
    return page.get_by_role("dialog")


def test_it_is_opened_read_and_closed_by_keys_and_the_notebook_hears_nothing_of_escape(page):
    there = page()
    mark = there.get_by_role("button", name="What is perplexity?")
    there.keyboard.press("Tab")
    assert mark.evaluate("each => each === document.activeElement && each.getAttribute('aria-expanded') === 'false'")
    for key in ("Enter", "Space"):
        there.keyboard.press(key)
        assert box(there).evaluate("each => each === document.activeElement")  # so that it is read aloud
        assert mark.get_attribute("aria-expanded") == "true"
        said = box(there).inner_text()
        word = term("perplexity")
        for text in (word.title, word.sentence, word.formula, word.good, word.example):
            assert text in said
        there.keyboard.press("Escape")
        assert box(there).count() == 0
        assert mark.evaluate("each => each === document.activeElement")
    assert "Escape" not in there.evaluate("heard")
    there.keyboard.press("Escape")  # nothing is open: it is not ours
    assert there.evaluate("heard.at(-1)") == "Escape"


def test_one_is_open_at_a_time_and_its_words_lead_to_others(page):
    there = page()
    there.get_by_role("button", name="What is perplexity?").click()
    box(there).get_by_role("button", name="twin", exact=True).click()  # the second word of the heading
    assert term("twin").sentence in box(there).inner_text()
    box(there).get_by_role("button", name="range of the twins").press("Enter")
    assert term("twin-range").example in box(there).inner_text()
    there.get_by_role("button", name="What is beta?").click()
    assert box(there).count() == 1
    assert "How soon the ascent on a text fades" in box(there).inner_text()  # the help of the setting
    there.get_by_role("button", name="What is beta?").click()
    assert box(there).count() == 0
    there.get_by_role("button", name="What is ledger?").click()
    there.get_by_role("heading", name="A notebook").click()
    assert box(there).count() == 0
    assert there.get_by_role("button", name="Ledger", exact=True).count() == 1  # the fold itself has kept its name


def test_what_comes_later_has_one_too_and_a_label_that_is_written_anew_keeps_it(page):
    there = page(leak={**dictionary()["leak"], "sentence": HOSTILE})
    there.evaluate("document.querySelector('label').textContent = 'another name'")
    assert there.get_by_role("button", name="What is beta?").count() == 1
    write = "document.querySelector('.table').innerHTML = '<table><tr><th class=uv-term-leak>Leak</th><td>1</td></tr></table>'"
    for _ in range(2):
        there.evaluate(write)
        there.get_by_role("button", name="What is leak?").click()
        assert HOSTILE in box(there).inner_text()
        assert there.locator("img").count() == 0
    there.evaluate(write)  # the line that was explained is gone, and so is the box
    there.wait_for_function("!document.querySelector('[role=dialog]')?.matches(':popover-open')")
    there.get_by_role("button", name="What is ceiling?").click()  # of a method that no dictionary knows
    assert "Where it stops." in box(there).inner_text()
    there.evaluate("end()")
    assert box(there).count() == 0


@pytest.mark.parametrize("size", [(1280, 720), (853, 480), (320, 480)], ids=["1280x720", "150 %", "narrow"])
def test_nothing_cuts_it_off(page, size, tmp_path):
    there = page(width=size[0], height=size[1])
    for name in ("where", "perplexity", "ledger"):
        there.get_by_role("button", name=f"What is {name}?").evaluate("each => each.click()")
        there.screenshot(path=str(tmp_path / f"{name}.png"))
        place = box(there).bounding_box()
        assert place["x"] >= 0
        assert place["y"] >= 0
        assert place["x"] + place["width"] <= size[0]
        assert place["y"] + place["height"] <= size[1]
        assert box(there).evaluate("each => each.scrollWidth <= each.clientWidth && each.clientHeight > 60")


@pytest.mark.parametrize("look", [LIGHT, DARK], ids=["light", "dark"])
def test_it_is_accessible_on_light_and_on_dark_pages(page, look, tmp_path):
    there = page(look)
    there.get_by_role("button", name="What is perplexity?").click()
    there.screenshot(path=str(tmp_path / "open.png"))
    passed, grave = Visit.axe(page_of(there), "body")
    assert passed > 10
    assert grave == []


def page_of(page):
    """A Visit around a page, for its judge."""
    visit = object.__new__(Visit)
    visit.page = page
    return visit


def test_the_page_writes_numbers_as_python_does(tab):
    rng = random.Random(1)
    values = [0.0, 1.0, 999.6, 999_499.0, 1e6, -0.5, 1e-6, 123456.0] + [
        rng.choice([1, -1]) * rng.uniform(1, 10) * 10 ** rng.randint(-9, 9) for _ in range(500)
    ]
    written = "([code, values]) => (0, eval)(`${code}; (values) => values.map(numeral)`)(values)"
    written = tab.page.evaluate(written, [(HERE / "number.js").read_text(), values])
    assert written == [number(each) for each in values]


def test_the_widget_brings_the_words_once():
    made = Explained()
    assert made.terms == dictionary()
    close_all(made)
