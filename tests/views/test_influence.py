"""The influence map: what is drawn, what the sentence says, and what the panel measures and when."""

from __future__ import annotations

import json

import pytest

from tests.engine import worlds
from unlearnviz.engine.methods.gradient_ascent import GradientAscent
from unlearnviz.engine.probes.influence import SCORES
from unlearnviz.engine.probes.influence import Influence as InfluenceProbe
from unlearnviz.engine.probes.probe import Reading
from unlearnviz.views import influence_figures
from unlearnviz.views.influence_figures import BY, DIVERGING, influence_map, scores, snippet
from unlearnviz.views.panels.influence import REMOVAL, TOKENS, Influence

STEP = GradientAscent()
COLUMNS = ("embedding", "block 0", "embedding.input", "embedding.output")


def reading(values, step=0):
    """text -> (group, one value per column)."""
    rows = tuple(
        {
            "passage": text,
            "group": group,
            "influence": sum(given[:2]),
            "norm": 1.0,
            "groups": dict(zip(COLUMNS, given, strict=True)),
            "texts": {"own-0": given[0], "own-1": given[1]},
        }
        for text, (group, given) in values.items()
    )
    return Reading("influence", "influence", step, "now", "nats, per rate", "positive = ...", None, rows)


VALUES = {
    "own-0": ("forget", (9.0, 1.0, 5.0, 4.0)),
    "weak": ("taught", (0.125, 0.0, 0.0, 0.125)),
    "against": ("taught", (-1.0, -2.0, 0.0, -1.0)),
    "for": ("taught", (1.0, 0.25, 0.5, 0.5)),
    "stranger": ("never seen", (0.25, 0.25, 0.125, 0.125)),
    "other": ("never seen", (-0.125, 0.0, 0.0, -0.125)),
}


def test_texts_come_from_the_furthest_and_forget_texts_stay_out():
    found = scores(reading(VALUES), None, "now", BY[0])
    assert found.texts == ("against", "for", "weak")
    assert found.columns == ("embedding", "embedding.input", "embedding.output", "block 0")
    assert (found.own, found.floor) == ({"own-0": 10.0}, {"stranger": 0.5, "other": -0.125})
    assert found.strongest_floor == {
        "embedding": 0.25,
        "block 0": 0.25,
        "embedding.input": 0.125,
        "embedding.output": -0.125,
    } | {"embedding.output": found.strongest_floor["embedding.output"]}
    assert abs(found.strongest_floor["embedding.output"]) == 0.125
    assert scores(reading(VALUES), None, "at the start", BY[0]) is None


def test_the_difference_is_now_less_the_start():
    start = reading({text: (group, tuple(value / 2 for value in given)) for text, (group, given) in VALUES.items()})
    found = scores(reading(VALUES), start, "difference", BY[0])
    assert found.total["against"] == -1.5
    assert found.table["for"]["block 0"] == 0.125
    by_text = scores(reading(VALUES), start, "at the start", BY[1])
    assert by_text.columns == ("own-0", "own-1")
    assert by_text.table["for"]["own-1"] == 0.125


def test_a_snippet_is_one_line_and_of_a_book_no_more_than_its_first_words_is_read():
    assert snippet("a \n b", 5) == "a b"
    assert snippet("one two three", 8) == "one two…"
    assert snippet("x" * 10_000_000, 4) == "xxx…"
    assert snippet("a" + " " * 1000 + "b", 4) == "a…"


def test_colours_are_symmetric_about_zero_and_the_sentence_has_sign_and_floor():
    figure, sentence = influence_map(
        scores(reading(VALUES), None, "now", BY[0]), {"against": "He says <b>no</b>"}, unit="u", pale=False, everything=False, module="h"
    )
    heat = figure.data[0]
    assert heat.zmin == -heat.zmax == -2.0
    assert [colour for _, colour in DIVERGING] == [colour for _, colour in heat.colorscale]
    assert list(heat.z[-1]) == [-1.0, 0.0, -1.0, -2.0]  # plotly draws upwards: the furthest is the last
    assert heat.y[-1] == "−3  He says &lt;b&gt;no&lt;/b&gt;"
    assert heat.y[0] == "never seen: the furthest from 0"
    assert "this one pushes the forget texts out most: “He says <b>no</b>” (−3)" in sentence  # a sentence is no markup
    assert "Of 2 never-seen texts the furthest from 0 has 0.5; 2 taught texts lie further out" in sentence
    assert "The forget texts themselves have +10 to +10 and are not drawn." in sentence
    assert (
        influence_map(
            scores(reading({"own-0": VALUES["own-0"]}), None, "now", BY[0]), {}, unit="u", pale=False, everything=False, module="h"
        )[0]
        is None
    )


def test_texts_that_begin_alike_are_told_apart():
    same = {f"text-{k}": ("taught", (1.0, 0.0, 0.0, 0.0)) for k in range(3)}
    found, texts = scores(reading(same), None, "now", BY[0]), dict.fromkeys(same, "One and the same.")
    figure, _ = influence_map(found, texts, unit="u", pale=False, everything=False, module="h")
    assert len(set(figure.data[0].y)) == 3
    assert "+1  One and the same. (text-0)" in figure.data[0].y


def test_what_is_old_is_pale_and_all_texts_are_one_click_away():
    many = {f"text {k}": ("taught", (float(k), 0.0, 0.0, 0.0)) for k in range(600)}
    found = scores(reading(many), None, "now", BY[0])
    figure, _ = influence_map(found, {}, unit="u", pale=True, everything=False, module="h")
    assert len(figure.data[0].z) == influence_figures.SHOWN
    assert figure.data[0].opacity == influence_figures.PALE
    figure, _ = influence_map(found, {}, unit="u", pale=False, everything=True, module="h")
    assert (len(figure.data[0].z), figure.data[0].opacity) == (600, 1)
    from unlearnviz.views.chart import Chart

    chart = Chart(figure, summary="")
    assert len(json.dumps(chart.spec, default=lambda value: "x" * len(bytes(value)))) < 100_000  # on the wire
    chart.close()


@pytest.fixture
def opened(shown):
    return lambda **options: shown(Influence, taught=True, **options)


def test_it_measures_on_request_and_keeps_its_last_map_paler(opened):
    panel, state = opened()
    assert panel.map.figure is None
    assert "press Measure now" in panel.map.summary
    panel.request.measure.click()
    assert state.picture.now("influence") is not None
    assert set(state.picture.readings["influence"]) == {0}
    assert panel.map.figure.data[0].opacity == 1
    state.step(STEP)
    assert state.picture.now("influence") is None  # nobody asked
    assert panel.map.figure.data[0].opacity == influence_figures.PALE
    assert panel.map.summary.startswith("Measured at step 0, you are at step 1. ")
    panel.request.measure.click()
    assert panel.map.figure.data[0].opacity == 1
    now = panel.map.figure.data[0].z[-1]
    state.undo()
    assert panel.map.figure.data[0].opacity == 1  # the stored reading of step 0
    assert list(panel.map.figure.data[0].z[-1]) != list(now)
    panel.way.value = "at the start"
    start = panel.map.figure.data[0].z.copy()
    panel.way.value = "now"
    assert (panel.map.figure.data[0].z == start).all()
    panel.way.value = "difference"
    assert {value for line in panel.map.figure.data[0].z for value in line} == {0}


def test_switched_on_it_follows_every_step(opened):
    panel, state = opened()
    panel.request.live.value = True
    state.step(STEP)
    assert set(state.picture.readings["influence"]) == {0, 1}
    panel.request.live.value = False
    state.step(STEP)
    assert set(state.picture.readings["influence"]) == {0, 1}


def test_a_click_on_a_row_shades_its_tokens_and_they_add_up(opened):
    panel, state = opened()
    panel.request.measure.click()
    name = panel.map.figure.data[0].y[-1]
    passage = panel._rows[name]
    panel._clicked({"y": "never seen: the furthest from 0"})  # the row of never-seen texts is no text
    assert panel.detail.layout.display == "none"
    panel._clicked({"y": name})
    assert panel.detail.layout.display == ""
    (row,) = panel.tokens.rows
    assert "".join(text for text, _, _ in row["tokens"]) == state.session.corpus[passage].text
    whole = next(each for each in state.picture.now("influence").rows if each["passage"] == passage)
    assert sum(value for _, value, _ in row["tokens"]) == pytest.approx(whole["influence"], rel=1e-4)
    panel.group.value = "block 1"
    (row,) = panel.tokens.rows
    assert sum(value for _, value, _ in row["tokens"]) == pytest.approx(whole["groups"]["block 1"], rel=1e-3)
    state.step(STEP)
    assert "measured at step 0" in panel.text.text
    assert set(state.picture.readings[TOKENS]) == {0}


@pytest.mark.parametrize("score", [*SCORES[1:], REMOVAL])
def test_other_scores_are_behind_advanced_and_kept_apart(opened, score):
    panel, state = opened()
    panel.request.measure.click()
    first = panel.map.figure
    panel.score.value = score
    assert panel.map.figure is None  # this one was not measured
    assert panel.by.disabled
    panel.request.measure.click()
    assert state.picture.now(f"influence, {score}") is not None
    if score == "cosine":
        assert max(abs(row["influence"]) for row in state.picture.now("influence, cosine").rows) <= 1
    panel.score.value = SCORES[0]
    assert (panel.map.figure.data[0].z == first.data[0].z).all()


def test_after_another_pick_the_old_map_is_gone(opened):
    panel, state = opened()
    panel.request.measure.click()
    state.pick(["Tom Lindqvist"])
    assert panel.map.figure is None


def test_stopped_it_shows_what_is_done_and_says_how_much():
    session = worlds.session(taught=True)
    probe = InfluenceProbe()
    from unlearnviz.engine import model

    whole = model.TOKENS_PER_BATCH
    try:
        model.TOKENS_PER_BATCH = 60
        work = worlds.one_at_a_time(session.measuring(probe), 3)
        work.close()
    finally:
        model.TOKENS_PER_BATCH = whole
    (kept,) = session.history.readings[0]
    assert 0 < len(kept.rows) < len(session.corpus)
    assert kept.note.startswith(f"Stopped: {len(kept.rows)} of ")
    assert not session.turn.taken
    assert len(session.measure(probe)["influence"].rows) > len(kept.rows)  # a part is not taken for the whole


def test_a_removal_has_its_own_settings_and_shows_its_residual(opened):
    panel, state = opened()
    assert panel.advanced.children == (panel.score,)
    panel.score.value = REMOVAL
    assert panel.advanced.children == (panel.score, panel.removal.widget)
    panel.score.value = SCORES[0]
    assert panel.removal.widget.layout.display == "none"
    panel.score.value = REMOVAL
    assert panel.removal.widget.layout.display == ""
    panel.removal.by_name["where"].value = "block 1"
    panel.removal.by_name["damping"].value = "0.5"
    panel.request.measure.click()
    assert "Gauss-Newton over 24 taught texts, damping 0.5: conjugate gradients took" in panel.map.summary
    assert list(panel.map.figure.data[0].x) == ["block 1 (the 2nd, h.1)"]
    panel.removal.by_name["damping"].value = "much"
    assert "is not a number" in str(state.error)
