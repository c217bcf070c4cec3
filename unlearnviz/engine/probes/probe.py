"""Probe, Reading and View: what is measured, what comes out, and what a probe may look at."""

from __future__ import annotations

from collections.abc import Container, Generator, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from unlearnviz.engine.progress import Enough as Enough  # noqa: PLC0414 (probes import it from here)
from unlearnviz.engine.progress import Progress
from unlearnviz.engine.registry import Registry
from unlearnviz.engine.settings import check_settings
from unlearnviz.errors import unknown

if TYPE_CHECKING:
    from unlearnviz.engine.corpus import Corpus, Passage
    from unlearnviz.engine.history import History
    from unlearnviz.engine.model import LanguageModel
    from unlearnviz.engine.teaching import Lineage
    from unlearnviz.engine.weights import Weights

registry: Registry[Probe] = Registry("probe", "unlearnviz.engine.probes")


@dataclass(frozen=True)
class Reading:
    """What one probe saw, JSON-safe.

    Attributes:
        probe: name of the probe.
        label: the key under which `measure` returns it; the probe's name unless a label was given.
        step: the step it was taken at (the head, also for readings of the start or the twin).
        of: whose weights: "now", "start", "twin" or a step id as text.
        unit: of `value` and of the numbers in `rows`.
        direction: what lower or higher means.
        value: the headline number, or None where a probe has no single one.
        rows: one dictionary per line of the result.
        passages: group -> passage ids it was taken on.
        seconds: how long it took.
        note: a sentence for a person, where the rows alone would be misread; "" elsewhere.
    """

    probe: str
    label: str
    step: int
    of: str
    unit: str
    direction: str
    value: float | None
    rows: tuple[dict[str, Any], ...]
    passages: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    seconds: float = 0.0
    note: str = ""

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Reading:
        """The inverse of `dataclasses.asdict`, through JSON, which knows no tuples."""
        passages = {group: tuple(members) for group, members in data["passages"].items()}
        return cls(**{**data, "rows": tuple(data["rows"]), "passages": passages})


@dataclass(frozen=True)
class View:
    """What a probe may look at besides the model and the corpus; all of it read-only.

    Attributes:
        groups: "forget", "neighbours", "retain", "never seen" -> passages.
        weights: the weights that the model has during the measurement.
        start: the weights of step 0.
        twin: weights of the model that never saw the forget set, or None.
        previous: the weights before the last step, or None at the start.
        history: the steps so far.
        step: the step looked at.
        twins: the weights of every twin of this pick, `twin` first; they differ in the seed of their order.
        lineage: how the model came to know its texts, or None where that is not known.
    """

    groups: Mapping[str, tuple[Passage, ...]]
    weights: Weights
    start: Weights
    twin: Weights | None
    previous: Weights | None
    history: History
    step: int
    twins: tuple[Weights, ...] = ()
    lineage: Lineage | None = None


def find_passage(name: str, corpus: Corpus, view: View) -> Passage:
    """A text of the corpus, or a typed one of the present groups, by its id.

    Raises:
        UnknownName: there is none; the message names the nearest.
    """
    return find_passages((name,), corpus, view)[0]


def find_passages(names: Iterable[str], corpus: Corpus, view: View) -> tuple[Passage, ...]:
    """The texts of several ids, in their order; one id is as good as a tuple of one.

    Raises:
        UnknownName: there is none of that id; the message names the nearest.
    """
    grouped = {passage.id: passage for members in view.groups.values() for passage in members}
    ids: Container[object] = corpus
    found = []
    for name in (names,) if isinstance(names, str) else names:
        if name not in grouped and name not in ids:
            known = [passage.id for passage in corpus]
            raise unknown("passage", name, [*known, *(each for each in grouped if each not in ids)])
        found.append(grouped[name] if name in grouped else corpus[name])
    return tuple(found)


@dataclass(frozen=True)
class Probe:
    """One measurement. Subclass it in a file of this folder, or in a notebook cell, and it is registered by name.

    A subclass is a frozen dataclass whose fields are its settings, names its `unit`, `direction` and `cost`, and leaves the
    weights untouched.
    """

    name: ClassVar[str] = ""
    unit: ClassVar[str] = ""
    direction: ClassVar[str] = ""
    cost: ClassVar[Literal["cheap", "slow"]] = "cheap"
    beside: ClassVar[tuple[str, ...]] = ("start", "twin")  # whose readings a page shows beside it
    reads_twins: ClassVar[bool] = False  # whether it asks for all of `view.twins`, which are there for such probes only

    label: str | None = field(default=None, kw_only=True)

    def __init_subclass__(cls, *, abstract: bool = False, **options: Any) -> None:
        super().__init_subclass__(**options)
        if not abstract:
            cls.name = registry.add(cls)

    def __post_init__(self) -> None:
        check_settings(self)

    def measure(self, model: LanguageModel, corpus: Corpus, view: View) -> Reading:
        """Take the reading; the session fills in `step`, `of`, `passages` and `seconds`."""
        raise NotImplementedError

    def measuring(self, model: LanguageModel, corpus: Corpus, view: View) -> Generator[Progress, None, Reading]:
        """`measure` as an iterator that returns the reading: for probes that take long, which override this one.

        At a yield `Enough` may be thrown in: a probe that catches it returns the reading of what is done.
        """
        return self.measure(model, corpus, view)
        yield  # a generator, of no reports

    def reading(self, value: float | None, rows: list[dict[str, Any]], note: str = "") -> Reading:
        """A Reading of this probe, for `measure` to return."""
        return Reading(self.name, self.label or self.name, 0, "now", self.unit, self.direction, value, tuple(rows), note=note)
