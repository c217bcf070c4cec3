"""Word index: which texts share rare words with a query, without looking at the others."""

from __future__ import annotations

import itertools
from collections.abc import Generator, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from unlearnviz.engine.progress import Progress

_TEXTS = 1 << 16  # of a segment, so that a position in it takes two bytes
_BUCKETS = 1 << 16  # words of a segment are told apart by 16 bits, so that word and position together take four bytes
_CHARACTERS = 1 << 24  # of a segment, about: longer texts make shorter segments
_BLOCK = 4096  # texts whose words are taken at once: intermediate numbers take about 100 bytes a word
_WINDOW = 8  # bytes that are read at once
_FACTORS = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9], dtype=np.uint64)  # large and odd: bits spread


class _Segment(NamedTuple):
    """Texts start, start + 1, ...: those with a word of bucket b are start + positions[bounds[b]:bounds[b + 1]]."""

    start: int
    bounds: np.ndarray  # uint32 (_BUCKETS + 1,)
    positions: np.ndarray  # uint16


class WordIndex:
    """An inverted index of the words of many texts, in two bytes per word of a text.

    Words are what stands between blanks and control characters. Each is known by 16 bits made from its first and last eight bytes
    (UTF-8) and its length: two words that agree in them count as one, which may put a text in too high a place, never out.
    """

    def __init__(self, segments: Sequence[_Segment], total: int) -> None:
        self._segments, self.total = tuple(segments), total

    @classmethod
    def building(cls, texts: Iterable[str], total: int | None = None) -> Generator[Progress, None, WordIndex]:
        """The index of texts that are normalised already, segment by segment."""
        segments, done = [], 0
        for some in _portions(iter(texts)):
            segments.append(_segment(some, done))
            done += len(some)
            yield Progress(done, total, "texts indexed by their words")
        return cls(segments, done)

    @property
    def bytes(self) -> int:
        """Memory that it takes."""
        return sum(each.bounds.nbytes + each.positions.nbytes for each in self._segments)

    def weights(self, query: str) -> np.ndarray:
        """Per text the sum of log(texts / texts with the word) over the words it shares with the query, float32 of shape (texts,).

        This is the inverse document frequency (Sparck Jones 1972): a word that every text has weighs nothing.
        """
        buckets = np.unique(_words([query])[0])
        spread = sum((each.bounds[buckets + 1] - each.bounds[buckets]).astype(np.int64) for each in self._segments)
        rarity = np.log(self.total / np.maximum(spread, 1)).astype(np.float32)
        found = np.zeros(self.total, dtype=np.float32)
        for segment in self._segments:
            here = found[segment.start :]
            for bucket, weight in zip(buckets.tolist(), rarity, strict=True):
                here[segment.positions[segment.bounds[bucket] : segment.bounds[bucket + 1]]] += weight
        return found


def _portions(texts: Iterator[str]) -> Iterator[list[str]]:
    """Texts for one segment each."""
    some: list[str] = []
    characters = 0
    for text in texts:
        some.append(text)
        characters += len(text)
        if len(some) == _TEXTS or characters >= _CHARACTERS:
            yield some
            some, characters = [], 0
    if some:
        yield some


def _segment(texts: Sequence[str], start: int) -> _Segment:
    keys = np.concatenate([_keys(texts[block : block + _BLOCK], block) for block in range(0, len(texts), _BLOCK)])
    keys.sort()  # by word, then by text
    once = np.ones(len(keys), dtype=bool)  # a word counts once a text
    once[1:] = keys[1:] != keys[:-1]
    keys = keys[once]
    bounds = np.zeros(_BUCKETS + 1, dtype=np.uint32)
    np.cumsum(np.bincount(keys >> np.uint32(16), minlength=_BUCKETS), out=bounds[1:])
    return _Segment(start, bounds, keys.astype(np.uint16))  # the lower half: the text


def _keys(texts: Sequence[str], first: int) -> np.ndarray:
    """Bucket and place of every word in one number: uint32 of shape (words,)."""
    buckets, numbers = _words(texts)
    return buckets << np.uint32(16) | numbers + np.uint32(first)


def _words(texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Bucket of every word and the number of its text, both uint32 of shape (words,)."""
    encoded = [text.encode("utf-8", "surrogatepass") for text in texts]
    raw = np.frombuffer(b" ".join([*encoded, b" " * _WINDOW]), dtype=np.uint8)
    blank = raw <= ord(" ")
    edges = np.flatnonzero(np.diff(blank, prepend=True))
    starts, ends = edges[::2], edges[1::2]
    lengths = ends - starts
    windows = np.ndarray((len(raw) - _WINDOW + 1,), dtype="<u8", buffer=raw, strides=(1,))
    masks = np.array([(1 << 8 * size) - 1 for size in range(_WINDOW + 1)], dtype=np.uint64)[np.minimum(lengths, _WINDOW)]
    head, tail = windows[starts] & masks, windows[np.maximum(ends - _WINDOW, starts)] & masks
    codes = head * _FACTORS[0] ^ tail * _FACTORS[1] ^ lengths.astype(np.uint64) * _FACTORS[2]
    last = np.fromiter(itertools.accumulate(len(each) + 1 for each in encoded), dtype=np.int64, count=len(encoded))
    numbers = np.searchsorted(last, starts, side="right")
    return (codes * _FACTORS[0] >> np.uint64(48)).astype(np.uint32), numbers.astype(np.uint32)
