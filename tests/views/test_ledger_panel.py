"""The ledger in the page: the map of what was recorded, what is rolled back, and what storage costs."""

from __future__ import annotations

from functools import cache

import pytest

from tests.engine import worlds
from unlearnviz.engine.learning import Recipe
from unlearnviz.engine.methods.method import registry as methods
from unlearnviz.engine.storage_meter import Choice, StorageMeter
from unlearnviz.engine.tracking import Tracking, chosen_epochs
from unlearnviz.views.ledger_figures import (
    KEPT,
    NO_LEDGER,
    SHOWS,
    bytes_by_group,
    choice_rows,
    in_words,
    recorded,
    size_in_words,
    untracked,
)
from unlearnviz.views.panels.ledger import METHODS, Ledger
from unlearnviz.views.panels.steering import Steering
from unlearnviz.views.panels.steps import Steps

RECIPE = Recipe(epochs=3, learning_rate=5e-3, batch_size=12)
TRACKING = Tracking(texts=("Mara Okafor",), where="embedding, block 1")


def learned(state):
    state.session.learn(recipe=RECIPE, track=TRACKING)


@cache
def ledger():
    session = worlds.session()
    session.learn(recipe=RECIPE, track=TRACKING)
    return session.ledger


def test_the_map_has_a_cell_per_epoch_and_part_and_frames_those_that_are_chosen():
    held = ledger()
    figure, said = recorded(held, "norms of deltas", (1, 3), ("block 1",), "h")
    (heat,) = figure.data
    assert list(heat.y) == ["block 1 (the 2nd, h.1)", "embedding"]
    assert len(heat.z) == 2
    cells = {(cell[2], cell[0]): 10**value for line, row in zip(heat.customdata, heat.z, strict=True) for cell, value in zip(line, row, strict=True)}
    squares = {}
    for step in held.steps:
        for group, norm in step.norms["deltas"].items():
            squares[step.epoch, group] = squares.get((step.epoch, group), 0.0) + norm**2
    assert cells == {key: pytest.approx(square**0.5) for key, square in squares.items()}
    assert [(round(shape.x0), round(shape.y0)) for shape in figure.layout.shapes] == [(0, 0), (2, 0)]
    assert said.startswith("Norms of deltas, from ")
    assert f"Recorded: 4 tracked texts, {len(held.steps)} of 6 updates (3 epochs of AdamW), " in said


def test_bytes_are_in_words_and_add_up():
    held = ledger()
    _, said = recorded(held, "bytes of gradients", (), (), "h")
    figure, total = bytes_by_group(held, "h")
    drawn = {trace.name: dict(zip(trace.y, trace.x, strict=True)) for trace in figure.data}
    for what in ("gradients", "deltas"):
        assert sum(drawn[what].values()) * 1e6 == pytest.approx(sum(held.measured_bytes(what).values()))
    assert size_in_words(sum(held.measured_bytes().values())) in said
    assert total.startswith("On disk now: gradients ")
    assert [size_in_words(size) for size in (12, 999, 1000, 2.5e6, 1.25e9)] == ["12 bytes", "999 bytes", "1 kB", "2.5 MB", "1.25 GB"]


def test_what_was_not_recorded_is_said():
    session = worlds.session()
    session.learn(recipe=RECIPE, track=Tracking(texts=("mara-okafor-0",), deltas=False, keep=0.5))
    figure, said = recorded(session.ledger, "norms of deltas", (1,), ("embedding",), "h")
    assert figure is None
    assert said.startswith("No deltas were recorded. Recorded: 1 tracked text, ")
    assert ", 0.5 of each layer, " in said
    assert untracked(session.ledger, session.forget) == (
        "Not recorded: mara-okafor-1, mara-okafor-2, mara-okafor-3. session.replay([...]) trains a copy once more and records them; or pick "
        "tracked texts."
    )
    assert untracked(ledger(), session.forget) == "All 4 picked texts were recorded."
    assert untracked(ledger(), ()) == "Pick texts to forget."


@pytest.mark.parametrize(
    "epochs, words",
    [((1, 2, 3, 4, 5), "all"), ((1,), "first"), ((2,), "2"), ((1, 3, 4, 5), "1, 3-5"), ((1, 2), "1-2"), ((5, 3), "3, 5")],
)
def test_epochs_are_written_as_the_methods_read_them(epochs, words):
    assert in_words(epochs, 5) == words
    assert chosen_epochs(words, 5) == tuple(sorted(epochs))


def test_the_costs_of_every_choice_are_a_line_per_kind_and_a_column_per_share():
    choices = [Choice("all", "deltas", keep, dtype, size, size / 4000) for dtype, keep, size in (("full", 1.0, 4000), ("full", 0.1, 520))]
    head, rows = choice_rows(choices)
    assert head[3:] == ["ρ = 1", "ρ = 0.1"]
    assert rows == [["deltas", "all", "float32", "4 kB (100 %)", "520 bytes (13 %)"]]


def test_the_panel_chooses_and_steering_takes_it_over(shown):
    made = []

    def ready(state):
        learned(state)
        state.view = "Start"
        made.extend((Steering(state), Steps(state)))
        state.view = "Judge"

    panel, state = shown(Ledger, ready)
    steering, steps = made
    panel.fold.unfolded = True
    assert (panel.epochs.value, panel.parts.value) == ((1,), ("embedding", "block 1"))
    assert panel.map.figure is not None
    assert "All 4 picked texts were recorded." in panel.map.summary
    click = {"kind": "click", "customdata": ["block 1", "0.1", 3, "epoch 3"]}
    panel.map._handle_custom_msg(click, [])
    assert panel.epochs.value == (1, 3)
    panel.map._handle_custom_msg(click, [])
    assert panel.epochs.value == (1,)
    panel.parts.value = ()
    assert panel.set.disabled
    panel.map._handle_custom_msg(click, [])
    panel.method.value = "amnesiac"
    panel.set.click()
    assert (steering.method.value, steering.where.value, steering.controls.by_name["epochs"].value) == ("amnesiac", "block 1", "1, 3")
    assert state.method == methods["amnesiac"](epochs="1, 3")
    assert panel.said.text == "Steering is set to amnesiac, epochs: 1, 3, at block 1: press Step there, or Preview first."
    before = state.session.fingerprint()
    steps.step.click()
    assert state.error is None
    assert state.session.history[1].method == "amnesiac"
    assert state.session.fingerprint() != before
    drawn = panel.map.figure
    state.undo()
    assert panel.map.figure is drawn
    panel.shown.value = SHOWS[3]
    assert panel.map.figure is not drawn
    steering.controls.by_name["epochs"].value = "2"
    panel.set.click()  # the same choice again is taken over again
    assert steering.controls.by_name["epochs"].value == "1, 3"
    steering.close()
    steps.close()


@pytest.mark.parametrize("name", METHODS)
def test_every_offered_method_takes_epochs(name):
    assert methods[name](epochs="1, 3").settings["epochs"] == "1, 3"


def test_the_meter_is_built_when_it_is_opened(shown):
    panel, state = shown(Ledger, learned)
    panel.fold.unfolded = True
    assert panel.meter.body.children == ()
    panel.meter.head.unfolded = True
    held = state.session.ledger
    assert panel.bars.summary == bytes_by_group(held, "h")[1]
    assert panel.costs.rows == choice_rows(StorageMeter(held, state.session.model, state.session.corpus).choices())[1]
    assert (len(panel.costs.rows), len(panel.costs.head), panel.costs.summary) == (8, 9, KEPT)


def test_without_a_ledger_the_panel_says_how_to_get_one(shown):
    panel, state = shown(Ledger)
    panel.fold.unfolded = True
    assert (panel.map.summary, panel.choice.layout.display, panel.shown.disabled) == (NO_LEDGER, "none", True)
    learned(state)
    state.open()
    assert (panel.choice.layout.display, panel.shown.disabled) == (None, False)
    state.learn(1)  # without a ledger
    assert panel.map.summary == NO_LEDGER
