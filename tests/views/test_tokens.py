"""TokenText without a page: traits and clicks."""

import json
import math

import pytest

from unlearnviz.errors import BadSetting
from unlearnviz.views.tokens import TokenText


def test_rows_travel_as_text_number_and_mark():
    text = TokenText([("now", ["Mara", (" Okafor", 1.5), (" was", None, "changed"), ["!", -1, ""]])])
    tokens = [["Mara", None, ""], [" Okafor", 1.5, ""], [" was", None, "changed"], ["!", -1.0, ""]]
    assert text.rows == [{"label": "now", "tokens": tokens}]


def test_numbers_that_are_not_finite_travel_as_text():
    text = TokenText([("", [("a", math.nan), ("b", math.inf), ("c", -math.inf), ("d", 2)])])
    assert [token[1] for token in text.rows[0]["tokens"]] == ["nan", "inf", "-inf", 2.0]
    assert text.scale == [-2.0, 0.0, 2.0]
    json.dumps(text.rows, allow_nan=False)


@pytest.mark.parametrize(
    "given, expected",
    [
        ({}, [-3.0, 0.0, 3.0]),
        ({"middle": 1.0}, [-1.0, 1.0, 3.0]),
        ({"low": -1, "high": 5}, [-1.0, 0.0, 5.0]),
    ],
)
def test_the_scale_reaches_as_far_as_the_values_on_both_sides(given, expected):
    assert TokenText([("", [("a", 3.0), ("b", -1.0 + 2 * given.get("middle", 0.0))])], **given).scale == expected


def test_a_scale_without_values_or_with_only_the_middle_still_rises():
    assert TokenText().scale == [-1.0, 0.0, 1.0]
    assert TokenText([("", [("a", 0.0)])]).scale == [-1.0, 0.0, 1.0]


def test_a_scale_that_falls_is_an_error_and_changes_nothing():
    text = TokenText([("before", ["a"])])
    with pytest.raises(BadSetting, match=r"must rise: low < middle < high"):
        text.update([("after", ["b"])], low=1.0)
    assert text.rows[0]["label"] == "before"


def test_an_unknown_mark_is_an_error():
    with pytest.raises(BadSetting, match="mark is '', 'changed' or 'said', not 'bold'"):
        TokenText([("", [("a", 1.0, "bold")])])


def test_clicks_are_looked_up_here_and_end_with_unsubscribe():
    text, heard = TokenText([("now", ["a", ("b", math.nan, "changed")])]), []
    stop = text.on_click(heard.append)
    assert text.clickable
    text._handle_custom_msg({"kind": "click", "row": 0, "token": 1}, [])
    assert heard[0]["text"] == "b"
    assert math.isnan(heard[0]["value"])
    assert (heard[0]["row"], heard[0]["token"], heard[0]["mark"]) == (0, 1, "changed")
    for row, token in [(0, 9), (4, 0), (None, 0), ("0", 0)]:
        text._handle_custom_msg({"kind": "click", "row": row, "token": token}, [])
    stop()
    text._handle_custom_msg({"kind": "click", "row": 0, "token": 1}, [])
    assert len(heard) == 1
    assert not text.clickable


def test_a_listener_that_fails_is_said_on_the_page():
    text = TokenText([("", ["a"])])
    text.on_click(lambda _: 1 / 0)
    text._handle_custom_msg({"kind": "click", "row": 0, "token": 0}, [])
    assert text.notice == "This click could not be followed: ZeroDivisionError: division by zero"


def test_no_file_of_ours_writes_html_or_evaluates_text():
    code = str(TokenText._esm)
    assert not [word for word in ("innerHTML", "insertAdjacentHTML", "eval(", "https://") if word in code]
