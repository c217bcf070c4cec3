"""Rules for the whole suite: browser tests need a browser, and where one is required nothing may be skipped."""

from __future__ import annotations

import os

import pytest

from tests.chromium import find_chromium

collect_ignore_glob = ["*.ipynb"]  # notebooks that browser tests write are not tests themselves


def required() -> bool:
    return os.environ.get("UNLEARNVIZ_REQUIRE_BROWSER") == "1"


def pytest_collection_modifyitems(items):
    if find_chromium() is None:
        for item in items:
            if item.get_closest_marker("browser"):
                item.add_marker(pytest.mark.skip(reason="no Chromium or Chrome was found"))


def skipped(config) -> int:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    return len(reporter.stats.get("skipped", [])) if reporter else 0


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session, exitstatus):
    if required() and skipped(session.config) and exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter, config):
    if required() and (count := skipped(config)):
        tests = "1 test was" if count == 1 else f"{count} tests were"
        terminalreporter.write_line(f"{tests} skipped, and UNLEARNVIZ_REQUIRE_BROWSER=1 allows none: this run has failed.", red=True)
