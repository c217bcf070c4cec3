"""The page's half of PassageList, without any server: a kernel of ours sends the rows that are asked for."""

import itertools

import pytest

from unlearnviz.views.passages import PassageList

pytestmark = pytest.mark.browser

SETTING = """
async ([esm, css]) => {
  document.head.append(Object.assign(document.createElement("style"), { textContent: css }));
  const url = URL.createObjectURL(new Blob([esm], { type: "text/javascript" }));
  const { default: widget } = await import(url);
  const state = { count: 0, shown: {}, label: "Texts", empty: "Nothing.", height: 300, disabled: false };
  const heard = {};
  window.sent = [];
  window.slow = false; // a kernel that answers only when told
  window.answer = ({ first, size }) => {
    state.shown = { ...state.shown, first, rows: rows.slice(first, first + size) };
    heard["change:shown"]();
  };
  const model = {
    get: (name) => state[name],
    on: (name, callback) => { heard[name] = callback; },
    off: () => {},
    send: (message) => {
      sent.push(message);
      if (message.kind === "window" && !slow) setTimeout(() => answer(message));
    },
  };
  window.give = (given, first = 0) => {
    window.rows = given;
    const version = (state.shown.version ?? 0) + 1;
    state.count = given.length;
    state.shown = { version, first, top: given[0]?.id ?? "", rows: given.slice(first, first + 20) };
    heard["change:shown"]?.();
  };
  window.set = (name, value) => { state[name] = value; heard[`change:${name}`](); };
  window.some = (count, drop = []) => Array.from({ length: count }, (_, k) => (
    { id: `p${k}`, text: `text ${k} ` + "and more ".repeat((k * 7) % 40), picked: false, left: false, badge: String(k) }
  )).filter(({ id }) => !drop.includes(id));
  const el = document.body.appendChild(document.createElement("div"));
  el.style.width = "320px";
  document.body.append(Object.assign(document.createElement("button"), { id: "after", textContent: "after" }));
  widget.render({ model, el });
}
"""
PLACES = """() => {
  const rows = [...document.querySelectorAll("li")];
  const view = document.querySelector(".uv-passages-view").getBoundingClientRect();
  const inView = ({ top, bottom }) => bottom > view.top + 1 && top < view.bottom - 1;
  const places = rows.map((each) => each.getBoundingClientRect());
  if (rows.some((each) => each.textContent === "…") || !places.some(inView)) return false;
  return rows.map((each, k) => [Number(each.getAttribute("aria-posinset")), places[k].top, places[k].bottom, inView(places[k])]);
}"""
FOCUSED = "document.activeElement.closest('li')?.getAttribute('aria-posinset')"


@pytest.fixture
def stage(visit):
    there = visit()
    there.page.evaluate(SETTING, [str(PassageList._esm), str(PassageList._css)])
    return there


def in_view(stage):
    """The numbers of the rows that can be read, once they are there (a page draws them after it has scrolled); none lies on another."""
    places = stage.until(PLACES)
    assert [number for number, *_ in places] == sorted(number for number, *_ in places)
    for (_, _, bottom, _), (_, top, _, _) in itertools.pairwise(places):
        assert bottom <= top + 1
    return [number for number, _, _, seen in places if seen]


def test_of_100_000_rows_those_in_view_exist_and_each_says_which_it_is(stage):
    stage.page.evaluate("give(some(100_000))")
    assert in_view(stage)[:2] == [1, 2]
    assert stage.page.locator("li").count() < 40
    assert stage.page.locator("li").first.get_attribute("aria-setsize") == "100000"
    for share in (0.5, 0.999, 1, 0.25):
        stage.page.evaluate(
            "share => { const v = document.querySelector('.uv-passages-view'); v.scrollTop = share * v.scrollHeight; }",
            share,
        )
        stage.until(
            "share => Math.abs(document.querySelector('li:nth-child(2)').dataset.index / 100_000 - share) < 0.02", share
        )
        shown = in_view(stage)
        assert shown == list(range(shown[0], shown[0] + len(shown)))
        assert len(shown) >= 2
        assert stage.page.locator("li").count() < 40
    took = stage.page.evaluate("""() => {
      const view = document.querySelector(".uv-passages-view");
      const began = performance.now();
      for (let k = 0; k < 50; k += 1) { view.scrollTop += 100_000; view.dispatchEvent(new Event("scroll")); }
      return (performance.now() - began) / 50;
    }""")
    print(f"{took:.1f} ms per scroll over 100,000 rows")
    assert took < 50
    assert stage.errors == []


def test_arrow_and_page_keys_walk_and_the_focus_waits_for_rows_that_are_on_their_way(stage):
    stage.page.evaluate("give(some(5000))")
    stage.page.locator("button").first.focus()
    for key, row in [("ArrowDown", 2), ("ArrowDown", 3), ("ArrowUp", 2)]:
        stage.page.keyboard.press(key)
        stage.until(f"{FOCUSED} === '{row}'")
    stage.page.keyboard.press("ArrowRight")
    assert stage.page.evaluate("document.activeElement.dataset.kind") == "leave"
    stage.page.keyboard.press("PageDown")
    stage.until(f"Number({FOCUSED}) > 3")
    assert stage.page.evaluate("document.activeElement.dataset.kind") == "leave"
    stage.page.evaluate("slow = true")
    stage.page.keyboard.press("End")
    assert stage.page.evaluate(f"Number({FOCUSED})") < 100  # still where it was, though that is out of view
    stage.page.evaluate("slow = false; answer(sent.at(-1))")
    stage.until(f"{FOCUSED} === '5000'")
    assert in_view(stage)[-1] == 5000
    stage.page.keyboard.press("Home")
    stage.until(f"{FOCUSED} === '1'")
    assert in_view(stage)[0] == 1
    stage.page.keyboard.press("Tab")  # one stop for the whole list
    assert stage.page.evaluate("document.activeElement.id") == "after"
    stage.page.keyboard.press("Shift+Tab")
    stage.until(f"{FOCUSED} === '1'")
    stage.page.keyboard.press("Enter")
    assert stage.page.evaluate("sent.at(-1)") == {"kind": "leave", "id": "p0"}


def test_the_focus_stays_at_its_passage_or_at_its_place_when_rows_change(stage):
    stage.page.evaluate("give(some(300))")
    stage.page.locator("[data-passage=p2]").first.focus()
    stage.page.evaluate("give(some(300, ['p1']))")
    stage.until("document.activeElement.dataset.passage === 'p2'")
    stage.page.evaluate("give(some(300, ['p1', 'p2']))")
    stage.until(f"document.activeElement.dataset.passage === 'p3' && {FOCUSED} === '2'")
    stage.page.evaluate("give([])")
    assert stage.page.evaluate("document.activeElement.textContent") == "Nothing."
    stage.page.evaluate("give(some(300))")
    stage.page.locator("#after").focus()
    stage.page.evaluate("give(some(299))")
    assert stage.page.evaluate("document.activeElement.id") == "after"


def test_while_it_is_disabled_nothing_can_be_pressed_and_the_focus_stays(stage):
    stage.page.evaluate(
        "give([{ id: 'a', text: 'one', picked: true }, { id: 'b', text: 'two', picked: false, why: 'Never taught' }])"
    )
    stage.page.locator("button[data-passage=a]").focus()
    stage.page.evaluate("set('disabled', true)")
    stage.page.keyboard.press("Enter")
    assert stage.page.evaluate("[document.activeElement.dataset.passage, sent.length]") == ["a", 0]
    stage.page.evaluate("set('disabled', false)")
    stage.page.locator("button[data-passage=b]").click(force=True)
    assert stage.page.evaluate("sent") == []
    assert stage.page.locator("button[data-passage=b]").get_attribute("aria-label") == "Never taught: two"
    stage.page.locator("button[data-passage=a]").click()
    assert stage.page.evaluate("sent") == [{"kind": "toggle", "id": "a"}]


def test_what_differs_is_marked_and_every_text_stays_text(stage):
    nasty = "<img src=x onerror=window.hacked=1><mark>"
    row = {"id": nasty, "text": nasty, "picked": False, "word": nasty, "kind": "other", "note": nasty, "badge": nasty}
    stage.page.evaluate("row => give([row])", {**row, "parts": [["same ", ""], [nasty, "new"], [nasty, "gone"]]})
    assert stage.page.locator(".uv-passage-text").text_content() == f"same {nasty}"
    assert stage.page.locator("mark").all_text_contents() == [nasty]
    assert stage.page.locator(".uv-gone").get_attribute("title") == f"Missing here: {nasty}"
    assert stage.page.evaluate("[window.hacked ?? null, document.querySelectorAll('.uv-passages img').length]") == [None, 0]
    passes, grave = stage.axe(".uv-passages")
    assert passes > 0
    assert grave == []


def test_rows_take_the_width_that_there_is_and_a_hidden_list_is_drawn_when_it_is_seen(stage):
    stage.page.evaluate("document.querySelector('.uv-passages').style.display = 'none'; give(some(200))")
    assert stage.page.locator("li").count() == 0
    stage.page.evaluate("document.querySelector('.uv-passages').style.display = ''")
    stage.until("document.querySelectorAll('li').length > 3")
    before = len(in_view(stage))
    stage.page.evaluate("document.querySelector('.uv-passages').style.width = '900px'")
    stage.until(f"document.querySelectorAll('li').length > {before}")
    assert len(in_view(stage)) > before
