"""Snapshots: the weights of every kept step, and which of them the live model holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import torch

from unlearnviz.engine.model import LanguageModel
from unlearnviz.engine.storage import DEFAULT_DISK, StoredTensor, TensorStore
from unlearnviz.engine.weights import Weights
from unlearnviz.errors import ChangedOutside, NotPossible


@dataclass(frozen=True)
class Snapshot:
    """The weights of one step, and what its method needs to go on (Adam's moments)."""

    weights: Weights
    state: Mapping[str, StoredTensor] = field(default_factory=dict)


class Snapshots:
    """Step id -> Snapshot, and the one that is loaded into the model.

    Restoring copies values back; nothing is ever computed, so it is exact to the bit.
    """

    def __init__(self, model: LanguageModel, *, memory_budget: int | None = None, disk_budget: int | None = None) -> None:
        self.model = model
        self.store = TensorStore(memory_budget, DEFAULT_DISK if disk_budget is None else disk_budget)
        self.references: list[Weights] = []  # of twins: kept with the steps
        self.reset()

    def reset(self) -> None:
        """Start over: the live weights are step 0."""
        start = Weights({name: self.store.live(parameter) for name, parameter in self.model.parameters.items()})
        self._kept: dict[int, Snapshot] = {0: Snapshot(start)}
        self._loaded = start
        self._release()
        size = sum(parameter.numel() * parameter.element_size() for parameter in self.model.parameters.values())
        if size * 8 <= self.store.memory_budget:  # a small model is copied at once, so that edits from outside can be mended
            self.secure(start)
        self.seal()

    def __getitem__(self, step: int) -> Snapshot:
        if step not in self._kept:
            raise NotPossible(
                f"The weights of step {step} were given up to save room; kept are steps {', '.join(map(str, sorted(self._kept)))}."
            )
        return self._kept[step]

    def holds(self, step: int) -> bool:
        """Whether the weights of a step are kept."""
        return step in self._kept

    def steps(self) -> tuple[int, ...]:
        """The steps whose weights are kept."""
        return tuple(sorted(self._kept))

    def secure(self, weights: Weights, names: Iterable[str] | None = None) -> None:
        """Make sure that tensors which are still the live parameters have private copies."""
        for name in weights.stored if names is None else names:
            self.store.secure(weights.stored[name])

    def add(self, step: int, weights: Weights, state: Mapping[str, StoredTensor]) -> None:
        """Keep the weights that the model holds now as those of a step.

        Raises:
            NotPossible: no room; the caller rolls back.
        """
        new = [stored for name, stored in weights.stored.items() if stored is not self._loaded.stored[name]]
        try:
            self.store.fit()
        except NotPossible:
            self.store.discard([*new, *state.values()])
            raise
        self._kept[step] = Snapshot(weights, state)
        self._loaded = weights
        self.seal()

    @torch.no_grad()
    def load(self, step: int) -> None:
        """Put the weights of a step into the model: only tensors that differ are copied."""
        target = self[step].weights
        changed = set(self.changed_outside())
        lost = [name for name in changed if target.stored[name].is_live]
        if lost:
            raise ChangedOutside(f"{lost[0]} was edited outside the session before the session had a copy of it; open the model again.")
        for name, stored in target.stored.items():
            if stored is not self._loaded.stored[name] or name in changed:
                self.model.parameters[name].copy_(stored.value())
        self._loaded = target
        self.store.visit([*target.stored.values(), *self._kept[step].state.values()])
        self.seal()

    @torch.no_grad()
    def restore(self, names: Iterable[str]) -> None:
        """Put back the loaded values of some parameters, after an unfinished edit."""
        for name in names:
            if not self._loaded.stored[name].is_live:
                self.model.parameters[name].copy_(self._loaded.stored[name].value())
        self.seal()

    def drop(self, steps: Iterable[int]) -> None:
        """Let go of the weights of steps."""
        for step in steps:
            self._kept.pop(step, None)
        self._release()

    def _release(self) -> None:
        kept = [stored for snapshot in self._kept.values() for stored in (*snapshot.weights.stored.values(), *snapshot.state.values())]
        kept += [stored for weights in self.references for stored in weights.stored.values()]
        self.store.keep_only(kept)

    def replace_all(self, kept: dict[int, Snapshot], head: int) -> None:
        """Take over the snapshots of a saved session and load one of them."""
        self._kept = kept
        self._release()
        with torch.no_grad():
            for name, stored in kept[head].weights.stored.items():
                self.model.parameters[name].copy_(stored.value())
        self._loaded = kept[head].weights
        self.store.fit()
        self.seal()

    def seal(self) -> None:
        """Note the version of every parameter, so that a later edit by somebody else shows."""
        self._sealed = {name: (id(parameter), parameter._version) for name, parameter in self.model.module.named_parameters()}

    def changed_outside(self) -> list[str]:
        """Names of parameters that were exchanged or edited since the last seal (edits through `.data` do not show)."""
        now = {name: (id(parameter), parameter._version) for name, parameter in self.model.module.named_parameters()}
        return [name for name in self._sealed if now.get(name) != self._sealed[name]]

    def check(self, head: int) -> None:
        """Raise ChangedOutside if somebody else edited the model."""
        changed = self.changed_outside()
        if changed:
            more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
            raise ChangedOutside(
                f"{changed[0]}{more} was edited outside the session since step {head}. session.go_to({head}) puts the weights back as they were."
            )
