"""Model card: what a model is, what a step costs at each place of it, and what cannot be done with it here, and why.

Nothing is computed for it. Memory is counted from the shapes; seconds are scaled, by the multiplications that a step takes, from
what was timed anyway: the last step of gradient ascent, or before any step the reading of perplexity.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from unlearnviz.engine.methods.ledger_method import LedgerMethod
from unlearnviz.engine.methods.method import registry as methods
from unlearnviz.engine.probes.generation import half_prompt
from unlearnviz.engine.selection import ParameterSelection
from unlearnviz.errors import BadSelection
from unlearnviz.numbers import number

if TYPE_CHECKING:
    from unlearnviz.engine.corpus import Passage
    from unlearnviz.engine.model import LanguageModel
    from unlearnviz.engine.session import Session

TEXTS = 16  # in the batch of one update
PROMPTS = 4
UNTIMED = "Seconds appear here when something was timed: after the first step, or the first reading of perplexity."
LEDGER = "no ledger: nothing was recorded while this model learned; session.learn(epochs, track=[...]) teaches it again and records it"
NEVER_SEEN = "no never-seen texts to compare with; mark some with split='holdout', or read the texts with holdout=0.1"
NO_TWIN = "how this model was taught is not known here, so it cannot be retrained without some texts; compare with never-seen texts"


@dataclass(frozen=True)
class Place:
    """One update of gradient ascent at one `where`, over 16 of the texts to forget at most.

    Attributes:
        where: the selection, as text.
        parameters: numbers that it may change.
        memory: bytes beside the model: gradients, what the backward pass keeps, and the copy by which it is undone; an estimate.
        seconds: one step; None where nothing was timed yet.
        measured: whether such a step was timed here; else the seconds are an estimate.
        on_disk: whether the copies of one step are over the memory budget, so that they are written to disk and a step takes longer.
        impossible: why no step can be taken there; "" where one can.
    """

    where: str
    parameters: int = 0
    memory: int = 0
    seconds: float | None = None
    measured: bool = False
    on_disk: bool = False
    impossible: str = ""


@dataclass(frozen=True)
class ModelCard:
    """What is worth knowing of a model when it is opened, JSON-safe.

    Attributes:
        name: what the model is called.
        family: its class in the library it came from.
        parameters, memory: how many numbers, and their bytes; a tied matrix counts once.
        tied: whether the output matrix is the input embedding itself.
        blocks, context, vocabulary: transformer blocks, the longest text in tokens, rows of the embedding.
        dtype, device: what it is kept in, and where.
        places: what a step costs at each `where`.
        timed: what the seconds are taken from, in a sentence.
        impossible: what -> why it cannot be done here, and what to do.
        knows: what the model was taught, in a sentence, where it knows nothing else; "" elsewhere.
        prompts: beginnings of texts that it was taught, one of a person, to be continued.
    """

    name: str
    family: str
    parameters: int
    memory: int
    tied: bool
    blocks: int
    context: int
    vocabulary: int
    dtype: str
    device: str
    places: tuple[Place, ...]
    timed: str
    impossible: dict[str, str]
    knows: str
    prompts: tuple[str, ...]

    @property
    def cramped(self) -> bool:
        """Whether there is a usual place where no step fits: worth saying before anything is tried."""
        return any(place.impossible and place.parameters for place in self.places)


def model_card(session: Session) -> ModelCard:
    """The card of the model of a session, as far as it is known now; nothing is computed."""
    model, layout = session.model, session.model.layout
    speed, timed = _speed(session)
    people = list(dict.fromkeys(p.subject for p in session.corpus.train if p.subject))
    fresh = session.lineage is not None and session.lineage.initial_seed is not None
    return ModelCard(
        name=model.name,
        family=type(model.module).__name__,
        parameters=model.size,
        memory=_bytes(model, layout.names),
        tied=layout.tied,
        blocks=layout.blocks,
        context=model.context,
        vocabulary=int(model.parameters[layout.input_embedding].shape[0]),
        dtype=str(model.dtype).removeprefix("torch."),
        device=str(model.device),
        places=tuple(_place(session, where, speed) for where in places(layout.blocks)),
        timed=timed,
        impossible=_impossible(session),
        knows=_knows(len(session.corpus.train), people) if fresh else "",
        prompts=_prompts(session.corpus.train, people),
    )


def places(blocks: int) -> tuple[str, ...]:
    """The places that people ask for, in a model of so many blocks."""
    return ("embedding", "embedding.input", "embedding.output", f"blocks {max(0, blocks - 2)}-{blocks - 1}", "position", "all")


def multiplications(model: LanguageModel, selection: ParameterSelection | None, texts: int, longest: int) -> float:
    """Multiplications of one pass over `texts` texts of `longest` tokens: forward, and, with a selection, backward to what is selected.

    A token is multiplied with every entry of every matrix on its way (an embedding is looked up instead), and in each block twice
    with every other token; backward once more for what leads down to the lowest selected place (what goes between tokens twice more),
    and once more for each selected matrix.
    """
    layout, depth = model.layout, _depths(model)
    matrices = {name: model.parameters[name].numel() for name in depth if name != layout.output_embedding and model.parameters[name].dim() == 2}
    matrices = {name: size for name, size in matrices.items() if depth[name] >= 0}
    head = model.parameters[layout.output_embedding].numel()
    between = 2 * longest * int(model.parameters[layout.output_embedding].shape[1])  # per token and block
    total = float(sum(matrices.values()) + head + layout.blocks * between)
    if selection is not None:
        lowest = _lowest(model, selection)
        if lowest <= layout.blocks:
            total += head + 2 * between * (layout.blocks - max(lowest, 0))
        total += sum(size for name, size in matrices.items() if depth[name] >= lowest)
        total += sum(size for name, size in matrices.items() if name in selection.names)
        total += head if layout.output_embedding in selection.names and selection.use != "input" else 0
    return texts * longest * total


def _depths(model: LanguageModel) -> dict[str, int]:
    """Parameter name -> its block; -1 before the first, the number of blocks after the last, one more for the output matrix."""
    layout, found = model.layout, {}
    for group, names in layout.groups.items():
        before = group in ("embedding", "position", "embedding norm")
        depth = int(group.split()[1]) if group.startswith("block ") else -1 if before else layout.blocks + (group == "head")
        found.update(dict.fromkeys(names, depth))
    return found


def _lowest(model: LanguageModel, selection: ParameterSelection) -> int:
    """The depth down to which gradients flow."""
    depth, layout = _depths(model), model.layout
    if selection.use == "output" and layout.tied:
        depth = {**depth, layout.output_embedding: layout.blocks + 1}
    return min(depth[name] for name in selection.names)


def _place(session: Session, where: str, speed: float | None) -> Place:
    model = session.model
    try:
        selection = ParameterSelection.parse(where, model.layout)
    except BadSelection as error:
        return Place(where, impossible=str(error))
    size, copies = _bytes(model, selection.names), session.snapshots.store
    texts, longest = _batch(session)
    taken = next((r for r in reversed(session.history.records) if _is_plain(r) and r.where == where), None)
    seconds = taken.seconds if taken is not None else None if speed is None else multiplications(model, selection, texts, longest) * speed
    room = copies.memory_budget + copies.disk_budget
    impossible = "" if 2 * size <= room else f"a step keeps copies of {2 * size:,} bytes to be undone; allowed are {room:,}"
    kept = _kept(model, _lowest(model, selection), texts * longest)
    numbers = sum(model.parameters[name].numel() for name in selection.names)
    return Place(where, numbers, 2 * size + kept, seconds, taken is not None, 2 * size > copies.memory_budget, impossible)


def _bytes(model: LanguageModel, names: Sequence[str]) -> int:
    return sum(model.parameters[name].numel() * model.parameters[name].element_size() for name in names)


def _kept(model: LanguageModel, lowest: int, tokens: int) -> int:
    """Bytes that the backward pass needs of the forward one: what goes in and out of each matrix above, and the logits twice."""
    depth, layout = _depths(model), model.layout
    lowest, last = max(lowest, 0), layout.blocks
    states = sum(sum(p.shape) for name, p in model.parameters.items() if p.dim() == 2 and lowest <= depth[name] <= last)
    rows, width = model.parameters[layout.output_embedding].shape
    return tokens * (states + 2 * int(rows) + int(width)) * model.parameters[layout.input_embedding].element_size()


def _batch(session: Session) -> tuple[int, int]:
    """How many texts one update sees, and the tokens of the longest, to which the others are padded."""
    texts = session.forget[:TEXTS] or session.corpus.train[:TEXTS]
    return len(texts), max((len(session.model.encode(passage.text)) for passage in texts), default=0)


def _is_plain(record: object) -> bool:
    """Whether a step was one update of plain gradient ascent, as the card speaks of."""
    settings = getattr(record, "settings", {})
    return getattr(record, "method", "") == "gradient-ascent" and (settings.get("updates"), settings.get("optimizer")) == (1, "SGD")


def _speed(session: Session) -> tuple[float | None, str]:
    """Seconds per multiplication, and what they are taken from."""
    model = session.model
    step = next((record for record in reversed(session.history.records) if _is_plain(record)), None)
    if step is not None:
        done = multiplications(model, ParameterSelection.parse(step.where, model.layout), *_batch(session))
        taken = f"step {step.id}, which took {number(step.seconds)} s; where a step was taken they are measured."
        return step.seconds / done, f"Seconds are estimated from {taken}"
    for reading in session.history.readings[session.head]:
        tokens = sum(row["tokens"] for row in reading.rows) if reading.label == "perplexity" else 0
        texts = sum(map(len, reading.passages.values()))
        if tokens and texts and reading.of == "now" and reading.seconds > 0:
            taken = f"the reading of perplexity, which took {number(reading.seconds)} s; the first step makes them more exact."
            return reading.seconds / multiplications(model, None, texts, math.ceil(tokens / texts)), f"Seconds are estimated from {taken}"
    return None, UNTIMED


def _impossible(session: Session) -> dict[str, str]:
    """What cannot be done with this model and these texts -> why, and what to do."""
    found = {}
    if session.ledger is None:
        names = [cls.name for cls in methods.classes() if issubclass(cls, LedgerMethod)]
        found[", ".join(names)] = LEDGER
    if not session.corpus.holdout:
        found["nabla-tau, membership inference"] = NEVER_SEEN
    if session.lineage is None and session.active_twin is None:
        found["a twin"] = NO_TWIN
    return found


def _knows(texts: int, people: Sequence[str]) -> str:
    who = f"the {len(people)} people in them" if people else "what they say"
    return f"This small model was taught these {texts:,} texts and nothing else: it knows only {who}."


def _prompts(taught: Sequence[Passage], people: Sequence[str]) -> tuple[str, ...]:
    """One beginning of each of a few people, evenly from first to last."""
    stride = max(1, math.ceil(len(people) / PROMPTS))
    first = {p.subject: p for p in reversed(taught) if p.subject in set(people[::stride])}
    chosen = [first[person] for person in people[::stride]] or list(taught[:PROMPTS])
    return tuple(dict.fromkeys(half_prompt(p.text, p.answer_start) for p in chosen))
