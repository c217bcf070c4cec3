"""Settings: dataclass fields that carry their own help and bounds, so that pages and checks cannot drift apart."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import MISSING, field, fields
from typing import Any

from unlearnviz.errors import BadSetting, nearest


def setting(
    default: Any = MISSING,
    *,
    help: str,
    minimum: float | None = None,
    maximum: float | None = None,
    above: float | None = None,
    choices: Sequence[str] | None = None,
    advanced: bool = False,
) -> Any:
    """A dataclass field with its help text and bounds in `metadata`.

    Args:
        default: the value when nothing is given.
        help: one sentence for the page and for error messages.
        minimum, maximum: inclusive bounds.
        above: an exclusive lower bound.
        choices: the allowed words.
        advanced: shown folded away in the page.
    """
    metadata = {
        "help": help,
        "minimum": minimum,
        "maximum": maximum,
        "above": above,
        "choices": tuple(choices) if choices else None,
        "advanced": advanced,
    }
    return field(default=default, metadata=metadata)


def check_settings(owner: Any) -> None:
    """Raise BadSetting for the first field of a dataclass that is out of its bounds."""
    for each in fields(owner):
        if "help" not in each.metadata:
            continue
        value = getattr(owner, each.name)
        if hasattr(value, "item") and getattr(value, "ndim", None) == 0:  # a numpy or torch scalar: settings are JSON-safe
            value = value.item()
            object.__setattr__(owner, each.name, value)
        # a notebook cell without `from __future__ import annotations` hands over the type itself
        kind = each.type.__name__ if isinstance(each.type, type) else str(each.type)
        if value is None and (each.default is None or "None" in kind):
            continue
        _check_one(type(owner).__name__, each.name, value, each.metadata, kind)


def _check_one(owner: str, name: str, value: Any, limits: Any, kind: str) -> None:
    asked = f"{owner}({name}={value!r})"
    if limits["choices"] is not None:
        if value not in limits["choices"]:
            raise BadSetting(f"{asked} is not one of its choices.{nearest(value, limits['choices'])}")
        return
    if kind == "bool" and not isinstance(value, bool):
        raise BadSetting(f"{asked} is neither True nor False.")
    bounds = [limits["minimum"], limits["maximum"], limits["above"]]
    bounded = any(bound is not None for bound in bounds)
    kinds = {part.strip() for part in kind.split("|")}
    if not bounded and not kinds & {"int", "float"}:
        return
    end = f"; {_allowed(limits)}." if bounded else "."
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise BadSetting(f"{asked} is not a finite number{end}")
    if "int" in kinds and "float" not in kinds and not isinstance(value, int):
        raise BadSetting(f"{asked} is not a whole number{end}")
    low, high, above = bounds
    if (low is not None and value < low) or (high is not None and value > high) or (above is not None and value <= above):
        raise BadSetting(f"{asked} is out of range; {_allowed(limits)}.")


def _allowed(limits: Any) -> str:
    low, high, above = limits["minimum"], limits["maximum"], limits["above"]
    start = f"above {above:g}" if above is not None else f"at least {low:g}" if low is not None else ""
    end = f"at most {high:g}" if high is not None else ""
    return "allowed is " + " and ".join(part for part in (start, end) if part)
