"""ModelLayout: where the parameters of a causal language model sit, as disjoint groups in reading order."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from unlearnviz.errors import BadModel

if TYPE_CHECKING:
    from torch import nn

_POSITION = re.compile(r"(^|\.)(wpe|embed_positions|position_embeddings?|pos_emb\w*)\.")
_NORM = re.compile(r"(^|[._])(ln|norm|layernorm|rmsnorm|layer_norm)([._0-9]|$)|norm\.")
_ATTENTION = re.compile(r"attn|attention")
_MATRICES = (("token embedding", "get_input_embeddings"), ("output matrix", "get_output_embeddings"))


@dataclass(frozen=True)
class ModelLayout:
    """The parameter names of a model, each in exactly one group.

    Attributes:
        groups: group name -> parameter names: "embedding", "position", "embedding norm", "block 0" .. "block n-1", "final norm",
            "head" and "other", those that the model has. A tied matrix appears once, under "embedding".
        kinds: parameter name -> "attention", "mlp" or "norm", for the parameters inside blocks and the norms outside.
        input_embedding: name of the token matrix as looked up.
        output_embedding: name of the output matrix; equals `input_embedding` where tied.
        block_prefix: what stands before the block number in parameter names ("transformer.h.").
    """

    groups: dict[str, tuple[str, ...]]
    kinds: dict[str, str]
    input_embedding: str
    output_embedding: str
    block_prefix: str

    @property
    def tied(self) -> bool:
        """Whether the output matrix is the input embedding itself."""
        return self.input_embedding == self.output_embedding

    @property
    def module(self) -> str:
        """What the model calls its blocks: "h" in GPT-2, "layers" in Llama."""
        return self.block_prefix.rstrip(".").rpartition(".")[2]

    @property
    def blocks(self) -> int:
        """Number of transformer blocks."""
        return sum(name.startswith("block ") for name in self.groups)

    @property
    def names(self) -> tuple[str, ...]:
        """All parameter names, in the model's order within each group."""
        return tuple(name for names in self.groups.values() for name in names)

    def group_of(self, name: str) -> str:
        """The group that a parameter belongs to."""
        return next(group for group, names in self.groups.items() if name in names)

    @classmethod
    def of(cls, module: nn.Module) -> ModelLayout:
        """Read the layout from a Hugging Face causal LM.

        Raises:
            BadModel: the model has no token embedding, no output matrix or no numbered blocks.
        """
        names = [name for name, _ in module.named_parameters()]
        embedding, head = (_matrix(module, use, getter) for use, getter in _MATRICES)
        prefix = _block_prefix(names, type(module).__name__)
        count = 1 + max(int(name[len(prefix) :].split(".")[0]) for name in names if name.startswith(prefix))
        outside = ("embedding", "position", "embedding norm"), ("final norm", "head", "other")
        groups: dict[str, list[str]] = {group: [] for group in (*outside[0], *(f"block {k}" for k in range(count)), *outside[1])}
        kinds = {}
        head_module = next(name for name, each in module.named_modules() if each is module.get_output_embeddings()) + "."  # type: ignore[operator]
        for name in names:
            if name == embedding:
                group = "embedding"
            elif name.startswith(head_module):
                group = "head"
            elif name.startswith(prefix):
                number, inside = name[len(prefix) :].split(".", 1)
                group, kinds[name] = f"block {int(number)}", _kind(inside)
            elif _POSITION.search(name):
                group = "position"
            elif _NORM.search(name):
                group, kinds[name] = "embedding norm" if "emb" in name else "final norm", "norm"
            else:
                group = "other"
            groups[group].append(name)
        filled = {group: tuple(members) for group, members in groups.items() if members}
        return cls(filled, kinds, embedding, head, prefix)


def _matrix(module: nn.Module, use: str, getter: str) -> str:
    """The name of the parameter that a model gives as its token embedding or its output matrix."""
    try:
        weight = getattr(module, getter)().weight
    except (AttributeError, NotImplementedError):
        weight = None
    found = next((name for name, parameter in module.named_parameters() if parameter is weight), None)
    if found is None:
        raise BadModel(f"{type(module).__name__} has no {use} that can be found; unlearnviz needs a causal language model.")
    return found


def _block_prefix(names: list[str], model: str) -> str:
    """The prefix before the first number that most parameters share ("transformer.h.")."""
    prefixes = Counter(match.group(1) for name in names if (match := re.match(r"(.*?\.)\d+\.", name)))
    if not prefixes:
        raise BadModel(f"{model} has no numbered transformer blocks; unlearnviz needs a causal language model built of blocks.")
    return prefixes.most_common(1)[0][0]


def _kind(inside: str) -> str:
    """Attention, mlp or norm, from a parameter's name inside its block; norms first ("self_attn_layer_norm")."""
    if _NORM.search(inside):
        return "norm"
    return "attention" if _ATTENTION.search(inside) else "mlp"
