"""StorageMeter: how many bytes a ledger takes, and what every other choice of what to keep would take."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from unlearnviz.engine.ledger import WHATS, Ledger
from unlearnviz.engine.ledger_folder import bytes_of_places
from unlearnviz.engine.pruning import how_many
from unlearnviz.engine.selection import ParameterSelection

if TYPE_CHECKING:
    from unlearnviz.engine.corpus import Corpus
    from unlearnviz.engine.model import LanguageModel

KEEPS = (1.0, 0.5, 0.25, 0.1, 0.05, 0.01)
ROW = 4  # bytes of an int32 that says which row of the embedding some values belong to
_BYTES = {"full": 4, "half": 2}


@dataclass(frozen=True)
class Choice:
    """One way to keep a ledger of the same texts and the same training.

    Attributes:
        where: the parameters, as a selection.
        what: "gradients" (one per text and update) or "deltas" (one per update).
        keep: share of each layer's entries that stay (rho).
        dtype: "full" (float32) or "half" (float16).
        bytes: of the values and of what says where they belong; the few hundred bytes of names per file are not counted.
        share: of what keeping all entries of all parameters in full would take.
    """

    where: str
    what: str
    keep: float
    dtype: str
    bytes: int
    share: float


class StorageMeter:
    """Counts bytes from the shapes of a model and the updates that a ledger recorded.

    Args:
        ledger: whose texts and updates are counted, over all recorded epochs.
        model, corpus: those it belongs to.
    """

    def __init__(self, ledger: Ledger, model: LanguageModel, corpus: Corpus) -> None:
        self.ledger, self.model = ledger, model
        self._rows = {each: len(set(_read_tokens(model, corpus[each].text))) for each in ledger.tracked}
        self._uses = [self._rows[each] for step in ledger.steps for each in step.weights]

    def bytes(self, where: str, what: str, keep: float = 1.0, dtype: str = "full") -> int:
        """Bytes of one choice; BadSelection for parameters that the model does not have."""
        names = ParameterSelection.parse(where, self.model.layout).names
        return sum(self._of(name, what, keep, _BYTES[dtype]) for name in names)

    def _of(self, name: str, what: str, keep: float, size: int) -> int:
        parameter = self.model.parameters[name]
        whole = _kept(parameter.numel(), keep, size)
        if what == "deltas":
            return whole * len(self.ledger.steps)
        layout = self.model.layout
        looked_up = 0
        if layout.tied and name == layout.input_embedding:  # beside the output use, the rows of the tokens that were read
            columns = parameter.shape[1]
            for rows in self._uses:
                looked_up += rows * (columns * size + ROW) if keep == 1 else _kept(rows * columns, keep, size, among=parameter.numel())
        return whole * len(self._uses) + looked_up

    def choices(
        self,
        places: Iterable[str] = ("embedding", "all"),
        keeps: Sequence[float] = KEEPS,
        dtypes: Sequence[str] = ("full", "half"),
    ) -> tuple[Choice, ...]:
        """Every combination, by what is kept, the parameters, the dtype and the share that stays."""
        found = []
        for what in WHATS:
            everything = self.bytes("all", what)
            for where in places:
                for dtype in dtypes:
                    for keep in keeps:
                        size = self.bytes(where, what, keep, dtype)
                        found.append(Choice(where, what, keep, dtype, size, size / max(1, everything)))
        return tuple(found)


def _kept(entries: int, keep: float, size: int, among: int | None = None) -> int:
    """Bytes of a share of some entries, which lie `among` so many (themselves by default)."""
    if keep == 1:
        return entries * size
    count = how_many(entries, keep)
    return count * size + bytes_of_places(count, entries if among is None else among)


def _read_tokens(model: LanguageModel, text: str) -> tuple[int, ...]:
    """The tokens of a taught text from which something is predicted: all but the last one of the batch."""
    ids = model.encode(text)
    return ids if model.end is not None and len(ids) < model.context else ids[:-1]
