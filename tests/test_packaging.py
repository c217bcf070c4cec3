"""The wheel: what is in it, how large it is, and that it works where nothing else is installed."""

from __future__ import annotations

import subprocess
import sys
import zipfile

import pytest

from tests.clean_environment import CPU_INDEX, ROOT, clean_environment, working_files

PROGRAM = """
import socket
def refuse(*_, **__): raise AssertionError("unlearnviz asked for the network")
socket.socket.connect = refuse

import unlearnviz as uv
session = uv.demo()
readings = session.measure(uv.Perplexity())
assert {row["group"] for row in readings["perplexity"].rows} >= {"forget", "retain"}
before = session.fingerprint()
session.step(uv.GradientAscent(), where="embedding")
assert session.fingerprint() != before
session.undo()
assert session.fingerprint() == before
print("works from", uv.__file__)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    (path,) = folder.glob("unlearnviz-*-py3-none-any.whl")
    return path


def test_wheel_is_small(wheel):
    assert wheel.stat().st_size <= 12e6


def test_wheel_holds_the_package_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert packed == {path.as_posix() for path in working_files() if path.parts[0] == "unlearnviz"}


def test_wheel_brings_the_shipped_world(wheel):
    with zipfile.ZipFile(wheel) as archive:
        demo = [name for name in archive.namelist() if name.startswith("unlearnviz/demo/")]
    assert sum(name.endswith(".safetensors") for name in demo) >= 2, "the model and its twin"
    assert any(name.endswith("tokenizer.json") for name in demo), demo


def test_wheel_brings_licence_and_command(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        entry = next(name for name in names if name.endswith("entry_points.txt"))
        assert "unlearnviz = unlearnviz.cli:main" in archive.read(entry).decode()
    assert any(name.endswith("licenses/LICENSE") for name in names)


@pytest.mark.clean_install
def test_demo_works_in_a_clean_environment(wheel):
    with clean_environment() as run:
        index = ["--extra-index-url", CPU_INDEX] if sys.platform == "linux" else []
        run("python", "-m", "pip", "install", "-q", "--no-compile", *index, "-c", ROOT / "binder" / "constraints.txt", wheel)
        where = run("python", "-c", PROGRAM)
        assert str(run.folder.resolve()) in where
        assert "build-demo" in run("unlearnviz", "--help")
