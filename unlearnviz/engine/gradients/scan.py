"""GradientScan: one pass over many texts for the gradient norm of each, and for what each has in common with other texts."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from unlearnviz.engine.gradients.aim import Aim
from unlearnviz.engine.gradients.passing import Unusual, one_pass, own_squares, unfit
from unlearnviz.engine.gradients.products import Leaving, inner
from unlearnviz.engine.gradients.uses import Use, Watching
from unlearnviz.engine.mean_gradient import INPUT, OUTPUT, inner_product, text_gradient
from unlearnviz.engine.progress import Progress
from unlearnviz.engine.weights import square_norm
from unlearnviz.errors import BadForgetSet, NotPossible

if TYPE_CHECKING:
    from unlearnviz.engine.model import LanguageModel

USES = {"rows": INPUT, "matrix": OUTPUT}  # of a tied embedding


class GradientScan:
    """Per text and parameter group: how hard it pulls, and how far it pulls the way of other texts.

    A text's gradient is that of its mean token loss (nats). With `toward`, the influence of a text is the inner product of its
    gradient with that of the mean token loss of all `toward` texts together (TracIn at one checkpoint, Pruthi et al. 2020,
    without the learning rate): one SGD step of rate r on the text alone lowers that loss by about r times the influence.

    The columns are parameter groups (by default the model's, which are disjoint and together the whole), and for a tied
    embedding also its two uses, "embedding.input" and "embedding.output". These are parts of "embedding", which has besides
    them what its uses share. Influence by "embedding.input" alone is TracIn-WE (Yeh et al. 2022): it counts the words that both
    texts have.

    Args:
        model: a model in half precision is copied to float32 first.
        texts: to go over; those of a single token are left out.
        toward: the texts to compare with.
        columns: group -> parameter names, instead of the model's own groups.
        tokens: also keep what each token adds to the influence.
        each: also keep the inner product with every single one of the `toward` texts, over all columns.

    Attributes:
        columns: names of the columns.
        losses: mean token loss in nats, shape (texts,).
        norms: L2 norms of the gradients in nats per unit of weight, shape (texts, columns).
        influence: nats per unit of learning rate, shape (texts, columns); None without `toward`.
        tokens: number of the text -> shape (tokens, columns); the sum over tokens is the text's influence. A share belongs to
            the token that is read, from which the next one is predicted.
        each: shape (texts, toward); None unless asked.
        toward_norms: L2 norms of the gradient of all `toward` texts together, shape (columns,).
        done: number of texts done; the others are NaN in every table.
        usable: number of texts that have a gradient.
        notes: sentences on what was left out or done in another way.

    Raises:
        BadForgetSet: no text has two tokens.
        NotPossible: a gradient is not finite.
    """

    def __init__(
        self,
        model: LanguageModel,
        texts: Sequence[str],
        *,
        toward: Sequence[str] = (),
        columns: Mapping[str, Sequence[str]] | None = None,
        tokens: bool = False,
        each: bool = False,
    ) -> None:
        self.notes: list[str] = []
        self._texts, self._model = list(texts), model.in_full_precision()
        if self._model is not model:
            said = str(model.dtype).removeprefix("torch.")
            self.notes.append(f"The model computes in {said}; its gradients are taken on a float32 copy of the weights.")
        self._aims = [k for k, text in enumerate(toward) if len(model.encode(text)) > 1]
        self._toward = [toward[k] for k in self._aims]
        self._usable = [k for k, text in enumerate(texts) if len(model.encode(text)) > 1]
        if not self._usable or (toward and not self._toward):
            raise BadForgetSet(
                "None of the texts has two tokens, so nothing is predicted and nothing has a gradient; take longer texts."
            )
        if short := len(texts) - len(self._usable):
            said = (
                "1 text of a single token predicts nothing and is"
                if short == 1
                else f"{short} texts of a single token predict nothing and are"
            )
            self.notes.append(f"{said} left out.")
        groups = dict(columns or model.layout.groups)
        self._column = {name: k for k, names in enumerate(groups.values()) for name in names}
        split = model.layout.tied and model.layout.input_embedding in self._column
        self._parts = {use: len(groups) + k for k, use in enumerate(USES)} if split else {}
        self.columns = (*groups, *(USES.values() if split else ()))
        shape = (len(texts), len(self.columns))
        self.losses = np.full(len(texts), np.nan)
        self.norms = np.full(shape, np.nan)
        self.influence = np.full(shape, np.nan) if toward else None
        self.tokens: dict[int, np.ndarray] = {}
        self._with_tokens = tokens and bool(toward)
        self.each = np.full((len(texts), len(toward)), np.nan) if each and toward else None
        self.toward_norms: np.ndarray | None = None
        self.done, self.usable = 0, len(self._usable)

    def column(self, table: np.ndarray, name: str) -> np.ndarray:
        """One column of a table, by the name of the group."""
        return table[..., self.columns.index(name)]

    @property
    def whole(self) -> slice:
        """The columns that together are everything asked for, without the two uses of a tied embedding."""
        return slice(0, len(self.columns) - len(self._parts))

    def running(self) -> Generator[Progress, None, None]:
        """Go over all texts; one report per batch. What is done stays when it is closed."""
        looped = unfit(self._model, self._texts[self._usable[0]]) & self._column.keys()
        without = frozenset(self._model.parameters) - self._column.keys() | looped
        with _plain():
            aim = self._aimed(looped, without)
        for indices in list(self._model.chunks(self._usable, self._texts)):
            while True:
                with _plain():
                    try:
                        self._batch(indices, looped, without, aim)
                        break
                    except Unusual as unusual:  # such as an expert that no text used before
                        looped, without = looped | unusual.names, without | unusual.names
                        aim = self._aimed(looped, without)
            self.done += len(indices)
            yield Progress(self.done, self.usable, f"gradients of {self.done} of {self.usable} texts")
        if looped:
            groups = sorted({self.columns[self._column[name]] for name in looped})
            which = "1 parameter is" if len(looped) == 1 else f"{len(looped)} parameters are"
            self.notes.append(
                f"{', '.join(groups)}: {which} used in a way without a fast rule, went text by text and count in no token's share."
            )

    def _aimed(self, looped: frozenset[str], without: frozenset[str]) -> Aim | None:
        """The gradient to compare with, and its norms."""
        if not self._toward:
            return None
        aim = Aim(self._model, self._toward, looped, without, each=self.each is not None)
        squares = np.zeros(len(self.columns))
        for name, parts in aim.squares().items():
            squares[self._column[name]] += sum(parts.values())
            if name == self._model.layout.input_embedding:
                for use, column in self._parts.items():
                    squares[column] += parts.get(use, 0.0)
        self.toward_norms = np.sqrt(squares.clip(min=0))
        return aim

    def _batch(self, indices: Sequence[int], looped: frozenset[str], without: frozenset[str], aim: Aim | None) -> None:
        """One batch, into the tables."""
        model, texts = self._model, [self._texts[k] for k in indices]
        lengths = [len(model.encode(text)) for text in texts]
        nothing = torch.zeros((), dtype=torch.float64, device=model.device)
        squares = nothing.new_zeros(len(texts), len(self.columns))
        shared = nothing.new_zeros(
            len(texts), max(lengths), len(self.columns)
        )  # 0 at a last token: nothing is predicted from it
        each = nothing.new_zeros(len(texts), len(self._toward))
        leaving: dict[str, Leaving] = {}

        def meet(use: Use, gradient: torch.Tensor, watching: Watching) -> None:
            column = self._column[use.name]
            part = self._parts.get(use.kind) if use.name == model.layout.input_embedding else None
            added, alone = own_squares(use, gradient, watching, leaving)
            squares[:, column] += added
            if part is not None:
                squares[:, part] += alone
            if aim is None:
                return
            for pull in aim.pulls.get(use.name, ()):
                found = inner(use, gradient, pull, aim.owners).double()
                if aim.owners:
                    each.add_(found.sum(dim=1))
                    found = found @ aim.weights
                shared[:, :-1, column] += found
                if part is not None and pull.use == use.kind:
                    shared[:, :-1, part] += found

        passed = one_pass(model, texts, meet, without=without)
        losses = passed.losses.sum(dim=1, dtype=torch.float64) / passed.predicted.sum(dim=1)
        influence = shared.sum(dim=1)
        for k, text in enumerate(texts) if looped else ():
            self._by_loop(text, looped, aim, squares[k], influence[k], each[k])
        self._check(indices, squares, losses)
        self.losses[indices] = losses.cpu().numpy()
        self.norms[indices] = squares.clamp(min=0).sqrt().cpu().numpy()  # rounding may go below 0
        if self.influence is not None:
            self.influence[indices] = influence.cpu().numpy()
        if self._with_tokens:
            self.tokens.update((k, shared[row, : lengths[row]].cpu().numpy()) for row, k in enumerate(indices))
        if self.each is not None:
            self.each[np.ix_(indices, self._aims)] = each.cpu().numpy()

    def _by_loop(
        self,
        text: str,
        looped: frozenset[str],
        aim: Aim | None,
        squares: torch.Tensor,
        influence: torch.Tensor,
        each: torch.Tensor,
    ) -> None:
        """Add what autograd gives for the parameters without a rule."""
        found = text_gradient(self._model, [text], looped)
        for name, gradient in found.items():
            squares[self._column[name]] += square_norm(gradient)
        if aim is not None:
            for name, gradient in found.items():
                influence[self._column[name]] += inner_product(gradient, aim.looped[name])
            for k, other in enumerate(aim.apart):
                each[k] += sum(inner_product(gradient, other[name]) for name, gradient in found.items())

    def _check(self, indices: Sequence[int], squares: torch.Tensor, losses: torch.Tensor) -> None:
        bad = ~(torch.isfinite(squares) & torch.isfinite(losses)[:, None])
        if bool(bad.any()):
            row, column = bad.nonzero()[0].tolist()
            raise NotPossible(
                f"The gradient of the text {self._texts[indices[row]]!r} in {self.columns[column]} is not finite: the weights have overshot. "
                "Undo a few steps, or take a smaller update."
            )


@contextlib.contextmanager
def _plain() -> Iterator[None]:
    """Neither recording nor inference mode, whatever the caller chose: what is added up here meets tensors of a backward pass."""
    with torch.inference_mode(mode=False), torch.no_grad():
        yield
