"""What is scored, by whom, and the few things that every library has to be told in its own way."""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch.nn import functional
from transformers.pytorch_utils import Conv1D


@dataclass(frozen=True)
class Scoring:
    """A library made ready.

    Attributes:
        score: does the work; returns column -> a score of each text.
        columns: parameter names of the columns, for the comparison with our own scores; None: the groups of the model.
        scored: names of the parameters whose whole gradient takes part.
        missing: what is left out, in words.
    """

    score: Callable[[], dict[str, Any]]
    scored: tuple[str, ...]
    missing: str = ""
    columns: Mapping[str, tuple[str, ...]] | None = None


@dataclass(frozen=True)
class Attempt:
    """One way to use one library.

    Attributes:
        peer: the library.
        way: how it is used, in words; with `peer` the name of the row.
        prepare: makes a Scoring from a Case.
        texts: how many taught texts are scored, where all would take too long; None: all.
        rounds: how often it takes turns with us.
        at_least: how many times our time it should take.
    """

    peer: str
    way: str
    prepare: Callable[["Case"], Scoring]
    texts: int | None = 24
    rounds: int = 3
    at_least: float | None = None

    @property
    def name(self) -> str:
        return f"{self.peer}: {self.way}"


@dataclass(frozen=True)
class Case:
    """A model, taught texts in order of their length, and the forget texts.

    The score of a text is the inner product of the gradient of its own mean token loss with that of the mean token loss of all
    forget texts together, as in GradientScan.
    """

    model: Any
    texts: list[str]
    forget: list[str]
    folder: str = field(default="", compare=False)

    @classmethod
    def of(cls, session, texts, folder=""):
        """`texts` of the taught texts, evenly spread over the corpus; all for None."""
        taught = [passage.text for passage in session.corpus.train]
        step = max(1, len(taught) // texts) if texts else 1
        chosen = sorted(taught[::step][:texts], key=lambda text: len(session.model.encode(text)))
        return cls(session.model, chosen, [passage.text for passage in session.forget], folder)

    @property
    def tokens(self):
        """Tokens to go over: a gradient is taken of every text, taught or to forget."""
        return sum(len(self.model.encode(text)) for text in (*self.texts, *self.forget))

    @property
    def predicted(self):
        """Number of tokens that are predicted in the forget texts."""
        return sum(len(self.model.encode(text)) - 1 for text in self.forget)

    @property
    def batch_size(self):
        """Texts in a batch of the size that our own passes take, about 1200 tokens."""
        from unlearnviz.engine.model import TOKENS_PER_BATCH

        longest = max(len(self.model.encode(text)) for text in self.texts)
        return max(1, min(len(self.texts), TOKENS_PER_BATCH // longest))

    def loader(self, texts, batch_size):
        """Batches (ids, mask, labels) in the order of the texts, each padded to its own longest text."""
        return torch.utils.data.DataLoader(Texts(texts), batch_size=batch_size, shuffle=False, collate_fn=self.collate)

    def collate(self, texts):
        batch = self.model.batch(texts)
        return batch.input_ids, batch.attention_mask, batch.labels

    def with_linear_layers(self):
        """A copy of the module in which GPT-2's Conv1D, which some libraries do not know, is nn.Linear."""
        module = copy.deepcopy(self.module())
        for name, each in list(module.named_modules()):
            if isinstance(each, Conv1D):
                inputs, outputs = each.weight.shape
                linear = torch.nn.Linear(inputs, outputs)
                linear.weight = torch.nn.Parameter(each.weight.detach().T.contiguous())
                linear.bias = torch.nn.Parameter(each.bias.detach().clone())
                parent, _, own = name.rpartition(".")
                setattr(module.get_submodule(parent), own, linear)
        return module

    def as_transformers_loads_it(self):
        """The same with attention and activation as transformers chooses them: what a user of a library begins with."""
        from tests.benchmarks.suites.gradients import as_transformers_loads_it

        plain = as_transformers_loads_it(self.model)
        plain.encoder = self.model.encoder
        return replace(self, model=plain)

    def module(self):
        """A copy of the module that asks for all gradients."""
        module = copy.deepcopy(self.model.module).eval()
        return module.requires_grad_(True)


class Texts(torch.utils.data.Dataset):
    def __init__(self, texts):
        self.texts = list(texts)

    def __len__(self):
        return len(self.texts)

    def __getitem__(self, k):
        return self.texts[k]


def sums(logits, labels):
    """Summed token loss of each text, shape (texts,)."""
    losses = functional.cross_entropy(logits[:, :-1].transpose(1, 2), labels[:, 1:], reduction="none", ignore_index=-100)
    return losses.sum(dim=1)


def means(logits, labels):
    """Mean token loss of each text, shape (texts,)."""
    return sums(logits, labels) / (labels[:, 1:] != -100).sum(dim=1)
