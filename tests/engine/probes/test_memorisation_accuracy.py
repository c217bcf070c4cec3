"""Memorisation accuracy of the groups, one text at a time; its threshold and what is said beside it."""

import statistics

import pytest
import torch

from tests.engine import worlds
from unlearnviz.engine.corpus import Corpus, Passage
from unlearnviz.engine.probes.memorisation_accuracy import MemorisationAccuracy, jangs_rule


def by_hand(session, text):
    ids = session.model.tokenizer.encode(text).ids
    with torch.no_grad():
        right = [int(session.model.module(torch.tensor([ids[:k]])).logits[0, -1].argmax()) == ids[k] for k in range(1, len(ids))]
    return sum(right) / len(right)


def test_every_group_by_hand():
    session = worlds.session(taught=True, pick="mara-okafor-0")
    session.run(3, stop_at=1e9)
    reading = session.measure("memorisation-accuracy")["memorisation-accuracy"]
    groups = {**session.groups, "never seen": session.corpus.holdout}
    assert [row["group"] for row in reading.rows] == ["forget", "neighbours", "retain", "never seen"]
    for row in reading.rows:
        assert row["per_text"] == {passage.id: pytest.approx(by_hand(session, passage.text)) for passage in groups[row["group"]]}
        assert row["accuracy"] == pytest.approx(statistics.fmean(row["per_text"].values()))
        assert row["texts"] == len(row["per_text"])
    assert reading.value == reading.rows[0]["accuracy"]
    assert reading.note == jangs_rule(reading.value, reading.rows[-1]["accuracy"])


def test_what_is_known_by_heart_is_above_the_threshold():
    session = worlds.session(taught=True)
    before = session.measure("memorisation-accuracy")["memorisation-accuracy"]
    assert before.value > 0.7
    assert "are both at or under the never-seen mean: this one is not (it is 0." in before.note
    assert jangs_rule(0.25, 0.25).endswith("the never-seen mean: this one is (it is 0.25).")


def test_the_threshold_may_be_taken_over_fewer_texts():
    session = worlds.session()
    first, again = (session.measure(MemorisationAccuracy(compared=3, label=str(k)))[str(k)].rows[-1] for k in range(2))
    assert (first["texts"], first) == (3, again)
    assert set(first["per_text"]) < {passage.id for passage in session.corpus.holdout}


def test_without_never_seen_texts_there_is_no_threshold():
    texts = Corpus([passage for passage in worlds.corpus() if passage.split == "train"])
    reading = worlds.session(texts=texts).measure("memorisation-accuracy")["memorisation-accuracy"]
    assert reading.value == reading.rows[0]["accuracy"]
    assert reading.note == "There is no never-seen text to take a threshold from: keep some texts back with holdout=."


def test_a_text_of_one_token_is_left_out():
    session = worlds.session(texts=Corpus([*worlds.corpus(), Passage("dot", "."), Passage("dash", "-", split="holdout")]))
    rows = session.measure("memorisation-accuracy")["memorisation-accuracy"].rows
    assert not {"dot", "dash"} & {name for row in rows for name in row["per_text"]}
    assert jangs_rule(None, 0.25).endswith("both at or under the never-seen mean.")
