"""Descent: turns losses into updates of the selected parameters."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch

from unlearnviz.engine.work import Work, total_norm
from unlearnviz.errors import Overshoot

if TYPE_CHECKING:
    from unlearnviz.engine.methods.method import UpdatingMethod

Limit = Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]  # parameter name -> update, to what of it is taken

class Descent:
    """Follows losses downhill in `work.parameters`: SGD in place, AdamW by torch, both optionally rescaled.

    Args:
        method: whose settings say how long an update is, and by which optimizer.
        work: the parameters, and the optimizer's state of the step before.
        limit: cuts an update down before its length is set; None takes it whole.
    """

    def __init__(self, method: UpdatingMethod, work: Work, limit: Limit | None = None) -> None:
        self.name, self.work, self.done, self.limit = method.name, work, 0, limit
        self.parameters, self.state = work.parameters, work.state
        self.norm = method.update_norm
        if method.learning_rate is None and method.update_norm is None:
            self.norm = work.update_norm
        self.learning_rate = method.learning_rate or 1.0
        self.adam: torch.optim.AdamW | None = None
        if method.optimizer == "AdamW":
            # rescaled updates need only Adam's direction: any rate gives it, and 1e-3 keeps decay in proportion
            self.rate = method.learning_rate or 1e-3
            self.adam = torch.optim.AdamW(self.parameters.values(), lr=self.rate, betas=method.betas, weight_decay=method.weight_decay)
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
            gradient = gradient if self.limit is None else self.limit(gradient)
            length = total_norm(gradient) if self.norm is not None else 1.0
            scale = share * self.learning_rate if self.norm is None else _ratio(share * self.norm, length)
            for name, parameter in self.parameters.items():
                parameter.sub_(gradient[name], alpha=scale)
            return
        whole = self.norm is None and self.limit is None
        before = {} if whole else {name: parameter.detach().clone() for name, parameter in self.parameters.items()}
        for name, parameter in self.parameters.items():
            parameter.grad = gradient[name]
        for group in self.adam.param_groups:
            group["lr"] = share * self.rate
        self.adam.step()
        if whole:
            return
        change = {name: parameter.detach() - before[name] for name, parameter in self.parameters.items()}
        change = change if self.limit is None else self.limit(change)
        scale = 1.0 if self.norm is None else _ratio(share * self.norm, total_norm(change))
        for name, parameter in self.parameters.items():
            parameter.copy_(before[name]).add_(change[name], alpha=scale)

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
