"""Influence and TokenInfluence against gradients taken one text at a time, in float64, and what their rows promise."""

import numpy as np
import pytest

from tests.engine import worlds
from tests.engine.probes.opened import by_hand, opened
from unlearnviz.engine.gradients import scan as scanning
from unlearnviz.engine.probes.influence import Influence
from unlearnviz.engine.probes.token_influence import TokenInfluence
from unlearnviz.errors import BadSetting, UnknownName


def products(session, one, other):
    return {
        group: sum(float((one[name] * other[name]).sum()) for name in names)
        for group, names in session.model.layout.groups.items()
    }


@pytest.fixture(scope="module")
def measured():
    session = opened()
    return session, session.measure(Influence(each=True))["influence"]


def test_every_taught_text_has_a_row_and_the_never_seen_come_last(measured):
    session, reading = measured
    rows = reading.rows
    assert [row["passage"] for row in rows] == [
        *(p.id for p in session.corpus.train),
        *(p.id for p in session.groups["never seen"]),
    ]
    assert {row["passage"] for row in rows if row["group"] == "forget"} == {p.id for p in session.forget}
    assert [row["group"] for row in rows][-len(session.groups["never seen"]) :] == ["never seen"] * len(
        session.groups["never seen"]
    )
    assert reading.value == max(abs(row["influence"]) for row in rows if row["group"] == "never seen")


def test_scores_against_gradients_of_single_texts(measured):
    session, reading = measured
    aim = by_hand(session, session.forget)
    for row in reading.rows[:6]:
        one = by_hand(session, [session.corpus[row["passage"]]])
        truth = products(session, one, aim)
        size = np.sqrt(sum(products(session, one, one).values()) * sum(products(session, aim, aim).values()))
        assert row["influence"] == pytest.approx(sum(truth.values()), abs=1e-10 * size)
        assert {group: row["groups"][group] for group in truth} == pytest.approx(truth, abs=1e-10 * size)
        assert row["norm"] == pytest.approx(np.sqrt(sum(products(session, one, one).values())), rel=1e-10)
        for passage in session.forget:
            single = products(session, one, by_hand(session, [passage]))
            assert row["texts"][passage.id] == pytest.approx(sum(single.values()), abs=1e-9 * size)


def test_cosine_is_the_product_over_both_lengths(measured):
    session, reading = measured
    cosines = session.measure(Influence(score="cosine", label="c"))["c"]
    aim = by_hand(session, session.forget)
    lengths = {group: np.sqrt(value) for group, value in products(session, aim, aim).items()}
    whole = np.sqrt(sum(value**2 for value in lengths.values()))
    for row, cosine in zip(reading.rows[:5], cosines.rows, strict=False):
        one = by_hand(session, [session.corpus[row["passage"]]])
        for group, square in products(session, one, one).items():
            assert cosine["groups"][group] == pytest.approx(
                row["groups"][group] / np.sqrt(square) / lengths[group], rel=1e-8
            )
        assert cosine["influence"] == pytest.approx(row["influence"] / row["norm"] / whole, rel=1e-8)


@pytest.mark.parametrize("tied", [True, False], ids=["tied", "untied"])
def test_shared_words_are_the_looked_up_rows_alone(tied):
    session = opened(tied=tied)
    reading = session.measure(Influence(score="shared words"))["influence"]
    name = "embedding.input" if tied else session.model.layout.input_embedding
    aim = by_hand(session, session.forget)[name]
    for row in reading.rows[:6]:
        one = by_hand(session, [session.corpus[row["passage"]]])[name]
        assert row["influence"] == pytest.approx(float((one * aim).sum()), rel=1e-8, abs=1e-14)


def test_token_shares_add_up_to_the_influence(measured):
    session, reading = measured
    row = reading.rows[3]
    tokens = session.measure(TokenInfluence(passage=row["passage"]))["token-influence"]
    assert "".join(each["token"] for each in tokens.rows) == session.corpus[row["passage"]].text
    assert {each["passage"] for each in tokens.rows} == {row["passage"]}
    assert [each["position"] for each in tokens.rows] == list(range(len(tokens.rows)))
    assert tokens.value == pytest.approx(row["influence"], rel=1e-9)
    for group, value in row["groups"].items():
        assert sum(each["groups"][group] for each in tokens.rows) == pytest.approx(value, rel=1e-8, abs=1e-13)


def test_typed_forget_texts_are_scored_too():
    session = worlds.session(pick=None)
    session.pick("Mara Okafor sells bread in Lund every morning.")
    reading = session.measure("influence")["influence"]
    assert reading.rows[0]["passage"] == session.forget[0].id
    assert reading.rows[0]["group"] == "forget"
    assert session.measure(TokenInfluence(passage=session.forget[0].id))["token-influence"].rows


def test_what_cannot_be_asked():
    with pytest.raises(BadSetting, match="Did you mean 'cosine'"):
        Influence(score="cosin")
    session = worlds.session()
    with pytest.raises(UnknownName, match="mara-okafor-1"):
        session.measure(TokenInfluence(passage="mara-okafor-l"))


def test_a_stopped_scan_is_resumed_by_measuring_again(monkeypatch):
    session = worlds.session()
    monkeypatch.setattr("unlearnviz.engine.model.TOKENS_PER_BATCH", 60)
    session.measuring(Influence()).close()
    work = worlds.one_at_a_time(session.measuring(Influence()), 2)
    session.cancel()
    with pytest.raises(Exception, match="was stopped"):
        next(work)
    (kept,) = session.history.readings[0]
    assert kept.note.startswith("Stopped: ")
    assert len(session.measure("influence")["influence"].rows) > len(kept.rows) > 0
    assert scanning.USES == {"rows": "embedding.input", "matrix": "embedding.output"}
