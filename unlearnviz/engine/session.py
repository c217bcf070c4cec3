"""Session: one model, one corpus, and a small git of weights over them."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unlearnviz.engine import measuring, stepping, threads
from unlearnviz.engine.corpus import Corpus, Passage
from unlearnviz.engine.events import Event, Listeners, Measured, Picked, Stepped
from unlearnviz.engine.given import open_beside
from unlearnviz.engine.groups import choose_groups, notes_on, resolve
from unlearnviz.engine.history import History, StepRecord
from unlearnviz.engine.keepable import Keepable
from unlearnviz.engine.methods.method import Method
from unlearnviz.engine.model import LanguageModel
from unlearnviz.engine.moving import Moving
from unlearnviz.engine.near_duplicates import near_duplicate_notes
from unlearnviz.engine.preview import Preview, take_preview
from unlearnviz.engine.probes.probe import Probe, Reading
from unlearnviz.engine.progress import Progress, drain
from unlearnviz.engine.referring import Referring
from unlearnviz.engine.runnable import Runnable
from unlearnviz.engine.selection import ParameterSelection
from unlearnviz.engine.snapshots import Snapshots
from unlearnviz.engine.step_size import TARGET, StepSize, find_step_size
from unlearnviz.engine.teachable import Teachable
from unlearnviz.engine.turn import Turn
from unlearnviz.engine.weights import Weights, fingerprint
from unlearnviz.errors import BadSetting

if TYPE_CHECKING:
    from unlearnviz.engine.ledger import Ledger
    from unlearnviz.engine.teaching import Lineage
    from unlearnviz.engine.twin import Twin

UPDATE_FRACTION = 0.0078  # of a selection's norm: what 0.25 is of the shipped embedding's 32.2


class Session(Moving, Runnable, Teachable, Keepable, Referring):
    """The state of unlearning, step by step.

    `Moving` has the verbs that go back and forth, `Runnable` those that take several steps, `Teachable` those that train, `Keepable`
    those that keep a recipe of it all.

    Verbs that take time come twice: `step(...)` does it and returns, `stepping(...)` is the same work as an iterator of
    `Progress`, for pages: each item is a point to stop at, closing the iterator cancels, and its return value is the result.

    Args:
        model: the model; the session is its only writer from now on.
        corpus: what it was taught, and what it never saw.
        seed: of the groups and the steps.
        update_fraction: length of a default update, as a share of the selection's L2 norm at the start.
        memory_budget, disk_budget: bytes for the history's snapshots; see `TensorStore`.
        lineage: how the model was taught, if known: `twin()` needs it.
        initial_seed: of the random start of a model that was not taught anything yet.
    """

    def __init__(
        self,
        model: LanguageModel,
        corpus: Corpus,
        *,
        seed: int = 0,
        update_fraction: float = UPDATE_FRACTION,
        memory_budget: int | None = None,
        disk_budget: int | None = None,
        lineage: Lineage | None = None,
        initial_seed: int | None = None,
    ) -> None:
        if not (math.isfinite(update_fraction) and update_fraction > 0):
            raise BadSetting(f"update_fraction={update_fraction!r} is out of range; allowed is above 0.")
        super().__init__()
        threads.settle()
        self.model = model
        self.corpus = corpus
        self.seed = seed
        self.update_fraction = update_fraction
        self.lineage = lineage
        self.initial_seed = initial_seed
        self.history = History()
        self.snapshots = Snapshots(model, memory_budget=memory_budget, disk_budget=disk_budget)
        self.typed: list[Passage] = []
        self.groups: Mapping[str, tuple[Passage, ...]] = {}
        self.notes: list[str] = list(corpus.notes)
        self.warnings: list[str] = []  # those of the notes that go with the present pick
        self.twins: list[Twin] = []
        self.ledger: Ledger | None = None  # of the training that led to step 0
        self.measurements = measuring.Measurements()
        self.turn = Turn()
        self._listeners = Listeners()

    @classmethod
    def from_pretrained(
        cls, name_or_path: str | Path, *, corpus: Corpus, seed: int = 0, start: Path | str | None = None, twin: Path | str | None = None,
        left_out: str | Sequence[str] | None = None, **options: Any,
    ) -> Session:  # fmt: skip
        """Open any Hugging Face causal LM over your own texts; options as for `LanguageModel.from_pretrained`.

        `start` is a folder with the model that this one was made from: it is step 0 then; `twin` and `left_out` go to `add_twin`.
        """
        model = LanguageModel.from_pretrained(name_or_path, **options)
        session = open_beside(model, lambda: cls(model, corpus, seed=seed), start, twin, left_out)
        session.history.given = len(session.history)
        session.source = {"model": str(name_or_path)} if start is None else {}
        return session

    def __repr__(self) -> str:
        return f"Session({self.model!r}, {self.corpus!r}, step {self.head} on {self.history.branch!r}, forget {len(self.forget)} texts)"

    @property
    def forget(self) -> tuple[Passage, ...]:
        """The passages picked to be forgotten; empty before the first `pick`."""
        return self.groups.get("forget", ())

    def pick(self, *items: str | Passage | Sequence[str | Passage]) -> tuple[Passage, ...]:
        """Choose the forget set: subjects, passage ids, or new texts. UnknownName and BadForgetSet change nothing."""
        with self.turn.take("pick"):
            chosen, new = resolve(self.corpus, self.typed, items)
            notes = notes_on(self.model, chosen, new)
            groups = choose_groups(self.corpus, chosen, self.seed)
            warnings = near_duplicate_notes(self.corpus, groups)
            kept = [note for note in self.notes if note not in self.warnings]
            self.groups, self.warnings = groups, warnings
            self.typed += new
            self.notes = [*kept, *(note for note in (*notes, *warnings) if note not in kept)]
        self._emit(Picked(self.head, tuple(passage.id for passage in chosen)))
        return tuple(chosen)

    def step(self, method: Method | str | None = None, where: str = "embedding") -> StepRecord:
        """Take one step of `method` (GradientAscent by default) on the parameters `where`.

        Atomic: when it raises or is cancelled, weights, head and history are bit-identical to before.

        Raises:
            BadForgetSet, BadSelection, UnknownName, Busy, ChangedOutside, Overshoot, Cancelled.
        """
        return drain(self.stepping(method, where))

    def stepping(
        self, method: Method | str | None = None, where: str = "embedding"
    ) -> Generator[Progress, None, StepRecord]:
        """`step` as an iterator; returns the StepRecord."""
        resolved, selection = stepping.plan(self, method, where)
        with self.turn.take(f"a step of {resolved.name}"):
            record = yield from stepping.take_step(self, resolved, selection)
        self._emit(Stepped(self.head))
        return record

    def preview(self, method: Method | str | None = None, where: str = "embedding") -> Preview:
        """What `step` would change in each group of texts, to first order; nothing is changed and nothing kept. Errors as of `step`."""
        return drain(self.previewing(method, where))

    def previewing(self, method: Method | str | None = None, where: str = "embedding") -> Generator[Progress, None, Preview]:
        """`preview` as an iterator; returns the Preview."""
        resolved, selection = stepping.plan(self, method, where)
        with self.turn.take(f"a preview of {resolved.name}"):
            preview = yield from take_preview(self, resolved, selection)
        return preview

    def find_step_size(self, method: Method | str | None = None, where: str = "embedding", *, target: float = TARGET) -> StepSize:
        """The size of a step that raises the forget texts' mean token loss by `target` nats; nothing is changed and nothing kept.

        Raises:
            BadSetting: a target that is no finite number above 0.
            NotPossible: a method without update_norm and learning_rate. Other errors as of `step`; a size that overshoots is none.
        """
        return drain(self.finding_step_size(method, where, target=target))

    def finding_step_size(
        self, method: Method | str | None = None, where: str = "embedding", *, target: float = TARGET
    ) -> Generator[Progress, None, StepSize]:
        """`find_step_size` as an iterator; returns the StepSize."""
        resolved, selection = stepping.plan(self, method, where)
        with self.turn.take(f"the search for a step size of {resolved.name}"):
            found = yield from find_step_size(self, resolved, selection, target)
        return found

    def cancel(self) -> None:
        """Ask running work to stop at its next cancel point; what was not finished is not kept."""
        self.turn.cancel()

    def measure(self, *probes: Probe | str, of: str | int = "now") -> dict[str, Reading]:
        """Take readings; a mapping from label to Reading.

        Args:
            probes: probes, or names of probes with their default settings.
            of: "now", "start", "twin", a step id, or one of several twins by its seed: "twin 3".

        Raises:
            UnknownName: an unknown probe or step.
            BadForgetSet: nothing is picked.
            BadSetting: two probes with one label.
            NotPossible: `of="twin"` while no twin fits the forget set, or none of that seed.
        """
        return drain(self.measuring(*probes, of=of))

    def measuring(self, *probes: Probe | str, of: str | int = "now") -> Generator[Progress, None, dict[str, Reading]]:
        """`measure` as an iterator; returns the mapping."""
        resolved = measuring.resolve(probes)
        with self.turn.take("a measurement"):
            readings = yield from measuring.take_readings(self, resolved, of)
        self._emit(Measured(self.head, tuple(readings), str(of)))
        return readings

    @property
    def weights(self) -> Weights:
        """The weights of the head, read-only."""
        return self.snapshots[self.head].weights

    def fingerprint(self) -> str:
        """SHA-256 over the live weights; finds every edit, also one through `.data`."""
        return fingerprint(self.model.parameters)

    def save(self, path: str | Path) -> Path:
        """Write the whole session to a folder; an earlier save there stays readable until the new one is complete."""
        from unlearnviz.engine.saving import save

        with self.turn.take("saving"):
            return save(self, Path(path))

    @classmethod
    def load(cls, path: str | Path, **options: Any) -> Session:
        """Open a saved session, every step bit for bit."""
        from unlearnviz.engine.saving import load

        session = load(Path(path), **options)
        session.source = {"session": str(Path(path).expanduser().resolve())}
        return session

    def export(self, path: str | Path) -> Path:
        """Write the present weights as an ordinary Hugging Face model folder (`save_pretrained`)."""
        from unlearnviz.engine.exporting import export

        with self.turn.take("export"):
            return export(self.model, Path(path))

    def listen(self, callback: Callable[[Event], None]) -> Callable[[], None]:
        """Call `callback` with every event, on the thread that did the work; returns the function that ends it."""
        return self._listeners.add(callback)

    def _emit(self, event: Event) -> None:
        self._keepers.tell(event)
        self._listeners.tell(event)

    def update_norm(self, selection: ParameterSelection) -> float:
        """L2 norm of a default update for a selection."""
        return self.update_fraction * self.snapshots[0].weights.norm(selection.names)

    def step_seed(self, depth: int) -> int:
        """Seed of a step at `depth` on its path: repeating a step after undo gives the same weights."""
        return int.from_bytes(hashlib.sha256(f"{self.seed}/{depth}".encode()).digest()[:6], "big")
