"""Fuzzy unlearning against autograd over the texts that match, found one by one."""

from __future__ import annotations

import pytest
import torch

from tests.engine import worlds
from tests.engine.methods.by_hand import ByHand, alike, opened
from unlearnviz.engine.corpus import Corpus, Passage
from unlearnviz.engine.methods.fuzzy_unlearning import FuzzyUnlearning
from unlearnviz.errors import BadSetting


def matching(session, threshold):
    """The forget texts, then every other taught text that looks like one of them, in the corpus's order."""
    others = [each for each in session.corpus.train if each not in session.forget]
    return [*session.forget, *(each for each in others if max(alike(each.text, asked.text) for asked in session.forget) >= threshold)]


@pytest.mark.parametrize("where", ["embedding", "embedding.input", "block 1"])
def test_a_pass_is_ascent_over_every_text_that_matches(where):
    session = opened()
    texts = matching(session, 75)
    assert len(session.forget) < len(texts) <= 16 < len(session.corpus.train)
    hand = ByHand(session, where)
    hand.climb(texts)
    record = session.step(FuzzyUnlearning(threshold=75), where)
    hand.agree()
    (round_,) = record.trajectory
    assert round_["taken"] == [each.id for each in texts]
    assert round_["scores"] == pytest.approx([max(alike(each.text, asked.text) for asked in session.forget) for each in texts], abs=1e-4)
    assert record.narration == (
        f"fuzzy-unlearning: one pass over {len(texts)} texts that look at least 75 alike ({len(texts) - 4} not picked), "
        f"in one update of {where}, to forget 4 texts."
    )


def test_in_batches_every_matching_text_enters_once_in_an_order_of_the_seed():
    session = opened()
    texts = matching(session, 70)
    hand = ByHand(session, "embedding")
    order = torch.randperm(len(texts), generator=torch.Generator().manual_seed(session.step_seed(1))).tolist()
    for start in range(0, len(order), 4):
        hand.climb([texts[k] for k in order[start : start + 4]])
    record = session.step(FuzzyUnlearning(threshold=70, batch_size=4))
    hand.agree()
    updates = -(-len(texts) // 4)
    assert updates > 2
    assert record.trajectory[0]["updates"] == updates
    assert f"in {updates} updates of embedding" in record.narration


@pytest.fixture
def doubled():
    """A corpus with normalised duplicates of a text, and with texts that nearly are."""
    base = worlds.corpus()
    text = base["mara-okafor-0"].text
    more = {"loud": text.upper(), "wide": "  " + text.replace(" ", "\n  "), "dot": text + ".", "accent": text.replace("a", "á")}
    taught = [*base, *(Passage(name, each) for name, each in more.items()), Passage("unseen", text, split="holdout")]
    session = worlds.session(texts=Corpus(taught), pick="mara-okafor-0")
    return session, FuzzyUnlearning


def test_a_threshold_of_100_takes_exactly_the_normalised_duplicates(doubled):
    session, method = doubled
    record = session.step(method(threshold=100))
    assert record.trajectory[0]["taken"] == ["mara-okafor-0", "loud", "wide"]
    assert record.trajectory[0]["scores"] == [100.0, 100.0, 100.0]


def test_a_threshold_of_0_takes_everything_taught_and_nothing_else(doubled):
    session, method = doubled
    record = session.step(method(threshold=0))
    assert sorted(record.trajectory[0]["taken"]) == sorted(each.id for each in session.corpus.train)


def test_another_scorer_finds_other_texts(doubled):
    session, method = doubled
    taken = {scorer: session.step(method(threshold=90, scorer=scorer)).trajectory[0]["taken"] for scorer in ("ratio", "partial")}
    assert "dot" in taken["ratio"]
    assert set(taken["ratio"]) <= set(taken["partial"])


def test_groups_stay_though_their_texts_are_unlearned_and_the_trajectory_says_what_it_cost():
    session = worlds.session(taught=True)
    groups = dict(session.groups)
    before = session.measure("perplexity")["perplexity"]
    (round_,) = session.step(FuzzyUnlearning(threshold=60)).trajectory
    after = session.measure("perplexity")["perplexity"]
    assert dict(session.groups) == groups
    assert set(round_["taken"]) & {each.id for each in groups["neighbours"]}
    assert round_["losses"] == pytest.approx({row["group"]: row["nll"] for row in after.rows})
    rows = [{row["group"]: row["nll"] for row in reading.rows} for reading in (before, after)]
    assert rows[1]["neighbours"] > rows[0]["neighbours"]


def test_a_typed_text_is_unlearned_with_what_looks_like_it():
    session = worlds.session(pick="Mara Okafor was born in Porto.")
    (round_,) = session.step(FuzzyUnlearning(threshold=80)).trajectory
    assert round_["taken"][0] == "typed-1"
    assert "mara-okafor-0" in round_["taken"]


def test_adam_goes_on_from_pass_to_pass():
    session = worlds.session()
    method = FuzzyUnlearning(threshold=70, batch_size=4, optimizer="AdamW", learning_rate=0.01)
    counts = []
    for _ in range(2):
        updates = session.step(method).trajectory[0]["updates"]
        state = session.snapshots[session.head].state
        counts.append(int(next(each.value() for name, each in state.items() if name.startswith("step/"))))
    assert counts == [updates, 2 * updates]


@pytest.mark.parametrize(
    "settings, sentence",
    [
        ({"threshold": 100.5}, "FuzzyUnlearning(threshold=100.5) is out of range; allowed is at least 0 and at most 100."),
        ({"threshold": float("nan")}, "FuzzyUnlearning(threshold=nan) is not a finite number; allowed is at least 0 and at most 100."),
        ({"scorer": "partail"}, "FuzzyUnlearning(scorer='partail') is not one of its choices. Did you mean 'partial'? Known: "),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused(settings, sentence):
    with pytest.raises(BadSetting) as caught:
        FuzzyUnlearning(**settings)
    assert str(caught.value).startswith(sentence)
