"""The word index against counting words in Python; approximate search against the whole scan."""

import math
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unlearnviz.engine import search as module
from unlearnviz.engine import shortlist, word_index
from unlearnviz.engine.prepared import PreparedTexts
from unlearnviz.engine.progress import Enough, drain
from unlearnviz.engine.search import search, searching
from unlearnviz.engine.similarity import COSTLY, Normalisation, Similarity
from unlearnviz.engine.word_index import WordIndex

WORDS = ["a", "to", "Mara", "étude", "👩‍👩‍👧", "\ud800", "eightchr", "eightchars", "a" * 40, "שלום"]


def counted(texts, query):
    """Sum of log(texts / texts with the word) over shared words."""
    having = [set(text.split()) for text in texts]
    spread = {word: sum(word in each for each in having) for word in set(query.split())}
    return [sum(math.log(len(texts) / spread[word]) for word in sorted(spread) if word in each) for each in having]


def test_the_words_of_these_tests_are_told_apart():
    assert len(np.unique(word_index._words([" ".join(WORDS)])[0])) == len(WORDS)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.lists(st.sampled_from(WORDS), max_size=6), min_size=1, max_size=12), st.lists(st.sampled_from(WORDS), max_size=4))
def test_weights_are_those_of_counting_words(rows, asked):
    texts, query = [" ".join(row) for row in rows], " ".join(asked)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(word_index, "_CHARACTERS", 30)  # several segments
        patch.setattr(word_index, "_BLOCK", 2)
        index = drain(WordIndex.building(texts))
    assert index.weights(query) == pytest.approx(np.array(counted(texts, query)), rel=1e-4, abs=1e-5)


def salad(count, seed=0):
    draw = random.Random(seed)
    words = ["".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=draw.randint(3, 9))) for _ in range(400)]
    return [" ".join(draw.choices(words, k=12)) for _ in range(count)], words


@pytest.fixture
def small(monkeypatch):
    """An index already for a thousand texts, with few candidates."""
    monkeypatch.setattr(module, "INDEXED_FROM", 1000)
    monkeypatch.setattr(shortlist, "CANDIDATES", 60)
    monkeypatch.setattr(shortlist, "_NEXT", 240)
    monkeypatch.setattr(shortlist, "_SAMPLED", 100)


@pytest.mark.parametrize("scorer", COSTLY)
def test_the_best_twenty_are_those_of_the_scan_and_every_score_is_true(scorer, small):
    texts, _ = salad(2000)
    query = texts[7]
    for place in range(100, 140):  # near copies
        texts[place] = query.replace(query.split()[place % 12], "other").upper()
    ready, similarity = PreparedTexts(texts), Similarity(scorer)
    exact = search([query, texts[8]], ready, similarity)
    found = search([query, texts[8]], ready, similarity, exact=False, threshold=30)
    assert (exact.exact, exact.recall, exact.searched) == (True, None, 2000)
    assert not found.exact
    assert 60 + 200 < found.searched <= 2 * 60 + 200
    assert found.total == 2000
    assert found.positions[:20].tolist() == exact.positions[:20].tolist()
    best = similarity.scores([query, texts[8]], texts).max(axis=0)
    assert found.scores.tolist() == best[found.positions].tolist()
    assert 0 < found.recall <= 1
    again = search([query, texts[8]], texts, similarity, exact=False, threshold=30)  # prepared on the way
    assert again.positions.tolist() == found.positions.tolist()
    assert again.recall == found.recall


def half_apart():
    """A query, and texts of which 40 equal it and 400 are alike letter by letter, with not one word in common."""
    texts, words = salad(2000)
    texts[200:240] = [" ".join(words[:12])] * 40
    texts[400:800] = [" ".join(f"{word}q" for word in words[:12])] * 400
    return " ".join(words[:12]), texts


def test_recall_is_near_the_true_one(small, monkeypatch):
    monkeypatch.setattr(module, "LEAST_RECALL", 0)
    query, texts = half_apart()
    found = search([query], texts, Similarity("partial"), threshold=60, exact=False)
    assert len(search([query], texts, Similarity("partial"), threshold=60)) == 440
    assert len(found) / 440 < 0.2
    assert found.recall == pytest.approx(len(found) / 440, abs=0.05)


def test_a_shortlist_that_misses_much_is_followed_by_the_exact_search(small):
    query, texts = half_apart()
    found = search([query], texts, Similarity("partial"), threshold=60, exact=False)
    assert (found.exact, found.searched, len(found)) == (True, 2000, 440)
    running = searching([query], texts, Similarity("partial"), threshold=60, exact=False)
    next(report for report in running if (report.text, report.total) == ("texts compared", 2000))  # the exact search has begun
    with pytest.raises(StopIteration) as end:
        running.throw(Enough())
    listed = end.value.value
    assert not listed.exact
    assert 0 < listed.recall < 0.2
    assert set(range(200, 240)) <= set(listed.positions.tolist())


def test_where_nothing_could_be_chosen_all_are_scored(small):
    texts, _ = salad(1000)
    found = search(["unheardof words", texts[0]], texts, Similarity("token set"), exact=False)
    assert (found.exact, found.searched, found.positions[0]) == (True, 1000, 0)


def test_cheap_scorers_short_lists_and_other_iterables_are_searched_exactly(small):
    texts, _ = salad(1000)
    for some, similarity in ((texts, Similarity("ratio")), (texts[:999], Similarity("partial")), (iter(texts), Similarity("partial"))):
        assert search([texts[0]], some, similarity, exact=False).exact


def test_stopped_at_any_report_it_returns_what_was_scored(small):
    texts, _ = salad(1000)
    similarity = Similarity("token set")
    best = similarity.scores([texts[0]], texts)[0]
    whole = search([texts[0]], texts, similarity, exact=False)
    for reports in range(1, 40):
        running = searching([texts[0]], texts, similarity, exact=False)
        try:
            for _ in range(reports):
                next(running)
            running.throw(Enough())
        except StopIteration as end:
            found = end.value
        assert not (found.exact and found.searched)
        assert found.scores.tolist() == best[found.positions].tolist()
        if found.recall is not None:
            assert found.recall == whole.recall
            break
        assert found.searched <= whole.searched
    else:
        pytest.fail("40 reports for 1000 texts")


def test_texts_prepared_for_another_normalisation_are_normalised_anew():
    ready = PreparedTexts(["Mara", "mara"])
    strict = Similarity(normalisation=Normalisation(case=False))
    assert search(["Mara"], ready, strict, threshold=100).positions.tolist() == [0]
    assert search(["Mara"], ready, threshold=100).positions.tolist() == [0, 1]
    assert (len(ready), ready[0], list(ready)) == (2, "Mara", ["Mara", "mara"])


def test_preparing_tells_how_far_it_is():
    running = PreparedTexts.preparing([f"Text {k}" for k in range(20_000)])
    progress = next(running)
    assert 0 < progress.done < progress.total == 20_000
    assert drain(running).normal[-1] == "text 19999"
