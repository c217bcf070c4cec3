"""Sessions in float64 over four families of models, and oracles that look at one text at a time."""

from __future__ import annotations

import copy

import pytest
import torch

from tests.engine import families, worlds
from unlearnviz.engine.model import LanguageModel
from unlearnviz.engine.session import Session

SHAPES = [(shape, tied) for shape in ("GPT-2", "Llama", "GPT-NeoX", "OPT") for tied in (True, False)]
EVERY_SHAPE = pytest.mark.parametrize(
    "shape, tied", SHAPES, ids=[f"{shape}, {'tied' if tied else 'untied'}" for shape, tied in SHAPES]
)
PICK = ("mara-okafor-0", "mara-okafor-3")  # of different lengths; leaves a retain group


def opened(shape: str = "GPT-2", *, tied: bool = True, pick: tuple[str, ...] = PICK) -> Session:
    """A session over a random model of a family, in float64 and in training mode, as careless people leave it."""
    module = families.module(shape, tied=tied, vocabulary=worlds.tokenizer().get_vocab_size(), attn_implementation="eager")
    session = Session(LanguageModel(copy.deepcopy(module).double().train(), worlds.tokenizer()), worlds.corpus())
    session.pick(*pick)
    return session


def untied(session: Session) -> torch.nn.Module:
    """A copy of the model without dropout whose output matrix is a parameter of its own."""
    module = copy.deepcopy(session.model.module).eval()
    head = module.get_output_embeddings()
    head.weight = torch.nn.Parameter(head.weight.detach().clone())
    return module


def token_losses(module, session: Session, text: str) -> torch.Tensor:
    """-log p of each token after the first, one unpadded text, from the logits themselves; differentiable."""
    ids = torch.tensor([session.model.tokenizer.encode(text).ids])
    logits = module(input_ids=ids, use_cache=False).logits[0, :-1]
    return -(logits - torch.logsumexp(logits, dim=-1, keepdim=True))[torch.arange(len(logits)), ids[0, 1:]]


def by_hand(session: Session, passages) -> dict[str, torch.Tensor]:
    """Name -> gradient of the mean over all tokens of all texts, from an untied copy; a tied embedding also by use."""
    module = untied(session)
    torch.cat([token_losses(module, session, passage.text) for passage in passages]).mean().backward()
    found = {name: p.grad if p.grad is not None else torch.zeros_like(p) for name, p in module.named_parameters()}
    layout = session.model.layout
    if layout.tied:
        head = module.get_output_embeddings().weight.grad
        (name,) = (name for name, p in module.named_parameters() if p is module.get_output_embeddings().weight)
        found.pop(name)
        found |= {"embedding.input": found[layout.input_embedding], "embedding.output": head}
        found[layout.input_embedding] = found["embedding.input"] + head
    return found
