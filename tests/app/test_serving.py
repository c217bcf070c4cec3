"""`unlearnviz app`: a page at an address, one sentence where that cannot be, and a clean end."""

from __future__ import annotations

import importlib.util
import os
import re
import signal
import socket
import subprocess
import sys
from functools import partial
from pathlib import Path

import nbformat
import pytest

from tests.browser.servers import environment as own_environment
from tests.browser.servers import wait_for
from unlearnviz import cli
from unlearnviz.app import serving
from unlearnviz.errors import BadSetting


@pytest.fixture
def taken():
    with socket.socket() as place:
        place.bind((serving.HOST, 0))
        place.listen()
        yield place.getsockname()[1]


def test_a_taken_port_is_one_sentence(taken, capsys):
    assert cli.main(["app", "--port", str(taken)]) == 2
    assert capsys.readouterr().err == (
        f"unlearnviz: Port {taken} is taken by another program, or not allowed; give another one, or leave it out and a free one is found.\n"
    )


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_a_port_out_of_range_is_one_sentence(port):
    with pytest.raises(BadSetting, match=rf"^port={port} is no port; allowed is 1 to 65535, or leave it out and a free one is found\.$"):
        serving.checked(port)


def test_without_voila_it_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "voila" else pytest.fail(name))
    assert cli.main(["app"]) == 2
    assert capsys.readouterr().err == (
        "unlearnviz: The app is shown by voila, which is not installed here: pip install 'unlearnviz[lab]', then run this again.\n"
    )


def test_a_taken_usual_port_is_no_hindrance(taken, monkeypatch):
    monkeypatch.setattr(serving, "PORT", taken)
    assert serving.free_port() != taken
    assert serving.is_free(serving.free_port())


def test_what_a_person_has_set_stays():
    mine = serving.environment({"JUPYTER_PATH": "mine", "OMP_WAIT_POLICY": "active"})
    assert mine == {"JUPYTER_PATH": os.pathsep.join([str(serving.HERE), "mine"]), "OMP_WAIT_POLICY": "active"}
    assert serving.environment({}) == {"JUPYTER_PATH": str(serving.HERE), "OMP_WAIT_POLICY": "passive"}


def test_its_notebook_is_tiny_and_names_its_kernel():
    book = nbformat.read(serving.NOTEBOOK, as_version=4)
    nbformat.validate(book)
    assert serving.NOTEBOOK.stat().st_size < 2000
    assert book.metadata.kernelspec.name == "python3"
    assert [cell.outputs for cell in book.cells] == [[], [], [], []]


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is another signal there")
def test_it_answers_at_its_address_and_ends_with_ctrl_c(tmp_path):
    command = [sys.executable, "-m", "unlearnviz.cli", "app", "--no-browser"]
    words = {"env": own_environment(tmp_path), "cwd": tmp_path, "text": True, "start_new_session": True}
    words["preexec_fn"] = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # who runs the tests in the background has it ignored
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **words) as process:
        try:
            address = re.fullmatch(r"Open (http://127\.0\.0\.1:\d+/) in a browser\..* Ctrl-C ends it\.\n", process.stdout.readline())[1]
            wait_for(f"{address}voila/static/voila.js", process, Path(os.devnull))
        finally:
            process.send_signal(signal.SIGINT)
            try:
                out, err = process.communicate(timeout=60)
            finally:
                process.kill()  # a failed test does not wait for it
    assert (process.returncode, out, err) == (0, "The app has ended.\n", "")
