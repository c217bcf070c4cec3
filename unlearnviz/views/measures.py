"""Measures: what a page judges a model by, in one list; those that are not installed are passed over."""

from __future__ import annotations

from dataclasses import dataclass

from unlearnviz.engine.probes.probe import Probe, registry


@dataclass(frozen=True)
class Measure:
    """One number about the forget texts, or about the weights.

    Attributes:
        name: of the probe whose headline it is, and the label of its readings.
        title: as the page writes it.
        logarithmic: whether factors count, not differences.
    """

    name: str
    title: str
    logarithmic: bool = False

    @property
    def probe(self) -> type[Probe]:
        """The probe."""
        return registry[self.name]

    @property
    def slow(self) -> bool:
        """Whether it takes long."""
        return self.probe.cost == "slow"


MEASURES = (
    Measure("perplexity", "Perplexity of the forget texts", logarithmic=True),
    Measure("exact-recall", "Exact recall of the facts"),
    Measure("leak", "Leak of the facts"),
    Measure("memorisation-accuracy", "Memorisation accuracy"),
    Measure("extraction-likelihood", "Extraction likelihood"),
    Measure("membership-inference", "Membership inference"),
    Measure("likelihood-ratio", "Membership by likelihood ratio"),
    Measure("exposure", "Exposure of the canaries"),
    Measure("truth-ratio", "Truth ratio"),
    Measure("rouge-l", "ROUGE-L of the answers"),
    Measure("verification-error", "Verification error"),
    Measure("unlearning-error", "Unlearning error"),
    Measure("relearning", "Relearning"),
)


def measures() -> tuple[Measure, ...]:
    """Those whose probes exist, in their order."""
    known = set(registry)
    return tuple(each for each in MEASURES if each.name in known)
