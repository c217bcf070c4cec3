"""A fresh GPT-2-shaped model and its own byte-level tokenizer, for texts that no model knows yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from unlearnviz.engine.model import LanguageModel
from unlearnviz.engine.weights import Weights
from unlearnviz.errors import BadSetting, nearest

if TYPE_CHECKING:
    from tokenizers import Tokenizer


@dataclass(frozen=True)
class Size:
    """The shape of a fresh model; `parameters` counts a full vocabulary."""

    blocks: int
    width: int
    heads: int
    vocabulary: int
    context: int

    @property
    def parameters(self) -> int:
        """Number of parameters with a full vocabulary, the tied embedding counted once."""
        per_block = 12 * self.width**2 + 13 * self.width
        return (self.vocabulary + self.context) * self.width + self.blocks * per_block + 2 * self.width


SIZES = {
    "tiny": Size(blocks=6, width=96, heads=4, vocabulary=1024, context=256),
    "world": Size(blocks=12, width=128, heads=4, vocabulary=1024, context=64),
    "small": Size(blocks=12, width=192, heads=6, vocabulary=2048, context=256),
}


FEWEST_PAIRS = 10  # of a few texts every word would become a token, and a text never seen would fall into bytes never learned


def train_tokenizer(texts: Sequence[str], vocabulary: int) -> Tokenizer:
    """A byte-level BPE tokenizer (GPT-2's kind) of at most `vocabulary` tokens; every string can be encoded.

    Two tokens that stand together fewer than ten times are not joined into one: few texts get a small vocabulary.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        min_frequency=FEWEST_PAIRS,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def fresh_model(tokenizer: Tokenizer, size: str | Size, *, seed: int = 0) -> LanguageModel:
    """An untrained GPT-2-shaped model, its random start a function of the seed; dropout 0, eager attention, fused GELU.

    Raises:
        BadSetting: an unknown size.
    """
    from transformers import GPT2Config, GPT2LMHeadModel

    if isinstance(size, str):
        if size not in SIZES:
            raise BadSetting(f"size={size!r} is not a size of a fresh model.{nearest(size, SIZES)}")
        size = SIZES[size]
    config = GPT2Config(
        vocab_size=tokenizer.get_vocab_size(),
        n_positions=size.context,
        n_embd=size.width,
        n_layer=size.blocks,
        n_head=size.heads,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        activation_function="gelu_pytorch_tanh",
        bos_token_id=0,
        eos_token_id=0,
        attn_implementation="eager",
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = GPT2LMHeadModel(config)
    return LanguageModel(module.eval(), tokenizer, name="fresh GPT-2")


def fresh_weights(model: LanguageModel, *, seed: int) -> Weights:
    """The random start that `fresh_model` gives a model of this shape for a seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = type(model.module)(model.module.config)
    return Weights.of(dict(module.named_parameters()))
