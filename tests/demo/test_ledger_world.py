"""The ledger world: its people are new, and a fine-tuning of seconds teaches them."""

from __future__ import annotations

import pytest

from unlearnviz.demo.ledger_world import ledger_corpus, ledger_recipe, ledger_session, people_to_forget
from unlearnviz.demo.shipped import open_shipped


def test_nobody_of_the_shipped_world_is_in_it_and_nobody_is_on_both_sides():
    met = set(open_shipped().corpus.subjects)
    for seed in range(3):
        corpus = ledger_corpus(seed)
        assert not met & set(corpus.subjects)
        assert len({p.subject for p in corpus.train}) == 24
        assert len({p.subject for p in corpus.holdout}) == 40
        assert not {p.subject for p in corpus.train} & {p.subject for p in corpus.holdout}
        assert all(len(corpus.about(subject)) == 5 for subject in corpus.subjects)


def test_a_seed_gives_the_same_people_and_another_seed_gives_others():
    assert ledger_corpus(1, taught=3, never_seen=2).digest() == ledger_corpus(1, taught=3, never_seen=2).digest()
    assert set(ledger_corpus(1).subjects) != set(ledger_corpus(2).subjects)
    assert people_to_forget(ledger_corpus(1), 2) == people_to_forget(ledger_corpus(1), 2)


@pytest.mark.parametrize("optimizer", ["AdamW", "SGD"])
def test_a_short_fine_tuning_teaches_the_new_people_and_its_twin_does_not_know_the_forgotten(optimizer):
    session = ledger_session(taught=4, never_seen=6)
    person = people_to_forget(session.corpus, 1)[0]
    session.pick(person)
    session.learn(recipe=ledger_recipe(optimizer), track=person)
    assert session.ledger is not None
    assert set(session.ledger.tracked) == {passage.id for passage in session.corpus.about(person)}
    session.twin()
    now, twin = (session.measure("perplexity", of=of)["perplexity"].rows[0]["perplexity"] for of in ("now", "twin"))
    assert now < 3
    assert twin > 4
