"""PassageList without a page: what travels, what a page may ask for, and what it may press."""

from __future__ import annotations

import pytest

from unlearnviz.views.passages import FIRST, LONGEST, MOST, WINDOW, PassageList, Rows


def row(number):
    return {"id": f"p{number}", "text": f"text {number}", "picked": False}


@pytest.fixture
def listed(living):
    pressed = []
    made = PassageList(
        label="Texts",
        on_toggle=lambda name: pressed.append(("toggle", name)),
        on_leave=lambda name: pressed.append(("leave", name)),
    )
    made.pressed = pressed
    yield made
    made.layout.close()
    made.close()
    assert living() == []


def ask(listed, first, size=40):
    listed._handle_custom_msg({"kind": "window", "first": first, "size": size}, [])


def ids(listed):
    return [each["id"] for each in listed.shown["rows"]]


def test_only_the_rows_of_a_window_are_made_and_travel(listed):
    made = []
    listed.rows = Rows(range(100_000), lambda number: made.append(number) or row(number))
    assert listed.count == 100_000
    assert ids(listed) == [f"p{k}" for k in range(FIRST)]
    ask(listed, 70_000)
    assert (listed.shown["first"], ids(listed)[0], len(ids(listed))) == (70_000, "p70000", 40)
    assert len(made) < 100
    ask(listed, 99_990)
    assert ids(listed)[-1] == "p99999"


def test_of_too_many_rows_the_first_are_listed(listed):
    listed.rows = Rows(range(MOST + 5), row)
    assert listed.count == MOST
    ask(listed, MOST + 3)
    assert ids(listed)[-1] == f"p{MOST - 1}"


def test_other_rows_come_as_the_window_that_is_in_view_and_other_texts_from_the_top(listed):
    listed.rows = [row(k) for k in range(300)]
    ask(listed, 200)
    version = listed.shown["version"]
    listed.rows = [row(k) for k in range(250)]
    assert (listed.shown["version"], listed.shown["first"], ids(listed)[0]) == (version + 1, 200, "p200")
    listed.rows = [row(k) for k in range(3)]
    assert (listed.count, listed.shown["first"], ids(listed)) == (3, 0, ["p0", "p1", "p2"])
    listed.rows = [row(k) for k in range(300)]
    ask(listed, 200)
    listed.rows = [row(k) for k in range(1, 300)]
    assert (listed.shown["first"], listed.shown["top"]) == (0, "p1")
    listed.rows = []
    assert (listed.count, listed.shown["rows"], listed.shown["top"]) == (0, [], "")


def test_equal_rows_are_not_sent_again(listed):
    listed.rows = [row(1)]
    version = listed.shown["version"]
    listed.rows = [row(1)]
    assert listed.shown["version"] == version
    listed.rows = Rows([1], row)
    listed.rows = Rows([1], row)
    assert listed.shown["version"] == version + 1
    listed.rows = Rows([2], row)
    assert listed.shown["version"] == version + 2
    assert Rows([1], row)[:1] == [row(1)]


def test_only_what_the_page_has_can_be_pressed_and_nothing_while_it_is_disabled(listed):
    listed.rows = Rows(range(1000), row)
    for name in ("p0", "p500", None, 7):
        listed._handle_custom_msg({"kind": "toggle", "id": name}, [])
    assert listed.pressed == [("toggle", "p0")]
    ask(listed, 490)
    listed._handle_custom_msg({"kind": "leave", "id": "p500"}, [])
    assert listed.pressed[1:] == [("leave", "p500")]
    listed.disabled = True
    listed._handle_custom_msg({"kind": "toggle", "id": "p500"}, [])
    assert len(listed.pressed) == 2


@pytest.mark.parametrize(
    "message",
    [
        None,
        [],
        "window",
        {},
        {"kind": "other"},
        {"kind": "window"},
        {"kind": "window", "first": "0", "size": 5},
        {"kind": []},
    ],
)
def test_other_messages_are_ignored(listed, message):
    listed.rows = Rows(range(100), row)
    before = dict(listed.shown)
    listed._handle_custom_msg(message, [])
    assert (listed.shown, listed.pressed) == (before, [])


def test_a_page_cannot_ask_for_more_than_a_window_or_for_what_is_not_there(listed):
    listed.rows = Rows(range(1000), row)
    ask(listed, -5, 10_000)
    assert (listed.shown["first"], len(ids(listed))) == (0, WINDOW)
    ask(listed, 5_000, -3)
    assert ids(listed) == ["p999"]


def test_of_a_huge_text_the_beginning_travels(listed):
    listed.rows = [{"id": "a", "text": "x" * 1_000_000, "picked": True}]
    (sent,) = listed.shown["rows"]
    assert sent["text"] == "x" * LONGEST + "… (1,000,000 characters in all)"


def test_its_files_write_no_html_and_evaluate_no_text():
    code = str(PassageList._esm)
    assert not [word for word in ("innerHTML", "insertAdjacentHTML", "eval(", "https://") if word in code]
