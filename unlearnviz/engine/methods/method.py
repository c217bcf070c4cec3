"""Method, UpdatingMethod and GradientMethod: the shapes an unlearning method can take."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar

from unlearnviz.engine.descent import Descent, Limit
from unlearnviz.engine.progress import Progress
from unlearnviz.engine.registry import Registry
from unlearnviz.engine.settings import check_settings, setting
from unlearnviz.errors import BadSetting

if TYPE_CHECKING:
    import torch

    from unlearnviz.engine.model import Batch
    from unlearnviz.engine.work import Work

registry: Registry[Method] = Registry("method", "unlearnviz.engine.methods")


@dataclass(frozen=True, kw_only=True)
class Method:
    """A way to forget. Subclass it in a file of this folder, or in a notebook cell, and it is registered by name.

    A subclass is a frozen dataclass whose fields (made with `setting`) are its settings. Subclasses that are not methods
    themselves say `class Base(Method, abstract=True)`.
    """

    name: ClassVar[str] = ""
    source: ClassVar[str] = ""

    def __init_subclass__(cls, *, abstract: bool = False, **options: Any) -> None:
        super().__init_subclass__(**options)
        if not abstract:
            cls.name = registry.add(cls)

    def __post_init__(self) -> None:
        check_settings(self)

    def run(self, work: Work) -> Iterator[Progress]:
        """Edit `work.parameters` in place; every yield is a point at which the step may be cancelled."""
        raise NotImplementedError

    @property
    def settings(self) -> dict[str, Any]:
        """The settings as a dictionary, JSON-safe."""
        return {each.name: getattr(self, each.name) for each in fields(self)}


@dataclass(frozen=True, kw_only=True)
class UpdatingMethod(Method, abstract=True):
    """A method that moves by updates: by default SGD, each rescaled to the session's update norm for the chosen selection.

    Give `learning_rate` for a plain update, or `update_norm` for another length; both at once is an error.
    """

    betas: ClassVar[tuple[float, float]] = (0.9, 0.999)  # how much of AdamW's moments stays from update to update

    learning_rate: float | None = setting(None, help="Size of an update, times the gradient; leave empty to rescale.", above=0)
    update_norm: float | None = setting(
        None, help="Length (L2 norm) that every update is rescaled to; empty: the session's default for this selection.", above=0
    )
    optimizer: str = setting("SGD", help="How an update follows the gradient.", choices=("SGD", "AdamW"), advanced=True)
    weight_decay: float = setting(0.0, help="Pull of the selected weights towards 0 (AdamW only).", minimum=0, maximum=1, advanced=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.learning_rate is not None and self.update_norm is not None:
            raise BadSetting(
                f"{type(self).__name__} was given learning_rate={self.learning_rate:g} and update_norm={self.update_norm:g}; "
                "an update has one length, so give one of the two."
            )
        if self.weight_decay and self.optimizer != "AdamW":
            raise BadSetting(f"weight_decay={self.weight_decay:g} works with optimizer='AdamW' only; leave it at 0 for {self.optimizer}.")

    def need_retain(self, work: Work) -> None:
        """BadSetting where there is no text to keep."""
        if not work.retain:
            raise BadSetting(f"{self.name} needs texts to keep, but every taught text is in the forget set; take some out.")


@dataclass(frozen=True, kw_only=True)
class GradientMethod(UpdatingMethod, abstract=True):
    """A method that descends a loss: a subclass only says which one. By default one step is one update."""

    uses_retain: ClassVar[bool] = False

    updates: int = setting(1, help="Updates in one step.", minimum=1, maximum=1000)
    batch_size: int = setting(16, help="Texts per update, at most.", minimum=1, maximum=1024, advanced=True)

    def loss(self, work: Work, forget: Batch, retain: Batch | None) -> torch.Tensor:
        """The scalar to minimise, differentiable."""
        raise NotImplementedError

    @property
    def draws_retain(self) -> bool:
        """Whether each update sees a batch of texts to keep; a method in which they may have no weight says when."""
        return self.uses_retain

    def limit(self, work: Work) -> Limit | None:  # noqa: ARG002
        """What cuts each update down; by default nothing does."""
        return None

    def run(self, work: Work) -> Iterator[Progress]:
        """`updates` times: loss, gradient, update."""
        if self.draws_retain:
            self.need_retain(work)
        forget = work.batches(work.forget, self.batch_size)
        retain = work.batches(work.retain, self.batch_size) if self.draws_retain else None
        descend = Descent(self, work, self.limit(work))
        for done in range(self.updates):
            descend(self.loss(work, next(forget), next(retain) if retain is not None else None))
            yield Progress(done + 1, self.updates, f"update {done + 1} of {self.updates}")
        descend.finish()
