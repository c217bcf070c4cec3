"""Binder's files, replayed as repo2docker would: requirements from the root, then postBuild, then start."""

from __future__ import annotations

import json
import shutil
import tomllib

import pytest

from tests.clean_environment import ROOT, clean_environment, working_files


@pytest.mark.clean_install
def test_binder_files_make_a_working_environment():
    with clean_environment() as run:
        copy = run.folder / "repository"
        for path in working_files():
            (copy / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / path, copy / path)
        run("python", "-m", "pip", "install", "-q", "-r", "binder/requirements.txt", cwd=copy)
        run("binder/postBuild", cwd=copy)
        assert run("jupyter", "lab", "--version", cwd=copy).strip()
        assert "voila" in run("jupyter", "server", "extension", "list", cwd=copy) or shutil.which("voila", path=str(run.programs))
        settings = run.folder / "venv" / "share" / "jupyter" / "lab" / "settings" / "overrides.json"
        assert json.loads(settings.read_text())["@jupyterlab/apputils-extension:notification"]["fetchNews"] == "false"
        policy = "import os, unlearnviz as uv; uv.demo(); print(os.environ['OMP_WAIT_POLICY'])"
        assert run("binder/start", "python", "-c", policy, cwd=copy).strip() == "passive"


def test_binder_python_is_one_that_the_package_allows():
    runtime = (ROOT / "binder" / "runtime.txt").read_text().strip()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert runtime == "python-" + project["requires-python"].removeprefix(">=")


def test_requirements_install_the_same_versions_as_run():
    lines = (ROOT / "binder" / "requirements.txt").read_text().splitlines()
    assert {"-c constraints.txt", "torch==2.13.0", "-e .[lab]"} <= set(lines)
    assert "torch==2.13.0" in (ROOT / "binder" / "constraints.txt").read_text().splitlines()
