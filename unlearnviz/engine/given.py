"""Given: references that a person has already, as folders: a retrained twin, and the model that the opened one was made from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import torch

from unlearnviz.engine.groups import resolve
from unlearnviz.engine.loading import load_weights
from unlearnviz.engine.methods.method import Method
from unlearnviz.engine.progress import Progress, drain
from unlearnviz.engine.selection import ParameterSelection
from unlearnviz.engine.stepping import take_step
from unlearnviz.engine.twin import Twin
from unlearnviz.engine.weights import Weights
from unlearnviz.errors import BadForgetSet, BadModel

if TYPE_CHECKING:
    from unlearnviz.engine.corpus import Passage
    from unlearnviz.engine.model import LanguageModel
    from unlearnviz.engine.session import Session
    from unlearnviz.engine.work import Work

LeftOut: TypeAlias = "str | Passage | Iterable[str | Passage] | None"
OPENED = "opened"  # the method of a step that somebody else took


def add_given_twin(session: Session, folder: str | Path, left_out: LeftOut, seed: int | None) -> Twin:
    """The twin in a folder, checked against the session's model and kept; see `Session.add_twin`."""
    names = texts_left_out(session, left_out)
    tensors = weights_like(session.model, folder, "twin")
    taken = [twin.seed for twin in session.twins if twin.left_out == names]
    store = session.snapshots.store
    weights = Weights({name: store.adopt(tensor) for name, tensor in tensors.items()})
    try:
        store.fit()
    except BaseException:
        store.discard(weights.stored.values())
        raise
    free = next(number for number in range(len(taken) + 1) if number not in taken)
    twin = Twin(weights, names, free if seed is None else seed)
    session.twins.append(twin)
    session.snapshots.references.append(weights)
    return twin


def texts_left_out(session: Session, left_out: LeftOut) -> frozenset[str]:
    """Ids of taught texts, from people, ids and passages; those of the present forget set where nothing is said."""
    if left_out is None:
        names = session.taught_forget
    else:
        items = [left_out] if isinstance(left_out, str) or not isinstance(left_out, Iterable) else list(left_out)
        chosen, new = resolve(session.corpus, session.typed, items)
        if new:
            raise BadForgetSet(f"{new[0].text[:60]!r} is no taught text; say which people or passage ids of this corpus the twin never saw.")
        names = frozenset(passage.id for passage in chosen)
    if not names:
        raise BadForgetSet("A twin is a model that never saw some texts; say which with left_out=, people or passage ids, or pick them first.")
    return names


def weights_like(model: LanguageModel, folder: str | Path, role: str) -> dict[str, torch.Tensor]:
    """The weights in a folder, of exactly the names and shapes that a model has, in its kind of number and on its device.

    Raises:
        BadModel: the folder holds no model, or another one.
    """
    if not Path(folder).expanduser().is_dir():
        raise BadModel(f"There is no folder {str(folder)!r} for the {role}; a folder on this machine is needed, as save_pretrained writes it.")
    config, tensors = load_weights(folder)
    ours, theirs = ({name: tuple(tensor.shape) for name, tensor in each.items()} for each in (model.parameters, tensors))
    other = next((name for name in sorted({*ours, *theirs}) if ours.get(name) != theirs.get(name)), None)
    if other is not None:
        shapes = (" x ".join(map(str, each[other])) if other in each else "absent" for each in (theirs, ours))
        raise BadModel(
            f"The {role} in {str(folder)!r} is another model than this one: {other} is {next(shapes)} there and {next(shapes)} here; "
            f"the {role} has to be the same model with other weights."
        )
    for what in ("model_type", "num_attention_heads"):  # that show in no shape
        there, here = (getattr(each.get_text_config(), what, None) for each in (config, model.module.config))
        if there != here:
            raise BadModel(f"The {role} in {str(folder)!r} is another model than this one: its {what} is {there!r}, here it is {here!r}.")
    return {name: tensor.detach().to(model.device, model.dtype) for name, tensor in tensors.items()}


def open_beside(
    model: LanguageModel, make: Callable[[], Session], start: str | Path | None, twin: str | Path | None, left_out: LeftOut
) -> Session:
    """The session that `make` opens over `model`, with the references that are given.

    Args:
        model: what the session is to stand on.
        make: opens a session whose step 0 has the present weights of `model`.
        start: a folder whose weights are step 0; those of `model` are step 1 then.
        twin, left_out: as for `Session.add_twin`.
    """
    if start is None:
        session = make()
    else:
        before = weights_like(model, start, "start")
        opened = {name: parameter.detach().clone() for name, parameter in model.parameters.items()}
        _put(before, model.parameters)
        session = make()
        record = drain(take_step(session, Opened(opened), ParameterSelection.parse("all", model.layout)))
        say_opened(session, record.id)
    if twin is not None:
        session.add_twin(twin, left_out)
    return session


def say_opened(session: Session, step: int) -> None:
    """Narrate a step that opening a model brought with it."""
    narration = f"{OPENED}: the weights of {session.model.name}, as they were opened; step 0 is the start that was given."
    session.history.records[step] = replace(session.history[step], narration=narration)


class Opened(Method, abstract=True):
    """A step that somebody else took: it ends in weights that are given. No page offers it."""

    name = OPENED

    def __init__(self, tensors: Mapping[str, torch.Tensor]) -> None:
        object.__setattr__(self, "tensors", tensors)

    def run(self, work: Work) -> Iterator[Progress]:
        """Put the weights in place."""
        _put(self.tensors, work.parameters)  # type: ignore[attr-defined]
        yield Progress(1, 1, "weights put in place")


@torch.no_grad()
def _put(values: Mapping[str, torch.Tensor], places: Mapping[str, torch.Tensor]) -> None:
    for name, place in places.items():
        place.copy_(values[name])
