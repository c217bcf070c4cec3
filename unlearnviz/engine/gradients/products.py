"""Products: squared norms and inner products of gradients, from what an operation was given and the gradient of its output.

A matrix that maps inputs a to outputs with gradients g has, for one text, the gradient a'g: a sum over tokens of outer
products. Its squared norm is the sum over pairs of tokens of (a_s . a_t)(g_s . g_t) (Goodfellow 2015, arXiv 1510.01799; for
sequences Li et al. 2022, arXiv 2110.05679), and its inner product with another text's is the same sum over pairs of one token
of each. A lookup's rows count where the ids are equal. What each token adds to an inner product is its term of that sum.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from unlearnviz.engine.gradients.uses import Use


def squares(use: Use, gradient: torch.Tensor) -> torch.Tensor:
    """Squared L2 norms of the gradients of each text, shape (texts,), float64."""
    inputs = use.inputs
    if use.kind == "entries":
        return _sum(_entries(inputs, gradient).sum(dim=1).square())
    assert inputs is not None
    if use.kind == "rows":
        same = inputs[:, :, None] == inputs[:, None, :]
        counted = _counted(use, gradient)
        return _sum((counted @ counted.mT) * same)
    tokens, wide, high = gradient.shape[1], inputs.shape[2], gradient.shape[2]
    if tokens * (wide + high) < wide * high:
        return _sum((inputs @ inputs.mT) * (gradient @ gradient.mT))
    return _sum((inputs.mT @ gradient).square())


@dataclass(frozen=True)
class Pull:
    """The gradient of some texts along one use of a parameter, kept as the tokens it is a sum of, or summed up.

    Attributes:
        use: "matrix", "rows" or "entries".
        inputs: "matrix": inputs of shape (tokens, inputs); "rows": ids of shape (tokens,); else None.
        gradients: of the outputs, shape (tokens, width); for "entries" their sums per text, shape (texts, width).
        owners: the text of each token, shape (tokens,).
        whole: the gradient itself, of shape (inputs, outputs), where that is cheaper; the others are None then.
    """

    use: str
    inputs: torch.Tensor | None
    gradients: torch.Tensor | None
    owners: torch.Tensor | None
    whole: torch.Tensor | None = None

    def weighted(self, weights: torch.Tensor) -> Pull:
        """The gradient of the weighted sum of the texts' losses; weights of shape (texts,)."""
        assert self.gradients is not None
        assert self.owners is not None
        return replace(self, gradients=self.gradients * weights[self.owners, None])

    def plus(self, more: Pull) -> Pull:
        """The gradient of more texts."""
        if self.whole is not None:
            assert more.whole is not None
            return Pull(self.use, None, None, None, self.whole + more.whole)
        inputs = None if self.inputs is None or more.inputs is None else torch.cat((self.inputs, more.inputs))
        assert self.gradients is not None
        assert more.gradients is not None
        assert self.owners is not None
        assert more.owners is not None
        return Pull(self.use, inputs, torch.cat((self.gradients, more.gradients)), torch.cat((self.owners, more.owners)))


def pull(
    use: Use, gradient: torch.Tensor, owners: torch.Tensor, predicted: torch.Tensor, *, tokens: int, each: bool
) -> Pull:
    """The gradient of a batch along one use.

    Args:
        owners: the index of each text of the batch, shape (texts,).
        predicted: which tokens are no padding, shape (texts, tokens).
        tokens: how many tokens all texts have together, to choose the cheaper form.
        each: keep the texts apart.
    """
    inputs = use.inputs
    if use.kind == "entries":
        return Pull("entries", None, _entries(inputs, gradient).sum(dim=1), owners)
    assert inputs is not None
    if (
        use.kind == "matrix"
        and not each
        and tokens * (inputs.shape[2] + gradient.shape[2]) > inputs.shape[2] * gradient.shape[2]
    ):
        return Pull("matrix", None, None, None, inputs.flatten(0, 1).T @ gradient.flatten(0, 1))
    counted = _counted(use, gradient) if use.kind == "rows" else gradient
    return Pull(use.kind, inputs[predicted], counted[predicted], owners[:, None].expand_as(predicted)[predicted])


def inner(use: Use, gradient: torch.Tensor, other: Pull, owners: int = 0) -> torch.Tensor:
    """What each token adds to the inner product of its text's gradient with another gradient of the same parameter.

    Returns:
        Shape (texts, tokens), or, with `owners` texts to keep apart in the other gradient, (texts, tokens, owners).
    """
    inputs = use.inputs
    if use.kind == "entries":
        assert other.gradients is not None
        against = other.gradients if owners else other.gradients.sum(dim=0, keepdim=True)
        found = _entries(inputs, gradient) @ against.T
        return _by_owner(found, other.owners, owners) if owners else found[:, :, 0]
    assert inputs is not None
    counted = _counted(use, gradient) if use.kind == "rows" else gradient
    if other.whole is not None:
        if (
            use.kind == "matrix" and inputs.shape[2] < counted.shape[2]
        ):  # from the wide side, so that what is multiplied is narrow
            return ((counted @ other.whole.T) * inputs).sum(dim=2)
        if use.kind == "matrix":
            return ((inputs @ other.whole) * counted).sum(dim=2)
        return (counted * other.whole.T[inputs]).sum(dim=2)
    assert other.inputs is not None
    assert other.gradients is not None
    if (use.kind, other.use) == ("matrix", "matrix"):
        pairs = (inputs @ other.inputs.T) * (counted @ other.gradients.T)
    elif (use.kind, other.use) == ("rows", "rows"):
        pairs = (counted @ other.gradients.T) * (inputs[:, :, None] == other.inputs)
    elif (use.kind, other.use) == ("matrix", "rows"):  # a tied matrix: outputs here, lookups there
        pairs = (inputs @ other.gradients.T) * counted[:, :, other.inputs]
    else:
        pairs = (counted @ other.inputs.T) * other.gradients.T[inputs]
    return _by_owner(pairs, other.owners, owners) if owners else pairs.sum(dim=2)


def overlap(one: Pull, other: Pull) -> float:
    """Inner product of two gradients of one parameter."""
    if one.whole is not None:
        return float((one.whole * other.whole).sum(dtype=torch.float64)) if other.whole is not None else overlap(other, one)
    assert one.gradients is not None
    if one.use == "entries":
        assert other.gradients is not None
        return float(one.gradients.double().sum(dim=0) @ other.gradients.double().sum(dim=0))
    assert one.inputs is not None
    return float(inner(Use("", one.use, one.inputs[None]), one.gradients[None], other).sum(dtype=torch.float64))


@dataclass(frozen=True)
class Leaving:
    """What of a tied matrix's output use is needed once the gradient of its lookup is there.

    Attributes:
        inputs: of the output matrix, shape (texts, tokens, width).
        places: gradients of the outputs at the ids that the text looked up, shape (texts, tokens, tokens).
    """

    inputs: torch.Tensor
    places: torch.Tensor

    @classmethod
    def of(cls, output: Use, gradient: torch.Tensor, ids: torch.Tensor) -> Leaving:
        """Keep what is needed, which is far less than the gradient of all outputs."""
        assert output.inputs is not None
        return cls(output.inputs, gradient.gather(2, ids[:, None, :].expand(-1, gradient.shape[1], -1)))

    def cross(self, lookup: Use, entering: torch.Tensor) -> torch.Tensor:
        """Inner product of each text's gradients of both uses, shape (texts,), float64."""
        return _sum(self.places * (self.inputs @ _counted(lookup, entering).mT))


def _entries(factor: torch.Tensor | None, gradient: torch.Tensor) -> torch.Tensor:
    """What each token adds to the gradient of a scale or a shift, shape (texts, tokens, width)."""
    found = gradient if factor is None else gradient * factor
    return found if found.dim() == 3 else found.flatten(2, -2).sum(dim=2)


def _counted(use: Use, gradient: torch.Tensor) -> torch.Tensor:
    """The gradients of a lookup, 0 for the id that torch keeps out of them."""
    if use.skipped is None or use.inputs is None:
        return gradient
    return gradient * use.inputs.ne(use.skipped)[:, :, None]


def _by_owner(pairs: torch.Tensor, owner: torch.Tensor | None, owners: int) -> torch.Tensor:
    """Sum over the tokens of each text."""
    assert owner is not None
    return pairs.new_zeros(*pairs.shape[:2], owners).index_add_(2, owner, pairs)


def _sum(values: torch.Tensor) -> torch.Tensor:
    """Sum over everything but the texts, in float64."""
    return values.flatten(start_dim=1).sum(dim=1, dtype=torch.float64)
