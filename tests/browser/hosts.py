"""Other servers that show notebooks than those of .venv: each in a folder of its own, over the packages that are there already."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import tomllib
from importlib.metadata import version
from pathlib import Path

from packaging.requirements import Requirement

from tests.clean_environment import ROOT

Requirements = tuple[str, ...]


def notebook() -> Requirements:
    """Notebook 7, and beside it the installed JupyterLab, on whose page it builds: both look for their parts in one folder."""
    return "notebook==7.6.5", f"jupyterlab=={version('jupyterlab')}"  # a series of one belongs to a series of the other


def oldest_jupyterlab() -> Requirements:
    """The lowest version that pyproject.toml allows."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (wanted,) = (each for each in map(Requirement, project["optional-dependencies"]["lab"]) if each.name == "jupyterlab")
    (lowest,) = wanted.specifier
    return (f"jupyterlab=={lowest.version}",)


def folder_of(requirements: Requirements) -> Path:
    """The folder that holds these packages, installed when they are first asked for: without what they need, which .venv has.

    It lies in the environment that runs the tests, so that it goes when that goes.
    """
    folder = Path(sys.prefix) / "hosts" / "-".join(requirements).replace("==", "-")
    if not folder.is_dir():
        folder.parent.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as made:
            command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", f"{made}/it", *requirements]
            result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
            assert result.returncode == 0, f"{' '.join(command)} ended with {result.returncode}:\n{result.stdout}\n{result.stderr}"
            Path(made, "it").rename(folder)
    return folder
