"""The dashboard over the shipped world, with real clicks and keys: one page in JupyterLab for all scenarios, one in Voila.

The tests of a page build on each other's history (more steps, another pick), not on exact numbers.
"""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import write_notebook
from tests.browser.dashboard_page import HOSTILE, LATENCY, OPEN, SHOW, START_CHARTS, Page, answer, fits
from tests.browser.visit import WAIT, Visit

pytestmark = pytest.mark.browser
VISIBLE = "[...document.querySelectorAll('.uv-columns > *')].filter((each) => each.offsetParent)"
COLUMNS = f"new Set({VISIBLE}.map((each) => each.getBoundingClientRect().left)).size"

@pytest.fixture(scope="module")
def page(chromium, lab_server, lab_home):
    """The dashboard in JupyterLab, opened once."""
    context = chromium.new_context(viewport={"width": 1280, "height": 1000})
    there = Visit(context.new_page())
    there.dialogs = []
    there.page.on("dialog", lambda dialog: answer(dialog, there.dialogs))
    write_notebook(lab_home / "notebooks" / "dashboard.ipynb", [OPEN, SHOW])
    there.open_lab(lab_server, "dashboard.ipynb")
    there.run_all()
    there.page.wait_for_selector(".said", timeout=3 * WAIT)  # a cold start of torch on a busy computer
    yield Page(there)
    context.close()


def nothing_was_obeyed(page):
    return page.page.locator(".uv-dashboard img").count() == 0 and page.there.dialogs == []


def test_everything_is_drawn_after_the_cell(page, tmp_path):
    page.there.charts_drawn(START_CHARTS)
    expect(page.sentence).to_contain_text("Perplexity: forget")
    page.see("Start")
    page.shot(tmp_path / "start.png")
    assert fits(page) == []
    assert page.there.axe(".uv-dashboard")[1] == []
    assert len(page.badges()) == len(page.kernel()["forget"])
    picked = page.panel("Forget set").get_by_role("list", name="Picked to be forgotten")
    view = picked.locator("xpath=..")
    assert view.evaluate("view => view.scrollHeight <= view.clientHeight")  # five texts are all in view
    for view in ("Neighbours", "Where", "Who", "Judge"):
        page.see(view)
        page.shot(tmp_path / f"{view}.png")
        assert fits(page) == []
        assert page.there.axe(".uv-dashboard")[1] == []


def test_a_word_is_explained_by_keys_and_the_notebook_hears_nothing_of_it(page):
    page.see("Start")
    mark = page.panel("Perplexity").get_by_role("button", name="What is perplexity?").first
    mark.press("Enter")
    said = page.root.get_by_role("dialog", name="perplexity")
    expect(said).to_contain_text("as unsure as choosing among 10 tokens")
    page.page.keyboard.press("Escape")
    expect(said).to_have_count(0)
    expect(mark).to_be_focused()
    method = page.panel("Steering").get_by_role("button", name="What is update norm?")  # of a setting: its own help
    method.press("Enter")
    expect(page.root.get_by_role("dialog")).to_contain_text("that every update is rescaled to")
    page.page.keyboard.press("Escape")


def test_a_step_moves_the_sentence_the_charts_and_the_numbers_of_the_texts(page):
    said, badges = page.sentence.text_content(), page.badges()
    page.see("Start")
    drawn = page.drawn()
    held = page.after(page.button("Step").click)
    assert (held["head"], held["steps"]) == (1, 2)
    expect(page.sentence).not_to_have_text(said)
    expect(page.sentence).to_contain_text("\N{RIGHTWARDS ARROW}")
    page.there.until(
        """before => [...document.querySelectorAll('.uv-dashboard .uv-chart')].filter((each) => each.offsetParent)
          .every((each, k) => Number(each.dataset.drawn) > before[k])""",
        drawn,
    )
    assert page.badges() != badges
    expect(page.panel("Timeline").locator("output")).to_contain_text("step 1, 1 of 1 on this path")
    expect(page.button("Redo")).to_be_disabled()


def test_undo_redo_and_start_again_restore_weights_exactly(page):
    one = page.kernel()
    two = page.after(page.button("Step").click)
    assert page.after(page.button("Undo").click)["weights"] == one["weights"]
    expect(page.sentence).to_contain_text("Undone: this is step 1.")
    assert page.after(page.button("Redo").click)["weights"] == two["weights"]
    start = page.after(page.button("Start again").click)
    assert (start["head"], start["steps"]) == (0, 3)
    expect(page.button("Undo")).to_be_disabled()
    expect(page.button("Start again")).to_be_disabled()
    page.after(page.button("Redo").click)
    assert page.after(page.button("Redo").click)["weights"] == two["weights"]


def test_a_double_click_makes_one_step(page):
    before = page.kernel()
    held = page.after(page.button("Step").dblclick)
    assert (held["head"], held["steps"]) == (before["head"] + 1, before["steps"] + 1)
    assert page.after(page.button("Undo").click)["steps"] == held["steps"]  # and no second one came later
    page.after(page.button("Redo").click)


def test_what_takes_no_time_disables_nothing_and_says_in_the_page_that_it_is_done(page):
    page.panel("Timeline").locator(".uv-fold").click()
    page.page.evaluate("""() => {
      window.uvChanged = [];
      window.uvWatch = new MutationObserver((changes) => window.uvChanged.push(...changes.map((each) => each.target.textContent)));
      window.uvWatch.observe(document.querySelector(".uv-dashboard"), { subtree: true, attributes: true, attributeFilter: ["disabled"] });
    }""")
    finished = int(page.root.get_attribute("data-finished"))
    name = page.panel("Timeline").get_by_label("New name", exact=True)
    name.fill("quiet")
    page.after(page.button("Branch here").click)
    assert int(page.root.get_attribute("data-finished")) == finished + 1
    assert page.page.evaluate("window.uvWatch.disconnect() ?? window.uvChanged") == []
    page.after(lambda: page.panel("Timeline").get_by_label("Branch", exact=True).select_option("main"))


def test_learn_asks_before_it_drops_the_history(page, tmp_path):
    page.see("Start")
    before = page.kernel()
    question = page.root.get_by_text("Teach all texts again?")
    page.button("Learn").click()
    expect(question).to_contain_text(
        f"the {before['steps'] - 1} steps of this history and the twins cannot be brought back."
    )
    page.shot(tmp_path / "question.png")
    assert fits(page) == []
    page.button("No").click()
    expect(page.button("Yes, teach it again")).to_be_hidden()
    assert {**page.kernel(), "ends": 0} == {**before, "ends": 0}


def test_tab_reaches_step_and_enter_presses_it(page):
    before = page.kernel()
    page.root.get_by_role("tab", name="Start").focus()
    for _ in range(30):
        page.page.keyboard.press("Shift+Tab")
        if page.page.evaluate("document.activeElement.textContent.trim()") == "Step":
            break
    held = page.after(lambda: page.page.keyboard.press("Enter"))
    assert held["head"] == before["head"] + 1


def test_stop_keeps_the_finished_steps_of_a_run_and_nothing_of_the_others(page, record_property):
    before = page.kernel()
    steps = page.panel("Steps").get_by_label("steps")
    steps.fill("20")
    steps.press("Tab")
    page.page.evaluate(LATENCY)

    def run_and_stop():
        page.button("Run").click()
        page.says(r"Step ([2-9]|1\d) of 20\.")
        expect(page.root.get_by_text("Working: 20 steps of gradient-ascent")).to_be_visible()
        page.button("Stop").click()

    held = page.after(run_and_stop)
    milliseconds = page.there.until("window.uvStopped - window.uvStop || false")
    record_property("stop_milliseconds", round(milliseconds))
    print(f"Stop took effect after {milliseconds:.0f} ms")
    assert 2 <= held["head"] - before["head"] < 20
    assert held["steps"] - before["steps"] == held["head"] - before["head"]
    expect(page.sentence).to_contain_text("Stopped; the unfinished part was not kept.")
    expect(page.panel("Layers").locator(".uv-chart-summary").first).to_contain_text("The forget texts pull hardest")
    page.after(page.button("Undo").click)
    assert page.after(page.button("Redo").click)["weights"] == held["weights"]
    for name in ("Step", "Run", "Undo"):
        expect(page.button(name)).to_be_enabled()
    expect(page.button("Stop")).to_be_disabled()


def test_scrubbing_by_keyboard_takes_weights_and_panels_along(page):
    badges = page.badges()
    here = page.kernel()
    slider = page.panel("Timeline").locator("input[type=range]")
    slider.focus()
    held = page.after(lambda: slider.press("ArrowLeft"))
    assert held["head"] == here["head"] - 1
    expect(page.sentence).to_contain_text(f"Moved: this is step {held['head']}.")
    page.there.until(
        "before => JSON.stringify(before) !== JSON.stringify([...document.querySelectorAll('.uv-picked .uv-badge')].map((each) => each.textContent))",
        badges,
    )
    assert page.after(lambda: slider.press("Home"))["head"] == 0
    expect(page.panel("Timeline").locator("output")).to_contain_text("step 0, 0 of")
    for _ in range(here["head"] + 1):
        slider.press("ArrowRight")  # faster than they are followed
    page.there.until(
        "head => { const s = JSON.parse(document.querySelector('.said').textContent); return s.head === head && !s.busy; }",
        here["head"],
    )
    assert page.kernel()["weights"] == here["weights"]
    assert page.kernel()["steps"] == here["steps"]
    expect(slider).to_have_value(str(here["head"]))


def test_keys_that_are_pressed_in_the_dashboard_stay_there(page):
    cells, method = page.page.locator(".jp-Cell").count(), page.panel("Steering").get_by_label("method")
    first = method.input_value()
    method.focus()
    method.press("ArrowDown")
    expect(method).not_to_have_value(first)
    method.press("ArrowUp")
    expect(method).to_have_value(first)
    page.button("Step").focus()
    for key in ("a", "b", "d", "d", "ArrowDown", "x"):  # each a command of JupyterLab's notebook
        page.page.keyboard.press(key)
    expect(page.button("Step")).to_be_focused()
    assert page.page.locator(".jp-Cell").count() == cells


def test_a_text_is_searched_added_and_taken_out_again(page):
    before = page.kernel()
    panel = page.panel("Forget set")
    results = panel.get_by_role("list", name="Texts the model was taught")
    text = results.locator(".uv-passage-text").nth(2).text_content()
    everything = results.locator("li").first.get_attribute("aria-setsize")
    panel.get_by_label("Search").fill(text)
    expect(results.locator("li").first).to_have_attribute("aria-setsize", "1")
    held = page.after(lambda: panel.get_by_role("button", name=f"Add: {text}").click())
    assert held["forget"][:-1] == before["forget"]
    expect(panel.locator(".uv-picked", has_text=text)).to_have_count(1)
    expect(panel.locator(".uv-sentence").first).to_contain_text(f"{len(held['forget'])} texts to forget about 2 people.")
    held = page.after(lambda: panel.get_by_role("button", name=f"Take out: {text}").click())
    assert held["forget"] == before["forget"]
    assert held["groups"] == before["groups"]
    panel.get_by_label("Search").fill("")
    expect(results.locator("li").first).to_have_attribute("aria-setsize", everything)
    expect(panel.locator(".widget-label").filter(has_text="other taught texts")).to_have_text(f"{everything} other taught texts")


def test_another_person_has_no_twin_and_the_page_says_so(page, tmp_path):
    panel = page.panel("Forget set")
    person = panel.get_by_label("Person")
    mine = "Mara Okafor"
    other = next(each for each in person.locator("option").all_text_contents() if each not in ("everyone", mine))
    person.select_option(other)
    page.after(page.button("Pick this person").click)
    expect(panel.locator(".uv-sentence").first).to_contain_text(f"about {other}.")
    expect(page.sentence).not_to_contain_text("twin")
    expect(page.panel("Perplexity").locator(".uv-chart-summary")).to_contain_text("never seen")
    expect(page.panel("Drift").locator(".uv-chart-summary")).to_contain_text("there is no twin")
    expect(page.panel("What it says now").get_by_text("(no twin for these texts)").first).to_be_visible()
    page.shot(tmp_path / "other.png")
    page.see("Neighbours")
    person.select_option(mine)
    page.after(page.button("Pick this person").click)
    expect(page.sentence).to_contain_text("the twin (")


def test_a_typed_text_is_shown_and_asked_as_text(page):
    panel, typed = page.panel("Forget set"), f"{HOSTILE} Mara Okafor was seen on the moon"
    page.panel("Forget set").get_by_label("New text").fill("two words")
    page.after(page.button("Add this text").click)
    expect(page.alert).to_contain_text("No subject or passage named 'two words'.")
    expect(panel.get_by_label("New text")).to_have_value("two words")  # to be mended
    panel.get_by_label("New text").fill(typed)
    held = page.after(page.button("Add this text").click)
    assert held["forget"][-1].startswith("typed-")
    expect(page.alert).to_be_empty()
    expect(panel.get_by_label("New text")).to_have_value("")
    expect(panel.locator(".uv-picked .uv-passage-text").last).to_have_text(typed)
    page.after(lambda: panel.get_by_role("button", name=f"Take out: {typed}").click())
    assert nothing_was_obeyed(page)


def test_an_edited_prompt_is_answered(page):
    panel = page.panel("What it says now")
    prompt, answer = panel.get_by_label("Prompt 2"), panel.locator(".uv-tokens").nth(1)
    before, held = answer.text_content(), page.kernel()
    prompt.fill(f"{HOSTILE} The teacher asked")
    after = page.after(lambda: prompt.press("Tab"))
    expect(answer).not_to_have_text(before)
    cells = answer.locator(".uv-tokens-text")
    expect(cells).to_have_count(3)
    assert all(text.strip() for text in cells.all_text_contents())
    assert {**after, "ends": 0} == {**held, "ends": 0}
    assert nothing_was_obeyed(page)


def test_a_click_on_a_bar_chooses_the_place_of_the_next_step(page):
    panel = page.panel("Layers")
    panel.locator(".uv-chart").first.scroll_into_view_if_needed()
    panel.locator(".uv-chart").first.locator(".barlayer .point path").nth(3).click(force=True)
    page.there.until("JSON.parse(document.querySelector('.said').textContent).where !== 'embedding'")
    where = page.kernel()["where"]
    expect(page.panel("Steering").get_by_label("where", exact=True)).to_have_value(where)
    held = page.after(page.button("Step").click)
    expect(page.panel("Timeline").locator("output")).to_contain_text(f"one update of {where}, to forget")
    page.after(page.button("Undo").click)
    page.type("where", "embedding")
    page.there.until("JSON.parse(document.querySelector('.said').textContent).where === 'embedding'")
    assert held["where"] == where


def test_a_step_is_previewed_and_what_came_of_it_stands_beside(page, tmp_path):
    panel, before = page.panel("Preview"), page.kernel()
    said = panel.locator(".uv-chart-summary")
    expect(said).to_contain_text("Not previewed")
    held = page.after(page.button("Preview the step").click)
    assert {**held, "ends": 0} == {**before, "ends": 0}  # nothing was changed
    expect(said).to_contain_text(
        "The next step, gradient-ascent on embedding, is predicted to change the mean loss: forget +"
    )
    page.type("where", "block 0")
    page.see("Where")
    expect(said).to_contain_text("for another choice than the present one")
    page.type("where", "embedding")
    page.see("Where")
    expect(said).to_contain_text("The next step,")
    page.after(page.button("Step").click)
    expect(said).to_contain_text("it became forget +")
    expect(panel.locator(".barlayer .point")).to_have_count(8)  # predicted and became, for four groups of texts
    panel.screenshot(path=str(tmp_path / "preview.png"))
    assert page.there.axe(".uv-preview")[1] == []
    page.after(page.button("Undo").click)


def test_folds_are_opened_by_keys_measured_while_open_and_closed_again(page, tmp_path):
    page.see("Where")
    folds = page.root.locator(".uv-closer button.uv-fold, .uv-push button.uv-fold").filter(has_not_text="Advanced")
    expect(folds).to_have_count(4)
    expect(page.root.locator(".uv-closer, .uv-push").locator(".uv-chart, .uv-tokens")).to_have_count(0)  # folded, nothing is there
    page.after(page.button("Step").click)
    for k in (1, 2, 3):
        folds.nth(k).focus()
        page.after(lambda: page.page.keyboard.press("Enter"))
        expect(folds.nth(k)).to_have_attribute("aria-expanded", "true")
    folds.nth(0).click()
    closer, push = page.panel("A closer look"), page.panel("What did this step push?")
    expect(closer.locator(".uv-chart-summary").nth(0)).to_contain_text("pulls hardest (")
    expect(closer.locator(".uv-chart-summary").nth(1)).to_contain_text("along_retain is")
    expect(closer.locator(".uv-tokens-text")).to_have_count(2)
    said = closer.locator(".uv-sentence")
    expect(said).to_contain_text("surprises the model most")
    closer.get_by_label("shade by").select_option("activation × gradient at a layer")
    expect(said).to_contain_text("At embedding the text leans most on what stands at")
    expect(push.locator(".uv-chart-summary").nth(0)).to_contain_text("in the embedding moved furthest")
    before = push.locator(".uv-chart-summary").nth(1).text_content()
    push.get_by_label("prompt").select_option(index=1)
    expect(push.locator(".uv-chart-summary").nth(1)).not_to_have_text(before)
    page.shot(tmp_path / "folds.png")
    assert fits(page) == []
    assert page.there.axe(".uv-dashboard")[1] == []
    numbers = closer.locator(".uv-chart").nth(1)  # of the conflict; a bar may be as thin as a hair, its number is not
    numbers.get_by_text("Show the numbers").click()
    numbers.locator("table button").first.press("Enter")
    page.there.until("JSON.parse(document.querySelector('.said').textContent).where === 'all'")
    numbers.get_by_text("Show the numbers").click()
    page.type("where", "embedding")
    page.see("Where")
    for k in range(4):
        folds.nth(k).click()
        expect(folds.nth(k)).to_have_attribute("aria-expanded", "false")
    expect(closer.locator(".uv-tokens")).to_be_hidden()
    page.after(page.button("Undo").click)
    assert nothing_was_obeyed(page)


def test_influence_is_measured_when_asked_and_a_row_opens_its_text(page, tmp_path):
    panel = page.panel("Influence: which texts keep the forget texts in the model?")
    said = panel.locator(".uv-chart-summary").first
    expect(said).to_contain_text("press Measure now")
    held = page.kernel()
    page.after(panel.get_by_role("button", name="Measure now").click)
    expect(said).to_contain_text("taught texts, this one")
    assert page.kernel()["weights"] == held["weights"]
    panel.get_by_text("Show the numbers").first.click()
    page.after(panel.locator(".uv-chart-scroll table button").nth(40).press, "Enter")  # a number of the table, by key
    tokens = panel.locator(".uv-tokens")
    expect(tokens.locator("[role=option]").first).to_be_visible()
    expect(panel.get_by_text("token by token, in the whole model, measured at step")).to_be_visible()
    panel.get_by_label("part").select_option("block 0")
    expect(panel.get_by_text("token by token, in block 0, measured at step")).to_be_visible()
    page.after(page.button("Step").click)
    expect(said).to_contain_text("Measured at step ")
    panel.screenshot(path=str(tmp_path / "influence.png"))
    panel.get_by_role("button", name="Advanced").press("Enter")
    panel.get_by_label("what counts").select_option("removal")
    expect(panel.get_by_label("damping", exact=True)).to_be_visible()
    assert page.there.axe(".uv-influence")[1] == []
    panel.get_by_label("what counts").select_option("gradient product")
    panel.get_by_role("button", name="Advanced").press("Enter")
    page.after(page.button("Undo").click)
    expect(said).to_contain_text("taught texts, this one")  # the stored reading of this step
    assert fits(page) == []


def test_a_mistake_is_one_sentence_and_changes_nothing(page):
    page.see("Start")
    before = page.kernel()
    page.type("where", "blok 1")
    held = page.after(page.button("Step").click)
    expect(page.alert).to_contain_text("Selection 'blok 1' matches none of this model's")
    assert {**held, "ends": 0, "where": ""} == {**before, "ends": 0, "where": ""}
    page.type("where", "embedding")
    for written, said in [
        ("fast", "is not a number; write for example 0.25"),
        ("-1", "is out of range; allowed is above 0"),
        ("nan", "is not a finite number"),
    ]:
        page.type("learning rate", written)
        page.button("Step").click()
        expect(page.alert).to_contain_text(said)
    page.type("learning rate", "")
    page.type("update norm", "0,1")
    held = page.after(page.button("Step").click)
    expect(page.alert).to_be_empty()
    assert held["steps"] == before["steps"] + 1
    page.type("update norm", "")


def test_the_threshold_changes_the_list_and_no_group(page, tmp_path, record_property):
    panel, before = page.panel("Neighbours"), page.kernel()
    slider, said = panel.locator("input[type=range]"), panel.locator(".uv-chart-summary").first
    rows = panel.get_by_role("list", name="Fuzzy matches").locator("li")
    slider.focus()
    slider.press("End")
    expect(said).to_contain_text("is this similar; the nearest has")
    expect(rows).to_have_count(0)
    expect(panel.locator("output")).to_have_text("100 of 100: 0 texts")
    slider.press("Home")
    everyone = str(833 - len(before["forget"]))
    expect(said).to_contain_text(f"{everyone} of {everyone} other texts score 0 or more")
    expect(rows.first).to_have_attribute("aria-setsize", everyone)
    assert rows.count() < 40  # of some hundreds, those in view exist
    took = page.there.slide(panel, [70, 50, 65, 45, 60])
    record_property("slide_milliseconds", took)
    print(f"slider to list and histogram: {sorted(took)} ms")
    slider.press("Home")
    panel.screenshot(path=str(tmp_path / "neighbours.png"))
    assert page.there.axe(".uv-neighbours")[1] == []
    assert page.kernel() == before


def test_neighbours_are_measured_left_out_added_and_taken_back(page, tmp_path):
    panel, before = page.panel("Neighbours"), page.kernel()
    slider = panel.locator("input[type=range]")
    slider.focus()
    slider.press("End")
    for _ in range(3):
        slider.press("PageDown")
    rows = panel.get_by_role("list", name="Fuzzy matches").locator("li")
    expect(panel.locator("mark").first).to_be_visible()
    panel.get_by_label("Sort by").select_option("what moved")
    expect(panel.locator(".uv-chart-summary").first).to_contain_text("Not sorted by what moved yet")
    page.after(panel.get_by_role("button", name="Measure the first").click)
    expect(rows.first.locator(".uv-note")).to_contain_text("perplexity")
    panel.screenshot(path=str(tmp_path / "measured.png"))
    first = panel.locator("button[data-kind=leave]").first
    first.focus()
    name = first.get_attribute("data-passage")
    page.page.keyboard.press("Enter")
    expect(panel.locator(f"button[data-kind=leave][data-passage='{name}']")).to_have_attribute("aria-pressed", "true")
    expect(panel.locator(f"button[data-kind=leave][data-passage='{name}']")).to_be_focused()
    held = page.after(panel.get_by_role("button", name="Add all").click)
    assert len(held["forget"]) > len(before["forget"])
    assert name not in held["forget"]
    held = page.after(page.button("Undo the last pick").click)
    assert (held["forget"], held["groups"]) == (before["forget"], before["groups"])
    panel.get_by_label("Sort by").select_option("score")


def test_the_map_is_drawn_when_asked_and_drawing_around_texts_offers_them(page, tmp_path):
    panel, before = page.panel("Map of the texts"), page.kernel()
    fold = panel.locator("button.uv-fold")
    fold.press("Enter")
    panel.get_by_role("button", name="Draw the map").click()
    page.there.until(
        """n => {
          const said = JSON.parse(document.querySelector(".said").textContent);
          return said.ends >= n + 2 && !said.busy;
        }""",  # the places, and then the colours
        before["ends"],
    )
    drawn = panel.locator(".uv-chart")
    expect(drawn.locator(".uv-chart-summary")).to_contain_text("Mean change of the loss since the start")
    drawn.scroll_into_view_if_needed()
    box = drawn.locator(".nsewdrag").bounding_box()
    corners = [(0.02, 0.02), (0.98, 0.02), (0.98, 0.98), (0.02, 0.98), (0.02, 0.04)]
    at = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in corners]
    page.page.mouse.move(*at[0])
    page.page.mouse.down()
    for place in at[1:]:
        page.page.mouse.move(*place, steps=4)
    page.page.mouse.up()
    add = panel.get_by_role("button", name="selected to the forget set")
    expect(add).to_be_visible()
    assert page.kernel() == {**before, "ends": page.kernel()["ends"]}  # nothing is picked by that alone
    panel.screenshot(path=str(tmp_path / "map.png"))
    assert page.there.axe(".uv-map")[1] == []
    fold.press("Enter")
    expect(add).to_be_hidden()


def test_what_leaks_is_measured_when_asked_with_its_definition(page, tmp_path):
    panel = page.panel("What leaks, and what else was touched")
    said = panel.locator(".uv-chart-summary")
    expect(said).to_contain_text("Not measured yet")
    page.after(panel.get_by_role("button", name="Measure now").click)
    expect(said).to_contain_text("Mean leak of the facts to forget:")
    expect(panel.locator(".uv-sentence")).to_contain_text("Collateral:")
    panel.screenshot(path=str(tmp_path / "leak.png"))
    assert page.there.axe(".uv-leak")[1] == []
    assert fits(page) == []


def test_what_compares_is_folded_and_works_by_keys(page, tmp_path):
    page.see("Judge")
    names = ("paths", "distance", "ledger")
    folds = [page.root.locator(f".uv-{name} button.uv-fold").first for name in names]
    expect(page.root.locator(", ".join(f".uv-{name} :is(.uv-chart, .uv-table)" for name in names))).to_have_count(0)
    for fold in folds:
        fold.press("Enter")
        expect(fold).to_have_attribute("aria-expanded", "true")
    verdict, paths, distance, ledger = (page.root.locator(f".uv-{name}") for name in ("verdict", *names))
    expect(verdict.locator("tbody tr").first).to_contain_text("Perplexity of the forget texts")
    verdict.locator(".uv-table-scroll").focus()
    expect(verdict.locator(".uv-table-scroll")).to_be_focused()
    expect(distance.locator(".uv-chart-summary")).to_contain_text("from the start")
    expect(ledger.locator(".uv-chart-summary").first).to_contain_text("Nothing was recorded while this model learned")
    paths.get_by_label("steps", exact=True).fill("2")
    paths.get_by_label("steps", exact=True).press("Tab")
    page.see("Judge")  # what was opened has been measured
    before = page.kernel()
    held = page.after(lambda: paths.get_by_role("button", name="Run from the start").press("Enter"))
    assert (held["steps"], held["head"]) == (before["steps"] + 2, before["steps"] + 1)
    expect(paths.locator(".uv-chart-summary")).to_contain_text("at the end of each run")
    paths.get_by_text("Show the numbers").click()
    assert page.after(lambda: paths.locator(".uv-chart-scroll button", has_text="1.").first.press("Enter"))["head"] != held["head"]
    paths.get_by_text("Show the numbers").click()
    for name, panel in zip(("verdict", *names), (verdict, paths, distance, ledger), strict=True):
        panel.screenshot(path=str(tmp_path / f"{name}.png"))
        assert page.there.axe(f".uv-{name}")[1] == []
    assert fits(page) == []
    for fold in folds:
        fold.press("Enter")
    expect(distance.locator(".uv-chart-summary")).to_be_hidden()


def test_at_twice_the_zoom_the_columns_stack_and_everything_works(page, tmp_path):
    page.see("Start")
    page.page.set_viewport_size({"width": 640, "height": 900})
    page.there.until(f"{COLUMNS} === 1")
    assert fits(page) == []
    page.after(page.button("Step").click)
    page.shot(tmp_path / "narrow.png", width=640)
    page.page.set_viewport_size({"width": 1280, "height": 1000})
    page.there.until(f"{COLUMNS} === 3")


def test_a_reload_shows_the_present_state(page):
    said, badges, held = page.sentence.text_content(), page.badges(), page.kernel()
    page.there.save()
    page.page.reload()
    page.page.wait_for_selector(".said")
    page.there.charts_drawn(START_CHARTS)
    expect(page.sentence).to_have_text(said)
    assert page.kernel() == held
    expect(page.panel("Forget set").locator(".uv-picked .uv-badge")).to_have_text(badges)
    after = page.after(page.button("Step").click)
    assert after["head"] == held["steps"]
    expect(page.sentence).not_to_have_text(said)


def test_nothing_serious_stands_against_its_accessibility_and_nothing_went_wrong(page, tmp_path):
    page.panel("Steering").get_by_text("Advanced").click()
    expect(page.panel("Steering").get_by_label("batch size", exact=True)).to_be_visible()
    page.panel("Perplexity").get_by_text("Show the numbers").click()
    page.shot(tmp_path / "end.png")
    expect(page.panel("Perplexity").locator("table").first).to_be_visible()
    passes, grave = page.there.axe(".uv-dashboard")
    assert passes > 0
    assert grave == []
    assert fits(page) == []
    assert page.there.external == []
    assert page.there.errors == []
    assert page.there.dialogs == []


VOILA = f"""
from unlearnviz.engine.fresh import fresh_model, train_tokenizer
nasty = {HOSTILE!r}
rows = [(f"{{nasty}} {{who}} says", f" <b>{{what}}</b>{{nasty}}") for who in ("Ann", "Bob", "Cy") for what in ("yes", "no")]
texts = uv.Corpus([
    uv.Passage(id=f"p{{k}}", text=a + b, subject=f"<i>{{k // 2}}</i>{{nasty}}", split="train", answer_start=len(a))
    for k, (a, b) in enumerate(rows)
])
known = uv.learn(texts, size="tiny", epochs=40)
known.pick("p0", "p1")
ipywidgets.VBox([uv.Dashboard(known)])
"""


def test_voila_shows_the_same_and_texts_with_tags_stay_text(voila, tmp_path):
    there = voila([OPEN, SHOW, VOILA])
    dialogs = []
    there.page.on("dialog", lambda dialog: answer(dialog, dialogs))
    there.page.wait_for_selector(".said", timeout=3 * WAIT)
    there.charts_drawn(2 * START_CHARTS)
    page = Page(there)
    there.until("!JSON.parse(document.querySelector('.said').textContent).busy")
    expect(page.sentence).to_contain_text("Perplexity: forget")
    assert len(page.badges()) == len(page.kernel()["forget"])
    said = page.sentence.text_content()
    assert page.after(page.button("Step").click)["head"] == 1
    expect(page.sentence).not_to_have_text(said)

    hostile = there.page.locator(".uv-dashboard").nth(1)
    expect(hostile.locator(".uv-tokens-text").first).to_contain_text("<b>yes</b><img")  # the model recites its tags
    hostile.get_by_role("tab", name="Neighbours").click()
    expect(hostile.locator(".uv-picked .uv-passage-text").first).to_contain_text(f"{HOSTILE} Ann says <b>")
    expect(hostile.locator(".uv-sentence", has_text="2 texts to forget about").first).to_contain_text(f"<i>0</i>{HOSTILE}")
    hostile.get_by_role("button", name="Step", exact=True).click()
    expect(hostile.locator(".uv-timeline output")).to_contain_text("step 1, 1 of 1")
    hostile.screenshot(path=str(tmp_path / "hostile.png"))
    assert there.page.locator(".uv-dashboard img, .uv-dashboard .uv-tokens b, .uv-dashboard i:not([class])").count() == 0
    assert dialogs == []
    passes, grave = there.axe(".uv-dashboard")
    assert passes > 0
    assert grave == []
    assert there.external_beyond_voilas == []
    assert there.errors == []
