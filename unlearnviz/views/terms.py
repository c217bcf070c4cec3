"""Terms: the one place where the words of the page are looked up, by its "?", by its sentences and by the README.

The words themselves stand in `glossary`, one file for each kind. The settings of a method explain themselves by their own help.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields
from types import MappingProxyType
from typing import Any

from unlearnviz.errors import unknown
from unlearnviz.numbers import number
from unlearnviz.views.glossary.looks import LOOKS
from unlearnviz.views.glossary.measures import MEASURES
from unlearnviz.views.glossary.methods import METHODS
from unlearnviz.views.glossary.places import PLACES
from unlearnviz.views.glossary.term import Term
from unlearnviz.views.glossary.texts import TEXTS

__all__ = ["TERMS", "Term", "dictionary", "readme", "setting_name", "setting_terms", "term"]

TERMS: Mapping[str, Term] = MappingProxyType({each.name: each for each in (*TEXTS, *MEASURES, *LOOKS, *PLACES, *METHODS)})
# the words that a setting is about
BEHIND = {
    "update_norm": ("update-norm",),
    "learning_rate": ("learning-rate",),
    "keep": ("rho",),
    "alpha": ("tau",),
    "refresh": ("tau",),
    "threshold": ("similarity", "similar-at-least"),
    "scorer": ("similarity",),
    "retain_weight": ("retain",),
    "epochs": ("ledger",),
    "where": ("where",),
    "score": ("loss", "influence"),
}
OF_README = (
    *("forget", "neighbours", "retain", "never-seen", "twin", "twin-range", "perplexity", "exact-recall", "leak", "collateral"),
    *("verification-error", "relearning", "gradient-norm", "influence", "where", "block", "update-norm", "tau", "rho", "ledger"),
)
HEAD = ("word", "what it is", "formula", "which way is good", "for example")


def term(name: str) -> Term:
    """A word of the page.

    Raises:
        UnknownName: there is no such term; the message names the nearest.
    """
    if name not in TERMS:
        raise unknown("term", name, TERMS)
    return TERMS[name]


def setting_name(cls: type[Any], field: str) -> str:
    """Under which a setting of a method or a probe is looked up, such as "npo:retain-weight"."""
    return f"{getattr(cls, 'name', '') or cls.__name__.lower()}:{field.replace('_', '-')}"


def setting_terms(cls: type[Any]) -> tuple[Term, ...]:
    """The settings of a class as terms, in the words of their help.

    Args:
        cls: a dataclass whose fields were made with `setting`.
    """
    return tuple(_of_setting(cls, each) for each in fields(cls) if "help" in each.metadata)


def _of_setting(cls: type[Any], each: Any) -> Term:
    title = each.name.replace("_", " ")
    start = "It has to be given." if each.default is MISSING else f"Unless you say otherwise: {_in_words(each.default)}."
    good = "No way is good by itself: Preview shows what a value would do before the step is taken."
    return Term(setting_name(cls, each.name), title, each.metadata["help"], _allowed(title, each), good, start, BEHIND.get(each.name, ()))


def _in_words(value: Any) -> str:
    if value is None:
        return "left empty, and chosen by itself"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return number(value) if isinstance(value, int | float) else str(value)


def _allowed(title: str, each: Any) -> str:
    """What may be chosen."""
    limits = each.metadata
    if limits["choices"]:
        return f"{title} is one of: {', '.join(limits['choices'])}"
    low = f"{number(limits['above'])} < " if limits["above"] is not None else ""
    low = f"{number(limits['minimum'])} ≤ " if not low and limits["minimum"] is not None else low
    high = f" ≤ {number(limits['maximum'])}" if limits["maximum"] is not None else ""
    if low or high:
        return f"{low}{title}{high}"
    return f"{title} is {'yes or no' if isinstance(each.default, bool) else 'a text'}"


def dictionary() -> dict[str, dict[str, Any]]:
    """All of it as it travels to the page, once: name -> what a "?" shows."""
    from unlearnviz.engine.methods.method import registry
    from unlearnviz.engine.probes.removal import Removal

    everything = [*TERMS.values(), *(each for cls in (*(registry[name] for name in registry), Removal) for each in setting_terms(cls))]
    return {
        each.name: {
            "title": each.title,
            "sentence": each.sentence,
            "formula": each.formula,
            "good": each.good,
            "example": each.example,
            "also": list(each.also),
        }
        for each in everything
    }


def readme() -> str:
    """The words that a reader of the README needs first, as a table of Markdown."""
    rows = [HEAD, ("---",) * len(HEAD)]
    rows += [(each.title, each.sentence, each.formula, each.good, each.example) for each in map(term, OF_README)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
