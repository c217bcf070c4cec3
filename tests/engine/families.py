"""Tiny models of many families, written to folders with save_pretrained as anybody would, and opened with our own loading."""

from __future__ import annotations

import json
import shutil
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from tokenizers import Tokenizer, processors
from transformers.utils import logging

from tests.clean_environment import ROOT
from tests.engine import worlds

REAL_TOKENIZER = ROOT.parent / "shared" / "data" / "gpt2-tokenizer"
NO_REAL_TOKENIZER = "GPT-2's tokenizer is not at ../shared/data/gpt2-tokenizer, seen from the project's root"
CONTEXT = 64
_MARKS = {"bos_token_id": 0, "eos_token_id": 0, "pad_token_id": None}
_LLAMA = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "max_position_embeddings": CONTEXT}
_GPT2 = {"n_embd": 24, "n_layer": 3, "n_head": 3, "n_positions": CONTEXT, "resid_pdrop": 0.1, "embd_pdrop": 0.1, "attn_pdrop": 0.1}
SHAPES: dict[str, tuple[str, dict[str, Any]]] = {
    "GPT-2": ("GPT2", _GPT2),
    "Llama": ("Llama", {**_LLAMA, "num_key_value_heads": 2}),
    "GPT-NeoX": ("GPTNeoX", {**_LLAMA, "rotary_pct": 0.5}),
    "OPT": (
        "OPT",
        {"hidden_size": 32, "ffn_dim": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "max_position_embeddings": CONTEXT},
    ),
    "Qwen2": ("Qwen2", {**_LLAMA, "num_key_value_heads": 2}),
    "Qwen3": ("Qwen3", {**_LLAMA, "num_key_value_heads": 2, "head_dim": 8}),
    "Mistral": ("Mistral", {**_LLAMA, "num_key_value_heads": 2, "sliding_window": 6}),
    "Gemma": ("Gemma", {**_LLAMA, "num_key_value_heads": 1, "head_dim": 8}),
    "Bloom": ("Bloom", {"hidden_size": 32, "n_layer": 2, "n_head": 4}),
    "GPT-Neo": (
        "GPTNeo",
        {
            "hidden_size": 32,
            "num_layers": 2,
            "num_heads": 4,
            "max_position_embeddings": CONTEXT,
            "attention_types": [[["global", "local"], 1]],
            "window_size": 6,
        },
    ),
    "Phi": ("Phi", _LLAMA),
}


def module(shape: str, *, tied: bool, vocabulary: int, **options: Any) -> Any:
    """A random model of a family, the same one every time."""
    family, settings = SHAPES[shape]
    config = getattr(transformers, f"{family}Config")(
        **{**settings, **_MARKS, "vocab_size": vocabulary, "tie_word_embeddings": tied, **options}
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        classes = {"GPT2": "GPT2LMHeadModel"}
        return getattr(transformers, classes.get(family, f"{family}ForCausalLM"))(config)


def write(folder: Path, model: Any, tokenizer: Tokenizer | None, **options: Any) -> Path:
    """A model folder as `save_pretrained` makes it."""
    logging.disable_progress_bar()
    model.save_pretrained(folder, **options)
    if tokenizer is not None:
        tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def written(folder: Path, shape: str = "GPT-2", *, tied: bool = True, tokenizer: Tokenizer | None = None, **options: Any) -> Path:
    """The folder of a random model with the tokenizer of the tiny world, or another one."""
    words = tokenizer or worlds.tokenizer()
    return write(folder, module(shape, tied=tied, vocabulary=words.get_vocab_size(), **options), words)


def written_with_real_tokenizer(folder: Path, **options: Any) -> Path:
    """The folder of a random GPT-2 with GPT-2's own vocabulary, as two files; the test is skipped where they are missing."""
    if not REAL_TOKENIZER.exists():
        pytest.skip(NO_REAL_TOKENIZER)
    settings = {"tied": True, "n_embd": 12, "bos_token_id": 50256, "eos_token_id": 50256, **options}
    write(folder, module("GPT-2", vocabulary=50257, **settings), None)
    for file in ("vocab.json", "merges.txt"):
        shutil.copy(REAL_TOKENIZER / file, folder)
    return folder


@cache
def marking_tokenizer(*, end: bool = False) -> Tokenizer:
    """The tiny world's tokenizer as Llama's are: a mark is set before every text (and, for some, one after it)."""
    marking = Tokenizer.from_str(worlds.tokenizer().to_str())
    marking.post_processor = processors.TemplateProcessing(
        single="<|endoftext|> $A" + (" <|endoftext|>" if end else ""), special_tokens=[("<|endoftext|>", 0)]
    )
    return marking


def edit_json(file: Path, **changes: Any) -> None:
    """Change some entries of a JSON file."""
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


def losses_one_by_one(model: Any, ids: list[tuple[int, ...]]) -> list[torch.Tensor]:
    """The loss of each token after the first, each text on its own, from the logits of the library."""
    found = []
    with torch.no_grad():
        for row in ids:
            logits = model(torch.tensor([row], device=model.device)).logits[0, :-1]
            logits = logits if logits.dtype == torch.float64 else logits.float()
            found.append(-logits.log_softmax(-1).gather(1, torch.tensor(row[1:], device=model.device)[:, None])[:, 0])
    return found


def continued_by_library(model: Any, ids: list[tuple[int, ...]], new: int) -> list[tuple[int, ...]]:
    """Greedy continuations by transformers' own `generate`, all at once, padded on the left, without the mark of the end."""
    longest = max(len(row) for row in ids)
    padded = torch.tensor([[0] * (longest - len(row)) + list(row) for row in ids], device=model.device)
    mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in ids], device=model.device)
    with torch.no_grad():
        out = model.generate(padded, attention_mask=mask, max_new_tokens=new, do_sample=False, pad_token_id=0)
    end = model.generation_config.eos_token_id
    rows = [row[longest:].tolist() for row in out]
    return [tuple(row[: row.index(end)] if end in row else row) for row in rows]
