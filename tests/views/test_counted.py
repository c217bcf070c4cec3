"""On how many texts a number rests, for the rows that probes really write."""

from __future__ import annotations

import pytest

from tests.engine import worlds
from unlearnviz.engine.probes.probe import Reading
from unlearnviz.engine.probes.relearning import Relearning
from unlearnviz.engine.probes.update_size import UpdateSize
from unlearnviz.views.counted import count, counted, texts
from unlearnviz.views.picture import Picture

TEXTS = ("perplexity", "gradient-norm", "memorisation-accuracy", "membership-inference")


def reading(*rows):
    return Reading("any", "any", 0, "now", "", "", None, rows)


@pytest.fixture(scope="module")
def taken():
    session = worlds.session()
    return session.measure(*TEXTS, "exact-recall", "leak", UpdateSize())


@pytest.mark.parametrize("probe", TEXTS)
def test_a_number_of_texts_counts_them(taken, probe):
    assert count(taken[probe]) == 4


def test_a_number_of_facts_or_prompts_counts_those_and_one_of_weights_counts_none(taken):
    assert count(taken["exact-recall"]) == 3  # one of the four has no fact
    assert count(taken["leak"]) == sum(row["group"] == "forget" for row in taken["leak"].rows)
    assert count(taken["update-size"]) is None
    assert count(reading({"model": "twin", "update": 0, "forget": 1.0})) is None
    assert Relearning.name == "relearning"
    assert count(taken["perplexity"], "never seen") == 8
    assert count(taken["membership-inference"], "never seen") == 8


@pytest.mark.parametrize(
    "group, number, said",
    [
        ("forget", 1, "1 text"),
        ("forget", 5, "5 texts"),
        ("neighbours", 20, "20 of 622, the most alike"),
        ("retain", 20, "20 of 595, fixed sample"),
        ("never seen", 12, "all 12"),
        ("anything", 3, "3 texts"),
    ],
)
def test_how_many_of_how_many(group, number, said):
    pools = {"forget": number, "neighbours": 622, "retain": 595, "never seen": 12}
    assert counted(Picture(pools=pools), group, number) == said


def test_texts_of_a_single_token_are_left_out_of_a_number_and_that_is_said():
    assert counted(Picture(pools={"forget": 5}), "forget", 4) == "4 of 5 texts"


def test_words_for_what_a_sentence_rests_on(taken):
    assert texts(taken["gradient-norm"]) == "4 texts"
    assert texts(taken["leak"], what="prompt").endswith(" prompts")
    assert texts(reading({"group": "forget", "per_text": {"a": 1.0}})) == "1 text"
    assert texts(taken["update-size"]) == "the texts"
