"""LanguageModel: one causal language model with its tokenizer, and the few things unlearning asks of it."""

from __future__ import annotations

import contextlib
import copy
import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional

from unlearnviz.engine.layout import ModelLayout
from unlearnviz.errors import BadModel, BadSetting

if TYPE_CHECKING:
    from unlearnviz.engine.corpus import Passage
    from unlearnviz.engine.generation import Continuation

TOKENS_PER_BATCH = 1200  # measured best on CPU for 20-token texts; larger batches only feed the allocator


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

    Raises:
        BadModel: no blocks, no embedding, or a tokenizer that does not fit.
    """

    def __init__(self, module: Any, tokenizer: Any, *, name: str = "") -> None:
        self.module = module
        self.tokenizer = getattr(tokenizer, "backend_tokenizer", tokenizer)
        if not hasattr(self.tokenizer, "encode_batch"):
            raise BadModel(
                f"{type(tokenizer).__name__} is not built on the tokenizers library; unlearnviz needs a fast tokenizer (tokenizer.json)."
            )
        self.name = name or type(module).__name__
        self.layout = ModelLayout.of(module)
        self._encode = lru_cache(maxsize=100_000)(self._encode_uncached)
        vocabulary = self.module.get_input_embeddings().weight.shape[0]
        if self.tokenizer.get_vocab_size() > vocabulary:
            raise BadModel(
                f"The tokenizer knows {self.tokenizer.get_vocab_size()} tokens, the model's embedding only {vocabulary}; "
                "they do not belong together."
            )

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

    @cached_property
    def context(self) -> int:
        """Longest text in tokens."""
        config = self.module.config
        return int(getattr(config, "max_position_embeddings", None) or getattr(config, "n_positions", None) or 2048)

    # -- text and tokens ----------------------------------------------------------------------------------------------

    def _encode_uncached(self, text: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
        encoding = self.tokenizer.encode(text)
        ids, starts = list(encoding.ids), [start for start, _ in encoding.offsets]
        end = getattr(self.module.config, "eos_token_id", None)
        if len(ids) > 1 and ids[-1] == end and encoding.special_tokens_mask[-1]:
            ids, starts = ids[:-1], starts[:-1]  # an end mark after a prompt would end the text there
        return tuple(ids[: self.context]), tuple(starts[: self.context])

    def encode(self, text: str) -> tuple[int, ...]:
        """Token ids of a text, cut after `context` tokens."""
        return self._encode(text)[0]

    def token_starts(self, text: str) -> tuple[int, ...]:
        """Character at which each token of `encode(text)` starts."""
        return self._encode(text)[1]

    def tokens(self, text: str) -> list[str]:
        """The text as a list of the pieces its tokens stand for; joined they give the text (up to the cut)."""
        ids = self.encode(text)
        whole = [self.decode(ids[:k]) for k in range(len(ids) + 1)]
        return [whole[k + 1][len(whole[k]) :] for k in range(len(ids))]

    def decode(self, ids: Sequence[int]) -> str:
        """Text of token ids, special tokens left out."""
        return str(self.tokenizer.decode(list(ids), skip_special_tokens=True))

    def cut_note(self, text: str) -> str | None:
        """A sentence when a text is longer than the context, else None."""
        total = len(self.tokenizer.encode(text).ids)
        if total <= self.context:
            return None
        return f"This text has {total} tokens and the model reads {self.context}: it is cut after token {self.context}."

    def batch(self, texts: Sequence[str]) -> Batch:
        """Pad texts on the right into one batch.

        Raises:
            BadSetting: a text of fewer than two tokens, of which nothing can be predicted.
        """
        rows = [self.encode(text) for text in texts]
        for text, row in zip(texts, rows, strict=True):
            if len(row) < 2:
                raise BadSetting(f"The text {text!r} is {len(row)} token long; a text needs two tokens before anything is predicted.")
        longest = max(len(row) for row in rows)
        ids = torch.zeros(len(rows), longest, dtype=torch.long)
        mask = torch.zeros(len(rows), longest, dtype=torch.long)
        for k, row in enumerate(rows):
            ids[k, : len(row)] = torch.tensor(row)
            mask[k, : len(row)] = 1
        labels = ids.masked_fill(mask == 0, -100)
        return Batch(ids.to(self.device), mask.to(self.device), labels.to(self.device))

    # -- losses -------------------------------------------------------------------------------------------------------

    def logits(self, batch: Batch) -> torch.Tensor:
        """Next-token logits, shape (texts, longest, vocabulary)."""
        mask = None if bool(batch.attention_mask.all()) else batch.attention_mask
        return self.module(input_ids=batch.input_ids, attention_mask=mask, use_cache=False).logits  # type: ignore[no-any-return]

    def loss(self, batch: Batch) -> torch.Tensor:
        """Mean next-token loss in nats over all labels of the batch (token-weighted; scalar, differentiable)."""
        return self._losses(batch)[0].mean()

    def _losses(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
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
            for indices in self._chunks(texts):
                batch = self.batch([texts[k] for k in indices])
                losses, predicted = self._losses(batch)
                for k, row in zip(indices, losses.cpu().split(predicted.sum(dim=1).tolist()), strict=True):
                    results[k] = row
        return [results[k] for k in range(len(texts))]

    def _chunks(self, texts: Sequence[str]) -> Iterator[list[int]]:
        """Indices of texts in batches of similar length and about TOKENS_PER_BATCH tokens."""
        order = sorted(range(len(texts)), key=lambda k: len(self.encode(texts[k])))
        chunk: list[int] = []
        for k in order:
            longest = len(self.encode(texts[k]))
            if chunk and longest * (len(chunk) + 1) > TOKENS_PER_BATCH:
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
        selected: dict[str, torch.Tensor] = {}
        try:
            for name, parameter in self.parameters.items():
                parameter.requires_grad_(name in names)
                if name in names:
                    selected[name] = parameter
            if use != "both" and self.layout.tied:
                other = torch.nn.Parameter(tied.detach(), requires_grad=use == "output")
                head.weight = other
                if use == "output":
                    tied.requires_grad_(False)  # noqa: FBT003
                    selected[self.layout.input_embedding] = other
            with self.quiet():
                yield selected
        finally:
            if self.layout.tied:
                head.weight = tied
            for name, parameter in self.parameters.items():
                parameter.requires_grad_(before[name])
                parameter.grad = None

    def at(self, weights: Mapping[str, torch.Tensor]) -> LanguageModel:
        """The same model with other weights, sharing their memory: for reading only, valid until the next call."""
        shadow = self._shadow
        for name, parameter in shadow.parameters.items():
            parameter.data = weights[name].to(parameter.device)
        return shadow

    @cached_property
    def _shadow(self) -> LanguageModel:
        """A copy whose parameters own no memory of their own (they alias the live ones until `at` points them elsewhere)."""
        memo = {id(p): torch.nn.Parameter(p.detach(), requires_grad=False) for p in self.parameters.values()}
        shadow = LanguageModel(copy.deepcopy(self.module, memo), self.tokenizer, name=self.name)
        shadow._encode = self._encode  # one cache of token ids for both
        return shadow

    @cached_property
    def accepts(self) -> frozenset[str]:
        """Names of the arguments that the model's forward takes."""
        return frozenset(inspect.signature(self.module.forward).parameters)

    def answer_tokens(self, passage: Passage) -> int:
        """Position of the first token of the fact in `encode(passage.text)`; the token count where no fact is marked."""
        starts = self.token_starts(passage.text)
        if passage.answer_start is None:
            return len(starts)
        return next((k for k, start in enumerate(starts) if start >= passage.answer_start and k > 0), len(starts))
