"""Scoring: the best score of each of many texts, chunk by chunk on two threads."""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from typing import NamedTuple

import numpy as np

from unlearnviz.engine.files import a_kind
from unlearnviz.engine.similarity import Similarity
from unlearnviz.errors import BadCorpus

THREADS = 2
_FEWEST, _MOST = 64, 16_384  # texts of a chunk: the first ones are small, in case that texts are huge
_CELLS = 1 << 20  # scores of a chunk, over all queries: 4 MB
_SECONDS = 0.05  # that a chunk shall take: Stop waits for the chunks that have begun


class Scored(NamedTuple):
    """A chunk of texts: the best score of each, float32 0 to 100, and the number of the query it belongs to, int64; both of shape (texts,)."""

    best: np.ndarray
    nearest: np.ndarray


def scoring(queries: Sequence[str], texts: Iterable[str], similarity: Similarity, *, normal: bool) -> Iterator[Scored]:
    """Chunks in the order of the texts, each of about the same time; of equally near queries the first counts.

    Args:
        queries: normalised, at least one.
        texts: read while earlier ones are scored; what stands open is closed at the end.
        normal: whether the texts are normalised already.

    Raises:
        BadCorpus: something among the texts is not a text.
    """
    most = max(1, min(_MOST, _CELLS // len(queries)))
    size = min(_FEWEST, most)
    pending: deque[Future[tuple[Scored, float]]] = deque()
    source, begun = iter(texts), 0
    with ExitStack() as stack:
        if isinstance(source, Generator):
            stack.enter_context(closing(source))
        pool = stack.enter_context(ThreadPoolExecutor(THREADS, thread_name_prefix="search"))
        while True:
            while len(pending) < 2 * THREADS:
                # a list is cut: to walk through it would cost a tenth of a plain call of rapidfuzz
                chunk = texts[begun : begun + size] if isinstance(texts, list) else list(itertools.islice(source, size))
                if not chunk:
                    break
                pending.append(pool.submit(_score, queries, chunk, similarity, None if normal else begun))
                begun += len(chunk)
            if not pending:
                return
            scored, seconds = pending.popleft().result()
            size = max(1, min(most, 4 * size, int(len(scored.best) * _SECONDS / max(seconds, 1e-6))))
            yield scored


def _score(queries: Sequence[str], chunk: Sequence[str], similarity: Similarity, start: int | None) -> tuple[Scored, float]:
    """The scores of a chunk, and the seconds it took; `start` is the place of its first text where they are not normalised yet."""
    began = time.perf_counter()
    scores = similarity.compare(queries, chunk if start is None else normalised(chunk, similarity, start))
    nearest = scores.argmax(axis=0) if len(queries) > 1 else np.zeros(len(chunk), dtype=np.int64)
    return Scored(scores.max(axis=0) if len(queries) > 1 else scores[0], nearest), time.perf_counter() - began


def normalised(texts: Iterable[str], similarity: Similarity, start: int = 0) -> list[str]:
    """The texts as they are compared.

    Raises:
        BadCorpus: something among them is not a text; the message gives its place, counted from `start`.
    """
    found = []
    for number, text in enumerate(texts, start):
        if not isinstance(text, str):
            raise BadCorpus(f"Text {number} is {a_kind(text)}; a search takes plain texts only.")
        found.append(similarity.normalisation(text))
    return found
