"""Chart without a page: what it would send, and what it makes of what a page sends."""

import json
import math
import zlib
from datetime import date

import numpy as np
import plotly.graph_objects as go
import pytest

from unlearnviz.views.chart import Chart, companion, plain, plotly_js, wire


def buffers(value):
    """All bytes in a spec."""
    if isinstance(value, bytes):
        return [value]
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return [each for part in parts for each in buffers(part)]


def test_arrays_travel_as_bytes_with_dtype_and_shape():
    z = np.arange(6, dtype=np.float32).reshape(2, 3)
    spec, _ = wire(go.Figure([go.Heatmap(z=z), go.Scatter(y=np.array([1.5, np.nan]))]))
    heat, line = spec["data"]
    assert (heat["z"]["dtype"], heat["z"]["shape"]) == ("f4", "2, 3")
    np.testing.assert_array_equal(np.frombuffer(heat["z"]["bdata"], "<f4").reshape(2, 3), z)
    np.testing.assert_array_equal(np.frombuffer(line["y"]["bdata"], "<f8"), [1.5, np.nan])


def test_everything_else_is_json():
    figure = go.Figure(
        go.Scatter(
            x=[date(2026, 1, 1), date(2026, 1, 2)],
            y=[1, 2],
            text=np.array(["a", "b"]),
            customdata=np.array([["p-1", 3], ["p-2", 4]], dtype=object),
        )
    )
    spec, template = wire(figure)
    assert json.loads(json.dumps([spec, template], allow_nan=False)) == [spec, template]
    assert spec["data"][0]["customdata"] == [["p-1", 3], ["p-2", 4]]
    assert spec["data"][0]["x"] == ["2026-01-01", "2026-01-02"]


def test_numbers_that_are_not_finite_keep_their_value_in_lists():
    spec, _ = wire(go.Figure(go.Scatter(y=[1.0, math.nan, math.inf])))
    np.testing.assert_array_equal(np.frombuffer(spec["data"][0]["y"]["bdata"]), [1.0, np.nan, np.inf])


def test_nothing_moves_and_the_template_travels_by_itself():
    figure = go.Figure(layout={"transition": {"duration": 500}, "height": 200})
    spec, template = wire(figure)
    assert spec["layout"] == {"height": 200}
    assert "layout" in template
    assert wire(None) == ({}, {})


def test_an_equal_figure_is_not_drawn_again():
    chart = Chart(go.Figure(go.Scatter(y=[1, 2, math.nan])), summary="One.")
    chart.update(go.Figure(go.Scatter(y=[1, 2, math.nan])), summary="Two.")
    assert (chart.revision, chart.summary) == (1, "Two.")
    chart.update(go.Figure(go.Scatter(y=[1, 2, 3])))
    assert chart.revision == 2
    chart.update(None)
    assert (chart.revision, chart.spec) == (3, {})
    chart.close()


def test_an_update_sends_figure_and_sentence_in_one_message_and_the_template_once():
    chart = Chart(go.Figure(go.Scatter(y=[1, 2])), summary="before")
    sent = []
    chart.send_state = lambda key=None: sent.append(set(key) if key else None)
    chart.comm = chart.comm or object()
    figure = go.Figure(go.Scatter(y=[3, 4]))
    chart.update(figure, summary="after")
    assert chart.figure is figure
    assert (chart.summary, chart.revision, chart.drawn) == ("after", 2, 0)
    assert sent == [{"spec", "summary", "revision"}]


def test_the_figure_may_be_assigned_or_taken_away():
    chart = Chart(summary="nothing yet")
    assert (chart.figure, chart.spec, chart.revision) == (None, {}, 0)
    chart.figure = go.Figure(go.Bar(y=[1]))
    assert chart.spec["data"][0]["type"] == "bar"
    chart.figure = None
    assert chart.spec == {}


def test_clicks_reach_every_listener_as_plain_values_until_it_unsubscribes():
    chart, first, second = Chart(summary="s"), [], []
    assert not chart.clickable
    stop = chart.on_click(first.append)
    stop_second = chart.on_click(second.append)
    assert chart.clickable
    message = {"kind": "click", "curve": 1, "name": "retain", "point": [2, 3], "x": 3, "y": "b", "z": 0.5, "extra": 1}
    chart._handle_custom_msg(message, [])
    expected = {"curve": 1, "name": "retain", "point": [2, 3], "x": 3, "y": "b", "z": 0.5, "text": None, "customdata": None}
    assert first == second == [expected]
    stop()
    stop()
    chart._handle_custom_msg(message, [])
    assert (len(first), len(second)) == (1, 2)
    stop_second()
    assert not chart.clickable


def test_a_listener_that_fails_is_said_on_the_page_and_the_others_still_hear():
    chart, heard = Chart(summary="s"), []
    chart.on_click(lambda _: 1 / 0)
    chart.on_click(heard.append)
    chart._handle_custom_msg({"kind": "click"}, [])
    assert chart.notice == "This click could not be followed: ZeroDivisionError: division by zero"
    assert len(heard) == 1


def test_what_was_drawn_around_reaches_python_as_customdata():
    chart, heard = Chart(summary="s"), []
    chart.on_select(lambda _: 1 / 0)
    chart.on_select(heard.append)
    chart._handle_custom_msg({"kind": "select", "points": ["a", ["b", 2]]}, [])
    chart._handle_custom_msg({"kind": "select", "points": []}, [])
    chart._handle_custom_msg({"kind": "select", "points": None}, [])
    assert heard == [["a", ["b", 2]], []]
    assert chart.notice.startswith("This click could not be followed: ZeroDivisionError")


@pytest.mark.parametrize("message", [None, [], "plotly", {}, {"kind": "other"}])
def test_other_messages_are_ignored(message):
    chart = Chart(summary="s")
    chart.send = lambda *_: pytest.fail("answered")
    chart._handle_custom_msg(message, [])


@pytest.mark.parametrize("gzip", [False, True])
def test_the_page_gets_the_installed_plotly_js(gzip):
    chart, sent = Chart(summary="s"), []
    chart.send = lambda content, buffers: sent.append((content, buffers))
    chart._handle_custom_msg({"kind": "plotly", "gzip": gzip}, [])
    ((content, (code,)),) = sent
    assert content == {"kind": "plotly", "gzip": gzip}
    whole = zlib.decompress(code, wbits=31) if gzip else code
    assert b"plotly.js v" in whole[:100]
    assert whole == plotly_js(gzip=False)
    assert whole.endswith(companion().encode())  # what dresses and saves a figure comes along, once for all charts


def test_plain_text_holds_nothing_that_plotly_would_obey():
    assert plain("<b>1 & 2</b> %{x}") == "&lt;b&gt;1 &amp; 2&lt;/b&gt; %&#123;x}"
    assert plain(3) == "3"


def test_the_spec_holds_no_base64_text():
    spec, _ = wire(go.Figure(go.Heatmap(z=np.zeros((4, 4)))))
    assert [len(each) for each in buffers(spec)] == [128]


def test_no_file_of_ours_writes_html_or_evaluates_text():
    code = str(Chart._esm) + companion()
    assert not [word for word in ("innerHTML", "insertAdjacentHTML", "eval(", "https://") if word in code]


def test_the_code_that_travels_with_every_chart_stays_small():
    assert len(str(Chart._esm)) < 21_000
    assert "\n//" not in str(Chart._esm)
