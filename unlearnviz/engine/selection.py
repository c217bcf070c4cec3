"""ParameterSelection: which parameters a step may change, and which use of a tied one."""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass
from typing import Literal

from unlearnviz.engine.layout import ModelLayout
from unlearnviz.errors import BadSelection, nearest

Use = Literal["both", "input", "output"]
WORDS = ("all", "embedding", "embedding.input", "embedding.output", "head", "position", "attention", "mlp", "norm")
_BLOCKS = re.compile(r"blocks?\s*(\d+)(?:\s*-\s*(\d+))?", re.IGNORECASE)


@dataclass(frozen=True)
class ParameterSelection:
    """A set of parameters of one model, read from text.

    The text is a union of parts separated by commas: `all`, `embedding`, `embedding.input`, `embedding.output` (= `head`),
    `position`, `block 3`, `blocks 2-5` (inclusive, counted from 0), `attention`, `mlp`, `norm`, or a glob over parameter
    names such as `h.10.*`.

    Attributes:
        text: what was asked, tidied.
        names: the selected parameter names, in the model's order.
        use: which use of a *tied* embedding matrix a step may follow: "both", or only the "input" part of its gradient
            (rows of tokens that occur) or only the "output" part (softmax, every row). "both" where nothing is tied.
    """

    text: str
    names: tuple[str, ...]
    use: Use = "both"

    @classmethod
    def parse(cls, text: str, layout: ModelLayout) -> ParameterSelection:
        """Read `text` against a model's layout.

        Raises:
            BadSelection: a part that cannot be read or that matches no parameter; the message names the nearest part.
        """
        if isinstance(text, ParameterSelection):
            return cls.parse(text.text, layout)
        parts = [part.strip() for part in str(text).split(",") if part.strip()]
        if not parts:
            raise BadSelection(f"The selection {text!r} is empty; say for example 'embedding' or 'blocks 0-1'.")
        names: set[str] = set()
        uses: set[Use] = set()
        for part in parts:
            found, use = _match(part, layout)
            names.update(found)
            if layout.tied and layout.input_embedding in found:
                uses.add(use)
        ordered = tuple(name for name in layout.names if name in names)
        return cls(", ".join(parts), ordered, uses.pop() if len(uses) == 1 else "both")

    def __str__(self) -> str:
        return self.text


def _match(part: str, layout: ModelLayout) -> tuple[tuple[str, ...], Use]:
    """The names that one part selects, and the use it means for a tied matrix."""
    word = part.lower().strip()
    if word == "all":
        return layout.names, "both"
    if word == "embedding":
        return (layout.input_embedding,), "both"
    if word == "embedding.input":
        return (layout.input_embedding,), "input"
    if word in ("embedding.output", "head"):
        return (layout.output_embedding,), "output"
    if word in ("attention", "mlp", "norm"):
        return _some(tuple(name for name in layout.names if layout.kinds.get(name) == word), part, layout)
    if word == "position":
        return _some(layout.groups.get("position", ()), part, layout)
    if blocks := _BLOCKS.fullmatch(word):
        first, last = int(blocks[1]), int(blocks[2] or blocks[1])
        if first > last or last >= layout.blocks:
            raise BadSelection(
                f"Selection {part!r} matches none of this model's {layout.blocks} blocks, or not all it asks for; "
                f"blocks run from 0 to {layout.blocks - 1} (the block that papers call layer n is block n-1)."
            )
        return tuple(name for k in range(first, last + 1) for name in layout.groups[f"block {k}"]), "both"
    if word in layout.groups:
        return layout.groups[word], "both"
    return _some(tuple(name for name in layout.names if _globs(part, name)), part, layout)


def _globs(pattern: str, name: str) -> bool:
    """Whether a glob matches a whole parameter name or one of its dotted ends."""
    tail = name
    while True:
        if fnmatch.fnmatchcase(tail, pattern):
            return True
        if "." not in tail:
            return False
        tail = tail.split(".", 1)[1]


def _some(names: tuple[str, ...], part: str, layout: ModelLayout) -> tuple[tuple[str, ...], Use]:
    if names:
        return names, "both"
    last = layout.block_prefix.rstrip(".").split(".")[-1]
    raise BadSelection(
        f"Selection {part!r} matches none of this model's {len(layout.names)} parameters; "
        f"blocks run from {last}.0 to {last}.{layout.blocks - 1}." + nearest(part, [*WORDS, *(f"block {k}" for k in range(layout.blocks))])
    )
