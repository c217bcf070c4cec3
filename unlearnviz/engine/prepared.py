"""Prepared texts: normalised once, for many searches."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from typing import overload

from unlearnviz.engine.progress import Progress, drain
from unlearnviz.engine.scoring import normalised
from unlearnviz.engine.similarity import Similarity
from unlearnviz.engine.word_index import WordIndex

_TEXTS = 16_384  # normalised between two reports: about 20 ms


class PreparedTexts(Sequence[str]):
    """Texts, and what every search among them needs: their normalised form and, from the first search that asks, their word index.

    A million texts of 100 letters take about a second to prepare, once; each search saves that second. The normalised form takes as much
    memory as the texts that it changes.
    """

    def __init__(self, texts: Sequence[str], similarity: Similarity | None = None) -> None:
        self._texts, self.normalisation = texts, (similarity or Similarity()).normalisation
        self.normal: Sequence[str] = []
        self._index: WordIndex | None = None
        drain(self._normalising())

    @classmethod
    def preparing(cls, texts: Sequence[str], similarity: Similarity | None = None) -> Generator[Progress, None, PreparedTexts]:
        """The same with progress."""
        made = cls((), similarity)
        made._texts = texts
        yield from made._normalising()
        return made

    def _normalising(self) -> Generator[Progress, None, None]:
        found: list[str] = []
        similarity = Similarity(normalisation=self.normalisation)
        while len(found) < len(self._texts):
            found += normalised(self._texts[len(found) : len(found) + _TEXTS], similarity, len(found))
            yield Progress(len(found), len(self._texts), "texts prepared")
        self.normal = found

    def indexing(self) -> Generator[Progress, None, WordIndex]:
        """The word index, made when first asked for."""
        if self._index is None:
            self._index = yield from WordIndex.building(self.normal, len(self.normal))
        return self._index

    def __len__(self) -> int:
        return len(self._texts)

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[str]: ...
    def __getitem__(self, place: int | slice) -> str | Sequence[str]:
        return self._texts[place]

    def __iter__(self) -> Iterator[str]:
        return iter(self._texts)


def ready_for(similarity: Similarity, texts: Iterable[str]) -> PreparedTexts | None:
    """The texts where they were prepared for the similarity's normalisation; otherwise None."""
    return texts if isinstance(texts, PreparedTexts) and texts.normalisation == similarity.normalisation else None
