"""The six laws, over every method and probe of the package, several selections and optimizers."""

from __future__ import annotations

import threading
from dataclasses import fields
from typing import Any

import pytest
import torch

from tests.engine import worlds
from unlearnviz.engine.methods.ledger_method import LedgerMethod
from unlearnviz.engine.methods.method import GradientMethod
from unlearnviz.engine.methods.method import registry as methods
from unlearnviz.engine.probes.probe import registry as probes
from unlearnviz.engine.progress import Progress
from unlearnviz.engine.session import Session
from unlearnviz.errors import Cancelled, ChangedOutside, NotPossible, Overshoot, UnlearnvizError

METHODS = [cls for cls in methods.classes() if cls.__module__.startswith("unlearnviz.")]
PROBES = [cls for cls in probes.classes() if cls.__module__.startswith("unlearnviz.")]
WAYS: dict[str, dict[str, Any]] = {  # settings that every gradient method understands
    "default": {},
    "SGD by rate": {"learning_rate": 0.05, "updates": 3, "batch_size": 2},
    "AdamW": {"optimizer": "AdamW", "learning_rate": 0.01, "weight_decay": 0.5, "updates": 2},
}
OWN_WAYS: dict[str, dict[str, dict[str, Any]]] = {  # and settings of a method's own
    "IterativeUnlearning": {"by influence": {"score": "influence", "take": 2, "budget": 20, "optimizer": "AdamW", "weight_decay": 0.5}},
    "NablaTau": {"default": {"passes": 2}, "over steps": {"passes": 3, "steps": 3, "refresh": 2, "batch_size": 3, "weight_decay": 0.5}},
}
ONLY = {  # these descend other losses by the loop of the others, so that one way is enough
    "LabelFlipping": {"partial": {"keep": 0.2, "pruning": "rotating", "redraw": False, "retain_weight": 1.0, "updates": 2}},
    "OptimisationBased": {"partial": {"keep": 0.2, "pruning": "random", "optimizer": "AdamW", "learning_rate": 0.01, "updates": 2}},
    "NPO": {"default": {}},
    "SimNPO": {"default": {}},
    "ProjectedGradient": {
        "default": {},
        "AdamW": {"optimizer": "AdamW", "learning_rate": 0.01, "weight_decay": 0.5, "updates": 2, "texts": 6, "batch_size": 2},
    },
    # and these apply what was recorded: updates are taken back one at a time, as there are only so many
    "FirstEpochAscent": {
        "all that looks alike": {"take": "fuzzy", "threshold": 60, "as_long_as_all": True},
        "the best known first": {"take": "iterative", "texts": 2, "strength": 0.1},
        "by deltas": {"use": "deltas", "update_norm": 0.1},
    },
    "Amnesiac": {"default": {"updates": 1}},
    "PartialAmnesiac": {"default": {"updates": 1}},
    "SingleGradient": {"each epoch": {"variant": "each epoch"}},
}


def ways(cls: type) -> dict[str, dict[str, Any]]:
    shared = WAYS if issubclass(cls, GradientMethod) else {"default": {}}
    return ONLY.get(cls.__name__) or shared | OWN_WAYS.get(cls.__name__, {})


MADE = [pytest.param(cls, settings, id=f"{cls.__name__}, {way}") for cls in METHODS for way, settings in ways(cls).items()]
EVERY_METHOD = pytest.mark.parametrize("cls, settings", MADE)
EVERY_PROBE = pytest.mark.parametrize("cls", PROBES, ids=lambda cls: cls.__name__)
OPEN = [pytest.param({"tied": True}, id="tied"), pytest.param({"tied": False}, id="untied")]


class Interrupt(Exception):
    """Something that no method expects."""


def opened(cls: type, **options: Any) -> Session:
    """A session that a method can work in."""
    return worlds.ledger_session(**options) if issubclass(cls, LedgerMethod) else worlds.session(**options)


def place(cls: type, settings: dict[str, Any], where: str) -> str:
    """A selection that a method can work on: a recorded delta is of both uses of a tied embedding, and projected are linear layers."""
    if cls.__name__ == "ProjectedGradient" and where in ("norm", "position"):
        return f"{where}, block 0"
    deltas = settings.get("use") == "deltas" or cls.__name__ in ("Amnesiac", "PartialAmnesiac")
    return where.replace(".input", "").replace(".output", "") if deltas else where


def rounds(cls: type, settings: dict[str, Any]) -> int:
    return int(settings.get("updates", 1))


def bits(session: Session) -> dict[str, torch.Tensor]:
    return {name: parameter.detach().clone() for name, parameter in session.model.parameters.items()}


def differing(session: Session, before: dict[str, torch.Tensor]) -> set[str]:
    now = session.model.parameters
    return {name for name in before if not torch.equal(now[name].view(torch.int32), before[name].view(torch.int32))}


def test_there_are_methods_and_probes_to_judge():
    assert {"GradientAscent", "GradientDifference", "FineTune", "FuzzyUnlearning", "IterativeUnlearning"} <= {cls.__name__ for cls in METHODS}
    assert {"Perplexity", "ExactRecall", "Generation", "GradientNorm", "UpdateSize"} <= {cls.__name__ for cls in PROBES}


# -- 1. atomic ----------------------------------------------------------------------------------------------------------


@EVERY_METHOD
@pytest.mark.parametrize("where", ["embedding.input", "embedding.output", "embedding, block 0"])
def test_a_step_that_is_cancelled_closed_or_broken_changes_nothing(cls, settings, where):
    session, where = opened(cls, dropout=0.1), place(cls, settings, where)
    session.step()
    session.model.module.train()
    before = worlds.state(session)
    for done in range(rounds(cls, settings)):
        work = worlds.one_at_a_time(session.stepping(cls(**settings), where), done + 1)
        assert session.turn.taken
        work.close()
        assert worlds.state(session) == before

        work = worlds.one_at_a_time(session.stepping(cls(**settings), where), done + 1)
        with pytest.raises(Interrupt):
            work.throw(Interrupt)
        assert worlds.state(session) == before

        work = worlds.one_at_a_time(session.stepping(cls(**settings), where), done)
        if done == 0:
            continue  # a Stop before the start belongs to no step
        session.cancel()
        with pytest.raises(Cancelled, match="was stopped; nothing of the unfinished part was kept"):
            next(work)
        assert worlds.state(session) == before


@pytest.mark.parametrize("cls, settings", [made for made in MADE if issubclass(made.values[0], GradientMethod)])
def test_a_step_whose_values_are_not_finite_is_not_kept(cls, settings):
    session = worlds.session()
    before = worlds.state(session)
    with pytest.raises(Overshoot, match="Lower the learning rate"):
        session.step(cls(**{**settings, "learning_rate": 1e30, "updates": 4}), "all")
    assert worlds.state(session) == before


@EVERY_METHOD
def test_a_step_that_finds_no_room_is_not_kept(cls, settings):
    session = opened(cls, memory_budget=0, disk_budget=0)
    before = session.fingerprint(), session.history.dumps()
    held = []
    for _ in range(2):
        with pytest.raises(NotPossible, match=r"keep_every\(2\)"):
            session.step(cls(**settings), "block 0")
        assert (session.fingerprint(), session.history.dumps()) == before
        held.append((len(session.snapshots.store._held), session.snapshots.store.memory_bytes))
    assert held[0] == held[1]  # nothing leaks
    assert session.snapshots.steps() == (0,)


def test_an_error_between_the_last_update_and_the_commit_changes_nothing(session, monkeypatch):
    session.step()
    before = worlds.state(session)
    for place in ("put", "fit"):
        with monkeypatch.context() as patch:
            patch.setattr(session.snapshots.store, place, lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
            with pytest.raises(KeyboardInterrupt):
                session.step("gradient-difference", "all")
        assert worlds.state(session) == before
    session.step()
    assert session.fingerprint() == session.weights.fingerprint()


# -- 2. exact -----------------------------------------------------------------------------------------------------------


@EVERY_METHOD
@pytest.mark.parametrize("shape", OPEN)
def test_every_way_back_is_exact_to_the_bit(cls, settings, shape, tmp_path):
    session = opened(cls, **shape)
    prints = [session.fingerprint()]
    for where in worlds.SELECTIONS:
        session.step(cls(**settings), place(cls, settings, where))
        prints.append(session.fingerprint())
    assert len(set(prints)) == len(prints)
    for step in (2, 5, 0, 4, 1, 3, 5):
        assert session.go_to(step).id == step
        assert session.fingerprint() == prints[step] == session.weights.fingerprint()
    for step in (4, 3, 2, 1, 0):
        assert session.undo().id == step
        assert session.fingerprint() == prints[step]
    for step in (1, 2, 3, 4, 5):
        assert session.redo().id == step
        assert session.fingerprint() == prints[step]
    session.go_to(2)
    loaded = Session.load(session.save(tmp_path / "saved"))
    assert (loaded.head, loaded.fingerprint()) == (2, prints[2])
    for step in (5, 0, 3, 4, 1, 2):
        loaded.go_to(step)
        assert loaded.fingerprint() == prints[step] == loaded.weights.fingerprint()


@EVERY_METHOD
def test_replaying_a_path_is_exact_to_the_bit(cls, settings):
    session = opened(cls)
    for where in worlds.SELECTIONS[:3]:
        session.step(cls(**settings), place(cls, settings, where))
    again = opened(cls)
    for step in session.history.path()[1:]:
        record = session.history[step]
        again.pick(*record.forget)
        again.step(methods[record.method](**record.settings), record.where)
    assert again.fingerprint() == session.fingerprint()


# -- 3. scoped ----------------------------------------------------------------------------------------------------------


@EVERY_METHOD
@pytest.mark.parametrize("shape", OPEN)
@pytest.mark.parametrize("where", [*worlds.SELECTIONS, "norm", "position", "attention, mlp"])
def test_what_is_not_selected_stays_the_same_tensor(cls, settings, shape, where):
    session, where = opened(cls, **shape), place(cls, settings, where)
    before, weights = bits(session), session.weights
    places = {name: (id(parameter), parameter.data_ptr()) for name, parameter in session.model.parameters.items()}
    record = session.step(cls(**settings), where)
    from unlearnviz.engine.selection import ParameterSelection

    selected = set(ParameterSelection.parse(where, session.model.layout).names)
    changed = differing(session, before)
    assert changed
    assert changed <= selected
    assert {name for name in before if not session.weights.shares(weights, name)} == selected
    assert {name: (id(parameter), parameter.data_ptr()) for name, parameter in session.model.parameters.items()} == places
    assert set(record.update_norm) == {session.model.layout.group_of(name) for name in changed}
    assert not session.snapshots.changed_outside()


def test_a_method_that_edits_what_was_not_selected_is_stopped():
    from dataclasses import dataclass

    @dataclass(frozen=True, kw_only=True)
    class Careless(methods["gradient-ascent"].__mro__[2]):
        def run(self, work):
            with torch.no_grad():
                work.model.parameters["transformer.ln_f.weight"].add_(1)
            yield Progress(1)

    session = worlds.session()
    before = worlds.state(session)
    with pytest.raises(ChangedOutside) as caught:
        session.step(Careless(), "block 0")
    assert str(caught.value) == (
        "During this step transformer.ln_f.weight was edited, which is not in 'block 0': careless may change work.parameters only, "
        "and nobody else may edit the model meanwhile. Nothing was kept."
    )
    assert worlds.state(session) == before


# -- 4. looking is pure -------------------------------------------------------------------------------------------------


@EVERY_PROBE
@pytest.mark.parametrize("shape", OPEN)
def test_a_probe_changes_nothing_whomever_it_looks_at(cls, shape):
    session = worlds.session(**shape)
    session.learn(1)
    session.step("gradient-difference", "all")
    session.step(where="embedding")
    session.twin()
    session.model.module.train()
    before = worlds.state(session)
    del before["history"]  # readings are notes on it
    others = [session.snapshots[step].weights.fingerprint() for step in session.snapshots.steps()], session.twins[0].weights.fingerprint()
    records = list(session.history)
    generator = torch.random.get_rng_state()
    first = {of: session.measure(cls(), of=of) for of in ("now", "start", "twin", 1, 0)}
    after = worlds.state(session)
    del after["history"]
    assert after == before
    assert list(session.history) == records
    assert ([session.snapshots[step].weights.fingerprint() for step in session.snapshots.steps()], session.twins[0].weights.fingerprint()) == others
    assert torch.equal(torch.random.get_rng_state(), generator)
    session.measurements.clear()
    for of, readings in first.items():
        again = session.measure(cls(), of=of)[cls.name]
        assert (again.value, again.rows) == (readings[cls.name].value, readings[cls.name].rows)


def test_a_probe_that_edits_is_stopped_and_its_edits_are_taken_back():
    from dataclasses import dataclass

    from unlearnviz.engine.probes.probe import Probe

    @dataclass(frozen=True)
    class Clumsy(Probe):
        fail: bool = False

        def measure(self, model, corpus, view):
            with torch.no_grad():
                next(iter(model.parameters.values())).mul_(2)
            if self.fail:
                raise Interrupt
            return self.reading(0.0, [])

    session = worlds.session()
    session.step()
    before = worlds.state(session)
    start = session.snapshots[0].weights.fingerprint()
    with pytest.raises(ChangedOutside, match=r"The probe 'clumsy' edited .*; a probe may only look\. Its edits were taken back\."):
        session.measure(Clumsy())
    with pytest.raises(ChangedOutside, match=r"Its edits were taken back\."):
        session.measure(Clumsy(fail=True))
    with pytest.raises(ChangedOutside, match=r"The probe 'clumsy' edited the weights it was shown; a probe may only look\."):
        session.measure(Clumsy(), of="start")
    assert worlds.state(session) == before
    assert session.snapshots[0].weights.fingerprint() == start


OUTSIDE = {
    "edited in place": lambda module: module.transformer.wte.weight.data_ptr() and module.transformer.wte.weight.requires_grad_(False).add_(1),
    "edited through a view": lambda module: torch.nn.init.zeros_(module.transformer.h[0].mlp.c_fc.weight),
    "exchanged": lambda module: setattr(module.transformer.ln_f, "weight", torch.nn.Parameter(torch.ones(32))),
    "untied": lambda module: setattr(module.lm_head, "weight", torch.nn.Parameter(module.lm_head.weight.detach().clone())),
    "given other data": lambda module: setattr(module.transformer.wpe.weight, "data", torch.zeros(64, 32)),
    "of another kind": lambda module: module.half(),
}


@pytest.mark.parametrize("edit", OUTSIDE.values(), ids=OUTSIDE)
def test_an_edit_from_outside_is_noticed_and_go_to_mends_it(edit, tmp_path):
    session = worlds.session(taught=True)
    session.step()
    said = session.measure("perplexity")["perplexity"]
    before = session.fingerprint(), session.history.dumps()
    edit(session.model.module)
    for attempt in (session.step, lambda: session.save(tmp_path / "x"), lambda: session.learn(1)):
        with pytest.raises(ChangedOutside, match=r"was edited outside the session since step 1\. session\.go_to\(1\) puts"):
            attempt()
    assert session.history.dumps() == before[1]
    session.go_to(1)
    assert session.fingerprint() == before[0] == session.weights.fingerprint()
    assert session.model.module.lm_head.weight is session.model.module.transformer.wte.weight
    session.measurements.clear()
    assert session.measure("perplexity")["perplexity"].rows == said.rows  # the model that speaks is the one that was mended
    session.step()
    session.undo()
    assert session.fingerprint() == before[0]


def test_an_edit_through_data_is_found_by_the_fingerprint_and_mended(session):
    session.step()
    session.model.parameters["transformer.wpe.weight"].data.add_(1)
    assert not session.snapshots.changed_outside()
    assert session.fingerprint() != session.weights.fingerprint()
    session.go_to(session.head)
    assert session.fingerprint() == session.weights.fingerprint()


def test_a_large_model_has_no_copy_of_what_was_never_stepped_on():
    session = worlds.session(memory_budget=1000)
    with torch.no_grad():
        session.model.parameters["transformer.ln_f.bias"].add_(1)
    with pytest.raises(ChangedOutside) as caught:
        session.go_to(0)
    assert str(caught.value) == (
        "transformer.ln_f.bias was edited outside the session before the session had a copy of it; open the model again."
    )


# -- 5. no memory across steps ------------------------------------------------------------------------------------------


@EVERY_METHOD
def test_a_step_repeats_bit_for_bit_whatever_was_done_in_between(cls, settings, tmp_path):
    method = cls(**settings)
    session = opened(cls)
    session.step(method, "block 0")
    session.step(method, "block 0")
    wanted = session.step(method, "block 0"), session.fingerprint()

    session.undo()
    assert session.step(method, "block 0").seed == wanted[0].seed
    assert session.fingerprint() == wanted[1]

    session.go_to(0)
    session.step("gradient-ascent", "all")
    session.measure("generation", "gradient-norm")
    session.go_to(2)
    session.save(tmp_path / "saved")
    session.step(method, "block 0")
    assert session.fingerprint() == wanted[1]

    fresh = Session.load(tmp_path / "saved")
    fresh.step(method, "block 0")
    assert fresh.fingerprint() == wanted[1]


def test_adams_moments_are_part_of_the_commit():
    method = methods["gradient-ascent"](optimizer="AdamW", learning_rate=0.01)
    twice, once = worlds.session(), worlds.session()
    twice.step(method)
    twice.step(method)
    once.step(methods["gradient-ascent"](optimizer="AdamW", learning_rate=0.01, updates=2))
    assert twice.fingerprint() == once.fingerprint()
    name = once.model.layout.input_embedding
    moments = [session.snapshots[session.head].state for session in (twice, once)]
    assert set(moments[0]) == set(moments[1]) == {f"step/{name}", f"exp_avg/{name}", f"exp_avg_sq/{name}"}
    for key in moments[0]:
        assert torch.equal(moments[0][key].value(), moments[1][key].value())
    assert float(moments[0][f"step/{name}"].value()) == 2


def test_moments_of_other_settings_or_selections_are_not_carried_on():
    other = methods["gradient-ascent"](optimizer="AdamW", learning_rate=0.02)
    session = worlds.session()
    session.step(methods["gradient-ascent"](optimizer="AdamW", learning_rate=0.01))
    session.step(other)
    (step,) = (value for key, value in session.snapshots[session.head].state.items() if key.startswith("step/"))
    assert float(step.value()) == 1
    session.step(other, "embedding, block 0")
    assert all(float(v.value()) == 1 for key, v in session.snapshots[session.head].state.items() if key.startswith("step/"))


# -- 6. quiet -----------------------------------------------------------------------------------------------------------


@EVERY_METHOD
def test_a_step_is_quiet(cls, settings, capsys, recwarn):
    loud, calm = opened(cls, dropout=0.1), opened(cls)
    loud.model.module.train()
    flags = {}
    for k, parameter in enumerate(loud.model.parameters.values()):
        parameter.requires_grad_(k % 2 == 0)
        parameter.grad = torch.ones_like(parameter) if k % 2 == 0 else None
        flags[k] = k % 2 == 0
    loud.model.module.transformer.h[1].eval()
    modes = [module.training for module in loud.model.module.modules()]
    generator = torch.random.get_rng_state()
    for session in (loud, calm):
        session.step(cls(**settings), place(cls, settings, "embedding.output, block 1"))
    assert loud.fingerprint() == calm.fingerprint()  # no dropout in the step
    assert [module.training for module in loud.model.module.modules()] == modes
    assert {k: parameter.requires_grad for k, parameter in enumerate(loud.model.parameters.values())} == flags
    assert all(parameter.grad is None for parameter in loud.model.parameters.values())
    assert torch.equal(torch.random.get_rng_state(), generator)
    assert capsys.readouterr() == ("", "")
    assert not list(recwarn)


@EVERY_METHOD
def test_grad_mode_of_the_caller_does_not_matter(cls, settings):
    session = opened(cls)
    session.step(cls(**settings))
    wanted = session.fingerprint()
    session.undo()
    seen: list[Any] = []

    def elsewhere():  # every round on another thread than the one before, with gradients off
        with torch.no_grad():
            work = session.stepping(cls(**settings))
            seen.append(next(work))
            seen.append(torch.is_grad_enabled())
            waiting.append(work)

    waiting: list[Any] = []
    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    with torch.no_grad():
        for _ in waiting[0]:
            assert not torch.is_grad_enabled()
    assert seen[1] is False
    assert session.fingerprint() == wanted
    session.undo()
    with torch.inference_mode():
        session.step(cls(**settings))
    assert session.fingerprint() == wanted


@EVERY_PROBE
def test_a_probe_is_quiet(cls, capsys, recwarn):
    session = worlds.session(dropout=0.1)
    session.model.module.train()
    with torch.no_grad():
        reading = session.measure(cls())[cls.name]
    assert all(module.training for module in session.model.module.modules())
    session.model.module.eval()
    session.measurements.clear()
    assert session.measure(cls())[cls.name].rows == reading.rows
    assert capsys.readouterr() == ("", "")
    assert not list(recwarn)


@pytest.mark.parametrize("cls", [*METHODS, *PROBES], ids=lambda cls: cls.__name__)
def test_every_setting_explains_itself(cls):
    assert cls.__doc__
    for each in fields(cls):
        if each.name != "label":
            assert str(each.metadata["help"]).endswith(".")
    assert issubclass(Overshoot, UnlearnvizError)
