"""Push: what the last step did to the vocabulary, in the embedding and in what the model says next."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import torch

from unlearnviz.engine.mean_gradient import INPUT, OUTPUT, inner_product, mean_gradient_by_use
from unlearnviz.engine.probes.generation import half_prompt
from unlearnviz.engine.probes.probe import Probe, Reading, View
from unlearnviz.engine.progress import drain
from unlearnviz.engine.selection import ParameterSelection
from unlearnviz.engine.settings import setting
from unlearnviz.engine.weights import square_norm
from unlearnviz.engine.work import Work
from unlearnviz.numbers import number

if TYPE_CHECKING:
    from unlearnviz.engine.corpus import Corpus, Passage
    from unlearnviz.engine.history import StepRecord
    from unlearnviz.engine.model import LanguageModel

PARALLEL = 0.999  # cosine above which a movement counts as one plain update along a gradient


@dataclass(frozen=True)
class Push(Probe):
    """What the last step pushed: the tokens whose embedding rows moved most, and the next tokens that became more and less likely.

    Rows of kind "token", the furthest first: {"kind", "token", "id", "moved" (L2 norm of the change of its row), "input", "output" (L2
    norms of the parts that came from looking the token up and from predicting it; parts add up as vectors, so their norms do not)}.
    Where input and output matrix are two, the parts are their own changes. Where they are one, the two parts of the forget texts'
    gradient are computed again at the weights before the step, and scaled to the update; both are None, and the note says why, where the
    step was not one plain update along that gradient.

    Rows of kind "next": {"kind", "passage", "prompt", "token", "id", "before", "after", "change" (of the probability that the token comes
    next)}: for each prompt of the step's forget texts the tokens that rose most, then those that fell most.

    The headline is the L2 norm of the embedding's change, in all its rows. At the start no step has pushed anything: no rows.
    """

    unit = "L2 norm of the change of a row; probability"
    direction = "higher = pushed further"
    cost: ClassVar[Literal["cheap", "slow"]] = "slow"
    beside = ()

    tokens: int = setting(12, help="Tokens whose rows moved most, at most.", minimum=1, maximum=1000)
    words: int = setting(3, help="Next tokens that rose and that fell, at most, for each prompt.", minimum=1, maximum=100)
    limit: int = setting(
        8, help="Forget texts whose prompts are tried, at most, the first ones.", minimum=1, maximum=100, advanced=True
    )

    def measure(self, model: LanguageModel, corpus: Corpus, view: View) -> Reading:
        """Rows of both kinds, for the step that made the weights looked at."""
        record, previous = view.history[view.step], view.previous
        if view.weights is view.twin:
            return self.reading(None, [], "These are the twin's weights: it was trained, and no step led to them.")
        if record.parent is None:
            return self.reading(None, [], "This is the start: no step has pushed anything yet.")
        if previous is None:
            gone = f"The weights of step {record.parent} were given up to save room, so what step {record.id} pushed cannot be told."
            return self.reading(None, [], gone)
        forget = _forgotten(record, corpus, view)
        before = model.at(previous)  # used up before this method ends: the next call of `at` points it elsewhere
        moved = _row_moves(before, record, forget, view)
        rows = _next_rows(model, before, forget[: self.limit], self.words)
        return self.reading(
            float(torch.linalg.vector_norm(moved.whole)), [*_token_rows(model, moved, self.tokens), *rows], moved.note
        )


def _forgotten(record: StepRecord, corpus: Corpus, view: View) -> list[Passage]:
    """The texts that a step was to forget; a typed one only while it is picked."""
    known = {passage.id: passage for members in view.groups.values() for passage in members}
    known.update((passage.id, passage) for passage in corpus)
    return [known[name] for name in record.forget if name in known]


@dataclass(frozen=True)
class _RowMoves:
    """L2 norms of the changes of the embedding's rows, each of shape (rows,), float64: in all and in its two uses, where they can be told."""

    whole: torch.Tensor
    input: torch.Tensor | None = None
    output: torch.Tensor | None = None
    note: str = ""


def _row_moves(before: LanguageModel, record: StepRecord, forget: Sequence[Passage], view: View) -> _RowMoves:
    assert view.previous is not None
    layout = before.layout
    names = (layout.input_embedding, layout.output_embedding)
    entering, leaving = (_change(view.weights[name], view.previous[name]) for name in names)
    if not bool(entering.any()) and not bool(leaving.any()):
        elsewhere = f"changed {record.where!r} and " if record.update_norm else ""
        return _RowMoves(
            _row_norms(entering), note=f"Step {record.id} {elsewhere}left the embedding as it was: no token's row moved."
        )
    if not layout.tied:
        rows = _row_norms(entering), _row_norms(leaving)
        return _RowMoves(torch.hypot(*rows), *rows)
    moved = _row_norms(entering)
    if len(forget) < len(record.forget):
        return _RowMoves(moved, note=_unsplit("not all texts that it was to forget are at hand"))
    parts = _parts(before, record, forget, view)
    whole = parts["input"] + parts["output"]
    product, square = inner_product(entering, whole), square_norm(whole)
    cosine = product / math.sqrt(square * square_norm(entering)) if square > 0 else 0.0
    if not cosine > PARALLEL:
        return _RowMoves(
            moved, note=_unsplit(f"it was not one plain update along the gradient of the forget texts (cosine {number(cosine)})")
        )
    scale = product / square
    return _RowMoves(moved, _row_norms(parts["input"]) * scale, _row_norms(parts["output"]) * scale)


def _unsplit(reason: str) -> str:
    return f"What this step moved is not split into the two uses of the embedding: {reason}."


def _parts(before: LanguageModel, record: StepRecord, forget: Sequence[Passage], view: View) -> dict[str, torch.Tensor]:
    """The two parts of the forget gradient in a tied embedding, over the step's own first batch; 0 for a use that it did not follow."""
    use = ParameterSelection.parse(record.where, before.layout).use
    work = Work(
        model=before,
        parameters={},
        forget=forget,
        retain=(),
        generator=torch.Generator().manual_seed(record.seed),  # more texts than fit a batch are drawn as the step drew them
        seed=record.seed,
        reference=view.start,
        update_norm=0.0,
    )
    batch = next(work.batches(forget, int(record.settings.get("batch_size", 16))))
    found = drain(mean_gradient_by_use(before, [batch], [before.layout.input_embedding]))
    parts = {"input": found[INPUT], "output": found[OUTPUT]}
    return {each: part if use in ("both", each) else torch.zeros_like(part) for each, part in parts.items()}


def _change(now: torch.Tensor, previous: torch.Tensor) -> torch.Tensor:
    """now - previous, at least in float32."""
    kind = torch.promote_types(now.dtype, torch.float32)
    return now.detach().to(kind) - previous.to(now.device, kind)


def _row_norms(matrix: torch.Tensor) -> torch.Tensor:
    norms: torch.Tensor = torch.linalg.vector_norm(matrix, dim=1, dtype=torch.float64)
    return norms


def _token_rows(model: LanguageModel, moved: _RowMoves, most: int) -> list[dict[str, Any]]:
    """The tokens whose rows moved most, the furthest first; of equals the first."""
    order = moved.whole.argsort(descending=True, stable=True)[:most]
    rows = []
    for token in order[moved.whole[order] > 0].tolist():
        parts = {
            use: None if part is None else float(part[token])
            for use, part in (("input", moved.input), ("output", moved.output))
        }
        rows.append(
            {"kind": "token", "token": _spelled(model, token), "id": token, "moved": float(moved.whole[token]), **parts}
        )
    return rows


def _next_rows(now: LanguageModel, before: LanguageModel, forget: Sequence[Passage], words: int) -> list[dict[str, Any]]:
    """For each prompt the tokens whose probability of coming next rose most, the furthest first, then those that fell most."""
    prompts: dict[str, str] = {}
    for passage in forget:
        prompts.setdefault(half_prompt(passage.text, passage.answer_start), passage.id)
    rows: list[dict[str, Any]] = []
    for prompt, name in prompts.items():
        old, new = (_next_shares(model, prompt) for model in (before, now))
        change = new - old
        order = change.argsort(descending=True, stable=True).tolist()
        rose, fell = order[:words], order[::-1][:words]
        for token in [*(t for t in rose if change[t] > 0), *(t for t in fell if change[t] < 0)]:
            shares = {"before": float(old[token]), "after": float(new[token]), "change": float(change[token])}
            rows.append(
                {"kind": "next", "passage": name, "prompt": prompt, "token": _spelled(now, token), "id": token, **shares}
            )
    return rows


@torch.no_grad()
def _next_shares(model: LanguageModel, prompt: str) -> torch.Tensor:
    """Probability of each token to come after a prompt (of a long one its end is read), shape (vocabulary,), float64, on the CPU."""
    ids = torch.tensor([model.encoder.whole(prompt).ids[-model.context :]], device=model.device)
    with model.quiet():
        logits: torch.Tensor = model.module(input_ids=ids, use_cache=False).logits[0, -1]
    return logits.double().cpu().softmax(dim=0)


def _spelled(model: LanguageModel, token: int) -> str:
    """A token as text; a mark by its name."""
    return model.decode([token]) or str(model.tokenizer.id_to_token(token) or f"row {token}")
