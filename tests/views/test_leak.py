"""What leaks: the strips, the sentences, and what the panel measures and when."""

from __future__ import annotations

from dataclasses import replace

from unlearnviz.engine.methods.gradient_ascent import GradientAscent
from unlearnviz.engine.probes.probe import Reading
from unlearnviz.views.influence_figures import PALE
from unlearnviz.views.leak_figures import COLLATERAL, MEANING, NOT_YET, SHADES, SHAPES, collateral, leak
from unlearnviz.views.panels.leak import BESIDE, LEAK, Leak

STEP = GradientAscent()


def row(group, value, chance=20.0):
    return {
        "group": group,
        "passage": "p",
        "prompt": "Was <b>born</b> in",
        "said": " Lund",
        "fact": "Lund.",
        "score": 90.0,
        "chance": chance,
        "leak": value,
        "exact": False,
    }


ROWS = (
    row("forget", 99.0),
    row("forget", 99.0, None),
    row("neighbours", 90.0),
    row("never seen", 0.0),
    row("never seen", 30.0),
)
READING = Reading("leak", "leak", 2, "now", "%", "lower = less comes out", 99.0, ROWS, note="The floor: 15 on average.")


def test_a_point_per_prompt_and_a_mean_per_group():
    start = replace(READING, value=100.0, rows=(row("forget", 100.0),))
    figure, said = leak(READING, start, None, here=2)
    traces = {trace.name: trace for trace in figure.data}
    assert list(traces) == ["forget", "neighbours", "never seen", "mean", "at the start"]
    assert {name: (traces[name].marker.symbol, traces[name].marker.color) for name in ("forget", "never seen")} == {
        "forget": (SHAPES["forget"], SHADES["forget"]),
        "never seen": (SHAPES["never seen"], SHADES["never seen"]),
    }
    assert traces["never seen"].x == (0.0, 30.0)
    assert [round(y) for y in traces["forget"].y] == [2, 2]
    assert len(set(traces["forget"].y)) == 2  # points of one value do not lie on each other
    assert (traces["mean"].x, traces["mean"].y) == ((99.0, 90.0, 15.0), (2, 1, 0))
    assert figure.layout.yaxis.ticktext == ("forget (2)", "neighbours (1)", "never seen (2)")
    assert [shape.x0 for shape in figure.layout.shapes] == [15.0]  # the floor
    assert "&lt;b&gt;" in traces["forget"].text[0]
    assert "nobody else's to compare with" in traces["forget"].text[1]
    assert len(set(SHAPES.values())) == len(SHAPES)
    assert said == f"Mean leak of the facts to forget: 99 % over 2 prompts (at the start 100). The floor: 15 on average. {MEANING}"


def test_the_sentence_names_the_twin_an_old_step_and_what_could_not_be_measured():
    twin = replace(READING, value=4.25)
    figure, said = leak(READING, None, twin, here=5)
    assert said.startswith("Measured at step 2, you are at step 5. Mean leak of the facts to forget: 99 % over 2 prompts (the twin 4.25).")
    assert {trace.opacity for trace in figure.data if trace.name in ("forget", "neighbours", "never seen")} == {PALE}
    assert leak(None, None, None, here=0) == (None, NOT_YET)
    nothing = replace(READING, value=None, rows=(), note="3 forget texts have no fact marked.")
    assert leak(nothing, None, None, here=2) == (None, f"{MEANING} 3 forget texts have no fact marked.")
    only_floor = replace(READING, value=None, rows=ROWS[3:], note="None could be asked.")
    assert leak(only_floor, None, None, here=2)[1] == f"{MEANING} None could be asked."


def test_collateral_is_a_number_with_its_definition():
    reading = Reading("collateral", "collateral", 2, "now", "%", "lower", 8.159, (), note="Since the start ...")
    assert collateral(None, here=0) == COLLATERAL
    assert collateral(reading, here=2) == f"{COLLATERAL} 8.16 %. Since the start ..."
    assert collateral(reading, here=3) == f"{COLLATERAL} 8.16 % (at step 2, you are at step 3). Since the start ..."
    assert collateral(replace(reading, value=None, note="It has not risen."), here=2) == f"{COLLATERAL} It has not risen."


def test_the_panel_measures_when_asked_and_pales_what_is_old(shown):
    panel, state = shown(Leak, taught=True)
    assert (panel.chart.summary, panel.collateral.text, panel.chart.figure) == (NOT_YET, COLLATERAL, None)
    state.step(STEP)
    assert LEAK not in state.picture.readings
    panel.ask.click()
    assert {row["group"] for row in state.picture.now(LEAK).rows} == {"forget", "neighbours", "never seen"}
    assert panel.chart.summary.startswith("Mean leak of the facts to forget: ")
    assert panel.collateral.text.startswith(COLLATERAL)
    assert state.picture.now(BESIDE).note in panel.collateral.text
    assert state.picture.start[LEAK].value > 90
    state.step(STEP)
    assert panel.chart.summary.startswith("Measured at step 1, you are at step 2. ")
    state.pick(["Tom Lindqvist"])
    assert panel.chart.summary == NOT_YET
    state.lasting = "one step"
    assert panel.ask.disabled
    state.lasting = ""
    assert not panel.ask.disabled


def test_without_a_pick_there_is_nothing_to_ask(shown):
    panel, _ = shown(Leak, pick=None)
    assert panel.ask.disabled
