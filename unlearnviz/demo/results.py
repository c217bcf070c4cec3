"""Results of an experiment: small JSON, written by its command and read by a lesson, and intervals over its seeds."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Sequence
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


def interval(values: Sequence[float]) -> dict[str, float | int | None]:
    """Mean of some seeds and its 95 % interval by Student's t: {"mean", "low", "high", "seeds"}; no interval for one seed.

    With five seeds the bootstrap's percentiles are too narrow (there are few ways to draw them), which is why t stands here.
    """
    mean, count = statistics.fmean(values), len(values)
    if count < 2:
        return {"mean": mean, "low": None, "high": None, "seeds": count}
    from scipy.stats import t

    reach = float(t.ppf(0.975, count - 1)) * statistics.stdev(values) / count**0.5
    return {"mean": mean, "low": mean - reach, "high": mean + reach, "seeds": count}


def ratio(values: Sequence[float]) -> dict[str, float | int | None]:
    """Geometric mean of some positive ratios, one a seed, and its interval: `interval` of their logarithms, so 1 is "the same"."""
    found = interval([math.log(value) for value in values])
    return {name: value if value is None or name == "seeds" else math.exp(value) for name, value in found.items()}


def growth(values: Sequence[float]) -> dict[str, float | int | None]:
    """The same of growths in percent, above -100: what their factors give, as a growth; 0 is "the same"."""
    found = ratio([1 + value / 100 for value in values])
    return {name: value if value is None or name == "seeds" else 100 * (value - 1) for name, value in found.items()}
