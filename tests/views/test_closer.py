"""The folds of a closer look: what is folded is not measured; what is open is drawn after every step, and says its signs."""

from __future__ import annotations

import math

import pytest

from unlearnviz.engine.methods.gradient_ascent import GradientAscent
from unlearnviz.engine.probes.gradient_norm import GradientNorm
from unlearnviz.engine.probes.probe import Reading
from unlearnviz.views.inside_text import SHADES, inside, shown
from unlearnviz.views.layer_figures import conflict, layers_by_text
from unlearnviz.views.panels.closer import Closer
from unlearnviz.views.picture import Picture

STEP = GradientAscent()
LABELS = ("conflict", "activation-gradient")


@pytest.fixture
def opened(shown):
    as_layers_does = lambda state: state.probe(GradientNorm())  # noqa: E731
    return lambda pick="mara-okafor-0", **options: shown(Closer, as_layers_does, taught=True, pick=pick, **options)


def unfold(fold, *, opened=True):
    fold.head.unfolded = opened


def test_what_is_folded_is_neither_built_nor_measured(opened):
    panel, state = opened()
    state.step(STEP)
    assert all(fold.body.children == () for fold in panel.folds)
    assert not any(label in state.picture.readings for label in LABELS)
    unfold(panel.keep)
    assert list(state.picture.readings["conflict"]) == [1]  # measured on opening
    state.step(STEP)
    assert list(state.picture.readings["conflict"]) == [1, 2]  # and after a step while open
    drawn = panel.bars.revision
    unfold(panel.keep, opened=False)
    state.step(STEP)
    assert list(state.picture.readings["conflict"]) == [1, 2]
    assert panel.bars.revision == drawn
    assert "activation-gradient" not in state.picture.readings
    assert state.error is None


def test_text_by_text_has_a_column_per_text_and_is_asked_for_where_it_waits(opened):
    panel, state = opened(pick="Mara Okafor")
    state.live("gradient-norm", live=False)
    state.step(STEP)
    assert state.picture.now("gradient-norm") is None
    unfold(panel.by_text)
    (heat,) = panel.map.figure.data
    rows = state.picture.now("gradient-norm").rows
    assert len(heat.z) == len(rows)
    for line, row in zip(reversed(heat.z), rows, strict=True):
        assert [10**value for value in line] == pytest.approx(list(row["per_text"].values()))
    assert len(panel.map.figure.layout.xaxis.ticktext) == 4
    assert "pulls hardest (" in panel.map.summary
    assert "pulls least (" in panel.map.summary
    panel.map._tell({"customdata": ["embedding.output", "1", "mara-okafor-0", ""]})
    assert state.where == "embedding.output"
    assert layers_by_text(Picture())[0] is None


def test_a_click_in_forget_against_keep_chooses_the_place_and_the_sentence_follows(opened):
    panel, state = opened()
    unfold(panel.keep)
    rows = {row["group"]: row for row in state.picture.now("conflict").rows}
    bars = panel.bars.figure.data[0]
    assert dict(zip(bars.customdata, bars.x, strict=True)) == {group: row["cosine"] for group, row in rows.items()}
    assert panel.bars.figure.layout.xaxis.range == (-1.04, 1.04)
    for group in ("block 0", "embedding.input", "all"):
        panel.bars._tell({"customdata": group})
        assert state.where == group
        sign = "+" if rows[group]["along_retain"] > 0 else "−"
        assert f"the place of the next step, along_retain is {sign}" in panel.bars.summary
    panel.bars._tell({"customdata": []})
    state.where = "blocks 0-1"
    assert "blocks 0-1, is no single part" in panel.bars.summary


def table(*rows):
    keys = ("group", "cosine", "forget_norm", "retain_norm", "along_retain")
    return tuple(dict(zip(keys, row, strict=True)) for row in rows)


def of(rows, note=""):
    return Picture(readings={"conflict": {0: Reading("conflict", "conflict", 0, "now", "cosine", "", None, rows, note=note)}})


def test_forget_against_keep_says_where_a_step_hurts_most():
    rows = table(("embedding", 0.9, 1.0, 1.0, 0.9), ("block 0", 0.5, 1.0, 4.0, 0.5), ("block 1", None, 0.0, 1.0, None), ("all", 0.7, 1, 4, 0.7))
    figure, said = conflict(of(rows), "block 1")
    assert "one at block 0 (the 1st, h.0) hurts the kept texts most: +2 nats per token" in said  # 0.5 * 4, not the largest cosine
    assert "At block 1 (the 2nd, h.1), the place of the next step, a gradient is 0" in said
    assert list(figure.data[0].y) == ["the whole model", "block 1 (the 2nd, h.1)", "block 0 (the 1st, h.0)", "embedding"]
    assert len(set(figure.data[0].marker.color)) == 2
    _, said = conflict(of(table(("embedding", -0.5, 1.0, 2.0, -0.5), ("all", -0.5, 1.0, 2.0, -0.5))), "embedding")
    assert "Nowhere does a step that makes the forget texts less likely do so to the kept texts" in said
    assert "along_retain is −0.5: that share" in said
    assert "lowers their loss, by 1 nats" in said
    assert conflict(of((), "There is no text."), "all") == (None, "There is no text.")
    assert conflict(Picture(), "all")[0] is None


def test_inside_a_text_tokens_are_shaded_by_what_is_chosen(opened):
    panel, state = opened(pick="Mara Okafor")
    unfold(panel.inside)
    assert len(panel.text.options) == 4
    state.step(STEP)
    for passage in [value for _, value in panel.text.options]:
        panel.text.value = passage
        now, start = panel.tokens.rows
        assert (now["label"], start["label"]) == ("now", "at the start")
        assert "".join(text for text, _, _ in now["tokens"]) == state.session.corpus[passage].text
    rows = [row for row in state.picture.now("activation-gradient").rows if row["passage"] == panel.text.value]
    assert panel.layer.disabled
    assert [value for _, value, _ in panel.tokens.rows[0]["tokens"]] == [row["loss"] for row in rows]
    panel.shade.value = SHADES[1]
    panel.layer.value = "block 0"
    assert not panel.layer.disabled
    assert [value for _, value, _ in panel.tokens.rows[0]["tokens"]] == [row["gradient"]["block 0"] for row in rows]
    panel.shade.value = SHADES[2]
    assert [value for _, value, _ in panel.tokens.rows[0]["tokens"]] == [row["activation_gradient"]["block 0"] for row in rows]
    assert "the text leans most on what stands at" in panel.said.text
    panel.layer.value = "block 1"  # the last one, which a norm follows
    assert "all products are about 0" in panel.said.text


def test_another_pick_offers_its_own_texts_and_no_texts_are_said(opened):
    panel, state = opened()
    unfold(panel.inside)
    assert [value for _, value in panel.text.options] == ["mara-okafor-0"]
    state.pick(["Tom Lindqvist"])
    assert panel.text.value == "tom-lindqvist-0"
    assert panel.tokens.rows
    panel.text.value = "tom-lindqvist-2"
    state.step(STEP)
    assert panel.text.value == "tom-lindqvist-2"  # what is chosen stays
    empty, _ = opened(pick=None)
    for fold in empty.folds:
        unfold(fold)
    assert empty.tokens.rows == []
    assert "waits for a text" in empty.said.text


def token(text, loss, product, position=0):
    tables = {"activation_gradient": {"embedding": product, "block 0": 0.0}, "gradient": {"embedding": abs(product), "block 0": 0.0}}
    return {"passage": "a", "token": text, "position": position, "loss": loss, **tables}


def test_the_sentences_name_the_token_and_the_sign():
    def taken(*rows):
        return Reading("activation-gradient", "activation-gradient", 0, "now", "nats", "", None, rows)

    now, start = taken(token("A", None, -0.5), token(" <b>", 3.0, 0.25)), taken(token("A", None, 0.1), token(" <b>", 0.5, 0.1))
    said = inside(now, start, "a", SHADES[0], "embedding", "h").sentence
    assert said.startswith("“␣<b>” surprises the model most: 3 nats, at the start 0.5.")
    said = inside(now, None, "a", SHADES[1], "embedding", "h").sentence
    assert said.startswith("The loss of this text depends most on what stands at “A” in embedding: 0.5 nats per unit of activation")
    said = inside(now, None, "a", SHADES[2], "embedding", "h").sentence
    assert said.startswith("At embedding the text leans most on what stands at “A” (−0.5 nats), and ")
    assert "“␣<b>” speaks most against it (+0.25 nats)" in said
    assert "all products are about 0" in inside(now, None, "a", SHADES[2], "block 0", "h").sentence
    odd = inside(taken(token("A", None, math.nan), token("B", math.inf, 1.0)), None, "a", SHADES[0], "embedding", "h")
    assert "inf nats" in odd.sentence
    assert shown("\n") == "↵"
