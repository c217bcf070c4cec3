"""`./run` before there is anything: its sentences, tried with a Python that only pretends."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# Answers as python3 would: makes a "venv" that holds itself, writes down what it was asked, and fails where FAIL says so.
PRETENDER = """#!/bin/sh
echo "$*" >>"$ASKED"
case "$*" in
    --version) echo "Python 3.9.2" ;;
    "-m venv --clear .venv") mkdir -p .venv/bin && cp "$0" .venv/bin/python ;;
esac
if [ -n "${FAIL:-}" ]; then
    case "$*" in *"$FAIL"*) echo "ERROR: words of the failing tool"; exit 1 ;; esac
fi
exit 0
"""


class Clone:
    """A folder that holds `run` and the files it reads."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "clone"
        (self.folder / "binder").mkdir(parents=True)
        for name in ("run", "pyproject.toml", "binder/constraints.txt", "binder/overrides.json"):
            shutil.copy(ROOT / name, self.folder / name)
        self.asked = folder / "asked"
        self.python = folder / "python3"
        self.python.write_text(PRETENDER)
        self.python.chmod(0o755)

    def run(self, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        self.asked.write_text("")
        environment = os.environ | {"PYTHON": str(self.python), "ASKED": str(self.asked)} | variables
        command = [str(self.folder / "run"), *words]
        return subprocess.run(command, cwd="/", env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)

    @property
    def stamp(self) -> Path:
        return self.folder / ".venv" / "set-up"

    def questions(self) -> list[str]:
        return self.asked.read_text().splitlines()


@pytest.fixture
def clone(tmp_path):
    return Clone(tmp_path)


def test_no_python_is_one_sentence(clone):
    result = clone.run("setup", PYTHON="python-of-nowhere")
    assert result.returncode == 1
    assert result.stderr == (
        "unlearnviz needs Python 3.11 or newer and found no python-of-nowhere: install it from https://www.python.org/downloads/ "
        "or with your system's package manager, then run this again.\n"
    )


def test_an_old_python_is_one_sentence(clone):
    result = clone.run("setup", FAIL="version_info")
    assert result.returncode == 1
    assert result.stderr == (
        f"unlearnviz needs Python 3.11 or newer, and {clone.python} is Python 3.9.2: install a newer one, "
        "or name one you have, as in PYTHON=python3.12 ./run.\n"
    )


def test_a_missing_venv_is_one_sentence(clone):
    result = clone.run("setup", FAIL="import ensurepip, venv")
    assert result.returncode == 1
    assert result.stderr == (
        f"{clone.python} has no venv module: install it (on Debian and Ubuntu: apt install python3-venv), then run this again.\n"
    )


def test_set_up_happens_once(clone):
    first = clone.run("setup")
    assert first.returncode == 0, first.stderr
    assert first.stdout.startswith("Setting up once, a few minutes: ")
    assert any("-c binder/constraints.txt -e .[test]" in question for question in clone.questions())
    assert (clone.folder / ".venv/share/jupyter/lab/settings/overrides.json").read_text() == (ROOT / "binder/overrides.json").read_text()
    second = clone.run("setup")
    assert (second.returncode, second.stdout) == (0, "")
    assert clone.questions() == ["-c "]


@pytest.mark.parametrize("name", ["pyproject.toml", "binder/constraints.txt"])
def test_a_changed_file_is_set_up_again_and_a_touched_one_is_not(clone, name):
    clone.run("setup")
    (clone.folder / name).touch()
    assert clone.run("setup").stdout == ""
    with (clone.folder / name).open("a") as file:
        file.write("# another line\n")
    assert clone.run("setup").stdout.startswith("Updating .venv: ")


def test_a_moved_clone_is_set_up_again(clone):
    clone.run("setup")
    clone.folder = clone.folder.rename(clone.folder.with_name("moved"))
    assert clone.run("setup").stdout.startswith("Updating .venv: ")


def test_a_failed_set_up_shows_why_and_is_repeated(clone):
    result = clone.run("setup", FAIL="-e .[test]")
    assert result.returncode == 1
    assert "ERROR: words of the failing tool" in result.stderr
    assert "The set-up stopped: pip's own words are above." in result.stderr
    assert not clone.stamp.exists()
    assert clone.run("setup").stdout.endswith("Set up.\n")
    assert clone.stamp.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the ordinary build is the one for the CPU")
def test_on_linux_the_cpu_build_comes_from_an_extra_index_or_else_from_the_ordinary_one(clone):
    result = clone.run("setup", UNLEARNVIZ_TORCH_INDEX="https://torch.example/cpu", FAIL="--extra-index-url https://torch.example/cpu torch")
    assert result.returncode == 0
    assert "The index of CPU builds did not serve it; taking the ordinary build." in result.stdout
    assert any("--retries 1" in question for question in clone.questions() if "torch.example" in question)


@pytest.mark.parametrize("stage", ["ruff", "mypy", "pytest"])
def test_every_stage_runs_and_the_failed_one_is_named(clone, stage):
    result = clone.run("test", "-k", "undo", FAIL=f"-m {stage}")
    assert result.returncode == 1
    assert [name for name in ("ruff", "mypy", "pytest") if f"== {name}\n" in result.stdout] == ["ruff", "mypy", "pytest"]
    assert "words of the failing tool" in result.stdout + result.stderr
    assert f"Failed: {stage}. " in result.stderr
    assert "-m pytest --nbval-lax --nbval-current-env --durations=10 -k undo" in clone.questions()


def test_success_is_said(clone):
    result = clone.run("test")
    assert result.returncode == 0
    assert "ruff, mypy and pytest passed. " in result.stdout
    (tests,) = (question for question in clone.questions() if question.startswith("-m pytest"))
    shared = "-n 3 --dist loadfile --no-loadscope-reorder --durations=25"
    assert tests == f"-m pytest --nbval-lax --nbval-current-env {shared} tests/browser notebooks tests"


def test_lab_app_doctor_and_bench_pass_their_words_on(clone):
    clone.run("lab", "--no-browser")
    assert clone.questions()[-1].endswith("/lab/tree/notebooks/01-a-first-forgetting.ipynb --no-browser")
    clone.run("app", "--port", "8870")
    assert clone.questions()[-1] == "-m unlearnviz.cli app --port 8870"
    clone.run("doctor")
    assert clone.questions()[-1] == "-m unlearnviz.cli doctor"
    clone.run("bench", "steps", "--json", "out.json")
    assert clone.questions()[-1] == "-m tests.benchmarks steps --json out.json"


def test_an_unknown_command_shows_the_known_ones_and_sets_nothing_up(clone):
    result = clone.run("tset")
    assert result.returncode == 2
    assert result.stderr.startswith("./run knows no 'tset'.\nusage: ./run lab [ARGS] ")
    assert not (clone.folder / ".venv").exists()
