"""Method and GradientMethod: the two shapes an unlearning method can take."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar

import torch

from unlearnviz.engine.progress import Progress
from unlearnviz.engine.registry import Registry
from unlearnviz.engine.settings import check_settings, setting
from unlearnviz.engine.work import Work, total_norm
from unlearnviz.errors import BadSetting, Overshoot

if TYPE_CHECKING:
    from unlearnviz.engine.model import Batch

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
class GradientMethod(Method, abstract=True):
    """A method that descends a loss: a subclass only says which one.

    By default one step is one SGD update, rescaled to the session's update norm for the chosen selection. Give
    `learning_rate` for a plain update, or `update_norm` for another length; both at once is an error.
    """

    uses_retain: ClassVar[bool] = False

    learning_rate: float | None = setting(None, help="Size of an update, times the gradient; leave empty to rescale.", above=0)
    update_norm: float | None = setting(
        None, help="Length (L2 norm) that every update is rescaled to; empty: the session's default for this selection.", above=0
    )
    updates: int = setting(1, help="Updates in one step.", minimum=1, maximum=1000)
    batch_size: int = setting(16, help="Texts per update, at most.", minimum=1, maximum=1024, advanced=True)
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

    def loss(self, work: Work, forget: Batch, retain: Batch | None) -> torch.Tensor:
        """The scalar to minimise, differentiable."""
        raise NotImplementedError

    def run(self, work: Work) -> Iterator[Progress]:
        """`updates` times: loss, gradient, update."""
        if self.uses_retain and not work.retain:
            raise BadSetting(f"{self.name} needs texts to keep, but every taught text is in the forget set; take some out.")
        forget = work.batches(work.forget, self.batch_size)
        retain = work.batches(work.retain, self.batch_size) if self.uses_retain else None
        follow = _Follower(self, work)
        for done in range(self.updates):
            loss = self.loss(work, next(forget), next(retain) if retain is not None else None)
            if not math.isfinite(loss.item()):
                raise Overshoot(
                    f"The loss of {self.name} is {loss.item()} at update {done + 1}: the model has overshot and nothing was kept. "
                    "Lower the learning rate or the update norm, or undo a few steps first."
                )
            follow(work.gradient(loss))
            yield Progress(done + 1, self.updates, f"update {done + 1} of {self.updates}")
        follow.finish()


class _Follower:
    """Turns gradients into updates of `work.parameters`: SGD in place, AdamW by torch, both optionally rescaled."""

    def __init__(self, method: GradientMethod, work: Work) -> None:
        self.parameters, self.state = work.parameters, work.state
        self.norm = method.update_norm
        if method.learning_rate is None and method.update_norm is None:
            self.norm = work.update_norm
        self.learning_rate = method.learning_rate or 1.0
        self.adam: torch.optim.AdamW | None = None
        if method.optimizer == "AdamW":
            # rescaled updates need only Adam's direction: any rate gives it, and 1e-3 keeps decay in proportion
            rate = method.learning_rate or 1e-3
            self.adam = torch.optim.AdamW(self.parameters.values(), lr=rate, weight_decay=method.weight_decay)
            for name, parameter in self.parameters.items():
                kept = {key.split("/", 1)[0]: value for key, value in self.state.items() if key.endswith(f"/{name}")}
                if kept:
                    self.adam.state[parameter] = kept  # copies already

    @torch.no_grad()
    def __call__(self, gradient: dict[str, torch.Tensor]) -> None:
        if self.adam is None:
            length = total_norm(gradient) if self.norm is not None else 1.0
            scale = self.learning_rate if self.norm is None else _ratio(self.norm, length)
            for name, parameter in self.parameters.items():
                parameter.sub_(gradient[name], alpha=scale)
            return
        before = {name: parameter.detach().clone() for name, parameter in self.parameters.items()} if self.norm is not None else {}
        for name, parameter in self.parameters.items():
            parameter.grad = gradient[name]
        self.adam.step()
        if self.norm is not None:
            change = {name: parameter.detach() - before[name] for name, parameter in self.parameters.items()}
            length = total_norm(change)
            for name, parameter in self.parameters.items():
                parameter.copy_(before[name]).add_(change[name], alpha=_ratio(self.norm, length))

    def finish(self) -> None:
        """Hand Adam's moments to the commit."""
        if self.adam is not None:
            for name, parameter in self.parameters.items():
                parameter.grad = None
                for key, value in self.adam.state[parameter].items():
                    self.state[f"{key}/{name}"] = value


def _ratio(norm: float, length: float) -> float:
    """norm / length, 0 where there is nothing to rescale, and never more than torch can multiply by: the result is then judged."""
    return min(norm / length, torch.finfo(torch.float32).max) if length > 0 else 0.0
