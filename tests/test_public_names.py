"""What `import unlearnviz` gives: exactly these names, and nothing heavy before it is used."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import unlearnviz

ROOT = Path(__file__).parents[1]
NAMES = [
    *("ActivationGradient", "Amnesiac", "Chart", "Check", "Collateral", "Conflict", "Corpus", "Dashboard", "ExactRecall"),
    *("Exposure", "ExtractionLikelihood", "FineTune", "FirstEpochAscent", "FuzzyUnlearning", "Generation"),
    *("GradientAscent", "GradientDifference", "GradientMethod", "GradientNorm", "Influence"),
    *("IterativeUnlearning", "LabelFlipping", "LanguageModel", "Leak", "Ledger", "LikelihoodRatio", "MembershipInference"),
    *("MemorisationAccuracy", "Method", "ModelCard", "ModelSimilarity", "NPO", "NablaTau", "Normalisation"),
    *("OptimisationBased", "PartialAmnesiac", "Passage", "PassagePerplexity", "Perplexity", "PreparedTexts"),
    *("Preview", "Probe", "ProjectedGradient", "Push", "Reading", "Recipe", "Relearning", "Removal", "RougeL", "Session", "SimNPO"),
    *("Similarity", "SingleGradient", "StepSize", "TextFile", "TextMap", "TokenInfluence", "TokenText", "Tracking"),
    *("TruthRatio", "UnlearningError", "UnlearnvizError", "UpdateSize", "VerificationError", "claims", "demo", "doctor"),
    *("learn", "model_card", "replay", "search"),
]


def modules_after(statement: str) -> set[str]:
    program = f"{statement}\nimport sys; print(*sys.modules)"
    return set(subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split())


def test_all_is_exact_and_sorted():
    assert unlearnviz.__all__ == NAMES == sorted(NAMES)
    assert set(NAMES) <= set(dir(unlearnviz))


@pytest.mark.parametrize("name", NAMES)
def test_name_is_there_and_is_called_so(name):
    value = getattr(unlearnviz, name)
    assert callable(value)
    assert value.__name__.rpartition(".")[2] == name


def test_type_checkers_see_the_same_names():
    tree = ast.parse(Path(unlearnviz.__file__).read_text())
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    assert sorted(alias.name for node in block.body for alias in node.names) == NAMES


def test_docstring_teaches_every_name():
    assert not [name for name in NAMES if f"`{name}" not in unlearnviz.__doc__]


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'unlearnviz' has no attribute 'Sesion'"):
        unlearnviz.Sesion  # noqa: B018


def test_importing_is_light():
    assert not modules_after("import unlearnviz") & {"torch", "transformers", "numpy", "ipywidgets", "plotly", "anywidget", "traitlets"}


def test_the_engine_needs_no_widgets():
    loaded = modules_after("import unlearnviz as uv; uv.Session, uv.GradientAscent, uv.Perplexity, uv.demo, uv.learn")
    assert not loaded & {"ipywidgets", "anywidget", "plotly", "traitlets", "pandas", "datasets"}


def test_demo_can_be_called_whatever_was_imported_before():
    program = "import unlearnviz.demo.world, unlearnviz as uv; assert callable(uv.demo); import unlearnviz.demo as d; assert d is uv.demo"
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)
