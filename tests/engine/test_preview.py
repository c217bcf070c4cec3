"""A preview is the step itself, taken back to the bit, and what it says is what autograd and the measured losses say."""

from __future__ import annotations

import copy
import dataclasses
import json
import math
from dataclasses import dataclass

import pytest
import torch
from torch.func import functional_call

from tests.engine import families, worlds
from tests.engine import test_laws as laws
from unlearnviz.engine.methods.gradient_ascent import GradientAscent
from unlearnviz.engine.methods.ledger_method import LedgerMethod
from unlearnviz.engine.methods.method import GradientMethod, Method
from unlearnviz.engine.methods.method import registry as methods
from unlearnviz.engine.model import LanguageModel
from unlearnviz.engine.preview import Preview, actual
from unlearnviz.engine.probes.perplexity import Perplexity
from unlearnviz.engine.progress import Progress
from unlearnviz.engine.session import Session
from unlearnviz.engine.settings import setting
from unlearnviz.errors import (
    BadForgetSet,
    BadSelection,
    BadSetting,
    Busy,
    Cancelled,
    ChangedOutside,
    NotPossible,
    Overshoot,
    UnknownName,
)

METHODS = [cls for cls in methods.classes() if cls.__module__.startswith("unlearnviz.")]
OF_TWO_UPDATES = {"FuzzyUnlearning": {"batch_size": 2, "threshold": 100}, "IterativeUnlearning": {"rounds": 2}, "NablaTau": {"passes": 2}}
EVERY_METHOD = pytest.mark.parametrize("cls", METHODS, ids=lambda cls: cls.__name__)
SHAPES = [(shape, tied) for shape in ("GPT-2", "Llama", "GPT-NeoX", "OPT") for tied in (True, False)]
EVERY_SHAPE = pytest.mark.parametrize(
    "shape, tied", SHAPES, ids=[f"{shape}, {'tied' if tied else 'untied'}" for shape, tied in SHAPES]
)


def opened(shape: str = "GPT-2", *, tied: bool = True) -> Session:
    module = families.module(shape, tied=tied, vocabulary=worlds.tokenizer().get_vocab_size(), attn_implementation="eager")
    session = Session(LanguageModel(copy.deepcopy(module).double().eval(), worlds.tokenizer()), worlds.corpus())
    session.pick("mara-okafor-0", "mara-okafor-3")  # leaves a retain group
    return session


def mean_loss(session, parameters, passages):
    """Mean over all predicted tokens, one unpadded text at a time, as a function of `parameters`, in float64."""
    module, named, found = session.model.module, parameters, []
    if session.model.layout.tied:
        head = next(name for name, each in module.named_modules() if each is module.get_output_embeddings())
        named = {**parameters, f"{head}.weight": parameters[session.model.layout.input_embedding]}
    for passage in passages:
        ids = torch.tensor([session.model.tokenizer.encode(passage.text).ids])
        logits = functional_call(module, named, (ids,), {"use_cache": False}, tie_weights=False).logits[0, :-1]
        found.append(-torch.log_softmax(logits, -1)[torch.arange(len(logits)), ids[0, 1:]])
    return torch.cat(found).mean()


@pytest.fixture
def _all_in_float64(monkeypatch):
    """Llama, OPT and GPT-NeoX compute norms and attention in float32 whatever their weights are: here they do not."""
    monkeypatch.setattr(torch, "float32", torch.float64)


def bits(session):
    return {name: parameter.detach().clone() for name, parameter in session.model.parameters.items()}


@pytest.mark.usefixtures("_all_in_float64")
@EVERY_SHAPE
@pytest.mark.parametrize("where", ["embedding", "embedding.input", "embedding.output", "block 1", "all"])
def test_what_is_predicted_is_the_derivative_along_the_step(shape, tied, where):
    session = opened(shape, tied=tied)
    preview = session.preview(GradientAscent(update_norm=0.1), where)
    before = bits(session)
    session.step(GradientAscent(update_norm=0.1), where)
    update = {name: parameter - before[name] for name, parameter in bits(session).items()}
    assert [*preview.predicted] == ["forget", "neighbours", "retain", "never seen"]
    for group, found in preview.predicted.items():
        leaves = {name: value.clone().requires_grad_() for name, value in before.items()}
        gradients = torch.autograd.grad(
            mean_loss(session, leaves, session.groups[group]), list(leaves.values()), allow_unused=True
        )
        pairs = [(gradient, update[name]) for name, gradient in zip(leaves, gradients, strict=True) if gradient is not None]
        truth = math.fsum(float((gradient * move).sum()) for gradient, move in pairs)
        scale = math.sqrt(sum(float((g**2).sum()) for g, _ in pairs)) * 0.1
        assert found == pytest.approx(truth, rel=1e-10, abs=1e-12 * scale)


@pytest.mark.usefixtures("_all_in_float64")
@pytest.mark.parametrize(
    "shape, tied", [each for each in SHAPES if each[0] != "OPT"]
)  # whose ReLU has kinks: no second derivative there
def test_half_the_step_has_a_quarter_of_the_error(shape, tied):
    session = opened(shape, tied=tied)
    before = session.measure(Perplexity())["perplexity"]
    errors: dict[str, list[float]] = {}
    for length in (8e-6, 4e-6):
        method = GradientAscent(update_norm=length)
        preview = session.preview(method, "all")
        session.step(method, "all")
        done = actual(before, session.measure(Perplexity())["perplexity"])
        session.undo()
        assert done.keys() == preview.predicted.keys()
        for group, change in done.items():
            errors.setdefault(group, []).append(change - preview.predicted[group])
    for group, (whole, half) in errors.items():
        assert whole / half == pytest.approx(4, rel=0.02), group


def test_what_is_measured_afterwards_is_the_change_of_the_log_of_the_perplexity():
    session = opened()
    before = session.measure(Perplexity())["perplexity"]
    session.step()
    after = session.measure(Perplexity())["perplexity"]
    logs = [{row["group"]: math.log(row["perplexity"]) for row in reading.rows} for reading in (before, after)]
    assert actual(before, after) == {
        group: pytest.approx(logs[1][group] - value, rel=1e-10, abs=1e-13) for group, value in logs[0].items()
    }
    assert actual(before, before) == dict.fromkeys(logs[0], 0.0)
    with pytest.raises(BadSetting, match="one of these is of 'update-size'"):
        actual(before, session.measure("update-size")["update-size"])
    with pytest.raises(BadSetting, match="different texts or tokens"):
        actual(before, session.measure(Perplexity(of_answer=True))["perplexity"])
    session.pick("Tom Lindqvist")
    with pytest.raises(
        BadSetting, match=r"of steps 0 and 1 are of different texts or tokens; measure both with the same pick\."
    ):
        actual(before, session.measure(Perplexity())["perplexity"])


def of_two_updates(cls):
    if issubclass(cls, LedgerMethod):  # it has as many as were recorded, or takes one at a time
        return next(iter(laws.ways(cls).values()))
    return {"updates": 2} if issubclass(cls, GradientMethod) else OF_TWO_UPDATES[cls.__name__]


def ways(cls):
    if issubclass(cls, LedgerMethod):
        return {"recorded": of_two_updates(cls)}
    return {"default": OF_TWO_UPDATES.get(cls.__name__, {}), "AdamW": {"optimizer": "AdamW", "learning_rate": 0.01, **of_two_updates(cls)}}


@pytest.mark.parametrize(
    "cls, settings", [pytest.param(cls, way, id=f"{cls.__name__}, {name}") for cls in METHODS for name, way in ways(cls).items()]
)
@pytest.mark.parametrize("where", ["embedding", "embedding.input", "all"])
def test_a_preview_changes_nothing_and_the_step_after_it_is_the_same(cls, settings, where):
    session, other = (laws.opened(cls, dropout=0.1) for _ in range(2))
    where = laws.place(cls, settings, where)
    for each in (session, other):
        each.step(cls(**settings), where)
        each.model.module.train()
    before, generator = worlds.state(session), torch.random.get_rng_state()
    heard: list[object] = []
    session.listen(heard.append)
    preview = session.preview(cls(**settings), where)
    assert session.preview(cls(**settings), where) == preview
    assert worlds.state(session) == before
    assert torch.equal(torch.random.get_rng_state(), generator)
    assert not heard
    assert session.step(cls(**settings), where).seed == other.step(cls(**settings), where).seed
    assert session.fingerprint() == other.fingerprint()
    record = session.history[2]
    assert preview.update_norm == {group: pytest.approx(norm, rel=1e-6) for group, norm in record.update_norm.items()}
    assert (preview.method, preview.settings, preview.where, preview.forget) == (
        record.method,
        record.settings,
        record.where,
        record.forget,
    )
    assert preview.step == record.parent == 1


@EVERY_METHOD
def test_a_preview_that_is_stopped_closed_or_broken_changes_nothing(cls):
    session = laws.opened(cls, dropout=0.1)
    session.step()
    session.model.module.train()
    before = worlds.state(session)
    method = cls(**of_two_updates(cls))
    whole = len(list(session.previewing(method, "embedding, block 0")))
    assert whole == 2 + 3 or cls.run is not GradientMethod.run  # two updates, and the groups that have texts
    points = sorted({*range(1, whole, max(1, whole // 8)), whole - 1, whole})  # all of a few, some of the hundreds that a ledger is read in
    for done in points:
        worlds.one_at_a_time(session.previewing(method, "embedding, block 0"), done).close()
        assert worlds.state(session) == before
        work = worlds.one_at_a_time(session.previewing(method, "embedding, block 0"), done)
        with pytest.raises(ZeroDivisionError):
            work.throw(ZeroDivisionError)
        assert worlds.state(session) == before
    for done in points[:-1]:
        work = worlds.one_at_a_time(session.previewing(method, "embedding, block 0"), done)
        assert session.turn.what == f"a preview of {cls.name}"
        session.cancel()
        with pytest.raises(Cancelled, match=f"a preview of {cls.name} was stopped"):
            next(work)
        assert worlds.state(session) == before


def test_what_a_step_refuses_a_preview_refuses():
    session = worlds.session(pick=None)
    with pytest.raises(BadForgetSet, match="Nothing is picked"):
        session.preview()
    session.pick("Mara Okafor")
    before = worlds.state(session)
    with pytest.raises(BadSelection):
        session.preview(where="blok 1")
    with pytest.raises(UnknownName):
        session.preview("gradient-assent")
    with pytest.raises(Overshoot, match="Lower the learning rate"):
        session.preview(GradientAscent(learning_rate=1e30, updates=4), "all")
    work = worlds.one_at_a_time(session.previewing(), 1)
    with pytest.raises(Busy):
        session.preview()
    work.close()
    assert worlds.state(session) == before
    with torch.no_grad():
        session.model.parameters["transformer.ln_f.bias"].add_(1)
    with pytest.raises(ChangedOutside):
        session.preview()


def test_a_method_that_edits_what_was_not_selected_is_stopped_in_its_preview():
    @dataclass(frozen=True, kw_only=True)
    class Stray(Method):
        far: bool = setting(default=True, help="Whether to edit elsewhere.")

        def run(self, work):
            with torch.no_grad():
                work.model.parameters["transformer.ln_f.weight"].add_(1)
            yield Progress(1)

    session = worlds.session()
    before = worlds.state(session)
    with pytest.raises(ChangedOutside, match="Nothing was kept"):
        session.preview(Stray(), "block 0")
    assert worlds.state(session) == before


def test_a_preview_without_room_for_a_copy_is_refused():
    session = worlds.session(memory_budget=0, disk_budget=0)
    before = session.fingerprint()
    with pytest.raises(NotPossible, match=r"keep_every\(2\)"):
        session.preview(where="block 0")
    assert session.fingerprint() == before


def test_a_step_that_does_not_move_is_predicted_to_change_nothing():
    @dataclass(frozen=True, kw_only=True)
    class Rest(Method):
        def run(self, work):
            yield Progress(1)

    preview = worlds.session().preview(Rest())
    assert preview.update_norm == {}
    assert set(preview.predicted.values()) == {0.0}


def test_groups_in_several_batches_have_the_same_prediction(monkeypatch):
    whole = opened().preview()
    assert len(list(opened().previewing())) == 1 + len(whole.predicted)
    monkeypatch.setattr("unlearnviz.engine.model.TOKENS_PER_BATCH", 60)
    assert len(list(opened().previewing())) > 1 + len(whole.predicted)
    assert opened().preview().predicted == pytest.approx(whole.predicted, rel=1e-10)


def test_a_large_tied_embedding_has_the_same_prediction(monkeypatch):
    whole = opened().preview().predicted
    monkeypatch.setattr("unlearnviz.engine.model.LARGE", 1)  # its lookup then hands in few rows instead of a second matrix
    assert opened().preview().predicted == pytest.approx(whole, rel=1e-10)


def test_a_preview_is_plain_data():
    session = worlds.session()
    preview = session.preview(where="block 0")
    data = json.loads(json.dumps(dataclasses.asdict(preview)))
    assert data["predicted"] == preview.predicted
    assert preview.passages == {group: tuple(passage.id for passage in members) for group, members in session.groups.items()}
    assert preview.predicted["forget"] > 0
    assert "retain" not in preview.predicted  # this world has none left
    with pytest.raises(dataclasses.FrozenInstanceError):
        preview.step = 3
    assert isinstance(preview, Preview)


def test_grad_mode_of_the_caller_does_not_matter(recwarn, capsys):
    session = worlds.session()
    wanted = session.preview()
    with torch.no_grad():
        assert session.preview() == wanted
    with torch.inference_mode():
        assert session.preview() == wanted
    assert capsys.readouterr() == ("", "")
    assert not list(recwarn)
