"""TextMap: a plane that keeps distances as well as a plane can, and that stays where it is."""

from __future__ import annotations

import numpy as np
import pytest

from tests.engine import worlds
from unlearnviz.engine.corpus import Corpus, Passage
from unlearnviz.engine.hidden_states import MeanStates
from unlearnviz.engine.probes.text_map import TextMap, principal_axes
from unlearnviz.engine.progress import drain
from unlearnviz.errors import UnknownName
from unlearnviz.numbers import number


def places(reading):
    return {row["passage"]: (row["x"], row["y"]) for row in reading.rows}


def test_axes_against_the_eigenvectors_of_the_covariance():
    draw = np.random.default_rng(4)
    states = draw.normal(size=(50, 6)) * [3, 1, 5, 0.5, 1, 2] + 10
    axes, share = principal_axes(states)
    values, vectors = np.linalg.eigh(np.cov(states.T))
    assert np.abs((axes * vectors.T[[-1, -2]]).sum(axis=1)) == pytest.approx(1)
    assert axes @ axes.T == pytest.approx(np.eye(2), abs=1e-12)
    assert share == pytest.approx(values[-2:].sum() / values.sum())
    assert all(axis[np.abs(axis).argmax()] > 0 for axis in axes)
    for changed in (states[::-1], states + 7):
        assert principal_axes(changed)[0] == pytest.approx(axes)
    assert principal_axes(2 * states.mean(axis=0) - states)[0] == pytest.approx(axes)  # mirrored data, the same axes


def test_texts_on_a_line_or_on_one_point_have_no_second_axis():
    line = np.outer(np.arange(5.0), [0, -3, 4])
    axes, share = principal_axes(line)
    assert axes.tolist() == [[0, pytest.approx(-0.6), pytest.approx(0.8)], [0, 0, 0]]
    assert share == pytest.approx(1)
    axes, share = principal_axes(np.ones((3, 4)))
    assert (axes.any(), share) == (False, 1.0)


def test_places_are_the_projected_states_of_the_start():
    session = worlds.session(taught=True)
    reading = session.measure(TextMap())["text-map"]
    assert set(places(reading)) == {passage.id for passage in session.corpus}
    means = MeanStates(session.model, [session.corpus[name].text for name in places(reading)])
    drain(means.running())
    states = means.states.astype(np.float64)
    centred = states - states.mean(axis=0)
    found = np.array(list(places(reading).values()))
    assert found.mean(axis=0) == pytest.approx([0, 0], abs=1e-5)
    left, lengths, _ = np.linalg.svd(centred, full_matrices=False)
    assert np.abs(found) == pytest.approx(np.abs(left[:, :2] * lengths[:2]), abs=1e-5)
    assert reading.value == pytest.approx(100 * (found**2).sum() / (centred**2).sum())
    assert reading.note == (
        f"The plane shows {number(reading.value)} % of the variance of 32 texts after layer 0 of 2, at the weights of the start: "
        "the map stays while the model changes."
    )


def test_the_map_stays_while_the_model_and_the_pick_change():
    session = worlds.session(taught=True)
    session.learn(1)
    before = session.measure(TextMap(limit=12))["text-map"]
    session.step(where="all")
    session.twin()
    for of in ("now", "start", "twin", 0, 1):
        assert session.measure(TextMap(limit=12), of=of)["text-map"].rows == before.rows
    assert {passage.id for members in session.groups.values() for passage in members} <= set(places(before))
    session.pick("Tom Lindqvist")
    after = places(session.measure(TextMap(limit=12))["text-map"])
    assert {passage.id for passage in session.forget} <= set(after)
    for name, place in places(before).items():
        if name in after:
            assert after[name] == pytest.approx(place, abs=1e-5)


def test_named_and_typed_texts_are_on_the_map():
    further = [Passage(f"year-{year}", f"The bridge of Lund stands since {year}.") for year in range(1900, 1930)]
    session = worlds.session(pick=None, texts=Corpus([*worlds.corpus(), *further]))
    session.pick("Mara Okafor sells bread in Lund every morning.")
    few = places(session.measure(TextMap(limit=2))["text-map"])
    assert "typed-1" in few
    missing = next(passage.id for passage in session.corpus if passage.id not in few)
    assert missing in places(session.measure(TextMap((missing,), limit=2))["text-map"])
    with pytest.raises(UnknownName, match="Did you mean 'typed-1'"):
        session.measure(TextMap(("typed-l",)))


def test_one_text_makes_no_map():
    session = worlds.session(pick=None, texts=Corpus([Passage("only", "Mara Okafor was born in Lund.")]))
    session.pick("Tom Lindqvist was born in Accra.")
    reading = session.measure("text-map")["text-map"]
    assert (reading.value, reading.rows, reading.note) == (None, (), "A map needs at least two texts of the corpus.")


def test_stopped_it_is_drawn_of_what_was_read(monkeypatch):
    monkeypatch.setattr("unlearnviz.engine.model.TOKENS_PER_BATCH", 60)
    session = worlds.session()
    worlds.one_at_a_time(session.measuring(TextMap()), 2).close()
    (kept,) = session.history.readings[0]
    assert 2 <= len(kept.rows) < 32
    assert kept.note.startswith(f"Stopped: {len(kept.rows)} of 32 texts were read. The plane shows ")
