"""Bad input: every sentence in full, and nothing changed by it."""

from __future__ import annotations

import inspect
import re

import pytest

from tests.engine import worlds
from unlearnviz import errors
from unlearnviz.engine.corpus import Corpus, Passage
from unlearnviz.engine.methods.gradient_ascent import GradientAscent
from unlearnviz.engine.probes.perplexity import Perplexity
from unlearnviz.errors import BadForgetSet, BadSelection, BadSetting, NotPossible, UnknownName, UnlearnvizError, nearest

PEOPLE = (
    "Known: 'Mara Okafor', 'Tom Lindqvist', 'Ines Duarte', 'Mara Lindqvist', 'Yusuf Okafor', 'Noor Haddad', 'Pia Novak', 'Leo Brandt'."
)
UNSEEN = (
    "is in the holdout: the model never saw it, so there is nothing to forget. Pick texts that were taught, or type the text itself."
)
BAD = [
    (lambda s: s.step("gradient-descent"), UnknownName, "No method named 'gradient-descent'. Did you mean 'gradient-ascent'? Known: "),
    (lambda s: s.step(3), UnknownName, "No method named '3'. Known: "),
    (lambda s: s.run(2, "finetune it"), UnknownName, "No method named 'finetune it'. Did you mean 'fine-tune'? Known: "),
    (lambda s: s.measure("perplexiti"), UnknownName, "No probe named 'perplexiti'. Did you mean 'perplexity'? Known: "),
    (lambda s: s.measure("perplexity", of="begin"), UnknownName, "No reference named 'begin'. Known: 'now', 'start', 'twin', 'a step id'."),
    (lambda s: s.measure("perplexity", of=9), UnknownName, "No step named '9'. Known: '0', '1'."),
    (lambda s: s.measure("perplexity", Perplexity()), BadSetting, "Two probes would both be called 'perplexity'; give one of them label='...'."),
    (
        lambda s: s.measure("perplexity", of="twin"),
        NotPossible,
        "No twin was trained without exactly the present forget set; session.twin() trains one where the recipe is known.",
    ),
    (
        lambda s: s.step(where="h.7.*"),
        BadSelection,
        "Selection 'h.7.*' matches none of this model's 28 parameters; blocks run from h.0 to h.1.",
    ),
    (lambda s: s.step(where=""), BadSelection, "The selection '' is empty; say for example 'embedding' or 'blocks 0-1'."),
    (lambda s: s.pick("Mara Okfor"), UnknownName, f"No subject or passage named 'Mara Okfor'. Did you mean 'Mara Okafor'? {PEOPLE}"),
    (lambda s: s.pick("Mara Okafor", "Leo"), UnknownName, "No subject or passage named 'Leo'."),
    (lambda s: s.pick(""), UnknownName, f"No subject or passage named ''. {PEOPLE}"),
    (lambda s: s.pick(7), UnknownName, f"No subject or passage named '7'. {PEOPLE}"),
    (lambda s: s.pick(), BadForgetSet, "The forget set is empty; pick at least one subject, passage id or text to forget."),
    (lambda s: s.pick([]), BadForgetSet, "The forget set is empty; pick at least one subject, passage id or text to forget."),
    (
        lambda s: s.pick(*s.corpus.train),
        BadForgetSet,
        "The forget set covers all 24 taught texts; at least one must be left to see what is kept. Take some out.",
    ),
    (
        lambda s: s.pick("Mara Okafor", "Pia Novak"),
        BadForgetSet,
        f"'pia-novak-0' {UNSEEN}",
    ),
    (
        lambda s: s.pick("leo-brandt-2"),
        BadForgetSet,
        f"'leo-brandt-2' {UNSEEN}",
    ),
    (lambda s: s.step(GradientAscent(learning_rate=float("nan"))), BadSetting, "GradientAscent(learning_rate=nan) is not a finite number;"),
    (lambda s: s.go_to(5), UnknownName, "No step named '5'. Known: '0', '1'."),
    (lambda s: s.go_to("mian"), UnknownName, "No branch named 'mian'. Did you mean 'main'? Known: 'main'."),
    (lambda s: s.forget_branch("x"), UnknownName, "No branch named 'x'. Known: 'main'."),
    (lambda s: s.forget_branch(0), UnknownName, "No branch named '0'. Known: 'main'."),
    (lambda s: s.branch("main"), NotPossible, "The branch name 'main' is taken; known branches: 'main'. Choose another."),
    (lambda s: s.branch(""), NotPossible, "The branch name '' is empty; known branches: 'main'. Choose another."),
    (lambda s: s.redo(), NotPossible, "There is nothing to redo: no step was undone from here."),
    (lambda s: s.learn(0), BadSetting, "Recipe(epochs=0) is out of range; allowed is at least 1 and at most 10000."),
]


@pytest.mark.parametrize("do, kind, sentence", BAD)
def test_a_mistake_is_a_sentence_and_changes_nothing(do, kind, sentence):
    session = worlds.session()
    session.step()
    before = worlds.state(session)
    heard = []
    session.listen(heard.append)
    with pytest.raises(kind) as caught:
        do(session)
    said = str(caught.value)
    assert said == sentence if sentence.endswith(".") and "Known" in sentence else said.startswith(sentence)
    assert said.endswith(".")
    assert isinstance(caught.value, UnlearnvizError)
    assert worlds.state(session) == before
    assert heard == []


@pytest.mark.parametrize("do", [lambda s: s.step(), lambda s: s.run(2)])
def test_stepping_without_a_pick(do):
    with pytest.raises(BadForgetSet) as caught:
        do(worlds.session(pick=None))
    assert str(caught.value) == (
        "Nothing is picked to be forgotten; call session.pick(...) first, for example with 'mara-okafor-0'."
    )


def test_measuring_and_twins_without_a_pick():
    session = worlds.session(pick=None)
    with pytest.raises(BadForgetSet) as caught:
        session.measure("perplexity")
    assert str(caught.value) == "Nothing is picked, so there are no groups to measure; call session.pick(...) first."
    with pytest.raises(BadForgetSet) as caught:
        session.twin()
    assert str(caught.value) == "Nothing is picked, so there is nothing a twin could be trained without; call session.pick(...) first."


def test_nothing_is_left_to_keep():
    session = worlds.session(texts=Corpus([Passage("a", "The only text there is.")]), pick=None)
    with pytest.raises(BadForgetSet, match="The forget set covers all 1 taught texts"):
        session.pick("a")


def test_settings_that_no_history_can_hold():
    from dataclasses import dataclass

    from unlearnviz.engine.methods.method import Method

    @dataclass(frozen=True, kw_only=True)
    class Strange(Method):
        what: object = None

        def run(self, work):
            yield

    session = worlds.session()
    before = worlds.state(session)
    with pytest.raises(BadSetting, match=r"The settings of strange cannot be written into the history \(.*\); use numbers, texts, lists"):
        session.step(Strange(what=object()))
    assert worlds.state(session) == before
    session.step(Strange(what=(1, "a")))
    assert session.history[1].settings == {"what": [1, "a"]}


def test_every_error_is_of_the_family_and_of_a_python_kind():
    family = [cls for _, cls in inspect.getmembers(errors, inspect.isclass) if cls.__module__ == errors.__name__]
    assert all(issubclass(cls, UnlearnvizError) for cls in family)
    for cls in family:
        assert cls.__doc__
        if cls is not UnlearnvizError:
            assert re.search(rf"- {cls.__name__} +\(\w+\)", errors.__doc__), cls.__name__
            assert str(cls("One sentence.")) == "One sentence."
    assert str(UnlearnvizError()) == ""


def test_nearest_names():
    assert nearest("b", []) == " None are known here."
    assert nearest("GENTEL", ["gentle", "bold"]) == " Did you mean 'gentle'? Known: 'gentle', 'bold'."
    assert nearest("x", range(10)) == " Known: '0', '1', '2', '3', '4', '5', '6', '7' and 2 more."
