"""Neighbours: matches scored once, sliced by the threshold, sorted, measured, added and left out."""

from __future__ import annotations

import asyncio
import math
from dataclasses import replace

import numpy as np
import pytest

from tests.engine import worlds
from unlearnviz.engine.corpus import Corpus, Passage
from unlearnviz.engine.methods.gradient_ascent import GradientAscent
from unlearnviz.engine.progress import Enough, drain
from unlearnviz.engine.search import Matches
from unlearnviz.engine.similarity import Normalisation, Similarity
from unlearnviz.errors import UnlearnvizError
from unlearnviz.views import comparing
from unlearnviz.views.losses import LABEL as LOSSES
from unlearnviz.views.matches import KINDS, SORTS, Candidates, Matched, Measured
from unlearnviz.views.neighbour_figures import PALE, histogram, sentence
from unlearnviz.views.panels import neighbours as module
from unlearnviz.views.panels.neighbours import ALIKE, MEASURED, Neighbours
from unlearnviz.views.state import SessionState

STEP = GradientAscent()


def scored(scores, texts=None, forget=("p0",), **options):
    """Matched over passages p1, p2, ... that have these scores."""
    passages = [
        Passage("p0", "The cat stands by the door.", "Ann"),
        *(
            Passage(f"p{k + 1}", f"Text number {k + 1}.", ("Ann", "Bob", "Bob")[k % 3], "holdout" if k % 3 == 2 else "train")
            for k in range(len(scores))
        ),
    ]
    corpus = Corpus(texts or passages)
    candidates = Candidates(corpus)
    values = np.array(scores, dtype=np.float32)
    order = np.argsort(-values, kind="stable")
    counts = np.bincount(values.astype(int), minlength=101)
    nearest = np.zeros(len(values), dtype=np.int64)
    found = Matches(order + 1, values[order], nearest, counts, len(values), len(values), **options)
    return Matched(candidates, tuple(corpus[name] for name in forget), found, Similarity())


def ids(rows):
    return [row["id"] for row in rows]


# -- matches ----------------------------------------------------------------------------------------------------------


def test_all_texts_but_the_picked_ones_are_scored_as_by_brute_force():
    corpus = worlds.corpus()
    forget = corpus.about("Mara Okafor")
    found = drain(Candidates(corpus).searching(forget, Similarity(), exact=True))
    others = [passage for passage in corpus if passage not in forget]
    table = Similarity().scores([p.text for p in forget], [p.text for p in others])
    by_id = {p.id: score for p, score in zip(others, table.max(axis=0), strict=True)}
    told = {corpus[int(k)].id: score for k, score in zip(found.positions, found.scores, strict=True)}
    assert told == by_id
    assert (found.searched, found.total, int(found.counts.sum())) == (len(others),) * 3
    np.testing.assert_array_equal(found.counts, np.bincount([int(score) for score in by_id.values()], minlength=101))


def test_a_search_that_is_stopped_while_texts_are_prepared_found_nothing():
    work = Candidates(worlds.corpus()).searching(worlds.corpus()[:2], Similarity(), exact=True)
    next(work)
    with pytest.raises(StopIteration) as end:
        work.throw(Enough())
    assert (len(end.value.value), end.value.value.searched) == (0, 0)


def test_the_threshold_slices_what_was_sorted_once():
    matched = scored([50, 90, 10, 90, 70])
    assert [matched.count(t) for t in (0, 10, 11, 70, 70.5, 90, 91)] == [5, 5, 4, 3, 2, 2, 0]
    assert ids(matched.rows(50, SORTS[0])) == ["p2", "p4", "p5", "p1"]
    assert [row["badge"] for row in matched.rows(50, SORTS[0])] == ["90", "90", "70", "50"]
    assert [p.id for p in matched.addable(0)] == ["p2", "p4", "p5", "p1"]  # p3 was never taught
    left = replace(matched, left=frozenset({"p4", "p3"}))
    assert [p.id for p in left.addable(50)] == ["p2", "p5", "p1"]
    for each in (matched, left):
        for threshold in (0, 60, 100):
            assert each.addable_count(threshold) == len(each.addable(threshold))


def test_rows_say_who_is_meant_and_why_one_cannot_be_added():
    rows = {row["id"]: row for row in scored([60, 60, 60]).rows(0, SORTS[0])}
    assert [(rows[name]["kind"], rows[name]["word"]) for name in ("p1", "p2", "p3")] == [
        ("same", "same person"),
        ("other", "other person"),
        ("unseen", "never seen"),
    ]
    assert rows["p3"]["why"]
    assert "left" not in rows["p3"]
    assert (rows["p1"]["left"], "why" in rows["p1"]) == (False, False)
    texts = [Passage("a", "The cat stands here."), Passage("b", "The dog stands here.")]
    (row,) = scored([80], texts, forget=("a",)).rows(0, SORTS[0])
    assert (row["word"], row["parts"]) == ("other text", [["The ", ""], ["dog", "new"], [" stands here.", ""]])
    assert KINDS == ("same", "other", "unseen")


def test_what_has_no_number_to_sort_by_comes_last_by_score():
    measured = Measured(
        loss={"p1": 2.0, "p2": 1.0, "p4": 1.0}, start={"p1": 1.0, "p2": 3.0}, alike={"p3": 0.5, "p4": -0.5}, loss_old=True
    )
    matched = replace(scored([50, 90, 10, 80]), measured=measured)
    assert ids(matched.rows(0, "what moved")) == ["p2", "p1", "p4", "p3"]  # by how much, up or down
    assert ids(matched.rows(0, "model similarity")) == ["p3", "p4", "p2", "p1"]
    assert ids(matched.rows(50, "model similarity")) == ["p4", "p2", "p1"]
    notes = {row["id"]: (row["note"], row["old"]) for row in matched.rows(0, SORTS[0])}
    assert notes == {
        "p1": (f"perplexity {math.e:.3g} → {math.e**2:.3g}", True),
        "p2": (f"perplexity {math.e**3:.3g} → {math.e:.3g}", True),
        "p3": ("cosine 0.5", False),
        "p4": (f"perplexity {math.e:.3g}, cosine −0.5", True),
    }


# -- the figure -------------------------------------------------------------------------------------------------------


def test_the_histogram_counts_all_texts_and_pales_those_below_the_line():
    matched = scored([50, 90, 10, 90, 100])
    figure, said = histogram(matched, 60)
    (bars,) = figure.data
    assert [k for k in range(101) if bars.y[k]] == [10, 50, 90, 100]
    assert sum(bars.y) == 5
    assert [bars.marker.opacity[k] for k in (0, 59, 60, 100)] == [PALE, PALE, 1.0, 1.0]
    assert figure.layout.yaxis.type == "log"
    assert [shape.x0 for shape in figure.layout.shapes] == [60]
    assert said.startswith("3 of 5 other texts score 60 or more; they tell of 2 people.")


def test_the_sentence_counts_and_says_what_was_not_looked_at():
    matched = scored([50, 90, 10, 90, 70])
    assert sentence(matched, 0).startswith(
        "5 of 5 other texts score 0 or more: 4 taught, 1 never seen; they tell of 2 people."
    )
    assert sentence(matched, 95).startswith("None of 5 other texts is this similar; the nearest has 90.")
    left = replace(matched, left=frozenset({"p2", "p1"}))
    assert " 1 text is left out when all are added." in sentence(left, 60)
    assert " 2 texts are left out when all are added." in sentence(left, 50)
    assert "left out" not in sentence(left, 95)
    guessed = scored([50, 90], exact=False, recall=0.934)
    assert "Approximate: a word index chose which texts to score; by a sample of the others it finds about 93.4 % of the true matches." in sentence(
        guessed, 60
    )
    assert "how many it misses was not measured" in sentence(scored([50], exact=False), 0)
    missed_none = sentence(scored([50], exact=False, recall=1.0), 0)
    assert "no text of a sample of the others would have been a match." in missed_none
    assert "100 %" not in missed_none
    stopped = replace(matched, found=replace(matched.found, total=9000))
    assert "Stopped: 5 of 9,000 texts were compared." in sentence(stopped, 0)
    assert "  " not in sentence(left, 50) + sentence(guessed, 60) + sentence(stopped, 0)


# -- the panel --------------------------------------------------------------------------------------------------------


def press(panel, kind, passage):
    panel.list._handle_custom_msg({"kind": kind, "id": passage}, [])


def test_matches_above_the_threshold_are_listed_and_added(shown):
    panel, state = shown(Neighbours)
    groups = dict(state.session.groups)
    panel.threshold.value = 0
    assert panel.list.count == 28
    scores = [float(row["badge"]) for row in panel.list.rows]
    assert scores == sorted(scores, reverse=True)
    threshold = panel.threshold.value = int(scores[0])
    few = [row["id"] for row in panel.list.rows if "why" not in row]
    assert 0 < len(few) < 20
    assert panel.threshold.words == f"{threshold} of 100: {panel.list.count} text{'s' if panel.list.count != 1 else ''}"
    assert panel.histogram.summary.startswith(f"{panel.list.count} of 28 other texts score {threshold} or more")
    assert dict(state.session.groups) == groups
    assert panel.all.description == f"Add all {len(few)} to the forget set"
    panel.all.click()
    assert {each.id for each in state.session.forget} == {*few, *(each.id for each in groups["forget"])}
    panel.threshold.value = 100
    assert panel.histogram.summary.startswith("None of ")
    assert (panel.all.disabled, panel.measure.disabled, panel.list.count) == (True, True, 0)


def test_one_is_added_and_the_pick_is_taken_back(shown):
    panel, state = shown(Neighbours)
    before = state.session.forget
    assert panel.back.disabled
    name = next(row["id"] for row in panel.list.rows if "why" not in row)
    press(panel, "toggle", name)
    assert [each.id for each in state.session.forget] == [*(each.id for each in before), name]
    assert name not in ids(panel.list.rows)
    assert not panel.back.disabled
    panel.back.click()
    assert (state.session.forget, panel.back.disabled) == (before, True)


def test_what_is_left_out_stays_in_the_list_and_is_not_added_with_the_others(shown):
    panel, state = shown(Neighbours)
    name = next(row["id"] for row in panel.list.rows if "why" not in row)
    count, listed = panel.list.count, int(panel.all.description.split()[2])
    press(panel, "leave", name)
    assert (panel.list.count, panel.all.description) == (count, f"Add all {listed - 1} to the forget set")
    assert next(row for row in panel.list.rows if row["id"] == name)["left"] is True
    assert "1 text is left out when all are added." in panel.histogram.summary
    press(panel, "leave", name)
    assert panel.all.description == f"Add all {listed} to the forget set"
    press(panel, "leave", name)
    panel.all.click()
    assert name not in [each.id for each in state.session.forget]
    assert panel.list.count >= 1


def test_texts_are_measured_when_asked_and_what_is_old_is_paler(shown):
    panel, state = shown(Neighbours)
    assert panel.measure.description == f"Measure the first {panel.list.count}"
    assert not any(row["note"] for row in panel.list.rows)
    panel.sort.value = "what moved"
    assert "Not sorted by what moved yet" in panel.histogram.summary
    state.step(STEP)
    panel.measure.click()
    assert "Not sorted" not in panel.histogram.summary
    reading = state.picture.now(LOSSES)
    assert set(ids(panel.list.rows)) == {row["passage"] for row in reading.rows}
    start = {row["passage"]: row["loss"] for row in state.picture.start[LOSSES].rows}
    moved = {row["passage"]: abs(row["loss"] - start[row["passage"]]) for row in reading.rows}
    assert ids(panel.list.rows) == sorted(moved, key=moved.get, reverse=True)
    assert all("→" in row["note"] and not row["old"] for row in panel.list.rows)
    version = panel.list.shown["version"]
    state.step(STEP)
    assert all(row["old"] for row in panel.list.rows)
    assert panel.list.shown["version"] == version + 1
    state.step(STEP)
    assert panel.list.shown["version"] == version + 1  # nothing is new: nothing is sent
    state.pick([*state.session.forget, "tom-lindqvist-1"])
    noted = {row["id"] for row in panel.list.rows if "→" in row["note"]}
    assert noted == moved.keys() - {"tom-lindqvist-1"}  # what was measured of a text holds, whoever else is picked
    state.go_to(0)
    assert not any(row["note"] for row in panel.list.rows)


def test_the_model_is_asked_whom_it_reads_as_like(shown):
    panel, state = shown(Neighbours)
    panel.threshold.value = 0
    panel.sort.value = "model similarity"
    assert panel.measure.description == "Ask the model"
    panel.measure.click()
    rows = {row["passage"]: row["similarity"] for row in state.picture.now(ALIKE).rows}
    listed = [row["id"] for row in panel.list.rows if row["note"]]
    assert listed == sorted(rows, key=rows.get, reverse=True)
    assert panel.list.rows[0]["note"] == f"cosine {max(rows.values()):.2f}"
    assert panel.histogram.summary.endswith(state.picture.now(ALIKE).note)
    panel.advanced.head.unfolded = True
    panel.layer.value = 1
    assert "Not sorted by model similarity yet" in panel.histogram.summary
    panel.measure.click()
    assert "After layer 1 of 2" in panel.histogram.summary
    panel.layer.value = 0
    assert panel.list.rows[0]["note"] == f"cosine {max(rows.values()):.2f}"
    state.pick(["Tom Lindqvist"])
    assert not any(row["note"] for row in panel.list.rows)


def test_at_most_so_many_are_measured(shown, monkeypatch):
    monkeypatch.setattr(module, "MEASURED", 3)
    panel, state = shown(Neighbours)
    assert MEASURED == 200
    assert panel.measure.description == "Measure the first 3"
    panel.measure.click()
    assert [row["passage"] for row in state.picture.now(LOSSES).rows] == ids(panel.list.rows)[:3]


def test_another_score_and_what_does_not_count(shown):
    panel, _ = shown(Neighbours)
    panel.advanced.head.unfolded = True
    panel.threshold.value = 0
    before = {row["id"]: row["badge"] for row in panel.list.rows}
    panel.scorer.value = "Jaro-Winkler"
    assert {row["id"]: row["badge"] for row in panel.list.rows} != before
    panel.scorer.value = "ratio"
    assert {row["id"]: row["badge"] for row in panel.list.rows} == before
    panel.ignored["case"].value = False
    assert panel.comparing.similarity.normalisation.case is False


def test_an_approximate_result_is_made_exact_by_one_button(shown):
    panel, state = shown(Neighbours)
    assert panel.exact is None
    asked, found = panel.comparing._found
    panel.comparing._found = asked, replace(found, exact=False, recall=0.9)
    panel.show(state.picture)
    assert panel.actions.children[-1] is panel.exact
    assert "Approximate" in panel.histogram.summary
    panel.exact.click()
    assert (panel.exact, len(panel.actions.children)) == (None, 3)
    assert "Approximate" not in panel.histogram.summary


def test_with_nothing_picked_there_is_nothing_to_compare(shown):
    panel, state = shown(Neighbours, pick=None)
    assert (panel.list.count, panel.all.disabled, panel.measure.disabled) == (0, True, True)
    panel.sort.value = "what moved"
    panel.threshold.value = 10
    state.pick(["Mara Okafor"])
    assert panel.list.count == 28
    assert panel.list.count == panel._matched.count(10)


def test_nothing_can_be_done_while_work_runs(shown):
    panel, state = shown(Neighbours)
    state.lasting = "one step"
    assert [panel.list.disabled, panel.all.disabled, panel.measure.disabled, panel.back.disabled] == [True] * 4
    panel.threshold.value = 50  # looking goes on
    assert [panel.list.disabled, panel.all.disabled, panel.measure.disabled] == [True] * 3
    state.lasting = ""
    assert [panel.list.disabled, panel.all.disabled, panel.measure.disabled] == [False] * 3


def test_many_comparisons_are_work_that_can_be_stopped_and_keeps_what_is_done(living, monkeypatch):
    monkeypatch.setattr(comparing, "LITTLE", 0)

    async def main():
        state = SessionState(worlds.session())
        state.view = Neighbours.view
        panel = Neighbours(state)
        worked = []
        state.observe(lambda change: worked.append(change["new"]), "busy")
        state.open()
        await state.idle()
        assert worked == ["comparing texts", "", "measuring", ""]
        assert state.picture.now("perplexity") is not None
        assert panel.list.count > 0
        state.pick(["Tom Lindqvist"])
        await state.idle()
        assert panel._matched.forget == state.session.forget

        whole = panel.comparing.candidates.searching

        def stopped(forget, similarity, *, exact):
            work = whole(forget, similarity, exact=exact)
            state.runner.stop()
            return (yield from work)

        monkeypatch.setattr(panel.comparing.candidates, "searching", stopped)
        panel.comparing.similarity = Similarity("ratio", Normalisation(case=False))
        panel.show(state.picture)
        assert panel.list.count == 0  # not those of another measure
        await state.idle()
        assert panel.histogram.summary.startswith(
            "None of 0 other texts is this similar. Stopped: 0 of 32 texts were compared."
        )
        panel.show(state.picture)
        assert not state.runner.running  # what was stopped does not begin again by itself

        def broken(forget, similarity, *, exact):
            raise UnlearnvizError("no")
            yield

        monkeypatch.setattr(panel.comparing.candidates, "searching", broken)
        panel.comparing.similarity = Similarity("token sort")
        panel.show(state.picture)
        with pytest.raises(UnlearnvizError):
            await state.idle()
        panel.show(state.picture)
        assert not state.runner.running
        panel.close()

    asyncio.run(asyncio.wait_for(main(), 60))
    assert living() == []
