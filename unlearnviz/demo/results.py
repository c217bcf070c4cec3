"""Results of an experiment: small JSON, written by its command and read by a lesson."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from unlearnviz.errors import BadModel


def write(found: dict[str, Any], file: Path) -> None:
    """As JSON, numbers with six digits after the point."""
    rounded = json.loads(json.dumps(found), parse_float=lambda text: round(float(text), 6))
    file.write_text(json.dumps(rounded, indent=1) + "\n", encoding="utf-8")


def read(file: Path, what: str, command: str) -> dict[str, Any]:
    """What the last full run wrote.

    Args:
        what: the experiment in words.
        command: what makes the file.

    Raises:
        BadModel: there is no such file.
    """
    try:
        return json.loads(file.read_text(encoding="utf-8"))  # type: ignore[no-any-return]
    except OSError as error:
        raise BadModel(f"{what} is not in {str(file)!r}; `{command}` makes it (`unlearnviz --help` says how long that takes).") from error
