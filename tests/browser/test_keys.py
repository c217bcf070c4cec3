"""The page's half of Keys, without any server: two dashboards of plain buttons inside a page that listens like JupyterLab."""

import pytest

from tests.browser.visit import Visit
from unlearnviz.views.keys import Keys
from unlearnviz.views.projector import Projector

pytestmark = pytest.mark.browser

SETTING = """
async (sources) => {
  window.reached = []; // keys that came to the page around the dashboards
  document.addEventListener("keydown", ({ key }) => reached.push(key));
  window.pressed = [];
  const modules = await Promise.all(sources.map(([esm, css]) => {
    document.head.append(Object.assign(document.createElement("style"), { textContent: css }));
    return import(URL.createObjectURL(new Blob([esm], { type: "text/javascript" })));
  }));
  window.build = (name) => {
    const around = document.body.appendChild(document.createElement("div"));
    around.setAttribute("role", "region"); // as JupyterLab's main area is
    const root = around.appendChild(document.createElement("section"));
    root.className = "uv-dashboard";
    root.id = name;
    root.innerHTML = `<div class="keys"></div><div class="projector"></div>
      <div class="uv-tabs"><button role="tab" id="${name}-tab-Start">Start</button><button role="tab" id="${name}-tab-Neighbours">Other</button></div>
      <div class="uv-key-scrub"><input type="range" min="0" max="5" value="2" aria-label="timeline"></div>
      <button class="uv-key-step">Step</button><button class="uv-key-undo">Undo</button>
      <button class="uv-key-redo" disabled>Redo</button><button class="uv-key-stop">Stop</button>
      <input type="text" aria-label="field"><textarea aria-label="long"></textarea>
      <select aria-label="choice"><option>a</option><option>s</option></select><p>words</p>`;
    root.querySelector("[type=text]").addEventListener("keydown", (event) => event.stopPropagation()); // as ipywidgets do
    root.addEventListener("click", ({ target }) => pressed.push(`${name} ${target.textContent}`));
    root.querySelector("[type=range]").addEventListener("input", ({ target }) => pressed.push(`${name} to ${target.value}`));
    root.querySelector("[id$=Neighbours]").addEventListener("click", ({ target }) => setTimeout(() => { // a view that is built late
      target.setAttribute("aria-selected", "true");
      root.insertAdjacentHTML("beforeend", `<div class="uv-key-search"><input type="text" value="old" aria-label="search"></div>`);
    }, 100));
    const states = {};
    for (const [index, [kind, state]] of [["keys", { single: true }], ["projector", { on: false }]].entries()) {
      const heard = new Set();
      const model = {
        get: (key) => state[key],
        set: (key, value) => { state[key] = value; heard.forEach((each) => each()); },
        on: (_, callback) => heard.add(callback), off: (_, callback) => heard.delete(callback), save_changes: () => {},
      };
      states[kind] = { state, leave: modules[index].default.render({ model, el: root.querySelector(`.${kind}`) }) };
    }
    return states;
  };
  window.one = build("one");
  window.two = build("two");
}
"""


@pytest.fixture(scope="module")
def stage(chromium):
    context = chromium.new_context()
    there = Visit(context.new_page())
    there.page.evaluate(SETTING, [[str(each._esm), str(each._css)] for each in (Keys, Projector)])
    yield there
    context.close()


@pytest.fixture(autouse=True)
def _fresh(stage):
    stage.page.evaluate("""() => {
      pressed.length = reached.length = 0;
      document.querySelectorAll("[type=range]").forEach((each) => { each.value = 2; });
      document.activeElement.blur();
    }""")
    yield
    assert stage.errors == []


def press(stage, where, *keys):
    """Press keys with the focus on something; what was clicked or moved by them."""
    stage.page.evaluate("pressed.length = 0")
    stage.page.locator(where).focus()
    for key in keys:
        stage.page.keyboard.press(key)
    return stage.page.evaluate("pressed.splice(0)")


def reached(stage):
    return stage.page.evaluate("reached.splice(0)")


def test_each_key_presses_its_button_and_a_disabled_one_does_nothing(stage):
    assert press(stage, "#one .uv-key-undo", "s", "S", "u", "r", "Escape") == [
        "one Step", "one Step", "one Undo", "one Stop",
    ]  # fmt: skip
    assert press(stage, "#one .uv-key-step", "ArrowLeft", "ArrowLeft", "ArrowLeft", "ArrowRight") == [
        "one to 1",
        "one to 0",
        "one to 1",
    ]
    assert reached(stage) == []


def test_only_the_dashboard_with_the_focus_listens(stage):
    assert press(stage, "#two .uv-key-undo", "s") == ["two Step"]
    stage.page.evaluate("document.activeElement.blur()")
    stage.page.keyboard.press("s")
    assert stage.page.evaluate("pressed") == []
    assert reached(stage) == ["s"]


def test_a_click_beside_the_controls_gives_the_dashboard_the_focus(stage):
    stage.page.locator("#two > p").click()
    stage.page.keyboard.press("u")
    assert stage.page.evaluate("pressed") == ["two words", "two Undo"]


def test_what_a_notebook_would_take_never_leaves(stage):
    keys = ["d", "d", "0", "0", "x", "a", "b", "m", "Enter", "ArrowUp", "ArrowDown", " ", "Shift+Enter", "Escape"]
    keys += ["Control+Enter", "Alt+Enter", "Control+z", "Control+a", "Control+Shift+ArrowDown", "Control+m"]
    for where in (".uv-key-undo", "[aria-label=field]", "[aria-label=timeline]"):
        press(stage, f"#one {where}", *keys)
    assert [each for each in reached(stage) if each not in ("Control", "Alt", "Shift")] == []


def test_what_belongs_to_the_page_goes_on(stage):
    assert press(stage, "#one .uv-key-undo", "Control+s", "Control+Shift+c", "Alt+1", "Control+u") == []
    assert [each for each in reached(stage) if len(each) == 1] == ["s", "c", "1", "u"]


def test_while_somebody_types_only_escape_acts(stage):
    for field in ("field", "long", "choice"):
        assert press(stage, f"#one [aria-label={field}]", "s", "u", "r", "ArrowLeft", "Escape") == ["one Stop"]
    assert stage.page.locator("#one [aria-label=field]").input_value() == "sur"
    assert press(stage, "#one [aria-label=timeline]", "ArrowLeft", "s") == ["one to 1", "one Step"]  # its own arrows, once


def test_slash_shows_the_view_and_waits_for_its_field(stage):
    assert press(stage, "#one .uv-key-step", "/") == ["one Other"]
    stage.until("document.activeElement.getAttribute('aria-label') === 'search'")
    stage.page.keyboard.type("new")
    assert stage.page.locator("#one [aria-label=search]").input_value() == "new"  # what was there was selected
    assert press(stage, "#one .uv-key-step", "/") == []  # it is shown now: no tab is pressed
    stage.until("document.activeElement.getAttribute('aria-label') === 'search'")


def test_the_list_opens_closes_and_gives_the_focus_back(stage):
    press(stage, "#one .uv-key-undo", "?")
    dialog = stage.page.get_by_role("dialog", name="Keys")
    assert dialog.locator("tr").count() == 7
    assert press(stage, ".uv-keys[open] input", "s", "Escape") == []  # nothing behind it acts, and Stop is not pressed
    stage.page.locator(".uv-keys[open]").wait_for(state="detached")
    assert stage.page.evaluate("document.activeElement.textContent") == "Undo"
    press(stage, "#one .uv-keys-open", "Enter")
    assert stage.axe(".uv-keys[open]")[1] == []
    dialog.get_by_role("button", name="Close").press("Enter")
    assert stage.page.evaluate("document.activeElement.textContent") == "Keys"


def test_single_keys_can_be_switched_off(stage):
    press(stage, "#one .uv-key-undo", "?")
    stage.page.locator(".uv-keys[open] input").press(" ")
    stage.page.keyboard.press("Escape")
    assert press(stage, "#one .uv-key-undo", "s", "?", "/", "ArrowRight", "Escape") == ["one Stop"]
    assert stage.page.locator("#one .uv-key-step").get_attribute("aria-keyshortcuts") is None
    assert press(stage, "#two .uv-key-undo", "s") == ["two Step"]  # of this dashboard alone
    assert stage.page.evaluate("one.keys.state.single") is False
    press(stage, "#one .uv-keys-open", "Enter")
    stage.page.locator(".uv-keys[open] input").press(" ")
    stage.page.keyboard.press("Escape")
    assert press(stage, "#one .uv-key-undo", "s") == ["one Step"]
    assert stage.page.locator("#one .uv-key-step").get_attribute("aria-keyshortcuts") == "S"


def test_a_button_that_is_disabled_under_the_focus_keeps_the_keys_and_gets_the_focus_back(stage):
    press(stage, "#one .uv-key-step", "Enter")
    stage.page.evaluate("document.querySelector('#one .uv-key-step').disabled = true")
    stage.until("document.activeElement.id === 'one'")
    stage.page.keyboard.press("Escape")
    stage.page.keyboard.press("d")
    assert stage.page.evaluate("pressed.splice(0)") == ["one Stop"]
    assert reached(stage) == []
    stage.page.evaluate("document.querySelector('#one .uv-key-step').disabled = false")
    stage.until("document.activeElement.textContent === 'Step'")


def test_the_projector_marks_its_own_dashboard(stage):
    switch = stage.page.locator("#two .uv-projector-switch")
    switch.press("Enter")
    assert switch.get_attribute("aria-checked") == "true"
    assert stage.page.locator(".uv-projector").evaluate_all("all => all.map((each) => each.id)") == ["two"]
    assert stage.page.evaluate("two.projector.state.on") is True
    small = "[...document.querySelectorAll('#two :is(button, p, input)')].filter((each) => parseFloat(getComputedStyle(each).fontSize) < 18)"
    assert stage.page.evaluate(f"{small}.length") == 0
    switch.press("Enter")
    assert stage.page.locator(".uv-projector").count() == 0


def test_a_closed_dashboard_listens_no_longer(stage):
    stage.page.evaluate("two.keys.leave()")
    assert press(stage, "#two .uv-key-undo", "s") == []
    assert reached(stage) == ["s"]
