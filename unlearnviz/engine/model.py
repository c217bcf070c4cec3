"""LanguageModel: one causal language model with its tokenizer, and the few things unlearning asks of it."""

from __future__ import annotations

import contextlib
import copy
import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional

from unlearnviz.engine.encoder import TextEncoder
from unlearnviz.engine.layout import ModelLayout
from unlearnviz.errors import BadModel, BadSetting

if TYPE_CHECKING:
    from unlearnviz.engine.corpus import Passage
    from unlearnviz.engine.generation import Continuation

TOKENS_PER_BATCH = 1200  # measured best on CPU for 20-token texts; larger batches only feed the allocator
LARGE = 2**22  # entries of an embedding whose gradients are worth some care
LOGITS_PER_BATCH = 2**24  # a vocabulary of 50,000 words has 64 MiB of logits for 334 tokens, and the loss takes that several times


@dataclass(frozen=True)
class Batch:
    """Padded token ids of several texts, each tensor of shape (texts, longest).

    Attributes:
        input_ids: token ids, padded on the right.
        attention_mask: 1 for tokens, 0 for padding.
        labels: the ids themselves, -100 where nothing is to be predicted (padding).
    """

    input_ids: torch.Tensor
    attention_mask: torch.Tensor
    labels: torch.Tensor


class LanguageModel:
    """A Hugging Face causal LM and its tokenizer.

    Args:
        module: the model; it is left as it is (device, dtype, attention).
        tokenizer: a `tokenizers.Tokenizer`, or a Hugging Face tokenizer that is built on one.
        name: what to call it.
        fused: field of the config -> the activation its folder names, where loading chose a fused form of the same function.

    Raises:
        BadModel: no blocks, no embedding, or a tokenizer that does not fit.
    """

    def __init__(self, module: Any, tokenizer: Any, *, name: str = "", fused: Mapping[str, str] | None = None) -> None:
        self.module = module
        self.name = name or type(module).__name__
        self.fused = dict(fused or {})
        self.layout = ModelLayout.of(module)
        self.encoder = TextEncoder(tokenizer, self.context)
        self.tokenizer = self.encoder.tokenizer
        words, rows = self.encoder.vocabulary, self.module.get_input_embeddings().weight.shape[0]
        if words > rows:
            raise BadModel(f"The tokenizer knows {words} tokens, the model's embedding only {rows}; they do not belong together.")

    @classmethod
    def from_pretrained(cls, name_or_path: str | Path, **options: Any) -> LanguageModel:
        """Load any Hugging Face causal LM; see `unlearnviz.engine.loading.load`."""
        from unlearnviz.engine.loading import load

        return load(name_or_path, **options)

    def __repr__(self) -> str:
        return f"LanguageModel({self.name}, {self.size / 1e6:.2f} M parameters, {self.layout.blocks} blocks)"

    # -- parameters ---------------------------------------------------------------------------------------------------

    @cached_property
    def parameters(self) -> Mapping[str, torch.nn.Parameter]:
        """Parameter name -> the live parameter; a tied matrix once (`named_parameters`, never `state_dict`)."""
        return dict(self.module.named_parameters())

    @property
    def size(self) -> int:
        """Number of parameters, a tied matrix counted once."""
        return sum(parameter.numel() for parameter in self.parameters.values())

    @property
    def device(self) -> torch.device:
        """Where the embedding sits; inputs are sent there."""
        return self.parameters[self.layout.input_embedding].device

    @property
    def dtype(self) -> torch.dtype:
        """What the embedding is kept in."""
        return self.parameters[self.layout.input_embedding].dtype

    def in_full_precision(self) -> LanguageModel:
        """This model; where it is in half precision, a float32 copy of it."""
        if self.dtype in (torch.float32, torch.float64):
            return self
        full = LanguageModel(copy.deepcopy(self.module).float(), self.tokenizer, name=self.name, fused=self.fused)
        full.encoder = self.encoder  # one cache of token ids for both
        return full

    @cached_property
    def context(self) -> int:
        """Longest text in tokens; 2048 where the model sets no limit."""
        config = self.module.config.get_text_config()
        lengths = (getattr(config, field, None) for field in ("max_position_embeddings", "n_positions", "max_seq_len"))
        return int(next((length for length in lengths if length), 2048))

    # -- text and tokens ----------------------------------------------------------------------------------------------

    def encode(self, text: str) -> tuple[int, ...]:
        """Token ids of a text, cut after `context` tokens."""
        return self.encoder.encode(text)

    def decode(self, ids: Sequence[int]) -> str:
        """Text of token ids, special tokens left out."""
        return self.encoder.decode(ids)

    def tokens(self, text: str) -> list[str]:
        """The text as a list of the pieces its tokens stand for; joined they give the text (up to the cut)."""
        return self.encoder.pieces(text)

    def cut_note(self, text: str) -> str | None:
        """A sentence when a text is longer than the context, else None."""
        return self.encoder.cut_note(text)

    def answer_tokens(self, passage: Passage) -> int:
        """Position of the token in which the fact begins in `encode(passage.text)`; the token count where no fact is marked."""
        return self.encoder.answer_tokens(passage)

    def batch(self, texts: Sequence[str], *, with_end: bool = False) -> Batch:
        """Pad texts on the right into one batch.

        A text of one token takes part without a prediction. `with_end` adds the model's end mark after each text that leaves
        room for it: what a model must be taught to stop where a text stops.

        Raises:
            BadSetting: nothing can be predicted, because no text has two tokens or one has none.
        """
        rows = [self.encode(text) for text in texts]
        if not rows or max(len(row) for row in rows) < 2 or not all(rows):
            shortest = min(range(len(rows)), key=lambda k: len(rows[k]), default=None)
            which = "No text was given" if shortest is None else f"The text {texts[shortest]!r} has {_count(len(rows[shortest]))}"
            raise BadSetting(f"{which}; a text needs two tokens before anything is predicted.")
        if with_end and self.end is not None:
            rows = [(*row, self.end)[: self.context] for row in rows]
        longest = max(len(row) for row in rows)
        ids = torch.zeros(len(rows), longest, dtype=torch.long)
        mask = torch.zeros(len(rows), longest, dtype=torch.long)
        for k, row in enumerate(rows):
            ids[k, : len(row)] = torch.tensor(row)
            mask[k, : len(row)] = 1
        labels = ids.masked_fill(mask == 0, -100)
        return Batch(ids.to(self.device), mask.to(self.device), labels.to(self.device))

    @property
    def end(self) -> int | None:
        """Id of the token that ends a text, or None."""
        end = getattr(self.module.config, "eos_token_id", None)
        return end[0] if isinstance(end, list) else end

    # -- losses -------------------------------------------------------------------------------------------------------

    def logits(self, batch: Batch) -> torch.Tensor:
        """Next-token logits, shape (texts, longest, vocabulary)."""
        mask = None if bool(batch.attention_mask.all()) else batch.attention_mask
        return self.module(input_ids=batch.input_ids, attention_mask=mask, use_cache=False).logits  # type: ignore[no-any-return]

    def loss(self, batch: Batch) -> torch.Tensor:
        """Mean next-token loss in nats over all labels of the batch (token-weighted; scalar, differentiable)."""
        return self.losses(batch)[0].mean()

    def losses(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """Losses of all predicted tokens in one row, shape (predicted,), and the mask (texts, longest - 1) they come from."""
        targets = batch.labels[:, 1:]
        predicted = targets != -100
        logits = self.logits(batch)[:, :-1][predicted]
        if logits.dtype in (torch.float16, torch.bfloat16):
            logits = logits.float()
        return functional.cross_entropy(logits, targets[predicted], reduction="none"), predicted

    @torch.no_grad()
    def token_losses(self, texts: Sequence[str]) -> list[torch.Tensor]:
        """Per text, the loss in nats of each token after the first: a CPU tensor of shape (tokens - 1,)."""
        results: dict[int, torch.Tensor] = {}
        with self.quiet():
            for indices in self.chunks([k for k, text in enumerate(texts) if len(self.encode(text)) > 1], texts):
                batch = self.batch([texts[k] for k in indices])
                losses, predicted = self.losses(batch)
                results.update(zip(indices, losses.cpu().split(predicted.sum(dim=1).tolist()), strict=True))
        return [results.get(k, torch.zeros(0)) for k in range(len(texts))]

    def chunks(self, indices: Sequence[int], texts: Sequence[str]) -> Iterator[list[int]]:
        """Indices of texts in batches of similar length, none with more than TOKENS_PER_BATCH tokens or LOGITS_PER_BATCH logits."""
        most = min(TOKENS_PER_BATCH, LOGITS_PER_BATCH // self.module.get_output_embeddings().weight.shape[0])
        order = sorted(indices, key=lambda k: len(self.encode(texts[k])))
        chunk: list[int] = []
        for k in order:
            longest = len(self.encode(texts[k]))
            if chunk and longest * (len(chunk) + 1) > most:
                yield chunk
                chunk = []
            chunk.append(k)
        if chunk:
            yield chunk

    def generate(self, prompts: Sequence[str], **options: Any) -> list[Continuation]:
        """Continue prompts; see `unlearnviz.engine.generation.generate`."""
        from unlearnviz.engine.generation import generate

        return generate(self, prompts, **options)

    # -- states -------------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def quiet(self) -> Iterator[None]:
        """Dropout off inside, each submodule's own mode back outside."""
        training = [module for module in self.module.modules() if module.training]
        for module in training:
            module.training = False
        try:
            yield
        finally:
            for module in training:
                module.training = True

    @contextlib.contextmanager
    def following(self, names: Sequence[str], use: str = "both") -> Iterator[dict[str, torch.Tensor]]:
        """Inside, only `names` ask for gradients, and a tied matrix through the given `use` alone.

        Yields parameter name -> the tensor to differentiate by and to edit in place. With `use` "input" or "output" the
        tied matrix is two parameters over one storage for the while, so that autograd follows one use.
        """
        before = {name: parameter.requires_grad for name, parameter in self.parameters.items()}
        tied = self.parameters[self.layout.input_embedding]
        head = self.module.get_output_embeddings()
        lookup = self.module.get_input_embeddings()
        as_table = getattr(lookup, "sparse", None)
        selected: dict[str, torch.Tensor]
        try:
            for name, parameter in self.parameters.items():
                parameter.requires_grad_(name in names)
            selected = {name: parameter for name, parameter in self.parameters.items() if name in names}
            if use != "both" and self.layout.tied:
                other = torch.nn.Parameter(tied.detach(), requires_grad=use == "output")
                head.weight = other
                if use == "output":
                    tied.requires_grad_(False)
                    selected[self.layout.input_embedding] = other
            elif as_table is False and self.layout.tied and self.layout.input_embedding in selected and tied.numel() > LARGE:
                lookup.sparse = True  # its few rows are added to the head's gradient, instead of a second full matrix
            with self.quiet():
                yield selected
        finally:
            if self.layout.tied:
                head.weight = tied
            if as_table is not None:
                lookup.sparse = as_table
            for name, parameter in self.parameters.items():
                parameter.requires_grad_(before[name])
                parameter.grad = None

    def at(self, weights: Mapping[str, torch.Tensor], *, copied: bool = False) -> LanguageModel:
        """The same model with other weights: for reading only, valid until the next call.

        Its parameters share the memory of `weights`, or, `copied`, have their own: then not even a careless reader can
        edit what it was shown.
        """
        shadow = self._shadow
        for name, parameter in shadow.parameters.items():
            parameter.data = weights[name].to(self.parameters[name].device, copy=copied)
        return shadow

    @cached_property
    def _shadow(self) -> LanguageModel:
        """A copy whose parameters own no memory of their own (they alias the live ones until `at` points them elsewhere)."""
        memo = {id(p): torch.nn.Parameter(p.data, requires_grad=False) for p in self.parameters.values()}
        if self.layout.tied:  # while one use of it is followed, the head has a parameter of its own over the same storage
            memo[id(self.module.get_output_embeddings().weight)] = memo[id(self.parameters[self.layout.input_embedding])]
        shadow = LanguageModel(copy.deepcopy(self.module, memo), self.tokenizer, name=self.name, fused=self.fused)
        shadow.encoder = self.encoder  # one cache of token ids for both
        return shadow

    @cached_property
    def accepts(self) -> frozenset[str]:
        """Names of the arguments that the model's forward takes."""
        return frozenset(inspect.signature(self.module.forward).parameters)


def _count(tokens: int) -> str:
    return "no token" if tokens == 0 else "only one token"
