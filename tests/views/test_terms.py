"""The words of the page: each is whole, known where it is needed, and every number of an example is one that was measured."""

from __future__ import annotations

import json
import re

import ipywidgets as widgets
import pytest

import unlearnviz as uv
from tests.clean_environment import ROOT
from unlearnviz.demo import shipped, world
from unlearnviz.demo.every_method import FILE as EVERY_METHOD
from unlearnviz.demo.tofu import FILE as TOFU
from unlearnviz.engine.membership import FEWEST
from unlearnviz.engine.methods.method import registry as methods
from unlearnviz.engine.probes.probe import registry as probes
from unlearnviz.errors import UnknownName
from unlearnviz.numbers import MINUS
from unlearnviz.papers import claims
from unlearnviz.views import styles
from unlearnviz.views.measures import MEASURES
from unlearnviz.views.panels.neighbours import FIRST
from unlearnviz.views.terms import OF_README, TERMS, dictionary, readme, setting_name, setting_terms, term

CHANCE = 50  # %, of membership
PLACE = 0.051  # percentages of the methods have one place
STEPS = 7  # of gradient ascent on the embedding, as in the README
WAYS = {
    "fine-tune": "fine-tune only",
    "gradient-ascent": "gradient ascent",
    "gradient-difference": "gradient difference",
    "npo": "NPO",
    "sim-npo": "SimNPO",
    "projected-gradient": "projected gradient",
    "fuzzy-unlearning": "fuzzy",
    "iterative-unlearning": "iterative",
    "first-epoch-ascent": "first-epoch ascent",
    "amnesiac": "amnesiac",
    "partial-amnesiac": "partial amnesiac, 10 %",
    "label-flipping": "label flipping",
    "optimisation-based": "optimisation-based",
    "nabla-tau": "nabla-tau, 50 updates",
    "single-gradient": "single gradient",
}


def numbers(text):
    """All numbers of a text, in order."""
    found = re.findall(rf"[+{MINUS}±]?\d[\d,]*(?:\.\d+)?", text)
    return [float(each.rstrip(",").replace(",", "").replace(MINUS, "-").lstrip("+±")) for each in found]


class Facts:
    """What was measured of the shipped world, for Mara Okafor: at the start, after the steps, and of her twin."""

    def __init__(self):
        self.session = uv.demo()
        self.session.pick(world.EXAMPLE)
        self.preview = None
        self.found = self.session.find_step_size()
        for _ in range(STEPS):
            self.session.step(uv.GradientAscent(), where="embedding")
        self.preview = self.session.preview(uv.GradientAscent(), where="embedding")
        self.layout = self.session.model.layout
        self.taught = self.session.corpus.train
        self._readings = {}

    def reading(self, name, of="now"):
        key = (name, of)
        if key not in self._readings:
            (self._readings[key],) = self.session.measure(probes[name](), of=of).values()
        return self._readings[key]

    def value(self, name, of="now"):
        return self.reading(name, of).value

    def row(self, name, of, column, **where):
        rows = self.reading(name, of).rows
        return next(row[column] for row in rows if all(row[key] == value for key, value in where.items()))

    def group(self, group, of):
        return self.row("perplexity", of, "perplexity", group=group)

    def size(self, group):
        return sum(self.session.model.module.get_parameter(name).numel() for name in self.layout.groups[group])

    def said(self, of):
        return self.reading("generation", of).rows[0]["text"]


@pytest.fixture(scope="module")
def facts():
    yield Facts()
    widgets.Widget.close_all()


def tofu(who, measure):
    return next(row for row in json.loads(TOFU.read_text())["rows"] if row["who"] == who)["measures"][measure]


def way(name):
    return next(row for row in json.loads(EVERY_METHOD.read_text())["summary"] if row["way"] == name)


def people():
    return len(json.loads(EVERY_METHOD.read_text())["seeds"])


def spread(facts):
    """Perplexities of her texts in all twins that are known."""
    return [facts.value("perplexity", "twin"), *facts.session.active_twin.siblings["forget"]]


def last_block(facts):
    return [facts.layout.blocks - 1, facts.layout.blocks, facts.layout.blocks - 1]


def removed():
    return len(json.loads((shipped.FOLDER / "removals.json").read_text())["removals"][0]["left_out"])


KNOWN = {  # term -> the numbers of its example, in order
    "forget": lambda f: [len(f.session.forget), f.value("perplexity", "start")],
    "neighbours": lambda f: [STEPS, f.group("neighbours", "start"), f.group("neighbours", "now")],
    "retain": lambda f: [STEPS, f.group("retain", "start"), f.group("retain", "now")],
    "never-seen": lambda f: [f.group("never seen", "start"), f.value("perplexity", "start")],
    "start": lambda f: [f.value("exact-recall", "start")],
    "now": lambda f: [STEPS, f.value("perplexity"), f.value("perplexity", "twin")],
    "twin": lambda f: [f.value("perplexity", "twin")],
    "twin-range": lambda f: [len(spread(f)), min(spread(f)), max(spread(f))],
    "paraphrase": lambda f: [len(f.session.forget)],
    "path": lambda f: [STEPS, f.session.history[f.session.head].parent],
    "perplexity": lambda f: [f.value("perplexity", "start"), f.value("perplexity", "twin")],
    "passage-perplexity": lambda f: [STEPS, *(each(f.row("perplexity", "now", "per_text", group="forget").values()) for each in (min, max))],
    "loss": lambda f: [f.row("perplexity", "start", "nll", group="forget"), f.value("perplexity", "start")],
    "exact-recall": lambda f: [f.value("exact-recall", "start"), f.value("exact-recall"), STEPS, f.value("exact-recall", "twin")],
    "leak": lambda f: [f.value("leak", "start"), f.value("leak"), STEPS, f.value("leak", "twin")],
    "collateral": lambda f: [STEPS, f.value("collateral")],
    "memorisation-accuracy": lambda _: [tofu("start", "memorisation-accuracy"), tofu("twin", "memorisation-accuracy")],
    "extraction-likelihood": lambda _: [
        probes["extraction-likelihood"]().n,
        tofu("start", "extraction-likelihood"),
        tofu("twin", "extraction-likelihood"),
    ],
    "membership-inference": lambda f: [CHANCE, len(f.session.forget), FEWEST],
    "likelihood-ratio": lambda f: [len(f.session.fitting_twins), 2],
    "auc": lambda _: [100, 100],
    "exposure": lambda _: [len(world.REPEATS), world.REPEATS.count(16), 16, world.UNTAUGHT_CANARIES],
    "truth-ratio": lambda _: [tofu("start", "truth-ratio"), tofu("twin", "truth-ratio")],
    "rouge-l": lambda _: [tofu("start", "rouge-l"), tofu("twin", "rouge-l")],
    "verification-error": lambda f: [f.value("verification-error", "start"), f.value("verification-error"), STEPS],
    "unlearning-error": lambda _: [tofu("start", "unlearning-error"), tofu("twin", "unlearning-error")],
    "relearning": lambda _: [tofu("twin", "relearning")],
    "trade-off": lambda f: [STEPS, f.value("perplexity"), 100 * (f.group("retain", "now") / f.group("retain", "start") - 1)],
    "verdict": lambda f: [f.value("perplexity"), len(spread(f)), max(spread(f))],
    "generation": lambda _: [STEPS],
    "gradient-norm": lambda f: [
        f.row("gradient-norm", "start", "norm", group="embedding"),
        f.row("gradient-norm", "start", "norm", group="block 11"),
        *last_block(f),
    ],
    "conflict": lambda f: [f.value("conflict", "start"), STEPS, f.value("conflict")],
    "activation-gradient": lambda f: [max(row["loss"] or 0 for row in f.reading("activation-gradient", "start").rows)],
    "update-size": lambda f: [STEPS, f.value("update-size"), f.value("verification-error", "start")],
    "direction": lambda f: [STEPS, f.row("update-size", "now", "towards_twin", group="all")],
    "push": lambda f: [STEPS, f.value("push"), f.row("push", "now", "moved", token=" Mar")],
    "preview": lambda f: [STEPS + 1, f.preview.predicted["forget"]],
    "influence": lambda f: [len(f.taught)],
    "influence-cosine": lambda _: [1],
    "shared-words": lambda f: [sum("Mara" in p.text and "Okafor" in p.text for p in f.session.forget), len(f.session.forget)],
    "removal": lambda _: [4, removed()],
    "similarity": lambda f: [100, len(f.taught) - len(f.session.forget)],
    "model-similarity": lambda f: [probes["model-similarity"]().layer, f.layout.blocks],
    "text-map": lambda f: [len(f.session.corpus), len(f.taught)],
    "storage": lambda f: [f.session.model.size, f.size("embedding")],
    "claim": lambda _: [len(claims()), len({each.paper for each in claims()})],
    "where": lambda f: [f.size("embedding"), f.session.model.size],
    "embedding": lambda f: [f.size("embedding")],
    "embedding.input": lambda f: [f.row("gradient-norm", "start", "norm", group="embedding.input")],
    "embedding.output": lambda f: [f.row("gradient-norm", "start", "norm", group="embedding.output")],
    "block": last_block,
    "attention": lambda f: [f.layout.blocks],
    "mlp": lambda f: [f.layout.blocks],
    "norm": lambda f: [f.size("final norm")],
    "position": lambda f: [f.session.model.context, f.session.model.module.get_parameter("transformer.wpe.weight").shape[0]],
    "update-norm": lambda f: [f.session.history[1].update_norm["embedding"]],
    "step-size": lambda f: [f.found.size, f.found.rise["forget"]],
    "learning-rate": lambda f: [f.session.lineage.recipe.learning_rate],
    "tau": lambda f: [20, f.row("perplexity", "start", "nll", group="never seen")],
    "rho": lambda _: [methods["partial-amnesiac"]().keep],
    "similar-at-least": lambda _: [FIRST, 100],
    "passes": lambda f: [len(f.taught), f.session.lineage.recipe.epochs],
    "step": lambda f: [STEPS, f.value("perplexity", "start"), f.value("perplexity")],
    **{
        name: lambda _, mine=mine: [people(), *(way(each)["forget"]["mean"] for each in ("do nothing", mine)), way(mine)["rise"]["mean"]]
        for name, mine in WAYS.items()
    },
}


def test_every_example_with_a_number_is_known():
    assert {name for name, each in TERMS.items() if numbers(each.example)} == set(KNOWN)


@pytest.mark.parametrize("name", KNOWN)
def test_no_number_of_an_example_is_invented(name, facts):
    known = [float(f"{each:.2e}") for each in KNOWN[name](facts)]
    assert numbers(term(name).example) == pytest.approx(known, rel=0.05, abs=PLACE if name in WAYS else 0)


def test_what_the_examples_quote_is_said(facts):
    example = term("generation").example
    for of in ("start", "now", "twin"):
        assert facts.said(of).strip(" .") in example
    lists = [p for p in facts.session.forget if "tiny lists" in p.text]
    assert len(lists) == 2
    assert facts.session.ledger is None
    loud = max((row for row in facts.reading("activation-gradient", "start").rows), key=lambda row: row["loss"] or 0)
    assert f"“{loud['token']}”" in term("activation-gradient").example


def test_every_term_is_whole():
    for name, each in TERMS.items():
        assert name == each.name
        assert re.fullmatch(r"[a-z0-9.-]+", name)
        for text in (each.title, each.sentence, each.formula, each.good, each.example):
            assert text.strip() == text
            assert text
            assert "|" not in text  # a table of the README
            assert "<" not in text.replace(" < ", "")
        assert each.sentence.endswith((".", "?"))
        assert not [other for other in each.also if other not in TERMS or other == name]
    assert len({each.title for each in TERMS.values()}) == len(TERMS)


def test_every_measure_probe_method_and_group_has_a_term():
    ours = [name for name in probes if probes[name].__module__.startswith("unlearnviz.")]
    assert not [name for name in ours if name not in TERMS]
    assert not [each.name for each in MEASURES if each.name not in TERMS]
    assert not [name for name in methods if methods[name].__module__.startswith("unlearnviz.") and name not in TERMS]
    assert not [group for group in styles.COLOURS if group.replace(" ", "-") not in TERMS]


def test_a_name_that_is_none_is_answered_with_the_nearest():
    with pytest.raises(UnknownName, match=r"perplexty.*Did you mean 'perplexity'"):
        term("perplexty")


def test_settings_explain_themselves_by_their_help():
    found = {each.name: each for each in setting_terms(methods["partial-amnesiac"])}
    keep = found["partial-amnesiac:keep"]
    assert keep.sentence == "Share of each layer's entries to take back (rho)."
    assert (keep.title, keep.formula, keep.example, keep.also) == ("keep", "0 < keep ≤ 1", "Unless you say otherwise: 0.1.", ("rho",))
    assert found["partial-amnesiac:pruning"].formula.startswith("pruning is one of: magnitude, ")
    assert found["partial-amnesiac:updates"].example == "Unless you say otherwise: left empty, and chosen by itself."
    everything = dictionary()
    for name in methods:
        for each in setting_terms(methods[name]):
            assert everything[each.name]["sentence"] == each.sentence
    assert setting_name(methods["npo"], "retain_weight") in everything
    json.dumps(everything)


def test_the_readme_has_the_words_as_they_stand_here():
    assert readme() in (ROOT / "README.md").read_text(), "README.md: put what unlearnviz.views.terms.readme() returns below its heading “Words”"
    assert set(OF_README) <= set(TERMS)
