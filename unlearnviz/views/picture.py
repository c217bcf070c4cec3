"""Picture: the immutable mirror of a session that every panel draws from. No tensors, no model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from unlearnviz.engine.groups import pools
from unlearnviz.engine.history import StepRecord
from unlearnviz.engine.probes.probe import Reading
from unlearnviz.engine.references import why_no_twin
from unlearnviz.engine.session_recipe import SHOWN
from unlearnviz.engine.twin import Range, ranges

if TYPE_CHECKING:
    from unlearnviz.engine.checking import Check
    from unlearnviz.engine.corpus import Passage
    from unlearnviz.engine.preview import Preview
    from unlearnviz.engine.session import Session
    from unlearnviz.engine.step_size import StepSize


@dataclass(frozen=True)
class Picture:
    """A session at one moment.

    Attributes:
        step: the head.
        path: step ids from the start through the head to the tip that redo leads to.
        records: the records of `path`, in order.
        branch, branches: the present branch, and all of them with their tips.
        compared: the branch that charts show beside the present one, or "".
        can_undo, can_redo: whether the head has a parent, and a child visited last.
        forget: the picked passages.
        groups: group -> passages.
        readings: label -> {step id -> reading of "now"}, for the steps of `path`.
        start, twin: label -> reading of the start, and of the twin while one fits the forget set.
        twins: seed -> label -> reading, for every twin that fits, of what was asked of all; the first is the one of `twin`.
        tree: the records of all steps, of every branch.
        taken: step id -> all its readings.
        previews: what steps of this history were foreseen to do, the latest last.
        step_size: the size that was found last, while it is about the present step and forget set.
        spread: group -> range of the perplexities of twins with several seeds, where two or more are known.
        pools: group -> how many texts it was chosen from.
        has_twin, can_train_twin: whether a twin fits, and whether one could be trained.
        no_twin: whom the twins at hand still met, and what to compare with instead; "" while one fits.
        checks: label -> the check of the reading at the head, where it was made.
        blocks: number of transformer blocks.
        module: what the model calls its blocks: of "h", block 11 is h.11.
        sentence: what happened last, in one plain sentence.
        notes: what the session has to say about its texts.
        prompts, repeats: what a person asked the model, and how often a recipe brought such prompts along.
        recipe: the first 12 hex digits of the hash of the session's recipe; "" before there is a session.
    """

    step: int = 0
    path: tuple[int, ...] = (0,)
    records: tuple[StepRecord, ...] = ()
    branch: str = "main"
    branches: Mapping[str, int] = field(default_factory=dict)
    compared: str = ""
    can_undo: bool = False
    can_redo: bool = False
    forget: tuple[Passage, ...] = ()
    groups: Mapping[str, tuple[Passage, ...]] = field(default_factory=dict)
    readings: Mapping[str, Mapping[int, Reading]] = field(default_factory=dict)
    start: Mapping[str, Reading] = field(default_factory=dict)
    twin: Mapping[str, Reading] = field(default_factory=dict)
    twins: Mapping[int, Mapping[str, Reading]] = field(default_factory=dict)
    tree: tuple[StepRecord, ...] = ()
    taken: Mapping[int, Sequence[Reading]] = field(default_factory=dict)
    previews: tuple[Preview, ...] = ()
    step_size: StepSize | None = None
    spread: Mapping[str, Range] = field(default_factory=dict)
    pools: Mapping[str, int] = field(default_factory=dict)
    has_twin: bool = False
    can_train_twin: bool = False
    no_twin: str = ""
    checks: Mapping[str, Check] = field(default_factory=dict)
    blocks: int = 0
    module: str = "h"
    sentence: str = ""
    notes: tuple[str, ...] = ()
    prompts: tuple[str, ...] = ()
    repeats: int = 0
    recipe: str = ""

    def now(self, label: str) -> Reading | None:
        """The reading at the head, or None."""
        return self.readings.get(label, {}).get(self.step)

    def latest(self, label: str, *, picked: bool = False, fits: Callable[[Reading], bool] | None = None) -> Reading | None:
        """The last reading on the way to the head; its `step` tells where it was taken.

        Args:
            picked: only one that was taken on the present forget set.
            fits: only one for which this is true.
        """
        asked = tuple(passage.id for passage in self.forget)
        readings = self.readings.get(label, {})
        for step in reversed(self.path[: self.path.index(self.step) + 1]):
            reading = readings.get(step)
            if reading is None or (picked and reading.passages.get("forget") != asked):
                continue
            if fits is None or fits(reading):
                return reading
        return None

    def before(self, label: str) -> Reading | None:
        """The reading at the head's parent, or None."""
        record = self.records[self.path.index(self.step)]
        return None if record.parent is None else self.readings.get(label, {}).get(record.parent)


def take(
    session: Session,
    sentence: str,
    start: Mapping[str, Reading],
    twin: Mapping[str, Reading],
    previews: tuple[Preview, ...] = (),
    twins: Mapping[int, Mapping[str, Reading]] | None = None,
) -> Picture:
    """The picture of a session as it stands, with the readings of the two references and of all twins, and with what was foreseen."""
    history = session.history
    path = list(history.path())
    while (child := history.child_visited_last(path[-1])) is not None:
        path.append(child)
    readings: dict[str, dict[int, Reading]] = {}
    groups = {group: tuple(passage.id for passage in members) for group, members in session.groups.items()}
    for step in path:
        for reading in history.readings[step]:
            # at the head, what was measured on another pick is not there any more, also before this one is measured
            if reading.of == "now" and (step != session.head or reading.passages == groups):
                readings.setdefault(reading.label, {})[step] = reading
    active = session.active_twin
    return Picture(
        step=session.head,
        path=tuple(path),
        records=tuple(history[step] for step in path),
        branch=history.branch,
        branches=dict(history.branches),
        can_undo=history.can_undo,
        can_redo=history.can_redo,
        forget=session.forget,
        groups=dict(session.groups),
        readings=readings,
        start=dict(start),
        twin=dict(twin),
        twins=dict(twins or {}),
        tree=tuple(history.records),
        taken=dict(history.readings),  # its lists are replaced, never edited
        previews=previews,
        spread=ranges(perplexities(twin, twins or {}), session.siblings),
        pools=pools(session.corpus, session.groups),
        has_twin=active is not None,
        can_train_twin=session.lineage is not None,
        no_twin=why_no_twin(session),
        checks={name: each for name, each in session.checks.items() if readings.get(name, {}).get(session.head) == each.reading},
        blocks=session.model.layout.blocks,
        module=session.model.layout.module,
        sentence=sentence,
        notes=tuple(session.notes),
        prompts=session.prompts,
        repeats=session.repeats,
        recipe=session.recipe_hash()[:SHOWN],
    )


def perplexities(twin: Mapping[str, Reading], twins: Mapping[int, Mapping[str, Reading]]) -> list[Reading]:
    """The perplexity readings of all twins that were measured, each once; `twin` is the first of `twins`."""
    readings = [twin, *list(twins.values())[1:]]
    return [each["perplexity"] for each in readings if "perplexity" in each]
