"""Binder's files, replayed as repo2docker would: requirements from the root, then postBuild, then start."""

from __future__ import annotations

import json
import re
import shutil
import sysconfig
import tomllib
from importlib.metadata import version
from urllib.parse import parse_qs, urlsplit
from urllib.request import urlopen

import pytest

from tests.browser import servers
from tests.clean_environment import ROOT, clean_environment, working_files
from unlearnviz.app import serving

APP = serving.NOTEBOOK.relative_to(ROOT).as_posix()


@pytest.mark.clean_install
def test_binder_files_make_a_working_environment():
    with clean_environment() as run:
        copy = run.folder / "repository"
        for path in working_files():
            (copy / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / path, copy / path)
        # what pip would install into nothing is what all other tests ran with, so it is taken from there and not unpacked again
        pinned = dict(line.split("==") for line in (copy / "binder" / "constraints.txt").read_text().splitlines() if "==" in line[:80])
        assert {name: version(name).split("+")[0] for name in pinned} == pinned
        (run.packages / "shared.pth").write_text(sysconfig.get_path("purelib"))
        run("python", "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "-e", ".", cwd=copy)
        run("binder/postBuild", cwd=copy)
        settings = run.folder / "venv" / "share" / "jupyter" / "lab" / "settings" / "overrides.json"
        assert json.loads(settings.read_text())["@jupyterlab/apputils-extension:notification"]["fetchNews"] == "false"
        templates = run.folder / "venv" / "share" / "jupyter" / "voila" / "templates"
        assert "unlearnviz" in {folder.name for folder in templates.iterdir()}
        assert json.loads((run.folder / "venv" / "etc" / "jupyter" / "voila.json").read_text())["VoilaConfiguration"]["template"] == "unlearnviz"
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


def test_a_badge_opens_the_app_and_another_one_the_first_lesson():
    text = (ROOT / "README.md").read_text()
    badges = re.findall(r"\[!\[([^]]+)\]\(notebooks/[\w-]+\.svg\)\]\((https://mybinder\.org/v2/gh/OWNER/REPOSITORY/HEAD\?[^)]+)\)", text)
    opened = {name: parse_qs(urlsplit(address).query)["urlpath"] for name, address in badges}
    assert opened == {
        "Open the app on Binder": [f"voila/render/{APP}"],
        "Open the first lesson on Binder": ["lab/tree/notebooks/01-a-first-forgetting.ipynb"],
    }


def test_a_notebook_server_shows_the_app_as_binder_and_a_hub_do(tmp_path, monkeypatch):
    """The files that postBuild copies, in a server over the repository: the page comes with our sentence, and asks nobody else."""
    shutil.copytree(serving.HERE / "voila", tmp_path / "data" / "voila")
    (tmp_path / "config").mkdir()
    shutil.copy(ROOT / "binder" / "voila.json", tmp_path / "config" / "voila.json")
    shutil.copytree(serving.HERE, tmp_path / "notebooks" / APP.rpartition("/")[0], ignore=shutil.ignore_patterns("__pycache__"))
    with servers.jupyterlab(tmp_path) as address, urlopen(f"{address}/voila/render/{APP}?token={servers.TOKEN}") as page:
        first = ""
        while "starting Python" not in first and (piece := page.read1()):  # the rest comes when cells were executed
            first += piece.decode()
    assert "Opening the shipped model" in first
    assert "starting Python" in first
    assert not re.findall(r"(?:src|href)=[\"']?https?://", first)
