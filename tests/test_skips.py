"""Where a browser is required, a skipped test fails the run and says so."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def run_pytest(tmp_path):
    def run(body, **variables):
        (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = browser: needs a browser\n")
        (tmp_path / "test_it.py").write_text(body)
        environment = {key: value for key, value in os.environ.items() if not key.startswith("UNLEARNVIZ_")} | variables
        command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.conftest", "-p", "no:cacheprovider", "-c", str(tmp_path / "pytest.ini")]
        return subprocess.run([*command, str(tmp_path)], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)

    return run


SKIPS = "import pytest\ndef test_one(): pass\ndef test_two(): pytest.skip('no reason')\n"
BROWSER = "import pytest\n@pytest.mark.browser\ndef test_page(): pass\n"


def test_a_skip_is_allowed_at_home(run_pytest):
    assert run_pytest(SKIPS).returncode == 0


def test_a_skip_fails_where_a_browser_is_required(run_pytest):
    result = run_pytest(SKIPS, UNLEARNVIZ_REQUIRE_BROWSER="1")
    assert result.returncode == 1
    assert "1 test was skipped, and UNLEARNVIZ_REQUIRE_BROWSER=1 allows none: this run has failed." in result.stdout


def test_no_skip_no_failure(run_pytest):
    assert run_pytest("def test_one(): pass\n", UNLEARNVIZ_REQUIRE_BROWSER="1").returncode == 0


def test_a_browser_test_without_a_browser_is_skipped(run_pytest):
    result = run_pytest(BROWSER, UNLEARNVIZ_CHROMIUM="/no/such/browser")
    assert result.returncode == 0
    assert "1 skipped" in result.stdout


def test_and_fails_where_one_is_required(run_pytest):
    assert run_pytest(BROWSER, UNLEARNVIZ_CHROMIUM="/no/such/browser", UNLEARNVIZ_REQUIRE_BROWSER="1").returncode == 1
