"""Relearning: every update by hand in float64, from the model and from its twin; what returned, and what is said where nothing can."""

from __future__ import annotations

import copy
import math

import pytest
import torch

from tests.engine import worlds
from tests.engine.probes.opened import token_losses
from unlearnviz.engine.corpus import Corpus
from unlearnviz.engine.learning import Recipe
from unlearnviz.engine.probes.relearning import Relearning
from unlearnviz.errors import BadSetting
from unlearnviz.numbers import number


@pytest.fixture(scope="module")
def forgetting():
    """A session whose model was taught, forgot a little, and has a twin; in float64."""
    session = worlds.session(dtype=torch.float64, pick=None)
    session.learn(recipe=Recipe(epochs=25, learning_rate=1e-2))
    session.pick("Mara Okafor")
    session.twin()
    session.run(4, stop_at=1e9)
    return session


def mean_loss(module, session, texts):
    return torch.cat([token_losses(module, session, text) for text in texts]).mean()


def by_hand(session, weights, lesson, forget, never_seen, updates, rate):
    """Losses before and after each step of plain gradient descent on one text, from the given weights."""
    module = copy.deepcopy(session.model.module).eval()
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            parameter.copy_(weights[name])
    found = []
    for update in range(updates + 1):
        if update:
            parameters = list(module.parameters())
            gradients = torch.autograd.grad(mean_loss(module, session, [lesson]), parameters)
            with torch.no_grad():
                for parameter, gradient in zip(parameters, gradients, strict=True):
                    parameter.sub_(rate * gradient)
        with torch.no_grad():
            found.append([float(mean_loss(module, session, texts)) for texts in ([lesson], forget, never_seen)])
    return found


def texts_of(passages):
    return [passage.text for passage in passages]


def test_every_update_by_hand_here_and_from_the_twin(forgetting):
    session = forgetting
    lesson, *rest = texts_of(session.groups["never seen"])
    forget = texts_of(session.forget)
    reading = session.measure(Relearning(updates=3, learning_rate=0.05, optimizer="SGD"))["relearning"]
    assert [(row["model"], row["update"]) for row in reading.rows] == [(name, k) for name in ("this one", "twin") for k in range(4)]
    for name, weights in (("this one", session.weights), ("twin", session.twins[0].weights)):
        rows = [[row["trained"], row["forget"], row["never seen"]] for row in reading.rows if row["model"] == name]
        wanted = by_hand(session, weights, lesson, forget, rest, 3, 0.05)
        assert rows == [pytest.approx(each, rel=1e-5) for each in wanted]
    mine = [row["forget"] for row in reading.rows[:4]]
    with torch.no_grad():
        start = by_hand(session, session.snapshots[0].weights, lesson, forget, rest, 0, 0)[0][1]
    assert reading.value == pytest.approx(100 * (mine[0] - min(mine)) / (mine[0] - start), rel=1e-4)
    assert reading.note.startswith(f"3 updates (SGD, rate 0.05) on {session.groups['never seen'][0].id}, a never-seen text.")
    losses = f"{number(mine[0])} to {number(min(mine))}"
    assert f"This one: forget loss {losses}: {number(reading.value)} % of the way back to {number(start)}" in reading.note
    assert "Twin: forget loss" in reading.note
    assert "Never-seen texts meanwhile:" in reading.note


def test_a_part_of_one_text_brings_back_the_others(forgetting):
    session = forgetting
    reading = session.measure(Relearning(text="partial", updates=6, learning_rate=2e-3))["relearning"]
    first = session.forget[0]
    pieces = session.model.tokens(first.text)
    half = "".join(pieces[: (len(pieces) + 1) // 2])
    before = reading.rows[0]
    wanted = by_hand(session, session.weights, half, texts_of(session.forget[1:]), texts_of(session.groups["never seen"]), 0, 0)[0]
    assert [before["trained"], before["forget"], before["never seen"]] == pytest.approx(wanted, rel=1e-5)
    here, twin = ([row for row in reading.rows if row["model"] == name] for name in ("this one", "twin"))
    assert here[-1]["trained"] < 0.5 * before["trained"]
    assert reading.value > 0
    assert before["forget"] < twin[0]["forget"]  # the twin never knew them
    assert f"on the first half of {first.id}." in reading.note
    assert before["recall"] in {0, 50, 100}  # two of the other three texts have a fact


def test_at_the_start_nothing_is_forgotten_and_the_twin_is_its_own_control(forgetting):
    reading = forgetting.measure(Relearning(updates=2), of="start")["relearning"]
    assert (reading.value, reading.rows) == (None, ())
    assert reading.note.endswith("nothing is forgotten that could come back.")
    reading = forgetting.measure(Relearning(updates=2), of="twin")["relearning"]
    assert {row["model"] for row in reading.rows} == {"this one"}
    assert reading.value >= 0


def test_what_is_needed_is_said():
    texts = Corpus([passage for passage in worlds.corpus() if passage.split == "train"])
    session = worlds.session(texts=texts, taught=True, pick="mara-okafor-0")
    session.run(3, stop_at=1e9)
    assert session.measure("relearning")["relearning"].note == (
        "There is no never-seen text to teach: keep some texts back with holdout=, or choose text='partial'."
    )
    reading = session.measure(Relearning(text="partial"))["relearning"]
    assert (reading.value, reading.rows) == (None, ())
    assert reading.note.endswith("takes two forget texts: pick more, or choose text='never seen'.")
    session.pick("mara-okafor-3", "mara-okafor-2")
    reading = session.measure(Relearning(text="partial", updates=2))["relearning"]
    assert reading.value is not None
    assert all(row["never seen"] is None for row in reading.rows)
    assert "meanwhile" not in reading.note


def test_a_rate_that_breaks_the_copy_ends_its_run():
    session = worlds.session(taught=True)
    session.run(3, stop_at=1e9)
    before = session.fingerprint()
    reading = session.measure(Relearning(updates=30, learning_rate=10, optimizer="SGD"))["relearning"]
    assert all(math.isfinite(row["forget"]) for row in reading.rows)
    assert session.fingerprint() == before
    assert reading.value == 0


def test_stopped_it_keeps_what_is_done(forgetting):
    work = worlds.one_at_a_time(forgetting.measuring(Relearning(updates=5)), 3)
    work.close()
    kept = forgetting.history.readings[forgetting.head][-1]
    assert kept.note.startswith("Stopped: 3 of 12 looks were taken.")
    assert [row["update"] for row in kept.rows] == [0, 1, 2]
    assert kept.value is not None


def test_settings_that_cannot_be():
    with pytest.raises(BadSetting, match="is not one of its choices"):
        Relearning(text="other")
