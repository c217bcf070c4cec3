"""The lessons as committed: without outputs, small, and opening without a question."""

from __future__ import annotations

import json

import pytest

from tests.clean_environment import ROOT

LESSONS = [
    "01-a-first-forgetting.ipynb",
    "02-your-own-texts.ipynb",
    "03-where-does-it-live.ipynb",
    "04-who-keeps-it-there.ipynb",
    "05-fuzzy-or-iterative.ipynb",
    "06-first-epoch.ipynb",
    "07-partial-amnesiac.ipynb",
    "08-nabla-tau.ipynb",
    "09-unrolling-sgd.ipynb",
]
FOLDER = ROOT / "notebooks"


def test_the_lessons_are_there():
    assert {path.name for path in FOLDER.glob("*.ipynb")} >= set(LESSONS)


@pytest.mark.parametrize("name", sorted({*LESSONS, *(path.name for path in FOLDER.glob("*.ipynb"))}))
def test_notebook_is_stripped_and_opens_without_a_question(name):
    text = (FOLDER / name).read_text(encoding="utf-8")
    notebook = json.loads(text)
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert len(text.encode()) < 200_000
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    assert "widgets" not in notebook["metadata"]
    assert not [cell["source"] for cell in code if cell["outputs"] or cell["execution_count"] is not None]
