"""Descent: turns losses into updates of the selected parameters."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from unlearnviz.engine.work import Work, total_norm
from unlearnviz.errors import Overshoot

if TYPE_CHECKING:
    from unlearnviz.engine.methods.method import UpdatingMethod


class Descent:
    """Follows losses downhill in `work.parameters`: SGD in place, AdamW by torch, both optionally rescaled.

    Args:
        method: whose settings say how long an update is, and by which optimizer.
        work: the parameters, and the optimizer's state of the step before.
    """

    def __init__(self, method: UpdatingMethod, work: Work) -> None:
        self.name, self.work, self.done = method.name, work, 0
        self.parameters, self.state = work.parameters, work.state
        self.norm = method.update_norm
        if method.learning_rate is None and method.update_norm is None:
            self.norm = work.update_norm
        self.learning_rate = method.learning_rate or 1.0
        self.adam: torch.optim.AdamW | None = None
        if method.optimizer == "AdamW":
            # rescaled updates need only Adam's direction: any rate gives it, and 1e-3 keeps decay in proportion
            self.rate = method.learning_rate or 1e-3
            self.adam = torch.optim.AdamW(self.parameters.values(), lr=self.rate, weight_decay=method.weight_decay)
            for name, parameter in self.parameters.items():
                kept = {key.split("/", 1)[0]: value for key, value in self.state.items() if key.endswith(f"/{name}")}
                if kept:
                    self.adam.state[parameter] = kept  # copies already

    def __call__(self, loss: torch.Tensor, *, share: float = 1.0) -> None:
        """One update down a scalar loss, `share` of a full one: of its rate, and of its length where that is given.

        Raises:
            Overshoot: the loss is not finite.
        """
        if not math.isfinite(loss.item()):
            raise Overshoot(
                f"The loss of {self.name} is {loss.item()} at update {self.done + 1}: the model has overshot and nothing was kept. "
                "Lower the learning rate or the update norm, or undo a few steps first."
            )
        self._follow(self.work.gradient(loss), share)
        self.done += 1

    @torch.no_grad()
    def _follow(self, gradient: dict[str, torch.Tensor], share: float) -> None:
        if self.adam is None:
            length = total_norm(gradient) if self.norm is not None else 1.0
            scale = share * self.learning_rate if self.norm is None else _ratio(share * self.norm, length)
            for name, parameter in self.parameters.items():
                parameter.sub_(gradient[name], alpha=scale)
            return
        before = {name: parameter.detach().clone() for name, parameter in self.parameters.items()} if self.norm is not None else {}
        for name, parameter in self.parameters.items():
            parameter.grad = gradient[name]
        for group in self.adam.param_groups:
            group["lr"] = share * self.rate
        self.adam.step()
        if self.norm is not None:
            change = {name: parameter.detach() - before[name] for name, parameter in self.parameters.items()}
            length = total_norm(change)
            for name, parameter in self.parameters.items():
                parameter.copy_(before[name]).add_(change[name], alpha=_ratio(share * self.norm, length))

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
