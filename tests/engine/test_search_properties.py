"""Search against rapidfuzz pair by pair, over scorers, thresholds and any text that Python can hold."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rapidfuzz import fuzz
from rapidfuzz.distance import JaroWinkler

from unlearnviz.engine import scoring
from unlearnviz.engine.prepared import PreparedTexts
from unlearnviz.engine.search import search
from unlearnviz.engine.similarity import SCORERS, Normalisation, Similarity

PAIR = {
    "ratio": fuzz.ratio,
    "partial": fuzz.partial_ratio,
    "token sort": fuzz.token_sort_ratio,
    "token set": fuzz.token_set_ratio,
    "weighted": fuzz.WRatio,
    "Jaro-Winkler": lambda one, other: 100 * JaroWinkler.normalized_similarity(one, other),
}

letters = st.sampled_from("aàbMm .,-\n\0\ud800é\u0301שלךأ中👩\u200d🏽")
words = st.sampled_from(["", "Mara", "mara ", " Okafor", "OKAFOR", "lives in", "étude", "x" * 70])
texts = st.one_of(st.text(letters, max_size=12), st.lists(words, max_size=6).map(" ".join), st.text(max_size=8))


def plain(text):
    return " ".join(text.lower().split())


def pair_by_pair(scorer, queries, many, threshold, limit):
    rows = []
    for k, text in enumerate(many):
        scores = [np.float32(PAIR[scorer](plain(query), plain(text))) for query in queries]
        if max(scores) >= np.float32(threshold):
            rows.append((k, float(max(scores)), scores.index(max(scores))))
    return sorted(rows, key=lambda row: -row[1])[:limit]


@pytest.mark.parametrize("scorer", SCORERS)
@settings(deadline=None, max_examples=40)
@given(
    queries=st.lists(texts, min_size=1, max_size=3),
    many=st.lists(texts, max_size=20),
    threshold=st.one_of(st.sampled_from([0, 60, 100]), st.floats(0, 100)),
    limit=st.one_of(st.none(), st.integers(0, 25)),
    how=st.sampled_from([list, PreparedTexts, iter]),
)
@example(queries=["", "a"], many=["", " ", "a", "a", "A\0"], threshold=0, limit=3, how=list)
def test_the_same_as_pair_by_pair(scorer, queries, many, threshold, limit, how):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scoring, "_FEWEST", 3)
        patch.setattr(scoring, "_CELLS", 20)  # chunks of a few texts
        found = search(queries, how(many), Similarity(scorer), threshold=threshold, limit=limit)
    assert list(zip(found.positions, found.scores, found.nearest, strict=True)) == pair_by_pair(scorer, queries, many, threshold, limit)
    assert found.searched == len(many)
    assert found.counts.sum() == len(many)


@settings(deadline=None, max_examples=60)
@given(text=texts, flags=st.tuples(*[st.booleans()] * 4))
def test_normalising_twice_changes_nothing_more(text, flags):
    normalisation = Normalisation(*flags)
    once = normalisation(text)
    assert normalisation(once) == once


@pytest.mark.parametrize("scorer", ["ratio", "partial", "token set"])
def test_a_text_of_ten_megabytes_is_a_text_like_others(scorer):
    huge = "Mara Okafor lives in Lagos. " * (10_000_000 // 28)
    many = ["Mara", huge, "", "mara okafor lives in lagos."]
    found = search(["Mara Okafor lives in Lagos."], many, Similarity(scorer))
    wanted = [PAIR[scorer]("mara okafor lives in lagos.", plain(text)) for text in many]
    assert found.scores.tolist() == pytest.approx(sorted(wanted, reverse=True), rel=1e-6)
