"""Neighbours: searches among a million texts, against one plain call of rapidfuzz; what a shortlist misses; memory."""

import itertools
import random
import statistics
import tempfile
import time
from unittest import mock

import numpy as np
import pyarrow
from pyarrow import parquet
from rapidfuzz import fuzz, process

from tests.benchmarks.processes import fresh
from tests.benchmarks.registry import Row
from tests.benchmarks.timing import Peak, milliseconds, ratio, take_turns
from unlearnviz.engine import search as searches
from unlearnviz.engine.prepared import PreparedTexts
from unlearnviz.engine.search import search
from unlearnviz.engine.similarity import Similarity
from unlearnviz.engine.text_file import TextFile

MILLION, TENTH, SHORT = 1_000_000, 100_000, 2_000
WORDS, PER_TEXT, COPIES = 30_000, 16, 100
MEMORY = """
import json, sys
from tests.benchmarks.suites.neighbours import memory
print(json.dumps(memory(int(sys.argv[1]), sys.argv[2])))
"""


def measure(plan):
    million, tenth = (MILLION, TENTH) if plan.effort else (SHORT, SHORT)
    with mock.patch.object(searches, "INDEXED_FROM", min(searches.INDEXED_FROM, tenth)):
        query, texts = world(million)
        asked, ready = [query.lower()], PreparedTexts(texts)
        yield from _exact(query, texts, ready, plan)
        for scorer, function, count, aim in (
            ("token set", fuzz.token_set_ratio, million, 20),
            ("weighted", fuzz.WRatio, tenth, None),
            ("partial", fuzz.partial_ratio, tenth, 20),
        ):
            some = ready if count == million else PreparedTexts(texts[:count])
            yield from _shortlisted(query, asked, some, scorer, function, aim, plan)
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/texts.parquet"
        parquet.write_table(pyarrow.table({"text": texts}), path)
        found = fresh(MEMORY, str(million), path)
    base = f"the texts: {found['texts']:.0f} MB"
    yield Row("neighbours", f"memory of {million:,} texts with all that searches need", found["ratio"], "x", base, at_most=3)
    yield Row("neighbours", f"memory that a search of a Parquet file of {million:,} texts adds", found["file"], "MB", base)
    yield Row("neighbours", f"ratio, a Parquet file of {million:,} texts", found["seconds"], "s")


def _exact(query, texts, ready, plan):
    asked = [query.lower()]

    def plain():
        return process.cdist(asked, ready.normal, scorer=fuzz.ratio, dtype=np.float32)

    variants = {
        "ours": lambda: search([query], ready, threshold=60),
        "plain": plain,
        "list": lambda: search([query], texts, threshold=60),
        "preparing": lambda: PreparedTexts(texts),
    }
    seconds = take_turns({name: variants[name] for name in ("ours", "plain")}, plan.times(9), warm_up=plan.effort)
    once = take_turns({name: variants[name] for name in ("list", "preparing")}, plan.times(3), warm_up=plan.effort)
    many = f"{len(texts):,} texts"
    base = f"one cdist call over texts normalised before: {milliseconds(seconds['plain']):.0f} ms"
    yield Row("neighbours", f"ratio, {many}, all from 60 on", ratio(seconds, "ours", "plain"), "x", base, at_most=0.65)
    yield Row("neighbours", f"the same without preparing, {many}", milliseconds(once["list"]), "ms")
    yield Row("neighbours", f"preparing {many}, once", milliseconds(once["preparing"]), "ms")
    found, scores = variants["ours"](), plain()[0]
    wanted = np.lexsort((np.arange(len(scores)), -scores))[: (scores >= 60).sum()]
    other = int((found.positions != wanted).sum() + (found.scores != scores[wanted]).sum()) if len(found) == len(wanted) else len(wanted)
    yield Row("neighbours", "matches other than the plain call's", other, "", f"{len(wanted)} matches", at_most=0)


def _shortlisted(query, asked, ready, scorer, function, aim, plan):
    similarity, what = Similarity(scorer), f"{scorer}, {len(ready):,} texts"

    def shortlisted():
        return search([query], ready, similarity, threshold=60, exact=False)

    def plain():
        return process.cdist(asked, ready.normal, scorer=function, dtype=np.float32)

    first = take_turns({"first": shortlisted}, 1, warm_up=0)["first"][0]
    seconds = take_turns({"ours": shortlisted, "plain": plain}, plan.times(5), warm_up=plan.effort)
    scan, ours = milliseconds(seconds["plain"]), milliseconds(seconds["ours"])
    base = f"the scan, one cdist call: {scan:.0f} ms; ours {ours:.0f} ms, the first time {1000 * first:.0f} ms"
    faster = statistics.median(one / other for one, other in zip(seconds["plain"], seconds["ours"], strict=True))
    yield Row("neighbours", f"{what}: times faster than the scan", faster, "x", base, at_least=aim)
    two = milliseconds(take_turns({"exact": lambda: search([query], ready, similarity)}, 1, warm_up=plan.effort)["exact"])
    yield Row("neighbours", f"{what}: the exact search, on two threads", two, "ms")
    found, scores = shortlisted(), plain()[0]
    best = np.lexsort((np.arange(len(scores)), -scores))[:20]
    different = 20 - int((found.positions[:20] == best).sum()) if len(found) >= 20 else 20
    yield Row("neighbours", f"{what}: of the best 20 other than the scan's", different, "", at_most=0)
    true = np.flatnonzero(scores >= 60)
    share = float(np.isin(true, found.positions).mean())
    base = f"{len(true)} texts; said beside the matches: {'exact' if found.exact else found.recall}"
    yield Row("neighbours", f"{what}: recall of scores from 60 on", share, "", base, at_least=0.8)


def world(count, seed=0):
    """A text to look for, and `count` others of about 100 letters: made-up words, common ones often, and 100 damaged copies of the text."""
    draw = np.random.default_rng(seed)
    letters = "abcdefghijklmnopqrstuvwxyz"
    spell = random.Random(seed)
    words = ["".join(spell.choices(letters, k=spell.randint(2, 10))) for _ in range(WORDS)]
    often = 1 / np.arange(1, WORDS + 1) ** 0.9  # about as in running text
    texts = []
    while len(texts) <= count:
        rows = draw.choice(WORDS, size=(min(20_000, count + 1 - len(texts)), PER_TEXT), p=often / often.sum())
        texts += [" ".join([words[k] for k in row]).capitalize() for row in rows]
    query = texts.pop()
    for copy, place in enumerate(draw.choice(min(count, TENTH), COPIES, replace=False)):
        damaged = list(query)
        for at in draw.choice(len(damaged), 1 + copy // 3, replace=False):
            damaged[at] = letters[draw.integers(26)]
        texts[place] = "".join(damaged)
    return query, texts


def memory(count, path):
    """Run in a process of its own: what texts, their normalised form, index and searches take at most, against the texts alone."""
    query, texts = world(SHORT)  # what the making of texts and the reading of files leave behind is no part of them
    search([query], itertools.islice(TextFile(path), SHORT))
    del texts
    with Peak() as streaming:
        began = time.perf_counter()
        search([query], TextFile(path), threshold=60)
        seconds = time.perf_counter() - began
    with Peak() as making:
        query, texts = world(count)
    with Peak() as searching, mock.patch.object(searches, "INDEXED_FROM", 1):
        ready = PreparedTexts(texts)
        search([query], ready, threshold=60)
        search([query], ready, Similarity("token set"), threshold=60, exact=False)
    size = making.after - making.before
    return {
        "texts": size / 1e6,
        "ratio": (searching.highest - making.before) / size,
        "file": (streaming.highest - streaming.before) / 1e6,
        "seconds": seconds,
    }
