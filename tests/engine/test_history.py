"""History: the tree of steps, the branches, what redo means, and its forms as JSON, frame and CSV."""

from __future__ import annotations

import csv
import json
import math

import pytest

from tests.engine import worlds
from unlearnviz.engine.history import History, StepRecord
from unlearnviz.engine.probes.probe import Reading
from unlearnviz.errors import NotPossible, SaveFailed, UnknownName


def grown(*parents: int) -> History:
    """A history whose step k + 1 was made from `parents[k]`."""
    history = History()
    for parent in parents:
        history.move(parent)
        history.add(StepRecord(len(history), parent, history.next_branch(), "gradient-ascent"))
    return history


def test_ids_count_up_and_paths_lead_to_the_start():
    history = grown(0, 1, 1, 3)
    assert [record.id for record in history] == [0, 1, 2, 3, 4]
    assert history.path(4) == (0, 1, 3, 4)
    assert history.path(2) == (0, 1, 2)
    assert (history.depth(4), history.depth(0), history.depth()) == (3, 0, 3)
    assert history.children(1) == (2, 3)
    assert history.head == 4


def test_redo_goes_to_the_child_visited_last():
    history = grown(0, 1, 1)
    history.move(history.parent())
    assert history.next() == 3
    history.move(2)
    history.move(history.parent())
    assert (history.next(), history.can_redo) == (2, True)
    history.move(0)
    assert (history.next(), history.can_undo) == (1, False)


def test_the_ends_of_undo_and_redo_are_sentences():
    history = History()
    with pytest.raises(NotPossible) as caught:
        history.parent()
    assert str(caught.value) == "There is nothing to undo: this is the start. Take a step first."
    with pytest.raises(NotPossible) as caught:
        history.next()
    assert str(caught.value) == "There is nothing to redo: no step was undone from here."


def test_a_branch_is_named_at_the_head_and_grows_from_there():
    history = grown(0, 1)
    history.move(1)
    history.name_branch("gentle")
    history.add(StepRecord(3, 1, history.branch, "fine-tune"))
    assert history.branches == {"main": 2, "gentle": 3}
    history.move(history.find("main"), "main")
    assert (history.head, history.branch) == (2, "main")
    history.move(3)
    assert history.branch == "gentle"
    history.move(1)
    assert history.branch == "gentle"  # it passes through here too


def test_a_step_after_undo_starts_a_branch_with_a_name_of_its_own():
    history = grown(0, 1, 1, 1, 0, 0, 6)
    assert history.branches == {
        "main": 2, "from step 1": 3, "from step 1, 2nd try": 4, "from the start": 5, "from the start, 2nd try": 7,
    }  # fmt: skip
    assert (history.branch, history.head, history.path()) == ("from the start, 2nd try", 7, (0, 6, 7))
    assert [record.branch for record in history][2:5] == ["main", "from step 1", "from step 1, 2nd try"]
    history.move(2)
    assert (history.branch, history.next_branch()) == ("main", "main")
    history.move(1)
    assert (history.branch, history.next_branch()) == ("main", "from step 1, 3rd try")


def test_a_branch_that_was_named_where_others_go_on_grows_under_that_name():
    history = grown(0, 1)
    history.move(1)
    history.name_branch("from step 1")
    assert history.next_branch() == "from step 1"
    history.move(1, "main")
    assert history.next_branch() == "from step 1, 2nd try"  # the other name is taken


def test_a_step_that_an_earlier_version_left_without_a_branch_gets_one_when_somebody_goes_there():
    data = grown(0, 1, 1).to_json()
    data["branches"] = {"main": 3}  # so it was when a step after undo moved the tip
    data["branch"] = "main"
    data["records"] = [{**record, "branch": "main"} for record in data["records"]]
    history = History.from_json(data)
    history.move(2)
    assert (history.branch, history.branches) == ("from step 1", {"main": 3, "from step 1": 2})


def test_a_branch_is_renamed_in_its_records_too():
    history = grown(0, 1, 1)
    history.rename_branch("from step 1", "bold")
    assert (history.branches, history.branch) == ({"main": 2, "bold": 3}, "bold")
    history.rename_branch("main", "gentle")
    assert [record.branch for record in history] == ["gentle", "gentle", "gentle", "bold"]
    assert (list(history.branches), history.branch) == (["gentle", "bold"], "bold")  # in their order
    for old, new, error, sentence in (
        ("main", "x", UnknownName, "No branch named 'main'. Known: 'gentle', 'bold'."),
        ("bold", "gentle", NotPossible, "The branch name 'gentle' is taken; known branches: 'gentle', 'bold'. Choose another."),
        ("bold", "  ", NotPossible, "The branch name '  ' is empty; known branches: 'gentle', 'bold'. Choose another."),
    ):
        with pytest.raises(error) as caught:
            history.rename_branch(old, new)
        assert str(caught.value) == sentence
    assert history.branches == {"gentle": 2, "bold": 3}


def test_redo_never_leads_to_what_was_forgotten():
    history = grown(0, 1, 1, 3)  # main: 1, 2; from step 1: 3, 4
    history.move(2)
    history.move(1, "from step 1")
    history.move(3)
    history.move(1, "main")
    assert history.next() == 3
    assert history.forget_branch("from step 1") == (3, 4)
    assert (history.next(), history.branches) == (2, {"main": 2})
    history.move(0)
    history.add(StepRecord(5, 0, history.next_branch(), "fine-tune"))
    history.move(0, "main")
    history.move(2)
    assert history.forget_branch("from the start") == (5,)
    history.move(0)
    assert history.next() == 1
    history = grown(0, 1)
    history.move(1)
    history.name_branch("short")
    history.add(StepRecord(3, 1, history.next_branch(), "fine-tune"))
    history.move(1)
    history.name_branch("here")
    for name in ("main", "short"):
        history.forget_branch(name)
    assert not history.can_redo


def test_a_forgotten_branch_never_comes_back_as_an_error():
    history = grown(0)
    history.name_branch("gentle")
    history.add(StepRecord(2, 1, "gentle", "fine-tune"))
    history.name_branch("bold")
    history.add(StepRecord(3, 2, "bold", "fine-tune"))
    history.move(1, "main")
    del history.branches["gentle"]
    history.move(2)  # made on "gentle", now only on the way of "bold"
    assert history.branch == "bold"
    history.move(1, "main")
    del history.branches["bold"]
    history.move(3)
    assert (history.branch, history.branches) == ("bold", {"main": 1, "bold": 3})
    history.move(0)
    assert history.branch == "bold"


@pytest.mark.parametrize(
    "name, problem", [("main", "The branch name 'main' is taken"), (" ", "The branch name ' ' is empty"), (3, "The branch name 3 is no text")]
)
def test_a_branch_name_that_cannot_be(name, problem):
    with pytest.raises(NotPossible) as caught:
        History().name_branch(name)
    assert str(caught.value) == f"{problem}; known branches: 'main'. Choose another."


@pytest.mark.parametrize(
    "target, sentence",
    [
        (3, "No step named '3'. Known: '0', '1'."),
        (-1, "No step named '-1'. Did you mean '1'? Known: '0', '1'."),
        (0.5, "No step named '0.5'. Did you mean '0'? Known: '0', '1'."),
        ("mian", "No branch named 'mian'. Did you mean 'main'? Known: 'main'."),
    ],
)
def test_an_unknown_step_or_branch(target, sentence):
    with pytest.raises(UnknownName) as caught:
        grown(0).find(target)
    assert str(caught.value) == sentence


def test_readings_replace_their_like():
    history = History()
    for value in (1.0, 2.0):
        history.keep(Reading("perplexity", "perplexity", 0, "now", "", "", value, ()))
    history.keep(Reading("perplexity", "perplexity", 0, "twin", "", "", 3.0, ()))
    history.keep(Reading("perplexity", "of the fact", 0, "now", "", "", 4.0, ()))
    assert [reading.value for reading in history.readings[0]] == [2.0, 3.0, 4.0]


def test_json_gives_the_same_history_back(session):
    session.step()
    session.measure("perplexity", "gradient-norm", "update-size", "exact-recall", "generation")
    session.undo()
    session.branch("other")
    session.step("fine-tune")
    again = History.from_json(json.loads(session.history.dumps()))
    assert again.dumps() == session.history.dumps()
    assert again.records == session.history.records
    assert again.readings == session.history.readings  # also the tuples in them
    assert (again.head, again.branch, again.branches) == (session.head, "other", session.history.branches)


def test_one_row_a_step_and_reading(session, tmp_path):
    record = session.step()
    session.measure("perplexity")
    session.undo()
    rows = session.history.rows()
    assert [row["step"] for row in rows] == [0, 1, 1, 1]
    assert [row.get("group") for row in rows] == [None, "forget", "neighbours", "never seen"]
    assert rows[1]["update_norm"] == pytest.approx(math.hypot(*record.update_norm.values()))
    frame = session.history.to_frame()
    assert list(frame["step"]) == [0, 1, 1, 1]
    session.history.to_csv(tmp_path / "history.csv")
    with (tmp_path / "history.csv").open(newline="", encoding="utf-8") as file:
        read = list(csv.DictReader(file))
    assert [row["group"] for row in read] == ["", "forget", "neighbours", "never seen"]
    assert float(read[1]["perplexity"]) == rows[1]["perplexity"]
    with pytest.raises(SaveFailed, match=r"could not be written: .*\. Choose another place\."):
        session.history.to_csv(tmp_path / "nowhere" / "history.csv")


def test_records_hold_no_tensors():
    session = worlds.session()
    session.step("gradient-difference", "all")
    json.dumps(session.history.to_json(), allow_nan=False)
