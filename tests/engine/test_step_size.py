"""The size that is proposed does what was said when it is taken, looking for it changes nothing, and where there is none it says so."""

from __future__ import annotations

import copy
import json
import math
from dataclasses import asdict, dataclass

import pytest
import torch

from tests.engine import families, worlds
from unlearnviz.engine.methods.gradient_ascent import GradientAscent
from unlearnviz.engine.methods.gradient_difference import GradientDifference
from unlearnviz.engine.methods.method import GradientMethod, Method
from unlearnviz.engine.methods.method import registry as methods
from unlearnviz.engine.methods.npo import NPO
from unlearnviz.engine.model import LanguageModel
from unlearnviz.engine.probes.perplexity import Perplexity
from unlearnviz.engine.progress import Progress
from unlearnviz.engine.session import Session
from unlearnviz.engine.settings import setting
from unlearnviz.engine.step_size import MOST, StepSize, TriedSize, next_size
from unlearnviz.errors import BadForgetSet, BadSetting, Busy, Cancelled, NotPossible
from unlearnviz.numbers import number, percent

SHAPES = [("GPT-2", True), ("GPT-2", False), ("Llama", True), ("OPT", True), ("GPT-NeoX", False), ("Qwen3", False), ("Bloom", True)]
ASKED = [
    (GradientAscent(), "embedding"),
    (GradientAscent(learning_rate=1e-6), "all"),
    (GradientAscent(update_norm=1e5), "block 1"),
    (GradientAscent(optimizer="AdamW", updates=2), "embedding.output"),
    (GradientDifference(), "blocks 0-1"),
    (NPO(retain_weight=0.0), "embedding.input"),
]


def losses(session):
    return {row["group"]: row["nll"] for row in session.measure(Perplexity())["perplexity"].rows}


def taken(session, found):
    """What a real step of the proposed size does to each group, in nats."""
    before = losses(session)
    session.step(methods[found.method](**found.settings), where=found.where)
    after = losses(session)
    return {group: after[group] - before[group] for group in found.rise}


@pytest.mark.parametrize("method, where", ASKED, ids=lambda each: each if isinstance(each, str) else each.name)
def test_a_real_step_of_the_proposed_size_raises_the_forget_loss_as_said_and_costs_what_was_said(taught, method, where):
    before = worlds.state(taught)
    found = taught.find_step_size(method, where)
    assert worlds.state(taught) == before
    assert isinstance(found, StepSize)
    assert 1 <= len(found.trials) <= MOST
    assert found.settings == {**method.settings, found.setting: found.size}
    rise = taken(taught, found)
    assert rise["forget"] == pytest.approx(0.3, abs=0.03)
    assert rise == pytest.approx(dict(found.rise), abs=1e-6)


@pytest.mark.parametrize("shape, tied", SHAPES, ids=[f"{shape}, {'tied' if tied else 'untied'}" for shape, tied in SHAPES])
def test_it_works_on_any_model(shape, tied):
    module = families.module(shape, tied=tied, vocabulary=worlds.tokenizer().get_vocab_size())
    session = Session(LanguageModel(copy.deepcopy(module).eval(), worlds.tokenizer()), worlds.corpus())
    session.pick("Tom Lindqvist")
    before = worlds.state(session)
    found = session.find_step_size(where="all", target=0.05)  # an untaught model cannot be surprised much more than it is
    assert worlds.state(session) == before
    assert taken(session, found)["forget"] == pytest.approx(0.05, abs=0.005)


def test_another_target_is_met_after_steps_too(taught):
    taught.step(where="all")
    found = taught.find_step_size("gradient-ascent", "all", target=1.5)
    assert found.step == 1
    assert taken(taught, found)["forget"] == pytest.approx(1.5, abs=0.15)


def test_the_sentence_says_the_size_what_it_costs_and_that_nothing_was_changed(taught):
    taught.pick("mara-okafor-0", "mara-okafor-3")  # leaves a retain group
    found = taught.find_step_size()
    cost = percent(math.expm1(found.rise["retain"]))
    assert found.sentence.startswith(f"One step with update norm {found.size:.3g} raises the mean loss of the texts to forget by 0.")
    assert f"and of the retain texts by {number(found.rise['retain'])} nats (perplexity {cost})" in found.sentence
    assert "trial" in found.sentence
    assert "nothing was changed)." in found.sentence
    taught.pick("Mara Okafor")  # all the others are its neighbours
    assert ", and of the neighbours texts by " in taught.find_step_size().sentence
    assert json.loads(json.dumps(asdict(found)))["size"] == found.size
    assert found.size == float(f"{found.size:.3g}")


@dataclass(frozen=True, kw_only=True)
class Stuck(GradientMethod):
    """Moves nothing, whatever its size."""

    def loss(self, work, forget, retain):
        del forget, retain
        return 0.0 * sum(parameter.sum() for parameter in work.parameters.values())


@pytest.fixture
def _stuck(monkeypatch):
    monkeypatch.setitem(methods._classes, "stuck", Stuck)


@pytest.mark.usefixtures("_stuck")
def test_where_no_size_reaches_it_the_sentence_says_so_and_proposes_none(taught):
    before = worlds.state(taught)
    found = taught.find_step_size(Stuck())
    assert worlds.state(taught) == before
    assert (found.size, dict(found.rise), len(found.trials)) == (None, {}, MOST)
    assert found.settings == Stuck().settings
    assert found.sentence.startswith("No update norm was found that raises the mean loss of the texts to forget by 0.3 nats: nearest came ")
    assert f", with ±0 ({MOST} trials, nothing was changed)." in found.sentence


def test_sizes_that_end_in_no_finite_numbers_are_passed_over_and_named(taught):
    before = worlds.state(taught)
    found = taught.find_step_size(GradientAscent(learning_rate=1e38), "all", target=0.3)
    assert worlds.state(taught) == before
    assert found.trials[0].rise == {}
    assert found.trials[0].forget == math.inf
    never = StepSize("m", {}, "all", 0, "learning_rate", 0.3, None, {}, (TriedSize(1e38, {}), TriedSize(1e30, {})), ())
    assert "from 1e30 on, no trial ended in finite numbers" in never.sentence
    some = StepSize("m", {}, "all", 0, "update_norm", 0.3, None, {}, (TriedSize(8.0, {}), TriedSize(1.0, {"forget": 0.1})), ())
    assert some.sentence.endswith("At 8 the numbers were no longer finite.")


def test_a_larger_size_that_does_less_is_named():
    trials = (TriedSize(1.0, {"forget": 0.5}), TriedSize(9.0, {"forget": 0.2}))
    found = StepSize("m", {}, "all", 0, "update_norm", 0.3, None, {}, trials, ())
    assert "More is not always more here: 1 gave +0.5, 9 gave +0.2." in found.sentence


@pytest.mark.parametrize("start", [1e-9, 1e-3, 1.0, 1e3])
@pytest.mark.parametrize(
    "curve",
    [lambda s: s, lambda s: s * s, lambda s: s + 40 * s**2, lambda s: 5 * math.tanh(s), lambda s: s if s < 5 else math.inf],
    ids=["straight", "square", "bent", "saturating", "breaking"],
)
def test_the_search_meets_the_target_on_any_rising_curve(curve, start):
    size, trials = start, []
    for _ in range(MOST + 2 * abs(round(math.log10(start)))):  # from 1e-9 it first has to come near
        trials.append(TriedSize(size, {"forget": curve(size)} if math.isfinite(curve(size)) else {}))
        if abs(trials[-1].forget - 0.3) < 0.015:
            return
        size = next_size(trials, 0.3)
    pytest.fail(f"not met: {trials}")


def test_nothing_is_left_between_two_neighbouring_sizes():
    assert next_size([TriedSize(1.0, {"forget": 0.1}), TriedSize(1.01, {"forget": 9.0})], 0.3) is None


def test_stopped_or_cancelled_at_any_point_everything_is_as_before(taught):
    before = worlds.state(taught)
    rounds = 0
    for _ in taught.finding_step_size("gradient-ascent", "all"):
        rounds += 1
    assert rounds > 5
    for stop in range(1, rounds):
        work = worlds.one_at_a_time(taught.finding_step_size("gradient-ascent", "all"), stop)
        if stop % 2:
            work.close()
        else:
            taught.cancel()
            with pytest.raises(Cancelled):
                list(work)
        assert worlds.state(taught) == before


@dataclass(frozen=True, kw_only=True)
class Breaks(Method, abstract=True):
    """Fails after its edit; known to no registry, which other tests walk."""

    name = "breaks"
    update_norm: float | None = setting(None, help="Length.", above=0)

    def run(self, work):
        with torch.no_grad():
            for parameter in work.parameters.values():
                parameter.add_(1.0)
        yield Progress(1, 2, "edited")
        raise ZeroDivisionError("broken")


def test_a_method_that_fails_leaves_everything_as_before(taught):
    before = worlds.state(taught)
    with pytest.raises(ZeroDivisionError, match="broken"):
        taught.find_step_size(Breaks())
    assert worlds.state(taught) == before


def test_what_cannot_be_found_is_said_before_anything_starts(taught):
    with pytest.raises(NotPossible, match=r"amnesiac has no update norm and no learning rate, so there is no step size to find; take .*'gr"):
        taught.find_step_size("amnesiac")
    for target in (0, -1, math.nan, math.inf, "much", True):
        with pytest.raises(BadSetting, match=r"find_step_size\(target=.*\) is out of range; allowed are nats per token above 0, for example 0.3"):
            taught.find_step_size(target=target)
    with pytest.raises(BadForgetSet, match="Nothing is picked"):
        worlds.session(pick=None).find_step_size()
    work = worlds.one_at_a_time(taught.finding_step_size(), 1)
    with pytest.raises(Busy, match="the search for a step size of gradient-ascent"):
        taught.step()
    work.close()
