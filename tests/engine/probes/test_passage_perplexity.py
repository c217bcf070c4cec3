"""PassagePerplexity says of any text what Perplexity says of those in its groups."""

from __future__ import annotations

import math

import pytest

from tests.engine import worlds
from tests.engine.probes.opened import opened, token_losses
from unlearnviz.engine.corpus import Corpus, Passage
from unlearnviz.engine.probes.passage_perplexity import PassagePerplexity
from unlearnviz.engine.probes.perplexity import Perplexity
from unlearnviz.errors import UnknownName


def test_as_perplexity_says_and_as_the_logits_say_text_by_text():
    session = opened("Llama")
    groups = session.measure(Perplexity())["perplexity"].rows
    said = {name: value for row in groups for name, value in row["per_text"].items()}
    asked = tuple(reversed(said))
    reading = session.measure(PassagePerplexity(asked))["passage-perplexity"]
    assert [row["passage"] for row in reading.rows] == list(asked)
    assert {row["passage"]: row["perplexity"] for row in reading.rows} == pytest.approx(said, rel=1e-6)
    every = []
    for row in reading.rows:
        losses = token_losses(session.model.module.eval(), session, session.corpus[row["passage"]].text).tolist()
        assert (row["tokens"], row["loss"]) == (len(losses), pytest.approx(math.fsum(losses) / len(losses), rel=1e-5))
        assert row["perplexity"] == pytest.approx(math.exp(row["loss"]))
        every += losses
    assert reading.value == pytest.approx(math.exp(math.fsum(every) / len(every)), rel=1e-5)


def test_without_names_it_is_all_taught_texts_and_typed_ones_can_be_named():
    session = worlds.session(pick=None)
    (typed,) = session.pick("Mara Okafor sells bread in Lund every morning.")
    assert [row["passage"] for row in session.measure("passage-perplexity")["passage-perplexity"].rows] == [
        passage.id for passage in session.corpus.train
    ]
    for name in (typed.id, (typed.id,)):
        (row,) = session.measure(PassagePerplexity(name))["passage-perplexity"].rows
        assert row["passage"] == typed.id


def test_a_text_of_one_token_is_left_out():
    corpus = Corpus([*worlds.corpus(), Passage("one", "a")])
    session = worlds.session(texts=corpus)
    assert session.measure(PassagePerplexity(("one", "mara-okafor-0")))["passage-perplexity"].rows[0]["passage"] == "mara-okafor-0"
    reading = session.measure(PassagePerplexity(("one",)))["passage-perplexity"]
    assert (reading.value, reading.rows) == (None, ())


def test_stopped_it_keeps_what_is_done(monkeypatch):
    monkeypatch.setattr("unlearnviz.engine.model.TOKENS_PER_BATCH", 60)
    session = worlds.session()
    worlds.one_at_a_time(session.measuring(PassagePerplexity()), 2).close()
    (kept,) = session.history.readings[0]
    assert kept.note == f"Stopped: {len(kept.rows)} of {len(session.corpus.train)} texts were done."
    assert len(session.corpus.train) > len(kept.rows) > 0


def test_an_unknown_text_offers_the_nearest(session):
    with pytest.raises(UnknownName) as caught:
        session.measure(PassagePerplexity(("mara-okafor-0", "mara-okafor-l")))
    assert str(caught.value).startswith("No passage named 'mara-okafor-l'. Did you mean 'mara-okafor-")
