"""Conflict against an untied copy of the model, one text at a time, in float64."""

from __future__ import annotations

import json
import math
from dataclasses import asdict

import pytest
import torch

from tests.engine import worlds
from tests.engine.probes.opened import EVERY_SHAPE, by_hand, opened, token_losses, untied
from unlearnviz.engine.mean_gradient import inner_product
from unlearnviz.engine.methods.gradient_ascent import GradientAscent
from unlearnviz.engine.probes.conflict import Conflict
from unlearnviz.errors import BadSetting, Cancelled


def joined(gradients, names):
    return torch.cat([gradients[name].reshape(-1) for name in names])


@pytest.mark.usefixtures("_all_in_float64")
@EVERY_SHAPE
@pytest.mark.parametrize("keep", ["retain", "neighbours"])
def test_every_number_is_that_of_an_untied_copy(shape, tied, keep):
    session = opened(shape, tied=tied)
    reading = session.measure(Conflict(keep=keep))["conflict"]
    forget, retain = by_hand(session, session.groups["forget"]), by_hand(session, session.groups[keep])
    layout = session.model.layout
    uses = ["embedding.input", "embedding.output"] if tied else []
    groups = [*layout.groups, "all"]
    assert [row["group"] for row in reading.rows] == [groups[0], *uses, *groups[1:]]
    for row in reading.rows:
        names = (
            [row["group"]]
            if row["group"] in uses
            else layout.names
            if row["group"] == "all"
            else layout.groups[row["group"]]
        )
        ours, theirs = joined(forget, names), joined(retain, names)
        assert row["forget_norm"] == pytest.approx(float(ours.norm()), rel=1e-10)
        assert row["retain_norm"] == pytest.approx(float(theirs.norm()), rel=1e-10)
        assert row["cosine"] == pytest.approx(float(ours @ theirs / ours.norm() / theirs.norm()), rel=1e-10, abs=1e-12)
        whole = joined(retain, layout.groups["embedding"]) if row["group"] in uses else theirs
        assert row["along_retain"] == pytest.approx(float(ours @ whole / ours.norm() / whole.norm()), rel=1e-10, abs=1e-12)
    assert reading.value == reading.rows[0]["along_retain"]
    assert reading.note == ""
    assert json.loads(json.dumps(asdict(reading)))["rows"] == list(reading.rows)


@pytest.mark.parametrize("tied", [True, False], ids=["tied", "untied"])
@pytest.mark.parametrize("where", ["embedding", "embedding.input", "embedding.output", "block 1", "all"])
def test_the_share_along_retain_is_what_a_small_default_step_does_to_the_retain_loss(tied, where):
    session = opened(tied=tied)
    rows = {row["group"]: row for row in session.measure(Conflict())["conflict"].rows}
    group = {"embedding.input": "embedding", "embedding.output": "head"}.get(where, where) if not tied else where
    whole = rows["embedding" if tied and where.startswith("embedding") else group]["retain_norm"]

    def loss():
        return float(
            torch.cat([token_losses(untied(session), session, p.text) for p in session.groups["retain"]]).mean().detach()
        )

    length, before = 1e-7, loss()
    session.step(GradientAscent(update_norm=length), where)
    assert (loss() - before) / length == pytest.approx(rows[group]["along_retain"] * whole, rel=1e-3, abs=1e-4 * whole)


def test_a_text_conflicts_fully_with_itself_and_a_step_against_it_has_the_other_sign():
    session = opened()
    session.groups = {**session.groups, "retain": session.groups["forget"]}
    for row in session.measure(Conflict())["conflict"].rows:
        if not row["group"].startswith("embedding."):
            assert row["cosine"] == pytest.approx(1, rel=1e-12)


def test_without_texts_to_keep_it_says_so():
    session = worlds.session()
    reading = session.measure(Conflict())["conflict"]
    assert (reading.value, reading.rows) == (None, ())
    assert reading.note == "There is no text to compare with: the group 'retain' has none of two tokens or more."
    assert session.measure(Conflict(keep="neighbours"))["conflict"].value is not None
    with pytest.raises(BadSetting, match="Did you mean 'neighbours'"):
        Conflict(keep="neighbors")


def test_a_group_without_a_gradient_has_no_cosine():
    session = opened()
    with torch.no_grad():
        for name in session.model.layout.groups["block 0"]:
            if name.endswith(("c_proj.weight", "c_proj.bias")):
                session.model.parameters[name].zero_()
    session.snapshots.reset()
    rows = {row["group"]: row for row in session.measure(Conflict(keep="neighbours"))["conflict"].rows}
    assert math.isfinite(rows["block 0"]["cosine"])  # the projections themselves still have one
    with torch.no_grad():
        for parameter in session.model.parameters.values():
            parameter.zero_()
    session.snapshots.reset()
    session.measurements.clear()
    rows = {row["group"]: row for row in session.measure(Conflict(keep="neighbours"))["conflict"].rows}
    assert rows["block 0"] == {
        "group": "block 0",
        "cosine": None,
        "forget_norm": 0.0,
        "retain_norm": 0.0,
        "along_retain": None,
    }


def test_looking_changes_nothing_and_leaves_nothing_behind():
    session = opened()
    session.step()
    before = worlds.state(session)
    del before["history"]
    for of in ("now", "start"):
        session.measure(Conflict(), of=of)
    after = worlds.state(session)
    del after["history"]
    assert after == before
    assert (
        session.model.module.get_output_embeddings().weight is session.model.parameters[session.model.layout.input_embedding]
    )


def test_it_can_be_stopped_between_batches_and_leaves_no_reading(monkeypatch):
    session = opened()
    session.step()
    monkeypatch.setattr("unlearnviz.engine.model.TOKENS_PER_BATCH", 30)
    before = worlds.state(session)
    work = worlds.one_at_a_time(session.measuring(Conflict()), 2)
    assert not torch.is_inference_mode_enabled()
    assert not any(parameter.grad is not None for parameter in session.model.parameters.values())
    session.cancel()
    with pytest.raises(Cancelled):
        next(work)
    assert worlds.state(session) == before


def test_a_long_inner_product_goes_in_pieces(monkeypatch):
    left, right = torch.randn(7, 11, dtype=torch.float32), torch.randn(7, 11, dtype=torch.float32)
    truth = float((left.double() * right.double()).sum())
    monkeypatch.setattr("unlearnviz.engine.mean_gradient._PIECE", 5)
    assert inner_product(left, right) == pytest.approx(truth, rel=1e-14)


def test_batches_that_are_split_have_the_same_gradient(monkeypatch):
    whole = opened().measure(Conflict())["conflict"].rows
    monkeypatch.setattr("unlearnviz.engine.model.TOKENS_PER_BATCH", 30)
    for row, other in zip(whole, opened().measure(Conflict())["conflict"].rows, strict=True):
        assert (other["group"], other.get("part_of")) == (row["group"], row.get("part_of"))
        for name in ("cosine", "forget_norm", "retain_norm", "along_retain"):
            assert other[name] == pytest.approx(row[name], rel=1e-10, abs=1e-12)
