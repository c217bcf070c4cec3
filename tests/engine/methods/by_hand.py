"""Oracles for methods, in float64: losses from raw logits, one unpadded text at a time, and gradients by autograd."""

from __future__ import annotations

import torch
from rapidfuzz import fuzz
from torch.func import functional_call

from tests.engine import worlds
from unlearnviz.engine.selection import ParameterSelection

WTE = "transformer.wte.weight"


def opened(*, pick="Mara Okafor", **options):
    return worlds.session(dtype=torch.float64, pick=pick, **options)


class ByHand:
    """The weights of a session as plain leaves, which follow updates of their own."""

    def __init__(self, session, where):
        self.session, self.where = session, ParameterSelection.parse(where, session.model.layout)
        self.weights = {name: p.detach().clone().requires_grad_() for name, p in session.model.parameters.items()}
        self.norm = session.update_norm(self.where)

    def losses(self, text, head=None):
        """-log p of each token after the first; `head`: another output matrix."""
        ids = torch.tensor([self.session.model.tokenizer.encode(text).ids])
        named = self.weights | {"lm_head.weight": self.weights[WTE] if head is None else head}
        logits = functional_call(self.session.model.module, named, (ids,), {"use_cache": False}, tie_weights=False).logits[0, :-1]
        return (torch.logsumexp(logits, dim=-1) - logits[torch.arange(len(logits)), ids[0, 1:]]).squeeze()

    def mean(self, passages, head=None):
        """Over all tokens of all texts together."""
        return torch.cat([self.losses(passage.text, head) for passage in passages]).mean()

    def gradient(self, passages):
        """Of the mean loss, by the selected parameters, in the use that the selection follows."""
        head = self.weights[WTE].detach().clone().requires_grad_()
        apart = None if self.where.use == "both" else head
        leaves = {name: head if name == WTE and self.where.use == "output" else self.weights[name] for name in self.where.names}
        found = torch.autograd.grad(self.mean(passages, apart), list(leaves.values()))
        return dict(zip(leaves, found, strict=True))

    def climb(self, passages):
        """theta + norm * unit gradient."""
        gradient = self.gradient(passages)
        length = torch.sqrt(sum((each**2).sum() for each in gradient.values()))
        with torch.no_grad():
            for name, each in gradient.items():
                self.weights[name] += self.norm * each / length

    def agree(self, tolerance=1e-12):
        """Whether the session has the same weights."""
        for name, parameter in self.session.model.parameters.items():
            assert float((parameter - self.weights[name]).detach().abs().max()) <= tolerance, name


def alike(one, other):
    """rapidfuzz's ratio of two texts, lower-cased and with white space collapsed."""
    left, right = (" ".join(each.lower().split()) for each in (one, other))
    return fuzz.ratio(left, right)
