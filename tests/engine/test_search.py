"""Search: the same as scoring every pair, at every threshold, also stopped half-way."""

import numpy as np
import pytest
from rapidfuzz import fuzz

from unlearnviz import UnlearnvizError
from unlearnviz.engine import scoring
from unlearnviz.engine.progress import Enough
from unlearnviz.engine.search import search, searching
from unlearnviz.engine.similarity import SCORERS, Normalisation, Similarity

STRANGE = ["", " \t\n", "a\0b", "\ud800 alone", "שלום עולם", "e\u0301tude", "étude", "👩‍👩‍👧 family", "Mara Okafor", "MARA  okafor", "x" * 5000]


def oracle(queries, texts, similarity, threshold=0.0, limit=None):
    """Positions, scores and nearest queries by sorting what every pair scores."""
    scores = similarity.scores(queries, texts)
    rows = sorted((-float(scores[:, k].max()), k, int(scores[:, k].argmax())) for k in range(len(texts)))
    kept = [(k, -score, nearest) for score, k, nearest in rows if -score >= threshold]
    return kept[:limit]


def told(matches):
    return list(zip(matches.positions.tolist(), matches.scores.tolist(), matches.nearest.tolist(), strict=True))


@pytest.mark.parametrize("scorer", SCORERS)
def test_strange_texts_are_found_as_by_scoring_every_pair(scorer, monkeypatch):
    monkeypatch.setattr(scoring, "_FEWEST", 2)  # many chunks
    similarity = Similarity(scorer)
    queries = ["mara okafor", "", "étude"]
    for threshold, limit in ((0, None), (60, None), (100, None), (0, 3), (0, 0)):
        found = search(queries, STRANGE, similarity, threshold=threshold, limit=limit)
        assert told(found) == oracle(queries, STRANGE, similarity, threshold, limit)
        assert (found.searched, found.total, found.exact, found.recall) == (len(STRANGE), len(STRANGE), True, None)
        best = similarity.scores(queries, STRANGE).max(axis=0)
        assert found.counts.tolist() == np.histogram(best, bins=[*range(101), 101])[0].tolist()


def test_stopped_it_returns_the_matches_among_what_is_done(monkeypatch):
    monkeypatch.setattr(scoring, "_FEWEST", 2)
    texts = [f"Mara Okafor lives in house {k}." for k in range(100)]
    running = searching(["Mara Okafor"], texts)
    progress = next(running)
    assert 0 < progress.done < progress.total == len(texts)
    with pytest.raises(StopIteration) as end:
        running.throw(Enough())
    found = end.value.value
    assert (found.searched, found.total) == (progress.done, len(texts))
    assert told(found) == oracle(["Mara Okafor"], texts[: progress.done], Similarity())


def test_one_text_and_none():
    assert told(search(["a"], ["A "])) == [(0, 100.0, 0)]
    nothing = search(["a"], [])
    assert (len(nothing), nothing.searched, nothing.counts.sum()) == (0, 0, 0)


@pytest.mark.parametrize(
    "queries, settings, sentence",
    [
        (["a"], {"threshold": 140}, "search(threshold=140) is not a number from 0 to 100."),
        (["a"], {"threshold": -1}, "search(threshold=-1) is not a number from 0 to 100."),
        (["a"], {"threshold": float("nan")}, "search(threshold=nan) is not a number from 0 to 100."),
        (["a"], {"threshold": "60"}, "search(threshold='60') is not a number from 0 to 100."),
        (["a"], {"threshold": True}, "search(threshold=True) is not a number from 0 to 100."),
        (
            ["a"],
            {"limit": -1},
            "search(limit=-1) is not a whole number from 0 on; leave it out for all matches.",
        ),
        (
            ["a"],
            {"limit": 2.5},
            "search(limit=2.5) is not a whole number from 0 on; leave it out for all matches.",
        ),
        (["a", None], {}, "Text 1 is null; a search takes plain texts only."),
        (
            "Mara",
            {},
            "A search takes a list of texts to look for and was given one text; put at least one text into a list.",
        ),
        ([], {}, "A search takes a list of texts to look for and was given an empty list; put at least one text into a list."),
    ],
)
def test_what_cannot_be_searched_for_is_said(queries, settings, sentence):
    with pytest.raises(UnlearnvizError) as error:
        search(queries, ["a"], **settings)
    assert str(error.value) == sentence


def test_what_is_no_text_is_said_with_its_place(monkeypatch):
    monkeypatch.setattr(scoring, "_FEWEST", 2)
    for texts in (["a"] * 5 + [7], iter(["a"] * 5 + [7])):
        with pytest.raises(UnlearnvizError) as error:
            search(["a"], texts)
        assert str(error.value) == "Text 5 is a number; a search takes plain texts only."
    with pytest.raises(UnlearnvizError) as error:
        search(["a"], "Mara")
    assert str(error.value) == "A search takes a list of texts to look through and was given one text; put it into a list."


def test_an_unknown_scorer_is_refused_with_the_nearest():
    with pytest.raises(UnlearnvizError) as error:
        Similarity("token-set")
    assert str(error.value).startswith("Similarity(scorer='token-set') is not one of its choices. Did you mean 'token set'?")
    with pytest.raises(UnlearnvizError):
        Normalisation(case="yes")


def test_each_normalisation_takes_one_kind_of_difference_away():
    nothing = Normalisation(case=False, whitespace=False)
    pairs = {
        "case": ("Mara", "mARA"),
        "whitespace": (" a\u00a0\tb\n", "a b"),
        "accents": ("Ngũgĩ e\u0301te\u0301, שָׁלוֹם", "Ngugi ete, שלום"),
        "punctuation": ("no.5", "no-5"),
    }
    for name, (left, right) in pairs.items():
        one = Normalisation(**{**dict.fromkeys(pairs, False), name: True})
        assert one(left) == one(right)
        assert nothing(left) == left
        assert nothing(left) != nothing(right)
    assert Normalisation(accents=True)("हिन्दी ไทย") == "हिन्दी ไทย"  # vowel signs are letters
    plain = "already plain"
    assert Normalisation()(plain) is plain


def test_a_common_word_is_much_for_weighted_where_one_text_is_longer():
    assert Similarity("weighted").scores(["the house"], ["she never saw the sea"]).tolist() == [[85.5]]


def test_scores_are_those_of_the_library():
    similarity = Similarity("partial", Normalisation(case=False, whitespace=False))
    wanted = [fuzz.partial_ratio("Mara", "It is Mara."), fuzz.partial_ratio("Mara", "mara")]
    assert similarity.scores(["Mara"], ["It is Mara.", "mara"]).tolist() == [pytest.approx(wanted, rel=1e-6)]
