"""The verdict: what stands in its table, in words; and what the panel measures, of which twins, and when."""

from __future__ import annotations

import math

import pytest

from unlearnviz.engine.corpus import Passage
from unlearnviz.engine.methods.gradient_ascent import GradientAscent
from unlearnviz.engine.probes.probe import Reading
from unlearnviz.engine.probes.probe import registry as probes
from unlearnviz.engine.twin import Range
from unlearnviz.views.measures import MEASURES, Measure, measures
from unlearnviz.views.panels.verdict import Verdict
from unlearnviz.views.picture import Picture
from unlearnviz.views.table import Table
from unlearnviz.views.verdict import CAPTION, HEAD, MEANING, judge, verdict

STEP = GradientAscent()
MARA = Passage("mara", "Mara.", "Mara")
RECALL, PERPLEXITY = Measure("exact-recall", "Exact recall"), Measure("perplexity", "Perplexity")


def reading(value, label="exact-recall", step=1, of="now", note=""):
    return Reading(label, label, step, of, "%", "lower", value, (), {"forget": ("mara",)}, note=note)


def picture(now, twins=(), label="exact-recall", step=1, **more):
    """A picture of one step with a reading, and of twins with theirs; None: a twin that was not measured."""
    held = {} if now is None else {label: {now.step: now}}
    of_twins = {seed: {} if value is None else {label: reading(value, label, of=f"twin {seed}")} for seed, value in enumerate(twins)}
    return Picture(step=step, path=(0, 1, 2), forget=(MARA,), readings=held, twins=of_twins, has_twin=bool(twins), **more)


@pytest.mark.parametrize(
    "now, twins, words",
    [
        (20.0, (0.0, 40.0), "within the range of the twins"),
        (40.0, (0.0, 40.0), "within the range of the twins"),
        (50.0, (0.0, 40.0, 20.0), "above all twins, by 10"),
        (5.0, (10.0, 40.0), "below all twins, by 5"),
        (50.0, (12.5,), "one twin: no spread known; 37.5 above the twin"),
        (12.0, (12.5,), "one twin: no spread known; 0.5 below the twin"),
        (12.5, (12.5,), "one twin: no spread known; equal to the twin"),
        (50.0, (), "no twin to compare with"),
        (50.0, (None, None), "not measured of the twins yet"),
        (50.0, (10.0, None), "one twin: no spread known; 40 above the twin"),
        (math.inf, (0.0, 40.0), "above all twins, by inf"),
        (math.nan, (0.0, 40.0), "not a number: it cannot be judged"),
    ],
)
def test_the_verdict_is_in_words(now, twins, words):
    assert judge(picture(reading(now), twins), RECALL).cells[-1] == words


def test_what_cannot_be_judged_says_why_in_the_place_of_the_verdict():
    few = judge(picture(reading(None, note="Too few texts to judge: 5 of at least 50."), (1.0, 2.0)), RECALL)
    assert few.cells == (
        "Exact recall", "% of facts; lower = less is recited", "–", "–", "–", "1", "1 to 2 (2 twins)", "Too few texts to judge: 5 of at least 50.",
    )  # fmt: skip
    assert few.stands == ""
    assert judge(picture(None, (1.0, 2.0)), RECALL).cells[-1] == "not measured yet"
    assert judge(picture(None, (1.0, 2.0)), Measure("leak", "Leak")).cells[-1] == "not measured yet (takes long)"


def test_a_line_has_the_start_and_says_where_an_older_reading_was_taken():
    cells = judge(picture(reading(50.0), (0.0, 40.0), step=2, start={"exact-recall": reading(100.0, of="start")}), RECALL).cells
    assert cells[2:] == ("–", "100", "50 (at step 1)", "0", "0 to 40 (2 twins)", "above all twins, by 10")
    assert len(cells) == len(HEAD)


def test_shipped_siblings_count_for_perplexity_alone():
    spread = {"forget": Range(8.0, 30.0, 3)}
    line = judge(picture(reading(9.0, "perplexity"), (25.0,), "perplexity", spread=spread), PERPLEXITY)
    assert line.cells[-2:] == ("8 to 30 (3 twins)", "within the range of the twins")
    assert judge(picture(reading(9.0), (25.0,), spread=spread), RECALL).stands == ""
    _, said = verdict(picture(reading(9.0, "perplexity"), (25.0,), "perplexity", spread=spread), [PERPLEXITY, RECALL])
    assert said.startswith(
        "One twin: no spread known, so there is no verdict; train another twin. Where more are known, step 1 stands within the range of the "
        "twins: Perplexity. "
    )


def test_what_was_measured_of_the_twin_beside_now_stands_there_before_all_twins_were_asked():
    beside = {"perplexity": reading(25.0, "perplexity", of="twin")}
    line = judge(picture(reading(9.0, "perplexity"), twin=beside, spread={"forget": Range(8.0, 30.0, 3)}), PERPLEXITY)
    assert line.cells[5] == "25"


def test_the_sentence_counts_the_twins_and_names_what_stands_where():
    rows, said = verdict(picture(reading(50.0), (0.0, 40.0)), [RECALL, PERPLEXITY])
    assert [row[0] for row in rows] == ["Exact recall", "Perplexity"]
    assert said == f"Step 1 beside 2 twins: above all twins: Exact recall. {MEANING}"
    assert verdict(picture(None, (0.0, 1.0)), [RECALL])[1].startswith("Step 1 beside 2 twins: nothing was judged yet, press Measure now.")
    assert verdict(picture(reading(5.0), (0.0,)), [RECALL])[1].startswith("One twin: no spread known, so there is no verdict; train another twin.")
    assert verdict(picture(reading(5.0)), [RECALL])[1].startswith("No twin of these texts yet: train one.")
    assert verdict(Picture(), [RECALL]) == ([], "Pick texts to forget; then the measures are compared here.")


def test_the_measures_are_those_of_the_list_that_exist():
    assert [each.name for each in measures()] == [each.name for each in MEASURES if each.name in set(probes)]
    assert {"perplexity", "exact-recall", "leak", "verification-error"} <= {each.name for each in measures()}
    assert len({each.name for each in MEASURES}) == len(MEASURES)


def test_a_table_is_text(living):
    table = Table("What", ["a", "b"], [("x", "1")])
    assert (table.caption, table.head, table.rows, table.summary) == ("What", ["a", "b"], [["x", "1"]], "")
    table.update([("<b>", "2"), ("y", "3")], summary="So.")
    assert (table.rows, table.summary) == ([["<b>", "2"], ["y", "3"]], "So.")
    assert "innerHTML" not in table._esm
    table.layout.close()
    table.close()


def test_the_panel_measures_every_twin_when_asked_and_keeps_what_other_panels_set(shown, monkeypatch):
    few = ("perplexity", "exact-recall", "verification-error")
    monkeypatch.setattr("unlearnviz.views.panels.verdict.measures", lambda: tuple(each for each in measures() if each.name in few))

    def ready(state):
        state.session.learn(1)
        state.session.twin()

    panel, state = shown(Verdict, ready)
    state.step(STEP)
    assert set(state.picture.readings) == {"perplexity"}  # looking measures nothing
    assert (panel.table.caption, panel.another.description) == (CAPTION, "Train another twin")
    panel.another.click()
    assert len(state.picture.twins) == 2
    panel.ask.click()
    assert state.error is None
    rows = {row[0]: row for row in panel.table.rows}
    twins = [state.picture.twins[seed]["exact-recall"].value for seed in (0, 1)]
    assert rows["Exact recall of the facts"][5] == f"{twins[0]:.3g}"
    apart = state.session.fitting_twins[1].weights.distance(state.session.fitting_twins[0].weights)
    assert rows["Verification error"][5:7] == ["0", f"0 to {apart:.3g} (2 twins)"]
    assert panel.table.summary.startswith("Step 1 beside 2 twins: ")
    panel.another.click()
    assert {row[6].split("(")[-1] for row in panel.table.rows} == {"3 twins)"}
    state.lasting = "work"
    assert (panel.ask.disabled, panel.another.disabled) == (True, True)


def test_without_a_recipe_there_is_no_twin_to_train_and_without_a_pick_nothing_to_measure(shown):
    panel, state = shown(Verdict, pick=None)
    assert (panel.ask.disabled, panel.another.disabled, panel.table.rows) == (True, True, [])
    state.pick(["Mara Okafor"])
    assert (panel.ask.disabled, panel.another.disabled, panel.another.description) == (False, True, "Train the twin")
