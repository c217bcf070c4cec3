"""A reading's sentence: kept, saved, and not missed in what was saved before there was one."""

from __future__ import annotations

import json
from dataclasses import asdict

from tests.engine import worlds
from unlearnviz.engine.history import History
from unlearnviz.engine.probes.probe import Reading
from unlearnviz.engine.probes.push import Push


def test_the_note_of_a_reading_is_saved_and_a_history_without_notes_still_loads(session):
    said = session.measure(Push())["push"].note
    assert said
    data = json.loads(session.history.dumps())
    assert History.from_json(data).readings[0][0].note == said
    for reading in data["readings"]["0"]:
        del reading["note"]
    assert History.from_json(data).readings[0][0].note == ""


def test_a_reading_without_a_note_has_an_empty_one():
    reading = worlds.session().measure("perplexity")["perplexity"]
    assert reading.note == ""
    assert Reading.from_json(json.loads(json.dumps(asdict(reading)))) == reading
