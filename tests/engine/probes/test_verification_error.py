"""Verification error against plain differences, and its proxy against an explicit Hessian."""

from __future__ import annotations

import random

import pytest
import torch

from tests.engine import worlds
from unlearnviz.engine.learning import Recipe
from unlearnviz.engine.probes.unlearning_error import UnlearningError
from unlearnviz.engine.probes.verification_error import VerificationError
from unlearnviz.numbers import number

RECIPE = Recipe(epochs=2, batch_size=8, learning_rate=1e-2)


def far(one, other, names):
    return float(torch.cat([(one[name].double() - other[name].double()).flatten() for name in names]).norm())


@pytest.fixture
def learned():
    session = worlds.session(blocks=1, width=16, dtype=torch.float64)
    session.learn(recipe=RECIPE)
    return session


# -- verification error -------------------------------------------------------------------------------------------------


def test_without_a_twin_there_is_nothing_to_verify_against(session):
    reading = session.measure("verification-error")["verification-error"]
    assert (reading.value, reading.rows) == (None, ())
    assert reading.note == "There is no model to verify against: train one without these texts, session.twin()."


def test_it_is_the_distance_from_the_twin_in_total_and_per_group(learned):
    twin = learned.twin()
    learned.step(where="all")
    readings = {of: learned.measure(VerificationError(), of=of)["verification-error"] for of in ("now", "start", "twin")}
    for of, weights in (("now", learned.weights), ("start", learned.snapshots[0].weights), ("twin", twin.weights)):
        *rows, whole = readings[of].rows
        groups = learned.model.layout.groups
        assert [row["group"] for row in rows] == list(groups)
        for row in rows:
            assert row["error"] == pytest.approx(far(weights, twin.weights, groups[row["group"]]), rel=1e-7, abs=1e-12)
            assert row["do_nothing"] == pytest.approx(far(learned.snapshots[0].weights, twin.weights, groups[row["group"]]), rel=1e-7)
            assert row["between_twins"] is None
        assert readings[of].value == whole["error"] == pytest.approx(far(weights, twin.weights, learned.model.layout.names), rel=1e-7, abs=1e-12)
    nothing = readings["start"].value
    assert readings["now"].rows[-1]["do_nothing"] == pytest.approx(nothing)
    assert readings["now"].note == f"Doing nothing leaves {number(nothing)}."
    assert (readings["now"].unit, readings["now"].direction) == ("L2 norm of weights", "lower = nearer to the retrained model")


def test_twins_of_other_seeds_give_the_scale(learned):
    first = learned.twin()
    alone = learned.measure("verification-error")["verification-error"]
    others = [learned.twin(seed=seed) for seed in (1, 2)]
    reading = learned.measure("verification-error")["verification-error"]
    assert reading.value == alone.value  # against the first, as before
    weights = [each.weights for each in (first, *others)]
    names = learned.model.layout.names
    apart = [far(weights[i], weights[k], names) for i, k in ((0, 1), (0, 2), (1, 2))]
    assert reading.rows[-1]["between_twins"] == pytest.approx(sum(apart) / 3)
    assert reading.note.endswith(f"The 3 twins of this pick lie {number(min(apart))} to {number(max(apart))} apart.")
    learned.pick("Tom Lindqvist")
    assert learned.measure("verification-error")["verification-error"].value is None


# -- unlearning error ---------------------------------------------------------------------------------------------------


def test_without_a_teaching_there_is_no_proxy(session):
    reading = session.measure("unlearning-error")["unlearning-error"]
    assert (reading.value, reading.rows) == (None, ())
    assert reading.note == "It is not known how this model was taught, so there is no proxy; session.learn() teaches it here."


def curvature(session, names, texts):
    """The largest eigenvalue in size of the explicit Hessian of the mean token loss of texts, in some parameters."""
    module = session.model.module.eval()
    live = dict(module.named_parameters())
    shapes = [live[name].shape for name in names]

    def loss(vector):
        parts = vector.split([shape.numel() for shape in shapes])
        given = {name: part.view(shape) for name, part, shape in zip(names, parts, shapes, strict=True)}
        found = []
        for text in texts:
            ids = torch.tensor([session.model.encode(text)])
            logits = torch.func.functional_call(module, given, (ids,), {"use_cache": False}).logits[0, :-1]
            found.append(-torch.log_softmax(logits, -1)[torch.arange(len(logits)), ids[0, 1:]])
        return torch.cat(found).mean()

    explicit = torch.autograd.functional.hessian(loss, torch.cat([live[name].detach().flatten() for name in names]))
    return float(torch.linalg.eigvalsh(explicit).abs().max())


def test_it_is_made_of_the_distance_the_schedule_and_the_curvature(learned):
    before = learned.lineage.initial
    reading = learned.measure(UnlearningError(sample=5, products=24, by_group=True))["unlearning-error"]
    rows = {row["group"]: row for row in reading.rows}
    assert list(rows) == [*learned.model.layout.groups, "all"]
    texts = random.Random(0).sample([passage.text for passage in learned.corpus.train], 5)
    norms = learned.model.layout.groups["final norm"]
    assert rows["final norm"]["sigma"] == pytest.approx(curvature(learned, norms, texts), rel=1e-5)
    updates = 6  # 24 texts, 8 at a time, twice
    rate = sum(RECIPE.rate(update, updates) for update in range(updates)) / updates
    for group, names in {**learned.model.layout.groups, "all": learned.model.layout.names}.items():
        row = rows[group]
        assert row["distance"] == pytest.approx(far(learned.weights, before, names))
        assert row["paper"] == pytest.approx(rate**2 * row["distance"] * row["sigma"] * (updates - 1) / 2)
        assert row["code"] == pytest.approx(row["paper"] * updates / (updates - 1))
        assert row["sigma"] <= rows["all"]["sigma"] * (1 + 1e-6)  # no block curves more than the whole
    assert reading.value == rows["all"]["paper"]
    assert reading.note == (
        f"6 updates at a mean rate of {rate:.3g}, sigma over 5 taught texts. The derivation is for plain SGD at one rate; here AdamW rescales "
        f"every gradient; weight decay 0.01; rates from {RECIPE.rate(5, updates):.3g} to 0.01, of which the mean is used; gradients longer "
        "than 1 were clipped."
    )


def test_the_form_and_the_sigma_of_the_papers_code(learned):
    plain, code, root = (
        learned.measure(UnlearningError(sample=3, products=4, by_group=True, **settings))["unlearning-error"]
        for settings in ({}, {"form": "code"}, {"sigma": "square root"})
    )
    assert code.value == plain.rows[-1]["code"] != plain.value
    assert [row["sigma"] for row in root.rows] == pytest.approx([row["sigma"] ** 0.5 for row in plain.rows])


def test_after_a_single_update_the_papers_form_is_0():
    session = worlds.session(blocks=1, width=16)
    session.learn(recipe=Recipe(epochs=1, batch_size=100, optimizer="SGD", learning_rate=0.1))
    reading = session.measure(UnlearningError(sample=2, products=2))["unlearning-error"]
    assert reading.value == 0
    assert reading.rows[-1]["code"] > 0


def test_stopped_it_keeps_the_groups_that_are_done(learned):
    work = learned.measuring(UnlearningError(sample=2, products=3, by_group=True))
    for _ in range(5):
        next(work)
    work.close()
    (kept,) = [reading for reading in learned.history.readings[0] if reading.probe == "unlearning-error"]
    assert [row["group"] for row in kept.rows] == ["all"]
    assert kept.value == kept.rows[0]["paper"]
    assert kept.note.startswith("Stopped: not all groups were done. 6 updates")
