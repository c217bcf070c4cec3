"""UnlearningError: the verification error that single-gradient unlearning is to expect, without a retrained model."""

from __future__ import annotations

import random
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import torch

from unlearnviz.engine.curvature.products import HessianProduct
from unlearnviz.engine.curvature.spectrum import extreme_eigenvalues
from unlearnviz.engine.probes.probe import Enough, Probe, Reading, View
from unlearnviz.engine.progress import Progress, drain
from unlearnviz.engine.settings import setting
from unlearnviz.engine.unlearning_error import SIGMAS, Schedule, code_form, deviations, paper_form, sigma_of
from unlearnviz.numbers import number

if TYPE_CHECKING:
    from unlearnviz.engine.corpus import Corpus
    from unlearnviz.engine.model import LanguageModel

FORMS = ("paper", "code")


@dataclass(frozen=True)
class UnlearningError(Probe):
    """A proxy for the verification error of single-gradient unlearning: eta^2 (|w - w_0| / t) sigma (t^2 - t) / 2.

    Thudi et al. 2021 (Unrolling SGD, arXiv 2109.13398): w_0 are the weights before the teaching, w those that are looked at (of
    "start" it is the paper's number, the same formula elsewhere), t the updates of the teaching, eta their mean learning rate,
    sigma how strongly the loss curves at w: of the eigenvalues of its Hessian, over a sample of the taught texts, the largest
    in size, found by the Lanczos process. The paper averages sigma over the training; here it is taken at w. The derivation
    is for plain SGD at one rate; the note says what was different.

    Rows: {"group" (of parameters), "distance" (|w - w_0|), "sigma" (nats per squared unit of weight; of the group's own block of the
    Hessian), "paper", "code" (the two forms)}, for each group if `by_group`; the last row is the whole model, "all". None, and no rows,
    where the teaching is not known.
    """

    unit = "L2 norm of weights"
    direction = "lower = easier to unlearn by a single gradient"
    cost: ClassVar[Literal["cheap", "slow"]] = "slow"
    beside = ("start",)

    form: str = setting("paper", help="Which form is the headline: that of the paper, or that of its code.", choices=FORMS)
    sigma: str = setting("absolute eigenvalue", help="What sigma is made of; the paper's code takes the square root.", choices=SIGMAS)
    sample: int = setting(
        16, help="Taught texts that the curvature is taken over, drawn with seed 0.", minimum=1, maximum=10_000
    )
    by_group: bool = setting(False, help="Also sigma and both forms of every group of parameters, each at the cost of the whole.")
    products: int = setting(10, help="Products with the Hessian, for the whole and for each group.", minimum=1, maximum=1000, advanced=True)

    def measure(self, model: LanguageModel, corpus: Corpus, view: View) -> Reading:
        """One row per parameter group and one for the whole model."""
        return drain(self.measuring(model, corpus, view))

    def measuring(self, model: LanguageModel, corpus: Corpus, view: View) -> Generator[Progress, None, Reading]:
        """The same, product by product; stopped, the groups that are done are kept."""
        if view.lineage is None:
            return self.reading(None, [], "It is not known how this model was taught, so there is no proxy; session.learn() teaches it here.")
        usable = [passage.text for passage in corpus.train if len(model.encode(passage.text)) > 1]
        chosen = random.Random(0).sample(usable, min(self.sample, len(usable)))
        schedule, before = Schedule.of(view.lineage, model, corpus), view.lineage.start(model)
        whole = HessianProduct(model, chosen, "all")
        rows: list[dict[str, Any]] = []
        stopped = ""
        groups = model.layout.groups if self.by_group else {}
        try:
            for group, names in {"all": model.layout.names, **groups}.items():  # the headline first
                block = _Block(whole, names)
                spectrum = yield from extreme_eigenvalues(block, block.start(), most=self.products)
                sigma = sigma_of(spectrum.smallest, spectrum.largest, self.sigma)
                distance = view.weights.distance(before, names)
                forms = {name: form(schedule.rate, schedule.updates, distance, sigma) for name, form in _FORMS.items()}
                rows.append({"group": group, "distance": distance, "sigma": sigma, **forms})
        except Enough:
            stopped = "Stopped: not all groups were done. "
        rows = [*rows[1:], *rows[:1]]
        value = rows[-1][self.form] if rows else None
        recipes = (view.lineage.recipe, *view.lineage.further)
        differing = list(dict.fromkeys(each for recipe in recipes for each in deviations(recipe, schedule)))
        note = (
            f"{stopped}{schedule.updates} updates at a mean rate of {number(schedule.rate)}, sigma over {len(chosen)} taught texts. "
            f"The derivation is for plain SGD at one rate; here {'; '.join(differing)}."
        )
        return self.reading(value, rows, " ".join([note, *whole.notes]))


_FORMS = {"paper": paper_form, "code": code_form}


class _Block:
    """The part of a Hessian that belongs to some of its parameters: the mask is put on both sides, and one record serves all groups."""

    def __init__(self, whole: HessianProduct, names: Sequence[str]) -> None:
        self._whole, self._names = whole, names

    def start(self) -> dict[str, torch.Tensor]:
        """A random direction within the block, always the same."""
        generator = torch.Generator().manual_seed(0)
        zeros = self._whole.smooth.zeros()
        return {
            name: torch.randn(zeros[name].shape, generator=generator).to(zeros[name].device, zeros[name].dtype) for name in self._names
        }

    def times(self, vector: Mapping[str, torch.Tensor], /) -> dict[str, torch.Tensor]:
        """The block times a vector over its parameters."""
        return drain(self.multiplying(vector))

    def multiplying(self, vector: Mapping[str, torch.Tensor]) -> Generator[Progress, None, dict[str, torch.Tensor]]:
        """`times` as long work."""
        product = yield from self._whole.multiplying({**self._whole.smooth.zeros(), **vector})
        return {name: product[name] for name in self._names}
