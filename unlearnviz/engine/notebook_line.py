"""One line of text in a notebook that says how far long work is; nothing at all anywhere else."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from typing import Any

from unlearnviz.engine.progress import Progress

INTERVAL = 0.25  # seconds between two updates of the line


def notebook_line(what: str, hint: str = "") -> Callable[[Progress], None]:
    """A function that shows each report in one line under the cell, updated in place.

    Outside of a notebook's kernel it shows nothing: what a library prints is in somebody's way.

    Args:
        what: the work, as a word with a capital letter ("Learning").
        hint: what else to say while it runs.
    """
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if getattr(shell, "kernel", None) is None:
        return lambda _: None
    from IPython.display import display

    handle: Any = None
    due = 0.0

    def show(progress: Progress) -> None:
        nonlocal handle, due
        finished = progress.done == progress.total
        if time.monotonic() < due and not finished:
            return
        due = time.monotonic() + INTERVAL
        text = {"text/plain": line(what, progress, "" if finished else hint)}
        if handle is None:
            handle = display(text, raw=True, display_id=True)
        else:
            handle.update(text, raw=True)

    return show


def line(what: str, progress: Progress, hint: str = "") -> str:
    """'Learning: epoch 3 of 60, loss 2.31 nats per token. 5 %, about 2 min left; ...' as one sentence or two."""
    parts = [f"{what}: {progress.text}."]
    fraction, seconds = progress.fraction, progress.seconds
    if fraction == 1:
        parts.append("Done." if seconds is None else f"Done in {duration(seconds)}.")
    else:
        so_far = [] if fraction is None else [f"{100 * fraction:.0f} %"]
        if fraction and seconds is not None:
            so_far.append(f"about {duration(seconds * (1 - fraction) / fraction)} left")
        rest = "; ".join(part for part in (", ".join(so_far), hint) if part)
        parts.append(f"{rest[:1].upper()}{rest[1:]}." if rest else "")
    return " ".join(part for part in parts if part)


def duration(seconds: float) -> str:
    """Seconds as a person says them: '8 s', '3 min', '1 h 20 min'."""
    if seconds < 90:
        return f"{math.ceil(seconds)} s"
    minutes = math.ceil(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
