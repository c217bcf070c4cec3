"""Collateral against losses of single texts from the logits themselves, in float64, before and after."""

from __future__ import annotations

import json
import math
from dataclasses import asdict

import pytest

from tests.engine.probes.opened import opened, token_losses
from unlearnviz.engine.corpus import Passage
from unlearnviz.engine.methods.gradient_ascent import GradientAscent
from unlearnviz.engine.probes.collateral import MOVED, Collateral


def losses(session):
    module = session.model.module.eval()
    texts = {passage.id: passage.text for members in session.groups.values() for passage in members}
    return {name: token_losses(module, session, text).tolist() for name, text in texts.items()}


def mean(found, passages):
    values = [value for passage in passages for value in found[passage.id]]
    return math.fsum(values) / len(values)


@pytest.mark.parametrize("tied", [True, False], ids=["tied", "untied"])
def test_every_number_by_hand(tied):
    session = opened(tied=tied)
    before = losses(session)
    session.step(GradientAscent(update_norm=2.0))
    after = losses(session)
    reading = session.measure(Collateral())["collateral"]
    assert [row["group"] for row in reading.rows] == list(session.groups)
    rises = {}
    for row in reading.rows:
        members = session.groups[row["group"]]
        start, now = mean(before, members), mean(after, members)
        rises[row["group"]] = now - start
        assert (row["start"], row["now"]) == (pytest.approx(start, rel=1e-6), pytest.approx(now, rel=1e-6))
        assert row["rise"] == pytest.approx(now - start, abs=1e-6)
        assert row["tokens"] == sum(len(before[passage.id]) for passage in members)
        assert row["per_text"] == {p.id: pytest.approx(mean(after, [p]) - mean(before, [p]), abs=1e-6) for p in members}
    kept = [*session.groups["neighbours"], *session.groups["retain"]]
    moved = mean(after, kept) - mean(before, kept)
    assert rises["forget"] > MOVED
    assert reading.value == pytest.approx(100 * moved / rises["forget"], rel=1e-4)
    assert f"neighbours and retain rose by {moved:.3g} nats, that of the forget texts by {rises['forget']:.3g}." in reading.note
    assert json.loads(json.dumps(asdict(reading)))["rows"] == list(reading.rows)


def test_as_long_as_nothing_is_forgotten_there_is_no_number(session):
    def said(**which):
        reading = session.measure(Collateral(), **which)["collateral"]
        assert reading.note == (
            "The forget loss has not risen by 0.01 nats per token since the start, so there is nothing to compare with."
        )
        assert reading.value is None
        return {row["group"]: row["rise"] for row in reading.rows}

    assert set(said().values()) == {0}
    session.step(GradientAscent(update_norm=1e-4))
    assert 0 < said()["forget"] < MOVED
    session.go_to(0)
    session.step("fine-tune", "all")
    session.pick(*session.groups["neighbours"][:4])
    assert said()["forget"] < -MOVED  # better remembered is not forgotten
    session.step(GradientAscent(update_norm=4.0))
    assert said(of="start")["forget"] == 0


def test_texts_of_a_single_token_and_empty_groups_count_nothing(session):
    session.step(GradientAscent(update_norm=2.0))
    wanted = session.measure(Collateral())["collateral"].value
    groups, letter = session.groups, Passage("x", "a")
    session.groups = {**groups, "retain": (*groups["retain"], letter), "never seen": (letter,)}
    reading = session.measure(Collateral())["collateral"]
    assert reading.value == wanted
    assert "never seen" not in [row["group"] for row in reading.rows]
    session.groups = {"forget": groups["forget"], "neighbours": (), "retain": (letter,), "never seen": ()}
    reading = session.measure(Collateral())["collateral"]
    assert (reading.value, [row["group"] for row in reading.rows]) == (None, ["forget"])
    assert reading.note == "There is no text to keep: the groups 'neighbours' and 'retain' are empty."
