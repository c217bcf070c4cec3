"""References in the page: a twin goes with its pick, at once; a number is checked by a plain loop; and both stay readable."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import write_notebook
from tests.browser.dashboard_page import OPEN, SHOW, Page
from tests.browser.visit import WAIT, Visit

pytestmark = pytest.mark.browser
# all that is said of the perplexities from now on
WATCH = """() => {
  const said = document.querySelector(".uv-perplexitypanel .uv-chart-summary");
  window.uvSeen = [];
  new MutationObserver(() => window.uvSeen.push(said.textContent)).observe(said, { childList: true, subtree: true, characterData: true });
}"""
BANDS = "all => all.filter((each) => each.getAttribute('d').endsWith('Z')).length"  # not lines, but areas


@pytest.fixture(scope="module")
def page(chromium, lab_server, lab_home):
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    there = Visit(context.new_page())
    there.page.on("dialog", lambda dialog: dialog.accept())
    write_notebook(lab_home / "notebooks" / "references.ipynb", [OPEN, SHOW])
    there.open_lab(lab_server, "references.ipynb")
    there.run_all()
    there.page.wait_for_selector(".said", timeout=3 * WAIT)
    made = Page(there)
    made.see("Start")
    yield made
    assert there.errors == []
    context.close()


def test_numbers_stand_with_their_texts_and_the_range_of_the_twins(page, tmp_path):
    page.after(page.button("Step").click)
    panel = page.panel("Perplexity")
    page.shot(tmp_path / "numbers.png")
    said = panel.locator(".uv-chart-summary")
    expect(said).to_contain_text("(5 texts); neighbours")
    expect(said).to_contain_text("(20 of 602, fixed sample)")
    expect(said).to_contain_text("5 twins that differ in their seeds alone lie between 16.8 and 21.6 (the bands).")
    assert panel.locator(".shapelayer path, .layer-below path").evaluate_all(BANDS) == 4
    assert panel.locator(".scatterlayer .trace").last.locator(".point").count() == 65  # single texts
    expect(page.sentence).to_contain_text(re.compile(r"forget 1\.14 → 1\.3\d \(\+\d\d\.\d % since the start\), still below the twin \(21\.6\)"))
    expect(page.sentence).not_to_contain_text("unchanged (1.16)")


def test_check_this_number_shows_both(page, tmp_path):
    page.after(page.button("Check this number").click)
    answer = page.panel("Perplexity").locator(".uv-sentence").last
    expect(answer).to_contain_text("Perplexity at step 1, recomputed by a plain GPT2LMHeadModel, one text and one token at a time: forget ")
    both = re.search(r"forget ([\d.]+) here, ([\d.]+) by the loop", answer.text_content())
    assert float(both[1]) == pytest.approx(float(both[2]), rel=1e-4)
    expect(answer).to_contain_text("They agree")
    page.shot(tmp_path / "checked.png")


def test_with_another_pick_the_twin_goes_before_anything_is_measured_and_another_is_offered(page, tmp_path):
    panel, offer = page.panel("Perplexity"), page.button("Train this twin")
    expect(offer).to_be_hidden()
    person = page.root.locator(".uv-start").get_by_label("Person")
    names = [each.replace("\u00a0", " ") for each in person.locator("option").all_text_contents()]
    other = next(each for each in names[1:] if each != "Mara Okafor")  # the first is nobody
    page.page.evaluate(WATCH)
    page.after(lambda: person.select_option(other))
    said = panel.locator(".uv-chart-summary")
    expect(said).to_contain_text(f"This twin still met {other}; compare with the never-seen texts, or train the twin of these texts (about ")
    expect(panel.locator(".annotation-text", has_text="twin")).to_have_count(0)
    assert panel.locator(".shapelayer path, .layer-below path").evaluate_all(BANDS) == 0
    expect(panel.locator(".uv-sentence p").last).to_have_text("")  # nothing was checked of these
    seen = page.page.evaluate("window.uvSeen")
    assert seen[0].startswith(f"The perplexity of these texts at step 1 is being measured. This twin still met {other};"), (other, seen)
    page.shot(tmp_path / "other.png")
    offer.click()
    training = page.root.locator(".uv-training")
    far = re.compile(r"Training the twin beside: epoch \d+ of 24, loss [\d.]+ nats per token, about \d+ (s|min) left\. You can go on\.")
    expect(training).to_contain_text(far)
    before = page.kernel()
    held = page.after(page.button("Step").click)  # all else goes on meanwhile
    assert held["head"] == before["head"] + 1
    expect(page.sentence).to_contain_text("Perplexity: forget ")
    page.after(page.button("Undo").click)
    page.see("Judge")
    expect(page.button("Train the twin")).to_be_disabled()
    page.see("Start")
    expect(training).to_be_visible()
    page.shot(tmp_path / "training.png")
    assert page.there.axe(".uv-training")[1] == []
    page.button("Stop the training").press("Enter")
    expect(page.sentence).to_contain_text("The training of the twin was stopped; nothing of it was kept.")
    expect(training).to_be_hidden()
    expect(offer).to_be_enabled()
    page.after(lambda: person.select_option("Mara Okafor"))
    expect(said).to_contain_text("Aim for the twin, which never saw the forget texts: 21.6")
    expect(offer).to_be_hidden()
