"""Watch a language model forget, step by step, and take every step back.

    import unlearnviz as uv

    session = uv.demo()                      # a small trained model and its texts: offline, in seconds
    session.pick("Mara Okafor")              # whom it shall forget
    session.step(uv.GradientAscent())        # one step
    session.measure(uv.Perplexity())         # what that did, to these texts and to others
    session.undo()                           # exactly as before
    uv.Dashboard(session)                    # the same, with buttons

The nouns:

- A `LanguageModel` is any causal model of Hugging Face with its tokenizer. A `Corpus` holds `Passage`s: texts that the
  model learned, and some that it never saw.
- A `Session` is a small git of weights. One unlearning step is a commit; undo, redo and branches only move the head.
- A `Method` changes weights: `GradientAscent`, `GradientDifference`, `FineTune`; `FuzzyUnlearning` of all that looks alike,
  `IterativeUnlearning` of what the model still knows; `NablaTau`, up to the loss of texts never seen; `LabelFlipping` and
  `OptimisationBased`, in a share of every layer; `NPO` and `SimNPO`, whose ascent fades; `ProjectedGradient`, beside what other
  texts use. `FirstEpochAscent`, `SingleGradient`, `Amnesiac` and `PartialAmnesiac` take back what a ledger recorded. Your own is
  a class of a few lines, most often a `GradientMethod`, which only says what to descend.
- A `Probe` measures and changes nothing: `Perplexity`, `Generation`, `ExactRecall`, `GradientNorm`, `UpdateSize`; `Conflict`
  of forgetting with keeping, `ActivationGradient` token by token, `Push` of the last step, `Influence` of every taught text
  and `TokenInfluence` of its tokens, `Removal` of a taught text; `ModelSimilarity`, `PassagePerplexity` and
  `TextMap` look at any texts, one by one; `Leak` of the facts, `Collateral` for the other texts; `MembershipInference`, whether one can
  tell the forget texts from texts never seen, and `LikelihoodRatio`, beside models that saw neither; `VerificationError`, the distance
  from a retrained model, and `UnlearningError`, its proxy without one; `MemorisationAccuracy` and `ExtractionLikelihood` of what is
  known by heart, `Exposure` of canaries, `RougeL` of what is answered, `TruthRatio` of truth and error, `Relearning` of what comes
  back. What it found is a `Reading`.
- A `Ledger` holds what a training did to some texts: `session.learn(track=...)` writes it down, `Recipe` says how to
  train and `Tracking` what to record.
- `search` finds the texts that look like some, by a `Similarity` after a `Normalisation`: in a list, in `PreparedTexts` for many
  searches, or in a `TextFile` larger than memory.
- A `Preview` says what a step would do to each group of texts, before it is taken; a `StepSize`, how long a step has to be to raise
  the loss of the forget texts by so much (`session.find_step_size()`). `model_card(session)` gives a `ModelCard`: what the model is, what
  a step costs at each place of it, and what is impossible here, and why.
- A `Check` has a reading beside the same number by a plain loop over a stock model of transformers (`session.check()`);
  `session.add_twin(folder)` judges by a retrained model that you have already.
- A `Dashboard` shows a session in a notebook. `Chart` and `TokenText` are the two widgets it draws with, for you as well.
- `claims()` lists what four papers say of these methods, with what was measured here.
- `doctor()` says what kernel and page have, and what to mend where something does not show.
- `demo()` opens the shipped world; `learn(corpus)` trains a small model on texts of yours.
- A recipe is a whole session in a few kB, without its weights: `session.save_recipe(path)` writes it, `replay(path)` takes all its
  steps again, to the same weights.
- Every error that is raised on purpose is an `UnlearnvizError`, and says what to do next.

Names are loaded when first used, so that `import unlearnviz` costs nearly nothing and the engine works without widgets.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from unlearnviz.checkup import doctor
    from unlearnviz.demo import demo
    from unlearnviz.engine.checking import Check
    from unlearnviz.engine.corpus import Corpus, Passage
    from unlearnviz.engine.first_lesson import learn
    from unlearnviz.engine.learning import Recipe
    from unlearnviz.engine.ledger import Ledger
    from unlearnviz.engine.methods.amnesiac import Amnesiac
    from unlearnviz.engine.methods.fine_tune import FineTune
    from unlearnviz.engine.methods.first_epoch_ascent import FirstEpochAscent
    from unlearnviz.engine.methods.fuzzy_unlearning import FuzzyUnlearning
    from unlearnviz.engine.methods.gradient_ascent import GradientAscent
    from unlearnviz.engine.methods.gradient_difference import GradientDifference
    from unlearnviz.engine.methods.iterative_unlearning import IterativeUnlearning
    from unlearnviz.engine.methods.label_flipping import LabelFlipping
    from unlearnviz.engine.methods.method import GradientMethod, Method
    from unlearnviz.engine.methods.nabla_tau import NablaTau
    from unlearnviz.engine.methods.npo import NPO
    from unlearnviz.engine.methods.optimisation_based import OptimisationBased
    from unlearnviz.engine.methods.partial_amnesiac import PartialAmnesiac
    from unlearnviz.engine.methods.projected_gradient import ProjectedGradient
    from unlearnviz.engine.methods.sim_npo import SimNPO
    from unlearnviz.engine.methods.single_gradient import SingleGradient
    from unlearnviz.engine.model import LanguageModel
    from unlearnviz.engine.model_card import ModelCard, model_card
    from unlearnviz.engine.prepared import PreparedTexts
    from unlearnviz.engine.preview import Preview
    from unlearnviz.engine.probes.activation_gradient import ActivationGradient
    from unlearnviz.engine.probes.collateral import Collateral
    from unlearnviz.engine.probes.conflict import Conflict
    from unlearnviz.engine.probes.exact_recall import ExactRecall
    from unlearnviz.engine.probes.exposure import Exposure
    from unlearnviz.engine.probes.extraction_likelihood import ExtractionLikelihood
    from unlearnviz.engine.probes.generation import Generation
    from unlearnviz.engine.probes.gradient_norm import GradientNorm
    from unlearnviz.engine.probes.influence import Influence
    from unlearnviz.engine.probes.leak import Leak
    from unlearnviz.engine.probes.likelihood_ratio import LikelihoodRatio
    from unlearnviz.engine.probes.membership_inference import MembershipInference
    from unlearnviz.engine.probes.memorisation_accuracy import MemorisationAccuracy
    from unlearnviz.engine.probes.model_similarity import ModelSimilarity
    from unlearnviz.engine.probes.passage_perplexity import PassagePerplexity
    from unlearnviz.engine.probes.perplexity import Perplexity
    from unlearnviz.engine.probes.probe import Probe, Reading
    from unlearnviz.engine.probes.push import Push
    from unlearnviz.engine.probes.relearning import Relearning
    from unlearnviz.engine.probes.removal import Removal
    from unlearnviz.engine.probes.rouge_l import RougeL
    from unlearnviz.engine.probes.text_map import TextMap
    from unlearnviz.engine.probes.token_influence import TokenInfluence
    from unlearnviz.engine.probes.truth_ratio import TruthRatio
    from unlearnviz.engine.probes.unlearning_error import UnlearningError
    from unlearnviz.engine.probes.update_size import UpdateSize
    from unlearnviz.engine.probes.verification_error import VerificationError
    from unlearnviz.engine.search import search
    from unlearnviz.engine.session import Session
    from unlearnviz.engine.similarity import Normalisation, Similarity
    from unlearnviz.engine.step_size import StepSize
    from unlearnviz.engine.text_file import TextFile
    from unlearnviz.engine.tracking import Tracking
    from unlearnviz.errors import UnlearnvizError
    from unlearnviz.papers import claims
    from unlearnviz.reopening import replay
    from unlearnviz.views.chart import Chart
    from unlearnviz.views.dashboard import Dashboard
    from unlearnviz.views.tokens import TokenText

__version__ = "0.1.0"

__all__ = [  # noqa: RUF022 - NPO is a name like the others, no constant
    "ActivationGradient",
    "Amnesiac",
    "Chart",
    "Check",
    "Collateral",
    "Conflict",
    "Corpus",
    "Dashboard",
    "ExactRecall",
    "Exposure",
    "ExtractionLikelihood",
    "FineTune",
    "FirstEpochAscent",
    "FuzzyUnlearning",
    "Generation",
    "GradientAscent",
    "GradientDifference",
    "GradientMethod",
    "GradientNorm",
    "Influence",
    "IterativeUnlearning",
    "LabelFlipping",
    "LanguageModel",
    "Leak",
    "Ledger",
    "LikelihoodRatio",
    "MembershipInference",
    "MemorisationAccuracy",
    "Method",
    "ModelCard",
    "ModelSimilarity",
    "NPO",
    "NablaTau",
    "Normalisation",
    "OptimisationBased",
    "PartialAmnesiac",
    "Passage",
    "PassagePerplexity",
    "Perplexity",
    "PreparedTexts",
    "Preview",
    "Probe",
    "ProjectedGradient",
    "Push",
    "Reading",
    "Recipe",
    "Relearning",
    "Removal",
    "RougeL",
    "Session",
    "SimNPO",
    "Similarity",
    "SingleGradient",
    "StepSize",
    "TextFile",
    "TextMap",
    "TokenInfluence",
    "TokenText",
    "Tracking",
    "TruthRatio",
    "UnlearningError",
    "UnlearnvizError",
    "UpdateSize",
    "VerificationError",
    "claims",
    "demo",
    "doctor",
    "learn",
    "model_card",
    "replay",
    "search",
]

_HOMES = {
    "ActivationGradient": "engine.probes.activation_gradient",
    "Amnesiac": "engine.methods.amnesiac",
    "Chart": "views.chart",
    "Check": "engine.checking",
    "Collateral": "engine.probes.collateral",
    "Conflict": "engine.probes.conflict",
    "Corpus": "engine.corpus",
    "Dashboard": "views.dashboard",
    "ExactRecall": "engine.probes.exact_recall",
    "Exposure": "engine.probes.exposure",
    "ExtractionLikelihood": "engine.probes.extraction_likelihood",
    "FineTune": "engine.methods.fine_tune",
    "FirstEpochAscent": "engine.methods.first_epoch_ascent",
    "FuzzyUnlearning": "engine.methods.fuzzy_unlearning",
    "Generation": "engine.probes.generation",
    "GradientAscent": "engine.methods.gradient_ascent",
    "GradientDifference": "engine.methods.gradient_difference",
    "GradientMethod": "engine.methods.method",
    "GradientNorm": "engine.probes.gradient_norm",
    "Influence": "engine.probes.influence",
    "IterativeUnlearning": "engine.methods.iterative_unlearning",
    "LabelFlipping": "engine.methods.label_flipping",
    "LanguageModel": "engine.model",
    "Leak": "engine.probes.leak",
    "Ledger": "engine.ledger",
    "LikelihoodRatio": "engine.probes.likelihood_ratio",
    "MembershipInference": "engine.probes.membership_inference",
    "MemorisationAccuracy": "engine.probes.memorisation_accuracy",
    "Method": "engine.methods.method",
    "ModelCard": "engine.model_card",
    "ModelSimilarity": "engine.probes.model_similarity",
    "NPO": "engine.methods.npo",
    "NablaTau": "engine.methods.nabla_tau",
    "Normalisation": "engine.similarity",
    "OptimisationBased": "engine.methods.optimisation_based",
    "PartialAmnesiac": "engine.methods.partial_amnesiac",
    "Passage": "engine.corpus",
    "PassagePerplexity": "engine.probes.passage_perplexity",
    "Perplexity": "engine.probes.perplexity",
    "PreparedTexts": "engine.prepared",
    "Preview": "engine.preview",
    "Probe": "engine.probes.probe",
    "ProjectedGradient": "engine.methods.projected_gradient",
    "Push": "engine.probes.push",
    "Reading": "engine.probes.probe",
    "Recipe": "engine.learning",
    "Relearning": "engine.probes.relearning",
    "Removal": "engine.probes.removal",
    "RougeL": "engine.probes.rouge_l",
    "Session": "engine.session",
    "SimNPO": "engine.methods.sim_npo",
    "Similarity": "engine.similarity",
    "SingleGradient": "engine.methods.single_gradient",
    "StepSize": "engine.step_size",
    "TextFile": "engine.text_file",
    "TextMap": "engine.probes.text_map",
    "TokenInfluence": "engine.probes.token_influence",
    "TokenText": "views.tokens",
    "Tracking": "engine.tracking",
    "TruthRatio": "engine.probes.truth_ratio",
    "UnlearningError": "engine.probes.unlearning_error",
    "UnlearnvizError": "errors",
    "UpdateSize": "engine.probes.update_size",
    "VerificationError": "engine.probes.verification_error",
    "claims": "papers",
    "doctor": "checkup",
    "learn": "engine.first_lesson",
    "model_card": "engine.model_card",
    "replay": "reopening",
    "search": "engine.search",
}


def __getattr__(name: str) -> object:
    """Loads an exported name when it is first used (PEP 562)."""
    if name == "demo":  # a package and a function in one: `unlearnviz/demo/__init__.py` makes the package callable
        return importlib.import_module("unlearnviz.demo")
    if name not in _HOMES:
        message = f"module 'unlearnviz' has no attribute {name!r}"
        raise AttributeError(message)
    value = getattr(importlib.import_module(f"unlearnviz.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
