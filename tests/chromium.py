"""Finds the browser that the browser tests drive: the Chromium or Chrome which this computer has."""

from __future__ import annotations

import os
import shutil

NAMES = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)


def find_chromium() -> str | None:
    """The path of a Chromium or Chrome, or None. `UNLEARNVIZ_CHROMIUM` names one, and then no other is looked for."""
    chosen = os.environ.get("UNLEARNVIZ_CHROMIUM")
    for name in (chosen,) if chosen else NAMES:
        if path := shutil.which(name):
            return path
    return None


if __name__ == "__main__" and find_chromium() is None:
    print("Browser tests were skipped: no Chromium or Chrome was found. Install one, or name it in UNLEARNVIZ_CHROMIUM.")
