"""ModelSimilarity against states read one text at a time, in float64, and what it is for: same content in other words."""

from __future__ import annotations

import pytest
import torch

from tests.engine import worlds
from tests.engine.probes.opened import PICK, opened
from unlearnviz.engine.probes import model_similarity
from unlearnviz.engine.probes.model_similarity import ModelSimilarity
from unlearnviz.errors import BadSetting, UnknownName


def mean_state(session, text, layer):
    """One unpadded text, all tokens but the first, float64."""
    ids = torch.tensor([session.model.encode(text)])
    with torch.no_grad():
        read = session.model.module.eval()(ids, use_cache=False, output_hidden_states=True)
    return read.hidden_states[layer][0, 1:].mean(dim=0)


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_against_states_of_single_texts(layer):
    session = opened()
    reading = session.measure(ModelSimilarity(layer=layer))["model-similarity"]
    states = {passage.id: mean_state(session, passage.text, layer) for passage in session.corpus.train}
    centre = torch.stack(list(states.values())).mean(dim=0)
    assert {row["passage"] for row in reading.rows} == set(states) - set(PICK)
    for row in reading.rows:
        mine = states[row["passage"]] - centre
        truth = {name: float(torch.cosine_similarity(mine, states[name] - centre, dim=0)) for name in PICK}
        assert row["similarity"] == pytest.approx(max(truth.values()), abs=1e-5)
        assert truth[row["nearest"]] == pytest.approx(max(truth.values()), abs=1e-5)
    order = [row["similarity"] for row in reading.rows]
    assert order == sorted(order, reverse=True)
    assert reading.value == order[0]
    assert reading.note == f"After layer {layer} of 3, seen from the mean of {len(session.corpus.train)} taught texts."


def test_a_score_does_not_depend_on_what_else_was_asked(session):
    every = {row["passage"]: row for row in session.measure("model-similarity")["model-similarity"].rows}
    asked = ("tom-lindqvist-2", "ines-duarte-0", "mara-okafor-1", "pia-novak-0")
    reading = session.measure(ModelSimilarity(asked, label="few"))["few"]
    few = {row["passage"]: row for row in reading.rows}
    assert set(few) == set(asked)
    for name in asked[:2]:
        assert few[name]["similarity"] == pytest.approx(every[name]["similarity"], abs=1e-5)
    assert few["mara-okafor-1"]["similarity"] == pytest.approx(1)  # a forget text is nearest to itself
    assert few["mara-okafor-1"]["nearest"] == "mara-okafor-1"


def test_of_many_texts_a_sample_gives_the_centre(session, monkeypatch):
    whole = session.measure("model-similarity")["model-similarity"]
    monkeypatch.setattr(model_similarity, "CENTRE", 10)
    part = session.measure(ModelSimilarity(label="part"))["part"]
    assert part.note.endswith("the mean of 10 taught texts.")
    assert [row["passage"] for row in part.rows] != [row["passage"] for row in whole.rows]
    assert {row["passage"] for row in part.rows} == {row["passage"] for row in whole.rows}


def test_stopped_it_keeps_what_is_done(monkeypatch):
    monkeypatch.setattr("unlearnviz.engine.model.TOKENS_PER_BATCH", 60)
    session = worlds.session()
    work = session.measuring(ModelSimilarity())
    next(work)
    work.close()
    (kept,) = session.history.readings[0]
    assert (kept.value, kept.rows) == (None, ())
    assert kept.note.startswith("Stopped: 0 of 20 texts were done. ")
    ends = [k for k, progress in enumerate(session.measuring(ModelSimilarity())) if progress.done == progress.total]
    session.measurements.clear()
    worlds.one_at_a_time(session.measuring(ModelSimilarity()), ends[0] + 2).close()
    kept = session.history.readings[0][-1]
    assert 0 < len(kept.rows) < 20
    assert kept.note.startswith(f"Stopped: {len(kept.rows)} of 20 texts were done. ")


def test_what_cannot_be_asked(session):
    with pytest.raises(UnknownName, match="Did you mean 'tom-lindqvist-3'"):
        session.measure(ModelSimilarity(("tom-lindqvist-z",)))
    with pytest.raises(BadSetting, match=r"layer=3 is not in this model of 2 blocks; allowed is 0 \(the embedding\) to 2"):
        session.measure(ModelSimilarity(layer=3))
    with pytest.raises(BadSetting, match="layer=-1"):
        ModelSimilarity(layer=-1)
