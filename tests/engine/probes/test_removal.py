"""Removal against the explicit damped inverse, in float64, and what its rows and its note promise."""

import pytest
import torch

from tests.engine import worlds
from tests.engine.probes.opened import by_hand, opened, token_losses
from unlearnviz.engine.probes.removal import Removal
from unlearnviz.errors import BadSelection, BadSetting

WHERE = "final norm"  # few parameters: the Hessian fits a table


def explicit(session, damping):
    """The Hessian of the mean token loss of all taught texts in the final norm, by two derivatives, and the damped solution."""
    module = session.model.module.eval()
    names = session.model.layout.groups[WHERE]
    live = dict(module.named_parameters())
    shapes = [live[name].shape for name in names]

    def loss(vector):
        parts = vector.split([shape.numel() for shape in shapes])
        given = {name: part.view(shape) for name, part, shape in zip(names, parts, shapes, strict=True)}
        found = []
        for passage in session.corpus.train:
            ids = torch.tensor([session.model.encode(passage.text)])
            logits = torch.func.functional_call(module, given, (ids,), {"use_cache": False}).logits[0, :-1]
            found.append(-torch.log_softmax(logits, -1)[torch.arange(len(logits)), ids[0, 1:]])
        return torch.cat(found).mean()

    at = torch.cat([live[name].detach().flatten() for name in names])
    hessian = torch.autograd.functional.hessian(loss, at)
    flat = lambda gradient: torch.cat([gradient[name].flatten() for name in names])  # noqa: E731
    aim = flat(by_hand(session, session.forget))
    solved = torch.linalg.solve(hessian + damping * torch.eye(len(at)), aim)
    tokens = sum(len(token_losses(module, session, passage.text)) for passage in session.corpus.train)
    return {
        passage.id: float(solved @ flat(by_hand(session, [passage])))
        * (len(session.model.encode(passage.text)) - 1)
        / tokens
        for passage in session.corpus.train
    }


def test_against_the_explicit_inverse():
    session = opened()
    probe = Removal(where=WHERE, damping=1.0, curvature="Hessian", sample=10_000)
    reading = session.measure(probe)["removal"]
    truth = explicit(session, 1.0)
    largest = max(abs(value) for value in truth.values())
    found = {row["passage"]: row["influence"] for row in reading.rows if row["group"] != "never seen"}
    assert found == {passage: pytest.approx(value, abs=2e-3 * largest) for passage, value in truth.items()}
    assert {row["passage"] for row in reading.rows if row["group"] == "never seen"} == {
        p.id for p in session.groups["never seen"]
    }
    assert all(row["groups"] == {WHERE: row["influence"]} for row in reading.rows)
    assert f"Hessian over {len(session.corpus.train)} taught texts, damping 1: conjugate gradients took" in reading.note


def test_the_forget_texts_hold_themselves_most():
    session = worlds.session(taught=True)
    reading = session.measure(Removal())["removal"]
    own = [row["influence"] for row in reading.rows if row["group"] == "forget"]
    others = [row["influence"] for row in reading.rows if row["group"] == "taught"]
    assert min(own) > 0
    assert max(own) > max(others)


def test_negative_curvature_is_said():
    session = worlds.session()
    note = session.measure(Removal(where="all", damping=1e-6, curvature="Hessian"))["removal"].note
    assert "does not make up for it" in note
    assert "Gauss-Newton" in note


def test_stopped_it_keeps_what_is_done(monkeypatch):
    monkeypatch.setattr("unlearnviz.engine.model.TOKENS_PER_BATCH", 60)
    session = worlds.session()
    work = session.measuring(Removal(where=WHERE))
    while "texts" not in next(work).text:
        pass
    work.close()
    (kept,) = session.history.readings[0]
    assert kept.note.startswith(f"Stopped: {len(kept.rows)} of ")
    assert kept.rows


def test_what_cannot_be_asked():
    with pytest.raises(BadSetting, match="damping"):
        Removal(damping=0)
    with pytest.raises(BadSelection, match="blok 1"):
        worlds.session().measure(Removal(where="blok 1"))
