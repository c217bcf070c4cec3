"""What `./run bench gradients --peers` does with other libraries, tried with pretended ones; and the page of results."""

import json
import os
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from tests.benchmarks import __main__ as bench
from tests.benchmarks import page
from tests.benchmarks.peers import environment, measure
from tests.benchmarks.peers.case import Attempt, Case, Scoring
from tests.benchmarks.processes import ROOT
from tests.benchmarks.registry import Plan, Unable
from tests.benchmarks.suites.gradients import scanned
from tests.engine import worlds


def prepared(case, *, error=0.0):
    """A library that scores exactly as we do, or not quite."""

    def score():
        scan = scanned(case.model, case.texts, toward=case.forget)
        return {group: scan.column(scan.influence, group) * (1 + error) for group in case.model.layout.groups}

    return Scoring(score, scored=case.model.layout.groups["block 0"], missing="the rest")


def broken(case):
    raise RuntimeError("there is no\nhook for Conv1D")


def outcome(prepare, folder=""):
    attempt = Attempt("other", "its way", prepare, at_least=50)
    found = {}
    for part in measure.outcome(worlds.session(), attempt, 0, folder):
        found |= part
    return list(measure.rows(attempt, json.loads(json.dumps(found))))


def test_the_time_the_coverage_and_the_scores_of_a_library_are_rows():
    speed, scored, correlation, difference = outcome(prepared)
    assert speed.name == "other: its way"
    assert speed.target == ">= 50"
    assert speed.value > 0
    assert "4 texts towards 4; ours" in speed.base
    assert speed.base.endswith("scaled by tokens from 2 texts")
    assert 0 < scored.value < 100
    assert scored.base == "not scored: the rest"
    assert correlation.value == pytest.approx(1)
    assert correlation.base == "the worst of 5 columns"
    assert difference.value < 1e-12
    assert difference.target == ""  # float32 on their side, too: ours is judged against float64


def test_scores_that_differ_are_seen():
    *_, difference = outcome(lambda case: prepared(case, error=0.01))
    assert difference.value > 1e-4


def test_how_a_library_fails_is_a_row():
    (row,) = outcome(broken)
    assert row.value is None
    assert row.base.endswith("RuntimeError: there is no hook for Conv1D")


def test_a_library_that_takes_too_long_is_stopped_and_what_is_known_by_then_is_kept():
    code = """import time; print('{"report": {"texts": 3, "of": 30, "forget": 2, "ours": 0.5}}', flush=True); time.sleep(60)"""
    found = measure.in_a_process(code, os.environ, 5)
    (row,) = measure.rows(Attempt("other", "slowly", broken), found)
    assert row.value is None
    assert row.base == "30 texts towards 2; ours 0.5 s; stopped after 5 s"


def test_a_process_that_dies_says_its_last_words():
    found = measure.in_a_process("raise ImportError('no library of this name')", os.environ, 60)
    assert found == {"failed": "ImportError: no library of this name"}


def test_measuring_asks_a_process_for_each_attempt(monkeypatch, tmp_path):
    asked = []

    def process(code, variables, limit):
        asked.append((code, variables["PYTHONPATH"]))
        return {"failed": "as agreed"}

    monkeypatch.setattr(measure, "in_a_process", process)
    rows = list(measure.measure(Plan(cell="session = 1", peers=tmp_path)))
    assert len(rows) == len({row.name for row in rows}) == len(measure.ATTEMPTS)
    assert all(code.startswith("session = 1\n") for code, _ in asked)
    assert all(path.split(os.pathsep)[0] == str(tmp_path) for _, path in asked)


def test_linear_layers_and_what_transformers_loads_compute_the_same():
    case = Case.of(worlds.session(), 3)
    batch = case.model.batch(case.texts)
    wanted = case.model.logits(batch)
    for module in (case.with_linear_layers(), case.as_transformers_loads_it().model.module):
        found = module(input_ids=batch.input_ids, attention_mask=batch.attention_mask).logits
        kept = batch.attention_mask.bool()
        assert np.allclose(found[kept].detach(), wanted[kept].detach(), atol=1e-5)


def pip(code, words=""):
    asked = []

    def run(command, **_):
        asked.append(command)
        return SimpleNamespace(returncode=code, stderr=words)

    return run, asked


def test_libraries_are_installed_once_into_their_own_folder(tmp_path, capsys):
    run, asked = pip(0)
    assert environment.prepare(tmp_path, run) == environment.prepare(tmp_path, run) == tmp_path
    (command,) = asked
    assert "--no-deps" in command
    assert command[command.index("--target") + 1] == str(tmp_path)
    assert {"captum==0.9.0", "kronfluence==1.0.1", "dattri==0.3.0"} < set(command)
    assert "Installing captum, kronfluence, dattri" in capsys.readouterr().out


def test_libraries_that_cannot_be_installed_are_refused_in_a_sentence_and_tried_again(tmp_path):
    run, asked = pip(1, "WARNING: Retrying\nERROR: No matching distribution found for captum==0.9.0\n")
    for _ in range(2):
        with pytest.raises(Unable) as refused:
            environment.prepare(tmp_path, run)
    assert str(refused.value) == (
        "The other libraries could not be installed; pip says: No matching distribution found for captum==0.9.0 "
        "They come from the package index, so this needs the network once. Without --peers everything else is measured."
    )
    assert len(asked) == 2


def test_nothing_is_measured_or_overwritten_where_they_cannot_be_installed(monkeypatch, tmp_path, capsys):
    def refuse():
        raise Unable("no network")

    monkeypatch.setattr(environment, "prepare", refuse)
    kept = tmp_path / "rows.json"
    kept.write_text("kept")
    assert bench.main(["gradients", "--peers", "--json", str(kept)]) == 2
    assert "no network" in capsys.readouterr().err
    assert kept.read_text() == "kept"


@pytest.mark.parametrize(
    "words, said",
    [
        (["laws", "--peers"], "--peers belongs to the suite gradients: name it too."),
        (["gradients", "--page"], "--page shows what `gradients --peers` measures: run it with that and no other suite."),
        (["gradients", "laws", "--peers", "--page"], "--page shows what `gradients --peers` measures"),
    ],
)
def test_options_that_do_not_fit_are_refused(words, said, capsys):
    assert bench.main(words) == 2
    assert said in capsys.readouterr().err


def test_without_the_option_nothing_of_it_is_imported():
    code = "import sys, tests.benchmarks.__main__, tests.benchmarks.suites.gradients; print([n for n in sys.modules if '.peers' in n])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_page_shows_the_kept_rows():
    assert page.PAGE.read_text(encoding="utf-8") == page.page(json.loads(page.ROWS.read_text(encoding="utf-8")))


def test_a_page_says_what_was_missed_what_failed_and_that_the_machine_was_busy():
    rows = [
        {"name": "load of the machine when it began", "value": 5.04, "unit": "", "base": "on a day; a machine", "target": "", "holds": None},
        {"name": "norms of all texts", "value": 0.7345, "unit": "x", "base": "1 s an epoch", "target": "<= 0.85", "holds": True},
        {"name": "captum: one | sum", "value": 40.0, "unit": "x", "base": "", "target": ">= 50", "holds": False},
        {"name": "dattri: all", "value": None, "unit": "x", "base": "stopped after 300 s", "target": "", "holds": None},
    ]
    text = page.page(rows)
    assert "Measured on a day; a machine. Load of the machine: 5.0 when it began: other work was running" in text
    assert "| norms of all texts | 0.735 x | <= 0.85 | 1 s an epoch |" in text
    assert r"| one \| sum | 40 x | >= 50, missed |  |" in text
    assert "| all | not reached |  | stopped after 300 s |" in text
