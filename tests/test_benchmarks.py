"""The benchmarks themselves: names, rows, and the short path of the suites on a tiny model. Speeds are measured, never asserted."""

import json
import subprocess
import sys

import pytest

from tests.benchmarks import __main__ as bench
from tests.benchmarks import registry
from tests.benchmarks.registry import SUITES, Plan, Row
from tests.benchmarks.timing import ratio, take_turns
from tests.engine import worlds

FIELDS = ["suite", "name", "value", "unit", "base", "target", "holds"]


def tiny():
    """A tiny model, its forget set picked."""
    session = worlds.session(tied=True, blocks=2, dropout=0.0)
    session.pick("Mara Okafor")
    return session


@pytest.mark.parametrize(
    "value, at_most, at_least, target, holds",
    [
        (0, 0, None, "<= 0", True),
        (1, 0, None, "<= 0", False),
        (1.3, None, 1.3, ">= 1.3", True),
        (9, 8, 3, ">= 3 and <= 8", False),
        (3, 8, 3, ">= 3 and <= 8", True),
        (None, 8, None, "<= 8", False),
        (12, None, None, "", None),
    ],
)
def test_a_row_says_whether_its_target_holds(value, at_most, at_least, target, holds):
    row = Row("s", "n", value, "ms", at_most=at_most, at_least=at_least)
    assert list(row.to_json()) == FIELDS
    assert (row.target, row.holds) == (target, holds)
    assert row.line()


def test_variants_take_turns():
    order = []
    variants = {"a": lambda: order.append("a"), "b": (lambda: order.append("b"), lambda: order.append("undo b"))}
    seconds = take_turns(variants, 2, warm_up=1)
    assert order == ["a", "b", "undo b", "b", "undo b", "a", "a", "b", "undo b"]
    assert [len(times) for times in seconds.values()] == [2, 2]
    assert ratio({"x": [2.0, 9.0, 4.0], "y": [1.0, 3.0, 2.0]}, "x", "y") == 2.0


@pytest.mark.parametrize("suite", ["step", "readouts", "undo", "laws", "gradients", "neighbours", "ledger"])
def test_suites_give_their_rows_on_a_tiny_model(suite):
    rows = list(SUITES[suite].run(Plan(open=tiny, effort=0)))
    assert rows
    assert {row.suite for row in rows} == {suite}
    assert len({row.name for row in rows}) == len(rows)
    json.dumps([row.to_json() for row in rows])
    gates = [row for row in rows if row.target == "<= 0"]
    assert bool(gates) == (suite not in {"step", "gradients", "ledger"})
    assert all(row.holds for row in gates)  # counts that must be 0


def test_a_table_and_json_come_out_also_where_a_target_is_missed(monkeypatch, tmp_path, capsys):
    def measure(plan):
        yield Row("one", "a thing", 3.0, "ms", at_most=2)
        yield Row("one", "another", 3.0, "ms")
        raise registry.Unable("there is no browser")

    suite = registry.Suite("one", "a test")
    suite.__dict__["run"] = measure
    monkeypatch.setattr(bench, "SUITES", {"one": suite})
    assert bench.main(["--json", str(tmp_path / "rows.json")]) == 0
    written = json.loads((tmp_path / "rows.json").read_text())
    assert [list(row) for row in written] == [FIELDS, FIELDS]
    assert written[0] == {
        "suite": "one",
        "name": "a thing",
        "value": 3.0,
        "unit": "ms",
        "base": "",
        "target": "<= 2",
        "holds": False,
    }
    printed = capsys.readouterr().out
    assert "MISSED" in printed
    assert "not measured: there is no browser" in printed
    assert bench.main(["two"]) == 2
    assert "no suite 'two'; there are one" in capsys.readouterr().err


def test_the_command_knows_its_suites():
    done = subprocess.run([sys.executable, "-m", "tests.benchmarks", "--help"], capture_output=True, text=True, check=True)
    assert ", ".join(SUITES) in " ".join(done.stdout.split())
