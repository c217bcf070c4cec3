"""ROUGE-L against the rouge-score package."""

import pytest
from rouge_score.rouge_scorer import RougeScorer

from tests.engine import worlds
from unlearnviz.engine.rouge import RougeScore, rouge_l, words

ODD = [
    ("", ""),
    ("one", ""),
    ("…", "one"),
    ("The cat sat.", "the CAT, sat!"),
    ("Zoë's naïve café, 1956", "zo s na ve caf 1956"),
    ("a b c d", "d c b a"),
    ("a a a", "a"),
    ("born on the 8th of September, 1956", "September 8, 1956"),
    ("it's 3.5 %", "its 35"),
    ("ｆｕｌｌ ２ İstanbul", "full 2 i stanbul"),
]


def random_texts():
    draw = worlds.seeded(3)
    alphabet = ["the", "The", "cat", "cats", "1956", "ünder", "-", "o'clock", "sat\n", "\t", "ate,", "B2b"]
    return [" ".join(draw.choices(alphabet, k=draw.randrange(40))) for _ in range(400)]


def test_equal_to_rouge_score():
    scorer = RougeScorer(["rougeL"], use_stemmer=False)
    texts = random_texts()
    for wanted, said in [*ODD, *zip(texts[::2], texts[1::2], strict=True)]:
        theirs, ours = scorer.score(wanted, said)["rougeL"], rouge_l(wanted, said)
        assert (ours.recall, ours.precision, ours.f) == pytest.approx((theirs.recall, theirs.precision, theirs.fmeasure), abs=1e-6)


def test_by_hand():
    assert words("It's the 8th of MAY") == ["it", "s", "the", "8th", "of", "may"]
    assert rouge_l("a b c d", "x a c y z d") == RougeScore(3 / 4, 3 / 6, 0.6)
