"""Snapshots: the weights of every kept step, and which of them the live model holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

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
        self._looks: Looks | None = None
        self.reset()

    def reset(self) -> None:
        """Start over: the live weights are step 0."""
        start = Weights({name: self.store.live(parameter) for name, parameter in self.model.parameters.items()})
        self._kept: dict[int, Snapshot] = {0: Snapshot(start)}
        self._loaded = start
        self._release()
        if self.small:  # copied at once, so that edits from outside can be mended
            self.secure(start)
        self.seal()

    @property
    def small(self) -> bool:
        """Whether a copy of the whole model is a small matter."""
        size = sum(parameter.numel() * parameter.element_size() for parameter in self.model.parameters.values())
        return size * 8 <= self.store.memory_budget

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
            NotPossible: no room; the caller rolls back and discards.
        """
        self.store.fit()
        edited = [name for name, stored in weights.stored.items() if stored is not self._loaded.stored[name]]
        self._kept[step] = Snapshot(weights, state)
        self._loaded = weights
        self._seal_again(edited)

    @torch.no_grad()
    def load(self, step: int) -> None:
        """Put the weights of a step into the model: only tensors that differ are copied."""
        target = self[step].weights
        changed = set(self.changed_outside())
        lost = [name for name in changed if name in target.stored and target.stored[name].is_live]
        if lost:
            raise ChangedOutside(f"{lost[0]} was edited outside the session before the session had a copy of it; open the model again.")
        if changed:
            self._attach()
        again = target is self._loaded  # asked to go where we are: mend everything, also edits through `.data`, which do not show
        touched: list[str] = []
        try:
            for name, stored in target.stored.items():
                if stored is not self._loaded.stored[name] or name in changed or (again and not stored.is_live):
                    value = stored.value()
                    touched.append(name)
                    self._put(name, value)
        except BaseException:  # such as a file of the history that somebody deleted
            for name in touched:
                if not self._loaded.stored[name].is_live:
                    self._put(name, self._loaded.stored[name].value())
            if not changed:
                self.seal()
            raise
        self._loaded = target
        self.store.visit([*target.stored.values(), *self._kept[step].state.values()])
        if changed:
            self.seal()
        else:
            self._seal_again(touched)

    def restore(self, names: Iterable[str]) -> list[str]:
        """Put back the loaded values of some parameters, after an unfinished edit; returns those of which there is no copy."""
        asked = list(names)
        self._attach()
        lost = [name for name in asked if name in self._loaded.stored and self._loaded.stored[name].is_live]
        for name in asked:
            if name in self._loaded.stored and name not in lost:
                self._put(name, self._loaded.stored[name].value())
        sealed = {name: self._sealed.get(name) for name in lost}
        self.seal()
        self._sealed.update({name: seal for name, seal in sealed.items() if seal is not None})  # what cannot be mended still shows
        if lost:
            self._looks = None
        return lost

    @torch.no_grad()
    def _put(self, name: str, value: torch.Tensor) -> None:
        """Copy a value into a parameter; where somebody changed its kind or shape (`module.half()`), it gets its own back."""
        parameter = self.model.parameters[name]
        if (parameter.dtype, parameter.shape) == (value.dtype, value.shape):
            parameter.copy_(value)
        else:
            parameter.data = value.clone()

    def _attach(self) -> None:
        """Hang the session's own parameters into the model again, where somebody exchanged them."""
        module, layout = self.model.module, self.model.layout
        for name, parameter in self.model.parameters.items():
            owner, _, leaf = name.rpartition(".")
            holder = module.get_submodule(owner)
            if getattr(holder, leaf, None) is not parameter:
                setattr(holder, leaf, parameter)
        if layout.tied and module.get_output_embeddings().weight is not self.model.parameters[layout.input_embedding]:
            module.get_output_embeddings().weight = self.model.parameters[layout.input_embedding]

    def drop(self, steps: Iterable[int]) -> None:
        """Let go of the weights of steps."""
        for step in steps:
            self._kept.pop(step, None)
        self._release()

    def _release(self) -> None:
        kept = [stored for snapshot in self._kept.values() for stored in (*snapshot.weights.stored.values(), *snapshot.state.values())]
        kept += [stored for weights in self.references for stored in weights.stored.values()]
        self.store.keep_only(kept)

    def set_aside(self) -> dict[int, Snapshot]:
        """Keep step 0 only, which must be loaded; returns what was kept, for `replace_all`. The next `drop` lets go of it."""
        before, self._kept = self._kept, {0: self._kept[0]}
        return before

    def replace_all(self, kept: dict[int, Snapshot], head: int) -> None:
        """Take over the snapshots of a saved session and load one of them."""
        self._kept = kept
        self._release()
        for name, stored in kept[head].weights.stored.items():
            self._put(name, stored.value())
        self._loaded = kept[head].weights
        self.store.fit()
        self.seal()

    def seal(self) -> None:
        """Note what every parameter is, so that a later edit by somebody else shows."""
        self._sealed = {name: _mark(parameter) for name, parameter in self.model.module.named_parameters()}
        self._looks = Looks(self.model.module)

    def _seal_again(self, names: Iterable[str]) -> None:
        """`seal` for a few parameters that were edited on purpose: most of a step's cost would go into looking at the others."""
        for name in names:
            parameter = self.model.parameters[name]
            self._sealed[name] = _mark(parameter)
            if self._looks is not None:
                self._looks.again(parameter)

    def changed_outside(self) -> list[str]:
        """Names of parameters that were exchanged, added or edited since the last seal (edits within `.data` do not show)."""
        if self._looks is not None and self._looks.same():
            return []
        now = {name: _mark(parameter) for name, parameter in self.model.module.named_parameters()}
        return [name for name in {**self._sealed, **now} if now.get(name) != self._sealed.get(name)]

    def check(self, head: int) -> None:
        """Raise ChangedOutside if somebody else edited the model."""
        changed = self.changed_outside()
        if changed:
            more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
            raise ChangedOutside(
                f"{changed[0]}{more} was edited outside the session since step {head}. session.go_to({head}) puts the weights back as they were."
            )


Mark = tuple[int, int, int, torch.dtype]


def _mark(parameter: torch.Tensor) -> Mark:
    """What a parameter is, without looking at its values: who, edited how often, where its storage lies, of which kind."""
    return id(parameter), parameter._version, parameter.data_ptr(), parameter.dtype  # noqa: SLF001 - torch has no public name for it


class Looks:
    """What hangs in the tree of a model, and the mark of every parameter in it, a tied one each time.

    `same` says whether both are as they were, in a fifth of the time that `named_parameters` takes: it is asked several times a step.
    """

    def __init__(self, module: torch.nn.Module) -> None:
        self._tree = [module]
        for each in self._tree:  # grows meanwhile
            self._tree += [child for child in each._modules.values() if child is not None]  # noqa: SLF001 - the public ways are slow
        self._children = _children(self._tree)
        self._marks = _columns(self._tree)
        self._places: dict[int, list[int]] = {}
        for place, identity in enumerate(self._marks[0]):
            self._places.setdefault(identity, []).append(place)

    def same(self) -> bool:
        """Whether no module or parameter was added, taken out, exchanged or edited (but within `.data`)."""
        return _children(self._tree) == self._children and _columns(self._tree) == self._marks

    def again(self, parameter: torch.Tensor) -> None:
        """Take over the present mark of one parameter."""
        for place in self._places.get(id(parameter), ()):
            for column, value in zip(self._marks, _mark(parameter), strict=True):
                column[place] = value


def _children(tree: list[torch.nn.Module]) -> list[torch.nn.Module | None]:
    return list(chain.from_iterable([module._modules.values() for module in tree]))  # noqa: SLF001


def _columns(tree: list[torch.nn.Module]) -> tuple[list[Any], ...]:
    """The marks of all parameters in the tree: a list of each of their parts."""
    found = [each for each in chain.from_iterable([module._parameters.values() for module in tree]) if each is not None]  # noqa: SLF001
    versions, kinds = [each._version for each in found], [each.dtype for each in found]  # noqa: SLF001
    return list(map(id, found)), versions, [each.data_ptr() for each in found], kinds
