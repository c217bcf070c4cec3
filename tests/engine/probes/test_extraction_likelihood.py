"""Extraction likelihood of forget and never-seen texts, and what is said of texts that are too short."""

import statistics

import pytest

from tests.engine import worlds
from tests.engine.test_extraction import by_hand
from unlearnviz.engine.corpus import Corpus, Passage
from unlearnviz.engine.probes import extraction_likelihood
from unlearnviz.engine.probes.extraction_likelihood import ExtractionLikelihood
from unlearnviz.engine.probes.memorisation_accuracy import jangs_rule
from unlearnviz.errors import BadSetting


@pytest.fixture
def forgetting():
    session = worlds.session(taught=True, pick="Mara Okafor")
    session.run(2, stop_at=1e9)
    return session


def test_both_rows_by_hand(forgetting):
    reading = forgetting.measure(ExtractionLikelihood(n=4, stride=4, compared=2))["extraction-likelihood"]
    forget, never_seen = reading.rows
    assert (forget["group"], never_seen["group"], never_seen["texts"]) == ("forget", "never seen", 2)
    for row in reading.rows:
        wanted = {name: by_hand(forgetting.model, forgetting.corpus[name].text, 4, 4) for name in row["per_text"]}
        assert row["per_text"] == pytest.approx(wanted)
        assert row["likelihood"] == pytest.approx(statistics.fmean(wanted.values()))
        assert (row["n"], row["stride"], row["too_short"]) == (4, 4, 0)
    assert set(forget["per_text"]) == {passage.id for passage in forgetting.forget}
    assert reading.value == forget["likelihood"]
    rule = jangs_rule(forget["likelihood"], never_seen["likelihood"])
    assert reading.note == f"EL_4 with a stride of 4, to be compared with the same alone. {rule}"


def test_what_is_known_comes_out_and_what_was_never_seen_does_not():
    session = worlds.session(taught=True)
    reading = session.measure(ExtractionLikelihood(n=3, stride=1))["extraction-likelihood"]
    assert reading.value > 2 * reading.rows[1]["likelihood"]
    assert reading.note.startswith("EL_3. Never-seen mean: ")
    assert "this one is not (it is 0." in reading.note


def test_texts_that_are_too_short_are_left_out_and_counted():
    session = worlds.session(texts=Corpus([*worlds.corpus(), Passage("brief", "It is so.")]))
    session.pick("Mara Okafor", "brief")
    length = len(session.model.encode("It is so."))
    reading = session.measure(ExtractionLikelihood(n=length))["extraction-likelihood"]
    assert (reading.rows[0]["texts"], reading.rows[0]["too_short"]) == (4, 1)
    assert "brief" not in reading.rows[0]["per_text"]
    assert f"1 of 5 forget texts have at most {length} tokens, too few for EL_{length}, and are left out." in reading.note
    session.pick("brief")
    reading = session.measure(ExtractionLikelihood(n=length))["extraction-likelihood"]
    assert (reading.value, reading.rows[0]["likelihood"]) == (None, None)
    assert "1 of 1 forget texts have" in reading.note
    assert "choose a smaller n." in reading.note


def test_without_never_seen_texts_there_is_no_threshold():
    texts = Corpus([passage for passage in worlds.corpus() if passage.split == "train"])
    reading = worlds.session(texts=texts).measure(ExtractionLikelihood(n=2, stride=1))["extraction-likelihood"]
    assert [row["group"] for row in reading.rows] == ["forget"]
    assert reading.note == "EL_2. There is no never-seen text to take a threshold from: keep some texts back with holdout=."


def test_stopped_it_keeps_what_is_done(forgetting, monkeypatch):
    monkeypatch.setattr(extraction_likelihood, "TEXTS_AT_ONCE", 2)
    work = worlds.one_at_a_time(forgetting.measuring(ExtractionLikelihood(n=4)), 3)
    work.close()
    kept = forgetting.history.readings[forgetting.head][-1]
    assert kept.note.startswith("Stopped: 6 of 12 texts were done.")
    whole = forgetting.measure(ExtractionLikelihood(n=4))["extraction-likelihood"]
    assert (kept.value, kept.rows[1]["texts"]) == (whole.value, 2)


def test_settings_that_cannot_be():
    with pytest.raises(BadSetting, match="allowed is at least 1"):
        ExtractionLikelihood(n=0)
