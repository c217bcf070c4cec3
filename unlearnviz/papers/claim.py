"""Claim: one sentence of a paper, what would flip it, and a step that shows what it speaks of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from unlearnviz.numbers import number

if TYPE_CHECKING:
    from unlearnviz.papers.measured import Finding

STATED, RECONSTRUCTION = "stated", "reconstruction"
HOLDS, AGAINST, OPEN = "holds", "speaks against it", "open"  # what one interval says of a claim


@dataclass(frozen=True)
class Experiment:
    """What measures some claims.

    Attributes:
        file: name of the JSON that it writes, without ending.
        command: what makes that file.
        lesson: the notebook that shows it, in the folder `notebooks`.
    """

    file: str
    command: str
    lesson: str


@dataclass(frozen=True)
class Trial:
    """One step that anyone can take in the page.

    Attributes:
        method: its registered name.
        settings: those that are not the default.
        where: the parameters that it moves.
        needs: what the session must have: "gradients" or "deltas" of the forget texts in a ledger, "schedule" (a ledger that knows when
            they were used), "never seen" (texts of that kind), or "" for nothing.
        look: where to look afterwards, and what to compare it with.
    """

    method: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    where: str = "embedding"
    needs: str = ""
    look: str = ""


@dataclass(frozen=True)
class Interval:
    """A mean over seeds and its 95 % interval; None where a single value has none."""

    mean: float
    low: float | None
    high: float | None

    def __str__(self) -> str:
        """As text: 1.23 (1.1 to 1.36)."""
        if self.low is None or self.high is None or self.low == self.high:
            return number(self.mean)
        return f"{number(self.mean)} ({number(self.low)} to {number(self.high)})"


@dataclass(frozen=True)
class Claim:
    """What a paper says, and what we found.

    Attributes:
        id: as in the "claims" of the experiment's JSON.
        paper: authors and year.
        sentence: in our own words.
        kind: "stated" (the paper says so) or "reconstruction" (our reading of a method whose text says less, or was not to be read).
        claimed: the side of `line` on which the measured quantity lies if the claim holds: "below", "above", or "at" it, which no
            interval over seeds decides alone.
        line: of the measured quantity, in its unit; drawn before anything was measured.
        line_means: the same in words.
        flips: the setting that may flip it; which ones did is in `found`.
        trial: the step that the Run button takes, or a sentence that says why one step cannot show it.
        found: what was measured; None where that was not done yet.
    """

    id: str
    paper: str
    sentence: str
    kind: str
    experiment: Experiment
    flips: str
    trial: Trial | str
    claimed: str = "below"
    line: float = 0.0
    line_means: str = "no difference"
    found: Finding | None = None

    def side(self, interval: Interval) -> str:
        """HOLDS, AGAINST or OPEN: whether an interval lies wholly on the claimed side of the line, wholly on the other, or over it."""
        if interval.low is None or interval.high is None or interval.low <= self.line <= interval.high or self.claimed == "at":
            return OPEN
        return HOLDS if (interval.high < self.line) == (self.claimed == "below") else AGAINST

    @property
    def verdict(self) -> str:
        """What we found, in words; how to find out where nothing was measured."""
        if self.found is None:
            return f"not measured here yet: run `{self.experiment.command}`"
        return {"depends on": "depends on the setting"}.get(self.found.verdict, self.found.verdict)

    @property
    def origin(self) -> str:
        """Whose sentence it is, in words."""
        return "stated in the paper" if self.kind == STATED else "our reconstruction"
