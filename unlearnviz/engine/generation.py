"""Batched continuation of prompts: greedy by default, sampling with a seed, tokens identical to one prompt at a time."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from unlearnviz.errors import BadSetting

if TYPE_CHECKING:
    from unlearnviz.engine.model import LanguageModel


@dataclass(frozen=True)
class Continuation:
    """What a model wrote after a prompt.

    Attributes:
        prompt: the prompt as given.
        text: the new text only.
        ids: the new token ids, without the mark that ends a text.
        note: a sentence when the prompt had to be cut, else "".
    """

    prompt: str
    text: str
    ids: tuple[int, ...]
    note: str = ""


@dataclass
class _Row:
    """One prompt on its way: what is read of it, how much is wanted, and what was written so far."""

    read: tuple[int, ...]
    wanted: int
    random: torch.Generator
    written: list[int]
    done: bool = False

    def take(self, token: int, ends: set[int]) -> None:
        """Write one more token, unless the text is complete."""
        if not self.done and token not in ends:
            self.written.append(token)
        self.done = self.done or token in ends or len(self.written) >= self.wanted


def generate(
    model: LanguageModel,
    prompts: Sequence[str],
    *,
    max_new_tokens: int | Sequence[int] = 24,
    temperature: float = 0.0,
    seed: int = 0,
) -> list[Continuation]:
    """Continue all prompts together, padded on the left.

    Args:
        model: the language model.
        prompts: texts of at least one token; of a prompt longer than the context, its end is read.
        max_new_tokens: how many tokens to add, for all or for each prompt (at least 1).
        temperature: 0 is greedy; above 0 samples, each prompt from its own generator so that its text does not depend on
            the others in the batch.
        seed: of the sampling. A prompt that is given several times gets several texts.

    Raises:
        BadSetting: an empty prompt, or more new tokens than the context holds.
    """
    counts = [max_new_tokens] * len(prompts) if isinstance(max_new_tokens, int) else list(max_new_tokens)
    if any(not 1 <= count < model.context for count in counts):
        raise BadSetting(f"max_new_tokens={max_new_tokens!r} does not fit; allowed is 1 to {model.context - 1} for this model.")
    seen: Counter[str] = Counter()
    rows = []
    for prompt, count in zip(prompts, counts, strict=True):
        ids = model.encoder.whole(prompt).ids
        if not ids:
            raise BadSetting(f"The prompt {prompt!r} has no token; write at least one word to continue.")
        rows.append(_Row(ids[-(model.context - count) :], count, _random(seed, prompt, seen[prompt]), []))
        seen[prompt] += 1
    with torch.no_grad(), model.quiet():
        for batch in _batches(rows, model.context):
            _write(model, batch, temperature)
    return [
        Continuation(
            prompt,
            model.decode([*row.read, *row.written])[len(model.decode(row.read)) :],
            tuple(row.written),
            _cut(len(model.encoder.whole(prompt).ids), len(row.read)),
        )
        for prompt, row in zip(prompts, rows, strict=True)
    ]


def continued(model: LanguageModel, prefixes: Sequence[Sequence[int]], wanted: Sequence[int]) -> list[tuple[int, ...]]:
    """Greedy continuations of token ids: what `generate` writes where a text is cut between two tokens, wherever that is.

    Args:
        model: the language model.
        prefixes: token ids, each of at least one token.
        wanted: how many tokens to add to each, at most; a prefix and what is wanted fit into the context together.
    """
    rows = [_Row(tuple(ids), count, torch.Generator(), []) for ids, count in zip(prefixes, wanted, strict=True)]
    with torch.no_grad(), model.quiet():
        for batch in _batches(rows, model.context):
            _write(model, batch, 0.0)
    return [tuple(row.written) for row in rows]


def _random(seed: int, prompt: str, turn: int) -> torch.Generator:
    """A generator of this prompt's own."""
    digest = hashlib.sha256(f"{seed}/{turn}/{prompt}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:6], "big"))


def _batches(rows: Sequence[_Row], context: int) -> Iterator[list[_Row]]:
    """Rows that fit into the context together: the longest prompt and the longest continuation; most often all."""
    batch: list[_Row] = []
    for row in rows:
        together = [*batch, row]
        if batch and max(len(each.read) for each in together) + max(each.wanted for each in together) > context:
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


def _write(model: LanguageModel, rows: Sequence[_Row], temperature: float) -> None:
    """Continue every row until it is done."""
    longest = max(len(row.read) for row in rows)
    ids = torch.tensor([[0] * (longest - len(row.read)) + list(row.read) for row in rows], device=model.device)
    mask = torch.tensor([[0] * (longest - len(row.read)) + [1] * len(row.read) for row in rows], device=model.device)
    ends = ends_of(model)
    cache: object = None
    step_ids = ids
    while True:
        logits, cache = _forward(model, step_ids, ids, mask, cache)
        chosen = _choose(logits, temperature, [row.random for row in rows])
        for row, token in zip(rows, chosen.tolist(), strict=True):
            row.take(token, ends)
        if all(row.done for row in rows):
            return
        step_ids = chosen[:, None].to(model.device)
        ids = torch.cat([ids, step_ids], dim=1)
        mask = torch.cat([mask, torch.ones_like(step_ids)], dim=1)


def ends_of(model: LanguageModel) -> set[int]:
    """The tokens that end a text, as `generate` of transformers reads them."""
    settings = (getattr(model.module, "generation_config", None), model.module.config.get_text_config())
    end: Any = next((found for each in settings if (found := getattr(each, "eos_token_id", None)) is not None), [])
    return set(end) if isinstance(end, (list, tuple)) else {int(end)}


def _forward(
    model: LanguageModel, step_ids: torch.Tensor, ids: torch.Tensor, mask: torch.Tensor, cache: object
) -> tuple[torch.Tensor, object]:
    """Logits of the last position, shape (prompts, vocabulary), and the key-value cache (None: the model has none)."""
    caching = "past_key_values" in model.accepts
    arguments: dict[str, object] = {"attention_mask": mask, "use_cache": caching}
    if "position_ids" in model.accepts:
        positions = (mask.cumsum(dim=1) - 1).clamp(min=0)
        arguments["position_ids"] = positions[:, -step_ids.shape[1] :] if cache is not None else positions
    if caching:
        arguments["past_key_values"] = cache
    if "logits_to_keep" in model.accepts:
        arguments["logits_to_keep"] = 1
    output = model.module(input_ids=step_ids if cache is not None else ids, **arguments)
    return output.logits[:, -1].float(), getattr(output, "past_key_values", None) if caching else None


def _choose(logits: torch.Tensor, temperature: float, randoms: Sequence[torch.Generator]) -> torch.Tensor:
    """The next token of each row, shape (prompts,)."""
    if temperature <= 0:
        return logits.argmax(dim=-1)
    shares = torch.softmax(logits.cpu() / temperature, dim=-1)
    return torch.cat([torch.multinomial(row, 1, generator=random) for row, random in zip(shares, randoms, strict=True)])


def _cut(full: int, kept: int) -> str:
    return "" if full == kept else f"The prompt has {full} tokens; only its last {kept} fit before the continuation."
