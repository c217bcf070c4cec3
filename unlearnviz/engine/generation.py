"""Batched continuation of prompts: greedy by default, sampling with a seed, tokens identical to one prompt at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

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
        ids: the new token ids.
        note: a sentence when the prompt had to be cut, else "".
    """

    prompt: str
    text: str
    ids: tuple[int, ...]
    note: str = ""


@torch.no_grad()
def generate(
    model: LanguageModel,
    prompts: Sequence[str],
    *,
    max_new_tokens: int | Sequence[int] = 24,
    temperature: float = 0.0,
    seed: int = 0,
) -> list[Continuation]:
    """Continue all prompts in one batch, padded on the left.

    Args:
        model: the language model.
        prompts: texts of at least one token.
        max_new_tokens: how many tokens to add, for all or for each prompt (at least 1).
        temperature: 0 is greedy; above 0 samples, each prompt from its own generator so that its text does not depend on
            the others in the batch.
        seed: of the sampling.

    Raises:
        BadSetting: an empty prompt, or more new tokens than the context holds.
    """
    if not prompts:
        return []
    wanted = [max_new_tokens] * len(prompts) if isinstance(max_new_tokens, int) else list(max_new_tokens)
    room = model.context - max(wanted)
    if min(wanted) < 1 or room < 1:
        raise BadSetting(f"max_new_tokens={max_new_tokens!r} does not fit; allowed is 1 to {model.context - 1} for this model.")
    whole = [model.encode(prompt) for prompt in prompts]
    for prompt, row in zip(prompts, whole, strict=True):
        if not row:
            raise BadSetting(f"The prompt {prompt!r} has no token; write at least one word to continue.")
    rows = [row[-room:] for row in whole]
    pad = max(len(row) for row in rows)
    ids = torch.tensor([[0] * (pad - len(row)) + list(row) for row in rows], device=model.device)
    mask = torch.tensor([[0] * (pad - len(row)) + [1] * len(row) for row in rows], device=model.device)
    randoms = [torch.Generator().manual_seed(seed * 1_000_003 + k) for k in range(len(rows))]
    end = model.module.config.eos_token_id
    ends = set(end if isinstance(end, list) else [end])
    written: list[list[int]] = [[] for _ in rows]
    done = [False] * len(rows)
    cache, step_ids = None, ids
    with model.quiet():
        for _ in range(max(wanted)):
            logits, cache = _forward(model, step_ids, ids, mask, cache)
            chosen = _choose(logits, temperature, randoms)
            for k, token in enumerate(chosen.tolist()):
                if not done[k]:
                    if token in ends:
                        done[k] = True
                    else:
                        written[k].append(token)
                        done[k] = len(written[k]) >= wanted[k]
            if all(done):
                break
            step_ids = chosen[:, None].to(model.device)
            ids = torch.cat([ids, step_ids], dim=1)
            mask = torch.cat([mask, torch.ones_like(step_ids)], dim=1)
    return [
        Continuation(prompt, model.decode([*row, *new])[len(model.decode(row)) :], tuple(new), _cut(len(full), len(row)))
        for prompt, full, row, new in zip(prompts, whole, rows, written, strict=True)
    ]


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


def _choose(logits: torch.Tensor, temperature: float, randoms: list[torch.Generator]) -> torch.Tensor:
    """The next token of each row, shape (prompts,)."""
    if temperature <= 0:
        return logits.argmax(dim=-1)
    shares = torch.softmax(logits.cpu() / temperature, dim=-1)
    return torch.cat([torch.multinomial(row, 1, generator=random) for row, random in zip(shares, randoms, strict=True)])


def _cut(full: int, kept: int) -> str:
    return "" if full == kept else f"The prompt has {full} tokens; only its last {kept} fit before the continuation."
