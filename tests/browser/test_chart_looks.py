"""How a chart looks on a dark page and in a room, and how its numbers are reached by keys."""

import re

import plotly.graph_objects as go
import pytest

from tests.browser.chart_stage import draw, set_up
from tests.browser.visit import Visit
from tests.views.pictures import perplexities, picture
from tests.views.test_styles import contrast
from unlearnviz.views.perplexity_figure import perplexity
from unlearnviz.views.styles import COLOURS

pytestmark = pytest.mark.browser

GROUNDS = {"light": ("#ffffff", "rgba(0, 0, 0, 0.87)"), "dark": ("#212121", "rgba(255, 255, 255, 0.87)")}
PAINTED = """plot => [...plot.querySelectorAll("text, .scatterlayer .js-line, .scatterlayer .point, .shapelayer path")].map((each) => {
  const { fill, stroke, strokeWidth, fontSize } = getComputedStyle(each);
  const { left, right, top, bottom } = each.getBoundingClientRect();
  const letters = each.tagName === "text";
  const width = each.closest(".shapelayer, .js-line") ? parseFloat(strokeWidth) : null;
  return { letters, text: each.textContent, colour: letters ? fill : stroke === "none" ? fill : stroke, width, size: parseFloat(fontSize),
    box: [left, top, right, bottom], inPlot: Boolean(each.closest(".scatterlayer")) };
}).filter(({ box }) => box[2] > box[0] || box[3] > box[1])"""


def drawn():
    """Four lines that end close to each other, with the levels of start and twin."""
    return perplexity(picture(*(perplexities(k, 1.2 + 0.4 * k) for k in range(4)), start=[perplexities(0, 1.2, of="start")],
                              twin=[perplexities(0, 20.0, of="twin")]))  # fmt: skip


def hexadecimal(colour):
    return "#" + "".join(f"{int(each):02x}" for each in re.findall(r"\d+", colour)[:3])


def overlaps(one, other):
    (left, top, right, bottom), (west, north, east, south) = one["box"], other["box"]
    return min(right, east) - max(left, west) > 1 and min(bottom, south) - max(top, north) > 2


@pytest.fixture(scope="module")
def stage(chromium):
    """One page for all tests: plotly.js takes longer to arrive than all of them to draw."""
    context = chromium.new_context(viewport={"width": 1280, "height": 1000})
    yield set_up(Visit(context.new_page()))
    context.close()


@pytest.mark.parametrize("theme", GROUNDS)
def test_lines_and_letters_stand_out_from_the_page(stage, theme, tmp_path):
    ground, ink = GROUNDS[theme]
    figure, said = drawn()
    chart = draw(stage, figure, said, style=f"width: 560px; background: {ground}; --jp-ui-font-color1: {ink}")
    chart.screenshot(path=str(tmp_path / f"{theme}.png"))
    painted = chart.locator(".uv-chart-plot").evaluate(PAINTED)
    assert len([each for each in painted if not each["letters"]]) >= 4 * 5
    for each in painted:
        assert contrast(hexadecimal(each["colour"]), ground) >= (4.5 if each["letters"] else 3), each
    assert len({each["colour"] for each in painted if each["inPlot"]}) == 4  # the groups stay apart


def test_another_theme_and_the_switch_for_a_room_redraw_a_chart(stage):
    figure, said = drawn()
    chart = draw(stage, figure, said)
    line = "document.querySelector('.js-line') && getComputedStyle(document.querySelector('.js-line'))"
    before = [stage.page.evaluate(f"{line}.{name}") for name in ("stroke", "strokeWidth")]
    assert before == ["rgb(213, 94, 0)", "2.5px"]
    stage.page.evaluate("""() => {
      document.querySelector(".uv-dashboard").style.background = "#111111";
      document.querySelector(".uv-dashboard").style.setProperty("--jp-ui-font-color1", "#eeeeee");
      document.body.dataset.jpThemeName = "JupyterLab Dark";
    }""")
    stage.until("getComputedStyle(document.querySelector('.xtick text')).fill === 'rgb(238, 238, 238)'")
    stage.page.evaluate("document.querySelector('.uv-dashboard').classList.add('uv-projector')")
    stage.until(f"parseFloat({line}.strokeWidth) >= 3")
    stage.page.evaluate("document.querySelector('.uv-dashboard').classList.remove('uv-projector')")
    stage.until(f"{line}.strokeWidth === '2.5px'")
    assert chart.locator(".legendtext").count() == 4
    for width in (300, 600):  # the legend takes more lines, then fewer, and stays above the plot
        stage.page.evaluate("width => { document.querySelector('.uv-dashboard').style.width = `${width}px`; }", width)
        stage.until(f"document.querySelector('.main-svg').width.baseVal.value === {width}")
        stage.until("""() => {
          const [legend, plot] = [".legend", ".nsewdrag"].map((name) => document.querySelector(name).getBoundingClientRect());
          return legend.bottom <= plot.top + 1 && plot.top - legend.bottom < 20;
        }""")
    assert stage.errors == []


def test_in_a_room_letters_are_large_lines_thick_and_named_where_they_end(stage, tmp_path):
    figure, said = drawn()
    chart = draw(stage, figure, said, style="width: 900px")
    stage.page.evaluate("document.querySelector('.uv-dashboard').classList.add('uv-projector')")
    stage.until("parseFloat(getComputedStyle(document.querySelector('.js-line')).strokeWidth) >= 3")
    chart.screenshot(path=str(tmp_path / "room.png"))
    painted = chart.locator(".uv-chart-plot").evaluate(PAINTED)
    letters = [each for each in painted if each["letters"]]
    assert min(each["size"] for each in letters) >= 18
    assert min(each["width"] for each in painted if each["width"]) >= 3
    assert chart.locator(".legendtext").count() == 0
    names = [each for each in letters if each["text"] in COLOURS]
    assert sorted(each["text"] for each in names) == sorted(COLOURS)
    assert not [(one["text"], other["text"]) for k, one in enumerate(names) for other in names[k + 1 :] if overlaps(one, other)]
    edge = chart.locator(".uv-chart-plot").bounding_box()
    for each in letters:  # nothing is cut off
        left, top, right, bottom = each["box"]
        assert left >= edge["x"] - 1
        assert right <= edge["x"] + edge["width"] + 1
        assert bottom <= edge["y"] + edge["height"] + 1
        assert top >= edge["y"] - 1


def test_every_point_is_a_row_that_keys_reach(stage):
    steps = list(range(450))
    figure = go.Figure(go.Scatter(x=steps, y=[k / 8 for k in steps], name="forget", text=[f"text {k}" for k in steps], mode="markers"))
    chart = draw(stage, figure, "Many points.", clickable=True)
    keys, told = stage.page.keyboard, "models[0].told.filter((each) => each.kind === 'click')"
    chart.get_by_text("Show the numbers").press("Enter")
    stage.until("document.querySelectorAll('.uv-chart tbody tr').length === 200")
    assert chart.locator("thead th").all_text_contents() == ["x", "forget", "in words"]
    assert chart.get_by_text("rows 1 to 200 of 450").count() == 1
    chart.locator("td button").first.focus()
    for key in ("ArrowDown", "ArrowDown", "Enter"):
        keys.press(key)
    assert stage.page.evaluate(f"{told}.map((each) => [each.point, each.text])") == [[2, "text 2"]]
    stage.page.evaluate("models[0].update()")  # the tables are filled anew, and the key goes on where it was
    keys.press("ArrowUp")
    keys.press("Enter")
    assert stage.page.evaluate(f"{told}.at(-1).point") == 1
    later = chart.get_by_role("button", name="Later rows")
    later.press("Enter")
    keys.press("Enter")  # the focus stayed on it
    stage.until("document.querySelector('.uv-chart tbody th').textContent === '400'")
    assert chart.locator("tbody tr").last.locator("td").all_text_contents() == ["56.1", "text 449"]
    assert later.is_disabled()
    passes, grave = stage.axe(".uv-chart")
    assert passes > 0
    assert grave == []
    chart.get_by_role("button", name="Earlier rows").press("Enter")
    assert chart.locator("tbody th").first.text_content() == "200"
    reached = stage.page.evaluate("[...document.querySelectorAll('.uv-chart td button')].filter((each) => each.tabIndex === 0).length")
    assert reached == 1  # one stop for Tab


def test_a_wide_map_shows_its_columns_page_by_page(stage):
    figure = go.Figure(go.Heatmap(z=[list(range(150)), list(range(150, 300))]))
    chart = draw(stage, figure, "A wide map.")
    chart.get_by_text("Show the numbers").click()
    chart.get_by_text("columns 1 to 59 of 150").wait_for()
    for start in (60, 119):
        chart.get_by_role("button", name="Later columns").press("Enter")
        stage.until("start => [...document.querySelectorAll('.uv-chart thead th')][1].textContent === String(start - 1)", start)
    assert chart.locator("tbody tr").last.locator("td").all_text_contents() == [str(each) for each in range(268, 300)]
