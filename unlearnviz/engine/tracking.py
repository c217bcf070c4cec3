"""Tracking: what a ledger shall record while a model learns."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from unlearnviz.engine.pruning import PRUNINGS, check_keep
from unlearnviz.engine.settings import check_settings, setting
from unlearnviz.errors import BadForgetSet, BadSetting, unknown

if TYPE_CHECKING:
    from unlearnviz.engine.corpus import Corpus


@dataclass(frozen=True, kw_only=True)
class Tracking:
    """Which texts, which parameters, and what of them.

    Attributes:
        texts: subjects or ids of taught passages; every taught one where empty.
    """

    texts: tuple[str, ...] = ()
    where: str = setting("embedding", help="Parameters to record: a selection such as embedding, blocks 10-11, all.")
    gradients: bool = setting(True, help="Record each tracked text's own gradient, before the update that used it.")
    deltas: bool = setting(True, help="Record what each update that used a tracked text changed.")
    epochs: str = setting("all", help="Epochs to record: all, first, or numbers such as 1, 3-5.")
    keep: float = setting(1.0, help="Share of each layer's entries to keep (rho); 1 keeps all.", above=0, maximum=1)
    pruning: str = setting("magnitude", help="Which entries stay.", choices=PRUNINGS)
    dtype: str = setting("full", help="full: as the model computes (float32); half: float16, half the bytes.", choices=("full", "half"))
    checkpoints: str = setting("ends", help="Weights kept: of the start and the end, or after all epochs.", choices=("ends", "epochs"))
    folder: str | None = setting(None, help="Where to keep the ledger; empty: a private folder that goes with the session.")
    when_full: str = setting("stop", help="If the disk is full: stop the training, or go on without recording.", choices=("stop", "go on"))

    def __post_init__(self) -> None:
        object.__setattr__(self, "texts", (self.texts,) if isinstance(self.texts, str) else tuple(self.texts))
        check_settings(self)
        check_keep(self.keep)
        if not (self.gradients or self.deltas):
            raise BadSetting("A ledger without gradients and without deltas would be empty; record at least one of them.")

    @classmethod
    def of(cls, asked: Tracking | str | Iterable[str]) -> Tracking:
        """A Tracking as it is, or the default one for some texts."""
        return asked if isinstance(asked, Tracking) else cls(texts=(asked,) if isinstance(asked, str) else tuple(asked))

    def ids(self, corpus: Corpus) -> tuple[str, ...]:
        """Ids of the tracked passages, in the order of the corpus.

        Raises:
            UnknownName: neither a subject nor a passage; the message offers the nearest one.
            BadForgetSet: a passage that is not taught.
        """
        if not self.texts:
            return tuple(passage.id for passage in corpus.train)
        asked: set[str] = set()
        for text in self.texts:
            found = {p.id for p in corpus if text in (p.id, p.subject)}
            if not found:
                raise unknown("subject or passage", text, [*corpus.subjects, *(p.id for p in corpus)])
            asked |= found
        untaught = next((p for p in corpus.holdout if p.id in asked), None)
        if untaught is not None:
            raise BadForgetSet(f"The passage {untaught.id!r} is never taught, so there is nothing to record of it; track taught texts.")
        return tuple(passage.id for passage in corpus.train if passage.id in asked)

    def to_json(self, corpus: Corpus, names: Iterable[str]) -> dict[str, Any]:
        """What the ledger notes of it: the passages and parameters themselves, without the folder."""
        return {**asdict(self), "texts": list(self.ids(corpus)), "names": list(names), "folder": None}


def chosen_epochs(text: str, epochs: int) -> tuple[int, ...]:
    """Epochs, counted from 1, ascending: "first", "all", or numbers and ranges such as "1, 3-5".

    Raises:
        BadSetting: something else, or an epoch that the training of `epochs` epochs does not have.
    """
    if text.strip() == "all":
        return tuple(range(1, epochs + 1))
    if text.strip() == "first":
        return (1,)
    found: set[int] = set()
    for part in filter(None, (each.strip() for each in text.split(","))):
        first, dash, last = part.partition("-")
        if not first.strip().isdigit() or (dash and not last.strip().isdigit()):
            raise BadSetting(f"epochs={text!r} cannot be read; say 'first', 'all', or numbers such as '1, 3-5'.")
        found.update(range(int(first), int(last if dash else first) + 1))
    if not found or min(found) < 1 or max(found) > epochs:
        raise BadSetting(f"epochs={text!r} asks for what the training does not have; its epochs are 1 to {epochs}.")
    return tuple(sorted(found))
