"""TokenText in a real JupyterLab and in Voila."""

import pytest

pytestmark = pytest.mark.browser

HOSTILE = "<img src=x onerror=window.hacked=1><b>bold</b></script>"
TEXTS = f"""
import ipywidgets, math
from unlearnviz.views.tokens import TokenText

words = "Mara Okafor was born in Lisbon and plays the cello .".split()
losses = [2.5, 3.75, -0.5, -1.25, 0.0, 4.0, math.nan, -3.0, -4.0, 1.0, math.inf]
shaded = TokenText([("now", [(" " + w, v) for w, v in zip(words, losses)] + [({HOSTILE!r}, 1.0)]),
                    ("start", [(" " + w, v / 2) for w, v in zip(words[:6], losses)])],
                   label="loss of each token", unit="nats")
start, now = "Mara was born in Lisbon .".split(), "Mara was born in a village .".split()
compared = TokenText(
    [("At the start", [w + " " for w in start]),
     ("Now", [(w + " ", None, "" if w in start else "changed") for w in now]),
     ("The twin", [(w + " ", None, "" if w in start else "changed") for w in now])], columns=3)
said = ipywidgets.Label("nothing chosen"); said.add_class("said")
shaded.on_click(lambda click: setattr(said, "value", f"{{click['text']}} {{click['value']}}"))
other = ipywidgets.Button(description="Other")
other.on_click(lambda _: shaded.update([("now", [(" far", 9.0), (" near", -9.0), (" odd", math.nan)])]))
ipywidgets.VBox([shaded, compared, said, other])
"""

DARK = """() => {
  const style = document.createElement("style");
  style.textContent = `.jp-OutputArea, .jp-OutputArea * { --jp-ui-font-color1: white; --jp-border-color1: #888; }
    .jp-OutputArea { background: #111 !important; }`;
  document.head.append(style);
}"""


def check(there):
    there.page.locator(".uv-tokens").nth(1).wait_for()
    shaded, compared = there.page.locator(".uv-tokens").nth(0), there.page.locator(".uv-tokens").nth(1)
    token = shaded.locator("[role=option]")
    readout = shaded.locator(".uv-tokens-readout")

    token.nth(0).focus()
    assert readout.text_content() == "“␣Mara” · 2.5 nats"
    there.page.keyboard.press("ArrowRight")
    assert readout.text_content() == "“␣Okafor” · 3.75 nats"
    there.page.keyboard.press("End")
    assert readout.text_content() == f"“{HOSTILE}” · 1 nats"
    there.page.keyboard.press("Home")
    there.page.keyboard.press("ArrowDown")
    assert readout.text_content() == "“␣Mara” · 1.25 nats"
    there.page.keyboard.press("Enter")
    there.page.locator(".said", has_text="Mara 1.25").wait_for()
    token.nth(6).hover()
    assert readout.text_content() == "“␣and” · nan nats"
    assert token.nth(10).get_attribute("aria-label") == "., inf nats"
    assert shaded.locator("[role=option][tabindex='0']").count() == 2  # one stop of the Tab key per row

    assert compared.locator("strong").all_text_contents() == ["a ", "village ", "a ", "village "]
    assert compared.locator("[role=option]").count() == 0
    assert compared.locator(".uv-tokens-readout").is_hidden()
    assert there.page.evaluate("[window.hacked, document.querySelectorAll('.uv-tokens img').length]") == [None, 0]
    passes, grave = there.axe(".jp-OutputArea")
    assert passes > 0
    assert grave == []

    there.button("Other").click()
    shaded.get_by_text("far").wait_for()
    assert shaded.locator("[role=option]").count() == 3
    assert there.errors == []


def test_in_jupyterlab_on_a_light_and_on_a_dark_page(lab, tmp_path):
    there = lab([TEXTS], "tokens.ipynb", height=1100)
    there.page.locator(".uv-tokens").nth(1).wait_for()
    there.page.screenshot(path=str(tmp_path / "light.png"))
    check(there)
    there.page.evaluate(DARK)
    there.page.screenshot(path=str(tmp_path / "dark.png"))
    assert there.axe(".uv-tokens")[1] == []
    assert there.external == []


def test_in_voila(voila, tmp_path):
    there = voila([TEXTS])
    check(there)
    there.page.screenshot(path=str(tmp_path / "voila.png"))
    assert there.external_beyond_voilas == []
