"""Save: what a chart leaves on disk as SVG, PNG and CSV, read again by readers of these formats that are not ours."""

import csv
import struct
import zlib
from io import StringIO
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import plotly.graph_objects as go
import pytest

import unlearnviz
from tests.browser.chart_stage import draw, set_up
from tests.browser.visit import Visit
from unlearnviz.views.figures import compose
from unlearnviz.views.layer_figures import heat_map
from unlearnviz.views.plain import plain

pytestmark = pytest.mark.browser

RECIPE = "0123456789ab"
SUMMARY = "Perplexity at step 2, lower = better remembered: forget 6.5 & “<b>”."
PERPLEXITIES = {"forget": [1.14, 2.5000000000000004, 6.5], "retain": [1.1, 1.1500001, float("nan")]}
SVG = "{http://www.w3.org/2000/svg}"
ABOUT = {"Title": "Perplexity, step 2", "Description": SUMMARY, "Recipe": RECIPE, "Software": f"unlearnviz {unlearnviz.__version__}"}


def lines():
    colours = {"forget": "#D55E00", "retain": "#0072B2"}
    traces = [
        {"type": "scatter", "mode": "lines+markers", "name": name, "x": [0, 1, 2], "y": values, "line": {"color": colours[name]},
         "marker": {"color": colours[name], "size": 8}, "meta": {"x": [0, 4, 7]}}
        for name, values in PERPLEXITIES.items()
    ]  # fmt: skip
    label = {"x": 1, "y": 2, "text": plain("=twin: 2 <b>"), "showarrow": False}
    up = {"title": {"text": "perplexity (low = remembered)"}}
    return compose(300, traces, annotations=[label], xaxis={"title": {"text": "step"}}, yaxis=up)


@pytest.fixture(scope="module")
def stage(chromium):
    """One page for all tests: plotly.js takes longer to arrive than all of them to draw."""
    context = chromium.new_context(accept_downloads=True, viewport={"width": 1280, "height": 1000})
    yield set_up(Visit(context.new_page()))
    context.close()


def saved(stage, chart, kind, *, paper=False):
    """The name and the bytes of a chart that is saved by keyboard alone."""
    menu = chart.locator(".uv-chart-save")
    if menu.get_attribute("open") is None:
        menu.locator("summary").press("Enter")
    box = menu.get_by_role("checkbox", name="paper style")
    if box.is_checked() != paper:
        box.press("Space")
    with stage.page.expect_download() as download:
        menu.get_by_role("group", name="Save this chart as").get_by_role("button", name=kind).press("Enter")
    file = download.value
    menu.get_by_role("status").get_by_text(f"Saved as {file.suggested_filename}.").wait_for()
    return file.suggested_filename, Path(file.path()).read_bytes()


def chunks(png):
    """The chunks of a PNG, each with its sum checked: [(type, content)]."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    found, at = [], 8
    while at < len(png):
        (size,) = struct.unpack(">I", png[at : at + 4])
        kind, content = png[at + 4 : at + 8], png[at + 8 : at + 8 + size]
        assert struct.unpack(">I", png[at + 8 + size : at + 12 + size])[0] == zlib.crc32(kind + content)
        found.append((kind.decode(), content))
        at += 12 + size
    return found


def texts(png):
    """What a PNG says about itself."""
    found = {}
    for kind, content in chunks(png):
        if kind == "iTXt":
            name, rest = content.split(b"\0", 1)
            assert rest[:4] == b"\0\0\0\0"  # not packed, no language, no translated name
            found[name.decode()] = rest[4:].decode()
    return found


def table(content):
    """Remarks, head and rows of a CSV."""
    whole = content.decode().split("\r\n")
    assert whole.pop() == ""
    remarks = [line for line in whole if line.startswith("#")]
    assert whole[: len(remarks)] == remarks
    head, *rows = csv.reader(StringIO("\r\n".join(whole[len(remarks) :]), newline=""), strict=True)
    return [line.removeprefix("# ") for line in remarks], head, rows


def test_the_three_files_hold_the_numbers_and_say_what_they_show(stage):
    chart = draw(stage, lines(), SUMMARY, recipe=RECIPE)
    name, content = saved(stage, chart, "SVG")
    root = ElementTree.fromstring(content)
    assert name == "perplexity-step-2.svg"
    assert [child.tag for child in root][:3] == [SVG + "title", SVG + "desc", SVG + "metadata"]
    assert [root[0].text, root[1].text] == [ABOUT["Title"], SUMMARY]
    assert root[2].text.split("\n") == [f"{key}: {value}" for key, value in ABOUT.items()]
    assert (root.get("width"), root.get("height")) == ("600", "300")
    assert {"forget", "retain", "=twin: 2 <b>"} <= {"".join(each.itertext()) for each in root.iter(SVG + "text")}

    name, content = saved(stage, chart, "PNG")
    assert name == "perplexity-step-2.png"
    assert texts(content) == ABOUT
    found = chunks(content)
    assert struct.unpack(">II", found[0][1][:8]) == (1200, 600)
    assert [kind for kind, _ in found][-1] == "IEND"
    zlib.decompress(b"".join(part for kind, part in found if kind == "IDAT"))

    name, content = saved(stage, chart, "CSV")
    remarks, head, rows = table(content)
    assert name == "perplexity-step-2.csv"
    assert remarks == [*(f"{key}: {value}" for key, value in ABOUT.items()), "Label 1: =twin: 2 <b>"]
    assert head == ["series", "step", "perplexity (low = remembered)"]
    assert [row[:2] for row in rows] == [[series, step] for series in PERPLEXITIES for step in ("0", "4", "7")]
    np.testing.assert_array_equal([float(row[2]) for row in rows], [*PERPLEXITIES["forget"], *PERPLEXITIES["retain"]])
    passes, grave = stage.axe(".uv-chart")  # the menu is open
    assert passes > 0
    assert grave == []
    assert stage.errors == []


def test_paper_style_is_one_column_wide_in_letters_of_eight_points_on_white(stage):
    dark = "width: 600px; background: #111111; color: #dddddd"
    chart = draw(stage, lines(), SUMMARY, style=dark)
    _, content = saved(stage, chart, "SVG", paper=True)
    root = ElementTree.fromstring(content)
    assert (root.get("width"), root.get("height"), root.get("viewBox")) == ("3.3in", "2.655in", "0 0 317 255")
    styles = [dict(part.split(": ", 1) for part in (each.get("style") or "").rstrip(";").split("; ") if ": " in part) for each in root.iter()]
    sizes = {float(style["font-size"].removesuffix("px")) for style in styles if "font-size" in style}
    assert {round(size * 72 / 96, 1) for size in sizes} == {8.0}
    assert "rgb(255, 255, 255)" in (root.get("style") or "") or next(root.iter(SVG + "rect")).get("style").startswith("fill: rgb(255, 255, 255)")
    assert "rgb(213, 94, 0)" in content.decode()  # the colour made for white, not for the dark page
    ends = [each for each in root.iter(SVG + "g") if "legend" in (each.get("class") or "").split()]
    assert len(ends) == 1
    _, content = saved(stage, chart, "PNG", paper=True)
    found = dict(chunks(content))
    width, _ = struct.unpack(">II", found["IHDR"][:8])
    per_metre, _, unit = struct.unpack(">IIB", found["pHYs"])
    assert unit == 1
    assert width / per_metre / 0.0254 == pytest.approx(3.3, abs=0.005)  # inches, as printed
    assert set(texts(content)) == {"Title", "Description", "Software"}  # no dashboard's recipe, none is claimed


def test_a_map_is_saved_in_the_numbers_that_it_stands_for(stage):
    heat, _, _ = heat_map([[0.01, 2.0], [float("nan"), 30.0]], ["head", "embedding"], ["step 0", "step 9"], [0, 9], "h")
    chart = draw(stage, compose(300, [heat]), "Norms.", heading="")
    name, content = saved(stage, chart, "CSV")
    _, head, rows = table(content)
    assert name == "norms.csv"
    assert head == ["series", "x", "y", "norm"]
    assert [row[1:3] for row in rows] == [[x, y] for y in ("head", "embedding") for x in ("step 0", "step 9")]
    assert [float(row[3]) for row in rows if row[3]] == pytest.approx([0.01, 2.0, 30.0], rel=1e-12)
    assert rows[2][3] == ""


def test_texts_are_quoted_and_never_run_by_a_spreadsheet(stage):
    words = ['=HYPERLINK("http://x")', "+1", "-1+1", "@sum", "a, b", "two\nlines", " =1", "fine"]
    bars = go.Bar(x=[plain(word) for word in words], y=[-1, 2, 3, 4, 5, 6, 7, 8], name="-x")
    chart = draw(stage, go.Figure(bars, {"xaxis_title": "=cmd", "yaxis_title": "n"}), "=1+1, =2", heading="@all")
    _, content = saved(stage, chart, "CSV")
    remarks, head, rows = table(content)
    assert remarks[:2] == ["Title: @all", "Description: =1+1, '=2"]
    assert head == ["series", "'=cmd", "n"]
    assert [row[1] for row in rows] == ['\'=HYPERLINK("http://x")', "'+1", "'-1+1", "'@sum", "a, b", "two\nlines", "' =1", "fine"]
    assert [row[0] for row in rows] == ["'-x"] * 8
    assert rows[0][2] == "-1"  # a number stays one
