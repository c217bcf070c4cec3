"""Row, Plan and the suites by name."""

import importlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Row:
    """One measured figure.

    Attributes:
        suite: which suite measured it.
        name: what was measured, in words.
        value: the figure; None where it could not be had.
        unit: of `value`; "x" is a ratio.
        base: what a ratio is relative to, with its own figure; "" for absolute figures.
        at_most, at_least: the target; both None where the figure is only reported.
    """

    suite: str
    name: str
    value: float | None
    unit: str
    base: str = ""
    at_most: float | None = None
    at_least: float | None = None

    @property
    def target(self) -> str:
        """The target in words, "" where there is none."""
        if self.at_most is not None and self.at_most == self.at_least:
            return f"{self.at_most:g}"
        parts = [f">= {self.at_least:g}"] if self.at_least is not None else []
        parts += [f"<= {self.at_most:g}"] if self.at_most is not None else []
        return " and ".join(parts)

    @property
    def holds(self) -> bool | None:
        """Whether the target is met; None where there is none."""
        if not self.target:
            return None
        high = self.value is not None and (self.at_most is None or self.value <= self.at_most)
        return high and (self.at_least is None or self.value >= self.at_least)

    @property
    def shown(self) -> str:
        """The figure with its unit."""
        return "not reached" if self.value is None else f"{self.value:.4g} {self.unit}".strip()

    def line(self) -> str:
        """The row as a line of the printed table."""
        verdict = {True: "holds ", False: "MISSED", None: "      "}[self.holds]
        aim = f"  (target {self.target})" if self.target else ""
        against = f"  [{self.base}]" if self.base else ""
        return f"   {verdict} {self.shown:>16}  {self.name}{aim}{against}"

    def to_json(self) -> dict[str, Any]:
        """The row as the seven fields that `--json` promises."""
        row = asdict(self)
        return {
            **{key: row[key] for key in ("suite", "name", "value", "unit", "base")},
            "target": self.target,
            "holds": self.holds,
        }


@dataclass(frozen=True)
class Plan:
    """How much to measure, and on what.

    Attributes:
        open: makes the session to measure; the shipped world by default.
        cell: the lines with which a fresh process or notebook opens the same session under the name `session`.
        effort: 1 is a full measurement; 0 the shortest that still gives every row.
        peers: the folder of the other libraries, for the suite that measures them too; None: it does not.
    """

    open: Callable[[], Any] | None = None
    cell: str = "import unlearnviz as uv\nsession = uv.demo()"
    effort: int = 1
    peers: Path | None = None

    def session(self) -> Any:
        """A new session."""
        if self.open is not None:
            return self.open()
        import unlearnviz

        return unlearnviz.demo()

    def times(self, full: int) -> int:
        """A number of rounds: `full`, or 1 in a short measurement."""
        return full if self.effort else 1


class Unable(Exception):
    """This computer lacks what a suite needs; the sentence says what."""


@dataclass(frozen=True)
class Suite:
    """A suite by the name of its file in `suites/`, loaded when first used."""

    name: str
    what: str

    @cached_property
    def run(self) -> Callable[[Plan], Any]:
        """The function that measures: an iterator of rows."""
        return importlib.import_module(f"tests.benchmarks.suites.{self.name}").measure


SUITES = {
    suite.name: suite
    for suite in (
        Suite("start", "how fast the package and the shipped world open"),
        Suite("step", "what the default step does to the default person"),
        Suite("readouts", "one step with all read-outs, against transformers doing the same work"),
        Suite("undo", "snapshot and undo, against the step itself"),
        Suite("gradients", "norms and influences of all texts, in plain training epochs"),
        Suite("curvature", "Hessian-vector products and a damped inverse, in gradients of the same texts"),
        Suite("neighbours", "searches among a million texts, against one plain call of rapidfuzz"),
        Suite("ledger", "what recording costs a training, and how exactly it leads back"),
        Suite("large", "one embedding step of a model of GPT-2's size"),
        Suite("laws", "random operations against the laws"),
        Suite("memory", "what a kernel holds after 50 steps with the dashboard open"),
        Suite("room", "one core and 1 GB, and the app from its address to the first Step"),
        Suite("page", "the dashboard in JupyterLab: drawing, redrawing, Stop, and what must be 0"),
    )
}
