"""Registries: subclassing registers, running a cell again replaces, two modules never share a name."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass

import pytest
import torch

from tests.engine import worlds
from unlearnviz.engine.methods.method import GradientMethod, Method
from unlearnviz.engine.methods.method import registry as methods
from unlearnviz.engine.probes.probe import Probe
from unlearnviz.engine.probes.probe import registry as probes
from unlearnviz.engine.progress import Progress
from unlearnviz.engine.registry import Registry
from unlearnviz.engine.settings import setting
from unlearnviz.errors import BadSetting, UnknownName


def test_a_new_method_works_from_end_to_end(tmp_path):
    @dataclass(frozen=True, kw_only=True)
    class PullToStart(Method):
        """theta <- theta + share * (start - theta)."""

        share: float = setting(0.5, help="How far back.", minimum=0, maximum=1)

        def run(self, work):
            with torch.no_grad():
                for name, parameter in work.parameters.items():
                    parameter.lerp_(work.reference[name], self.share)
            yield Progress(1, 1, "pulled")

    session = worlds.session()
    session.step(where="all")
    start, before = session.snapshots[0].weights, session.weights
    record = session.step("pull-to-start", "embedding, block 0")
    assert (record.method, record.settings) == ("pull-to-start", {"share": 0.5})
    for name in session.model.layout.names:
        wanted = (before[name].double() + start[name].double()) / 2 if "wte" in name or ".h.0." in name else before[name].double()
        assert (session.weights[name].double() - wanted).abs().max() < 1e-6
    from unlearnviz.engine.session import Session

    assert Session.load(session.save(tmp_path / "x")).history[2] == record
    with pytest.raises(BadSetting, match=r"PullToStart\(share=2\) is out of range; allowed is at least 0 and at most 1\."):
        PullToStart(share=2)


def test_a_new_gradient_method_only_says_what_to_descend():
    @dataclass(frozen=True, kw_only=True)
    class KeepAway(GradientMethod):
        def loss(self, work, forget, retain):
            return -work.model.loss(forget)

    mine, theirs = worlds.session(), worlds.session()
    mine.step(KeepAway(updates=2))
    theirs.step(methods["gradient-ascent"](updates=2))
    assert mine.fingerprint() == theirs.fingerprint()


def test_a_new_probe_works_from_end_to_end():
    @dataclass(frozen=True)
    class LongestText(Probe):
        """Characters of the longest text of a group."""

        unit = "characters"
        direction = "no matter"
        group: str = setting("forget", help="Whose.", choices=("forget", "neighbours"))

        def measure(self, model, corpus, view):
            longest = max(len(passage.text) for passage in view.groups[self.group])
            return self.reading(float(longest), [{"group": self.group, "characters": longest}])

    session = worlds.session()
    readings = session.measure("longest-text", LongestText("neighbours", label="others"))
    assert set(readings) == {"longest-text", "others"}
    reading = readings["longest-text"]
    assert reading.value == max(len(passage.text) for passage in session.forget)
    assert (reading.probe, reading.label, reading.step, reading.of, reading.unit) == ("longest-text", "longest-text", 0, "now", "characters")
    assert session.history.readings[0] == list(readings.values())


def test_running_a_cell_again_replaces_also_what_was_measured():
    session = worlds.session()
    for value in (1.0, 2.0):

        @dataclass(frozen=True)
        class Constant(Probe):
            def measure(self, model, corpus, view, value=value):
                return self.reading(value, [])

        assert probes["constant"] is Constant
        assert session.measure(Constant())["constant"].value == value


def test_another_modules_name_is_an_error_and_changes_nothing():
    before = methods["gradient-ascent"]
    with pytest.raises(BadSetting) as caught:
        type("GradientAscent", (Method,), {"__module__": "notebook"})
    assert str(caught.value) == (
        "A method named 'gradient-ascent' already exists in unlearnviz.engine.methods.gradient_ascent; "
        "give the one in notebook another class name."
    )
    assert methods["gradient-ascent"] is before


def test_the_later_class_is_refused_even_before_the_package_was_looked_at():
    script = (
        "from unlearnviz.engine.methods.method import Method, registry\n"
        "try:\n    type('FineTune', (Method,), {'__module__': '__main__'})\n"
        "except ValueError as error:\n    print(error)\n"
        "print(registry['fine-tune'].__module__)"
    )
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.splitlines()
    assert said[0].startswith("A method named 'fine-tune' already exists in unlearnviz.engine.methods.fine_tune;")
    assert said[1] == "unlearnviz.engine.methods.fine_tune"


def test_abstract_classes_are_not_registered():
    class Base(Method, abstract=True):
        pass

    assert "base" not in list(methods)
    assert "gradient-method" not in list(methods)
    assert Base.name == ""


def test_an_instance_a_class_or_a_name_will_do():
    made = [methods.make(given, Method) for given in (methods["fine-tune"](), methods["fine-tune"], "FineTune")]
    assert made[0] == made[1] == made[2]


@pytest.mark.parametrize(
    "kind, given, start",
    [
        (methods, "gradient-acsent", "No method named 'gradient-acsent'. Did you mean 'gradient-ascent'? Known: "),
        (probes, "perplexty", "No probe named 'perplexty'. Did you mean 'perplexity'? Known: "),
        (probes, 7, "No probe named '7'. Known: "),
    ],
)
def test_an_unknown_name_offers_the_nearest(kind, given, start):
    with pytest.raises(UnknownName) as caught:
        kind[given]
    assert str(caught.value).startswith(start)


def test_names_are_kebab_case():
    registry: Registry[object] = Registry("thing", "unlearnviz.engine.methods")
    assert registry.add(type("SimpleNPOVersion2", (), {})) == "simple-npoversion2"
    assert registry.add(type("GradientNorm", (), {})) == "gradient-norm"
