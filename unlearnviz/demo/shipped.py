"""What is shipped, where it lies, and how it is opened."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unlearnviz.demo.world import world
from unlearnviz.errors import BadModel

if TYPE_CHECKING:
    from unlearnviz.engine.session import Session

FOLDER = Path(str(files("unlearnviz.demo"))) / "files"


def facts(folder: Path = FOLDER) -> dict[str, Any]:
    """What the build wrote about the shipped world: seed, recipe, default person, corpus digest, readings of further twins.

    Raises:
        BadModel: the files are not there.
    """
    try:
        return json.loads((folder / "world.json").read_text(encoding="utf-8"))  # type: ignore[no-any-return]
    except OSError as error:
        raise BadModel(f"The shipped world is not in {str(folder)!r}; `unlearnviz build-demo` builds it (about 10 minutes).") from error


def open_shipped(folder: Path = FOLDER, *, memory_budget: int | None = None) -> Session:
    """The session that `uv.demo()` returns.

    Raises:
        BadModel: files are missing, or they were built from other texts than this version generates.
    """
    import torch
    from safetensors.torch import load_file
    from tokenizers import Tokenizer

    from unlearnviz.engine.fresh import fresh_model
    from unlearnviz.engine.groups import GROUPS
    from unlearnviz.engine.learning import Recipe
    from unlearnviz.engine.session import Session
    from unlearnviz.engine.teaching import Lineage
    from unlearnviz.engine.twin import Twin
    from unlearnviz.engine.weights import Weights

    about = facts(folder)
    corpus = world(about["seed"])
    if corpus.digest() != about["corpus"]:
        raise BadModel("The shipped model was taught other texts than this version generates; run `unlearnviz build-demo` again.")
    model = fresh_model(Tokenizer.from_file(str(folder / "tokenizer.json")), "world", seed=about["initial_seed"])
    model.name = "the shipped model"
    with torch.no_grad():
        for name, tensor in load_file(str(folder / "model.safetensors")).items():
            model.parameters[name].copy_(tensor)
    embedding = float(torch.linalg.vector_norm(model.parameters[model.layout.input_embedding].detach(), dtype=torch.float64))
    session = Session(
        model,
        corpus,
        update_fraction=about["update_norm"] / embedding,
        memory_budget=memory_budget,
        lineage=Lineage(Recipe(**about["recipe"]), initial_seed=about["initial_seed"]),
    )
    session.source = {"world": "shipped"} if folder == FOLDER else {}
    store = session.snapshots.store
    weights = Weights({name: store.adopt(t.float()) for name, t in load_file(str(folder / "twin.safetensors")).items()})
    others = [each for each in (about["further"] or {}).get("twins", ()) if each["seed"] != about["recipe"]["seed"]]
    # of the other seeds: the twin itself is not counted twice
    siblings = {group: tuple(each["groups"][group] for each in others) for group in GROUPS} if others else {}
    session.twins.append(Twin(weights, frozenset(about["left_out"]), about["recipe"]["seed"], siblings))
    session.snapshots.references.append(weights)
    session.pick(about["subject"])
    return session
