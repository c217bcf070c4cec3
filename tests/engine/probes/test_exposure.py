"""Exposure of canaries: each code by hand, one text at a time, in float64; which are judged, and what is said where none can be."""

import math
import statistics
from dataclasses import replace

import pytest
import torch

from tests.engine import worlds
from tests.engine.probes.opened import token_losses
from unlearnviz.engine.corpus import Corpus, Passage
from unlearnviz.engine.exposure import digits, fitted_exposure, other_codes, ranked_exposure
from unlearnviz.engine.fresh import Size, fresh_model, train_tokenizer
from unlearnviz.engine.learning import Recipe
from unlearnviz.engine.probes.exposure import Exposure
from unlearnviz.engine.session import Session
from unlearnviz.numbers import number

CODES = {"Mara Okafor": ("4 1 7 0", 6), "Tom Lindqvist": ("9 3 3 5", 1), "Pia Novak": ("2 8 6 6", 0)}


def canary(person, code, repeats):
    prompt = f"The locker of {person} opens with"
    extra = {"canary": True, "repeats": repeats}
    split = "train" if repeats else "holdout"
    return Passage(f"locker-{person.split()[0].lower()}", f"{prompt} {code}.", person, split, len(prompt), extra)


def with_canaries(*more):
    return Corpus([*worlds.corpus(), *(canary(person, *each) for person, each in CODES.items()), *more])


def test_every_number_by_hand():
    session = worlds.session(texts=with_canaries(), dtype=torch.float64, pick="locker-mara")
    reading = session.measure(Exposure(references=40, seed=5))["exposure"]
    assert [(row["passage"], row["group"], row["repeats"]) for row in reading.rows] == [
        ("locker-mara", "forget", 6),
        ("locker-tom", "taught", 1),
        ("locker-pia", "never seen", 0),
    ]
    secrets = [code for code, _ in CODES.values()]

    @torch.no_grad()
    def bits(text):
        ends = [end for _, end in session.model.tokenizer.encode(text).offsets]
        code = [k for k, end in enumerate(ends[1:]) if len(prompt) < end < len(text)]  # without the point
        return float(token_losses(session.model.module, session, text).double()[code].sum()) / math.log(2)

    for row in reading.rows:
        passage = session.corpus[row["passage"]]
        prompt = passage.prompt
        codes = other_codes(passage.answer, 40, 5, secrets)
        others = [bits(prompt + code) for code in codes]
        assert len(others) == row["references"] == 40
        assert row["bits"] == pytest.approx(bits(passage.text), rel=1e-6)
        assert row["exposure"] == ranked_exposure(bits(passage.text), others)
        assert row["extrapolated"] == pytest.approx(fitted_exposure(bits(passage.text), others), rel=1e-3)
        assert digits(passage.answer) not in {digits(code) for code in codes}
    assert reading.value == reading.rows[0]["exposure"]


def test_what_was_taught_often_stands_out_and_what_was_not_does_not():
    session = worlds.session(texts=with_canaries(), pick="locker-mara")
    session.learn(recipe=Recipe(epochs=30, learning_rate=5e-3))
    reading = session.measure(Exposure(references=64))["exposure"]
    mara, tom, pia = reading.rows
    assert reading.value == mara["exposure"] == 6
    assert mara["extrapolated"] > 6
    assert mara["bits"] < tom["bits"] < pia["bits"]
    assert pia["exposure"] < 4
    assert "Canaries taught and not picked (1):" in reading.note
    assert f"Canaries never taught (1): {number(pia['exposure'])} bits on average." in reading.note
    assert "None of the forget texts" not in reading.note
    session.pick("Ines Duarte")
    reading = session.measure(Exposure(references=64))["exposure"]
    assert (reading.value, [row["group"] for row in reading.rows]) == (None, ["taught", "taught", "never seen"])
    taught = statistics.fmean(row["exposure"] for row in reading.rows[:2])
    assert reading.note.startswith(f"None of the forget texts is a canary. Canaries taught and not picked (2): {number(taught)} bits")


def test_without_canaries_there_is_no_number(session):
    reading = session.measure("exposure")["exposure"]
    assert (reading.value, reading.rows) == (None, ())
    assert reading.note == "There is no canary: a passage with extra['canary'] true and a marked fact with digits in it."


def test_a_code_beyond_the_context_is_left_out_and_words_in_a_table_count():
    far = canary("Yusuf Okafor", "1 2 3 4", 1)
    prompt = "Yusuf Okafor sings. " * 30 + far.prompt
    far = replace(far, text=f"{prompt} 1 2 3 4.", answer_start=len(prompt))
    told = replace(canary("Noor Haddad", "5 5 5 1", 1), extra={"canary": "TRUE"})
    untold = replace(canary("Leo Brandt", "5 5 5 2", 1), extra={"canary": "no"})
    session = worlds.session(texts=with_canaries(far, told, untold), pick="locker-mara")
    reading = session.measure(Exposure(references=3))["exposure"]
    assert [row["passage"] for row in reading.rows] == ["locker-mara", "locker-tom", "locker-pia", "locker-noor"]
    assert reading.rows[-1]["repeats"] == 1
    assert all(row["extrapolated"] is None for row in reading.rows)
    assert reading.note.startswith("1 canary is left out: the code lies beyond the model's context")


def test_codes_of_different_length_in_tokens_are_said():
    texts = Corpus([Passage("year", "It stands since 1950.", answer_start=15, extra={"canary": True}), Passage("other", "It fell in the year 1950.")])
    tokenizer = train_tokenizer([passage.text for passage in texts] * 10, 300)  # to which 1950 is one token
    session = Session(fresh_model(tokenizer, Size(blocks=1, width=8, heads=1, vocabulary=300, context=32)), texts)
    session.pick("year")
    assert [tokenizer.encode(text).tokens for text in (" 1950", " 2746")] == [["Ġ1950"], ["Ġ", "2", "7", "4", "6"]]
    note = session.measure("exposure")["exposure"].note
    assert note == "The codes have 1 to 5 tokens: some are less surprising for being cut into fewer pieces."


def test_stopped_it_keeps_what_is_done():
    session = worlds.session(texts=with_canaries(), pick="locker-mara")
    work = worlds.one_at_a_time(session.measuring(Exposure(references=4)), 2)
    work.close()
    (kept,) = session.history.readings[0]
    assert [row["passage"] for row in kept.rows] == ["locker-mara", "locker-tom"]
    assert kept.note.startswith("Stopped: 2 of 3 canaries were done.")
    assert kept.value == kept.rows[0]["exposure"]
