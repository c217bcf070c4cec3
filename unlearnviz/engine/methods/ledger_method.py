"""LedgerMethod: what all methods share that work from what was recorded while the model learned."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from unlearnviz.engine.methods.method import Method
from unlearnviz.errors import NotPossible
from unlearnviz.numbers import number

if TYPE_CHECKING:
    from unlearnviz.engine.ledger import Ledger
    from unlearnviz.engine.work import Work


@dataclass(frozen=True, kw_only=True)
class LedgerMethod(Method, abstract=True):
    """A method that applies recorded gradients or deltas, whatever the model is by now: the order of its terms does not matter.

    What was recorded fits the weights of its moment, and all that was learned later builds on it. So the result is not the
    retrained model; how far it is from that, is the verification error.
    """

    def ledger(self, work: Work) -> Ledger:
        """The session's ledger; NotPossible where there is none."""
        if work.ledger is None:
            raise NotPossible(
                f"{self.name} works from what was recorded while the model learned, and this session has no ledger. "
                "session.learn(epochs, track=[...]) records one for the texts named there; or pick another method."
            )
        return work.ledger

    def deltas(self, work: Work, ids: Iterable[str], epochs: Sequence[int]) -> Ledger:
        """The ledger, in which the deltas of these texts and epochs are recorded for every selected parameter.

        Raises:
            NotPossible: there is no ledger, they are not in it, or one use of a tied embedding was selected.
        """
        ledger = self.ledger(work)
        if work.use != "both":
            raise NotPossible(
                f"A recorded delta holds what an update changed in the tied embedding as a whole, and not what its {work.use} part did. "
                "Select 'embedding' for both uses, or a method that takes stored gradients, which are kept apart by use."
            )
        ledger.require(ids, work.parameters, "deltas", epochs)
        return ledger


def pruned(ledger: Ledger) -> str:
    """A few words where the ledger kept a part only; "" where it is whole."""
    keep = ledger.tracking.keep
    return "" if keep == 1 else f"{number(keep)} of each layer recorded"


def details(*parts: str) -> str:
    """The parts that are not empty, in brackets after a space."""
    return f" ({'; '.join(filter(None, parts))})" if any(parts) else ""


def counted(number: int, what: str) -> str:
    """1 text, 3 texts."""
    return f"{number} {what}{'' if number == 1 else 's'}"
