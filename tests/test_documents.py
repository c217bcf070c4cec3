"""The Python in README and CONTRIBUTING runs as it stands there, and the files that they name exist."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import ipywidgets
import pytest

from tests.clean_environment import ROOT


def blocks(name):
    return re.findall(r"```python\n(.*?)```", (ROOT / name).read_text(), flags=re.DOTALL)


def test_ten_lines_of_the_readme_run(capsys):
    (code,) = blocks("README.md")
    assert len([line for line in code.splitlines() if line]) <= 10
    names = {}
    try:
        exec(compile(code, "README.md", "exec"), names)
        assert names["session"].head == 6
        said = capsys.readouterr().out
        number = r"(forget|neighbours|retain|never seen) (\d+\.\d)"
        stated, shown = (dict(re.findall(number, text)) for text in (code, said))
        assert shown.keys() == stated.keys() == names["session"].groups.keys()
        for group, value in stated.items():
            assert float(shown[group]) == pytest.approx(float(value), rel=0.1)
        (was,) = re.findall(r"it was (\w+)\)", code)
        assert was in names["session"].forget[0].answer
        assert was not in said
    finally:
        ipywidgets.Widget.close_all()


USE = """
import unlearnviz as uv

session = uv.demo()
before = session.fingerprint()
session.step(BoundedAscent(ceiling=20.0))
assert session.fingerprint() != before
reading = session.measure(WorstToken())["worst-token"]
assert reading.value == reading.rows[0]["loss"] > 0
"""


def test_the_method_and_the_probe_of_contributing_work(tmp_path):
    """In a Python of their own: a class that is defined stays registered, and other tests list what is registered."""
    program = tmp_path / "mine.py"
    program.write_text("\n".join([*blocks("CONTRIBUTING.md"), USE]))
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    result = subprocess.run([sys.executable, str(program)], env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "notebooks/teaching-with-it.md"])
def test_what_a_document_names_exists(name):
    text = (ROOT / name).read_text()
    named = set(re.findall(r"`((?:unlearnviz|notebooks|tests|binder)/[\w./-]+)`", text))
    named |= set(re.findall(r"\]\(([\w./-]+)\)", text))
    assert named
    assert not [path for path in sorted(named) if not (ROOT / path).exists()]
