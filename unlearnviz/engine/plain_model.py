"""PlainModel: the present weights in a model as transformers makes it, read one text and one token after the other.

It shares the weights' values and the token ids with a `LanguageModel` and nothing else: no batches, no padding, no mask, no cache of keys and
values, no fused activation, no hooks.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch

from unlearnviz.engine.loading import hushed
from unlearnviz.errors import NotPossible

if TYPE_CHECKING:
    from unlearnviz.engine.model import LanguageModel


class PlainModel:
    """A stock `AutoModelForCausalLM` in float32 (float64 where the weights are) and with eager attention; it keeps its values when they change.

    Args:
        model: whose weights are copied.

    Raises:
        NotPossible: the weights are not those of a class that transformers makes from their config.
    """

    def __init__(self, model: LanguageModel) -> None:
        from transformers import AutoModelForCausalLM

        kind = torch.float64 if model.dtype == torch.float64 else torch.float32
        config = copy.deepcopy(model.module.config)
        for field, name in model.fused.items():
            setattr(config.get_text_config(), field, name)  # as the model's own folder says
        try:
            with hushed(), torch.random.fork_rng(devices=[]):  # its random start is overwritten; nobody's dice are moved
                module: Any = AutoModelForCausalLM.from_config(config, attn_implementation="eager").to(kind)
                module.load_state_dict(model.module.state_dict())
        except (ValueError, RuntimeError, KeyError) as error:
            raise NotPossible(
                f"transformers makes no plain model that these weights fit into ({type(model.module).__name__}), so there is nothing to check by."
            ) from error
        self.module = module.to(model.device).eval()
        self.device = model.device

    @property
    def name(self) -> str:
        """Its class."""
        return type(self.module).__name__

    @torch.no_grad()
    def losses(self, ids: Sequence[int]) -> list[float]:
        """-log p of each token after the first, in nats."""
        logits = self._logits(ids)
        return [float(-torch.log_softmax(logits[k].double(), dim=-1)[ids[k + 1]]) for k in range(len(ids) - 1)]

    @torch.no_grad()
    def guesses(self, ids: Sequence[int]) -> list[bool]:
        """Whether each token after the first is the likeliest one."""
        logits = self._logits(ids)
        return [int(logits[k].argmax()) == ids[k + 1] for k in range(len(ids) - 1)]

    @torch.no_grad()
    def written(self, ids: Sequence[int], wanted: int, ends: set[int]) -> list[int]:
        """The `wanted` likeliest next tokens, one after the other, up to a mark that ends a text."""
        new: list[int] = []
        while len(new) < wanted:
            token = int(self._logits([*ids, *new])[-1].argmax())
            if token in ends:
                break
            new.append(token)
        return new

    def _logits(self, ids: Sequence[int]) -> torch.Tensor:
        """Of the next token after each, shape (tokens, vocabulary)."""
        return self.module(input_ids=torch.tensor([list(ids)], device=self.device)).logits[0]  # type: ignore[no-any-return]
