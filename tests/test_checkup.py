"""`unlearnviz doctor` and `uv.doctor()`: what they say, and which fix they name."""

from __future__ import annotations

import importlib.metadata
import os
import sys

import pytest

import unlearnviz as uv
from unlearnviz import checkup, cli
from unlearnviz.views.doctor import UNANSWERED

PAGE = {
    "host": "JupyterLab 4.6.6",
    "browser": "a browser",
    "extensions": {"anywidget": importlib.metadata.version("anywidget"), "@jupyter-widgets/jupyterlab-manager": "5.0.15"},
    "can": {"clipboard": True, "storage": True},
}


def of(findings, topic):
    (found,) = (each for each in findings if each.topic == topic)
    return found


@pytest.fixture
def uncontained(tmp_path, monkeypatch):
    """A computer without limits, whoever runs the tests."""
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(checkup, "_free_memory", lambda: 8 * 10**9)
    return tmp_path


def test_all_is_well_here(uncontained):
    found = checkup.kernel_findings(uncontained)
    assert [each.fix for each in found if each.fix] == []
    said = checkup.report(found).splitlines()
    assert said[0].startswith(f"unlearnviz  {uv.__version__} on Python 3.")
    assert said[-1] == f"to do       {checkup.FINE}"
    assert f"torch {importlib.metadata.version('torch')}" in of(found, "engine").text
    assert "no quota" in of(found, "threads").text
    assert "8 GB of it free" in of(found, "memory").text


def test_the_limits_of_a_container_are_named_with_what_to_do(uncontained, monkeypatch):
    (uncontained / "cpu.max").write_text("150000 100000\n")
    (uncontained / "memory.max").write_text(f"{512 * 10**6}\n")
    monkeypatch.setenv("OMP_NUM_THREADS", "64")
    found = checkup.kernel_findings(uncontained)
    threads, memory = of(found, "threads"), of(found, "memory")
    assert "a quota of 1.5 cores: 1 at once; OMP_NUM_THREADS=64" in threads.text
    assert threads.fix == "More threads than can run at once make steps slow: set OMP_NUM_THREADS=1 before Python starts."
    assert "the container allows 0.512 GB" in memory.text
    assert memory.fix == "A kernel with the dashboard needs about 0.7 GB: shut down other notebooks' kernels, or ask for more memory."
    assert checkup.report(found).endswith(f"to do       {threads.fix}")  # one fix, the first


def test_what_is_missing_is_named(uncontained, monkeypatch):
    gone = {"anywidget", *checkup.PLACES}
    monkeypatch.setattr(checkup, "version", lambda name: "" if name in gone else "1.0")
    found = checkup.kernel_findings(uncontained)
    assert "anywidget is missing" in of(found, "widgets").text
    assert of(found, "widgets").fix == "Install what is missing: pip install anywidget."
    assert of(found, "servers").text == "none in this environment: the notebook server, if there is one, runs in another"


def test_a_torch_that_cannot_be_loaded_is_a_finding(uncontained, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    found = of(checkup.kernel_findings(uncontained), "torch")
    assert found.text.startswith("cannot be loaded: ")
    assert found.fix.startswith("Install torch again (pip install --force-reinstall torch)")


def test_a_lost_file_of_the_shipped_model_is_named(uncontained, tmp_path, monkeypatch):
    monkeypatch.setattr("unlearnviz.demo.shipped.FOLDER", tmp_path / "nothing")
    found = of(checkup.kernel_findings(uncontained), "demo")
    assert found.text == "world.json, tokenizer.json, model.safetensors, twin.safetensors of the shipped model cannot be found"
    assert "--force-reinstall unlearnviz" in found.fix


@pytest.mark.parametrize("other, wrong", [("0.0.1", True), (PAGE["extensions"]["anywidget"], False), ("", False)])
def test_a_page_of_another_version_is_found(other, wrong):
    found = checkup.page_findings({**PAGE, "extensions": {"anywidget": other}})
    here = PAGE["extensions"]["anywidget"]
    fix = f"Page and kernel have different versions of anywidget ({other} and {here}): install {here} where the server runs "
    assert of(found, "in page").fix.startswith(fix if wrong else "")
    assert bool(of(found, "in page").fix) == wrong


def test_what_a_browser_refuses_is_named():
    assert of(checkup.page_findings(PAGE), "browser").text == "clipboard, storage and unpacking work"
    refused = checkup.page_findings({**PAGE, "can": {"clipboard": False, "storage": False}})
    assert of(refused, "browser").text == "not allowed or not there: clipboard, storage; the rest works without"
    assert "a place" not in checkup.report(checkup.page_findings({}))  # a page that tells nothing breaks nothing


def test_in_a_notebook_the_page_answers_below():
    made = uv.doctor()
    try:
        assert str(made).endswith(UNANSWERED)
        assert made._repr_mimebundle_()["text/plain"] == str(made) == repr(made)
        made.side.page = {**PAGE, "browser": "<img src=x onerror=alert(1)>"}
        assert "JupyterLab 4.6.6; <img src=x" in str(made)
        assert "<img" not in made.said.value  # it is text there, too
        assert "page has not answered" not in str(made)
    finally:
        made.close()


def test_in_a_terminal_it_prints(capsys, monkeypatch):
    monkeypatch.setitem(os.environ, "OMP_NUM_THREADS", "1")
    monkeypatch.setattr(checkup, "_free_memory", lambda: 8 * 10**9)
    assert cli.main(["doctor"]) == 0
    assert checkup.FINE in capsys.readouterr().out
