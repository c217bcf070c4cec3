"""What the package asks for: pinned here, so that a new dependency is a decision; and every exact version is on record."""

from __future__ import annotations

import importlib.metadata
import re
import tomllib

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.clean_environment import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
UNPINNED = {"pip", "setuptools", "unlearnviz"}  # tools that an environment comes with, and ourselves


def names(requirements):
    return [Requirement(each).name for each in requirements]


def pins():
    lines = (ROOT / "binder" / "constraints.txt").read_text().splitlines()
    found = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(each.name): str(each.specifier) for each in found}


def test_dependencies_are_these():
    assert names(PROJECT["dependencies"]) == [
        "anywidget",
        "ipywidgets",
        "numpy",
        "plotly",
        "rapidfuzz",
        "safetensors",
        "scikit-learn",
        "scipy",
        "tokenizers",
        "torch",
        "traitlets",
        "transformers",
    ]


def test_extras_are_these():
    assert {extra: names(wanted) for extra, wanted in EXTRAS.items()} == {
        "lab": ["jupyterlab", "voila"],
        "data": ["datasets", "pandas", "pyarrow"],
        "test": [
            *("unlearnviz", "axe-playwright-python", "build", "hatchling", "hypothesis", "mypy", "nbval"),
            *("pandas-stubs", "playwright", "psutil", "pytest", "pytest-xdist", "rouge-score", "ruff"),
        ],
    }


def test_each_dependency_has_a_lower_bound_no_cap_and_a_reason():
    text = (ROOT / "pyproject.toml").read_text()
    for each in [*PROJECT["dependencies"], *(wanted for extra in EXTRAS.values() for wanted in extra)]:
        if Requirement(each).name != "unlearnviz":
            assert re.fullmatch(r"[\w.-]+>=[\d.]+", each), f"{each}: a lower bound, and no cap"
            assert re.search(rf'"{re.escape(each)}", # \w', text), f"{each}: a comment that says what it is for"


def test_everything_that_is_installed_is_pinned_to_one_version():
    assert all(re.fullmatch(r"==[^,*]+", version) for version in pins().values())
    todo = [Requirement(each) for each in [*PROJECT["dependencies"], *EXTRAS["lab"], *EXTRAS["data"], *EXTRAS["test"]]]
    seen = set()
    while todo:
        wanted = todo.pop()
        name = canonicalize_name(wanted.name)
        if (name, frozenset(wanted.extras)) in seen or name in UNPINNED:
            continue
        seen.add((name, frozenset(wanted.extras)))
        assert name in pins(), f"binder/constraints.txt has no version of {name}"
        pinned = pins()[name].removeprefix("==")
        assert wanted.specifier.contains(pinned, prereleases=True), f"{name} {pinned} is not {wanted.specifier}"
        for line in importlib.metadata.requires(name) or []:
            required = Requirement(line)
            extras = wanted.extras or {""}
            if required.marker is None or any(required.marker.evaluate({"extra": extra}) for extra in extras):
                todo.append(required)


def test_what_is_installed_is_what_is_pinned():
    for name, pinned in pins().items():
        try:
            installed = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # belongs to another system
        assert installed.partition("+")[0] == pinned.removeprefix("=="), name
