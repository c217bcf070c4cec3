"""Whether a model knows its texts, and the sentence that says so."""

from __future__ import annotations

import math

import pytest

from tests.engine import worlds
from unlearnviz.engine.corpus import Corpus
from unlearnviz.engine.familiarity import Familiarity, familiarity


def row(group: str, perplexity: float, *texts: float) -> dict:
    return {"group": group, "perplexity": perplexity, "per_text": {f"{group} {k}": text for k, text in enumerate(texts)}}


NEVER_SEEN = row("never seen", 50.0, 30.0, 40.0, 50.0, 60.0, 70.0)  # the lower quartile is 40


@pytest.mark.parametrize(
    "perplexity, knows",
    [(2.0, True), (39.9, True), (40.0, False), (50.0, False), (80.0, False), (math.inf, False), (math.nan, False)],
)
def test_known_is_clearly_below_never_seen(perplexity, knows):
    assert familiarity([row("forget", perplexity, perplexity), row("retain", 1.0, 1.0), NEVER_SEEN]).knows is knows


def test_both_conditions_count():
    close = row("never seen", 50.0, *[48.0, 49.0, 50.0, 51.0])
    assert familiarity([row("forget", 39.0), close]).knows is True
    assert familiarity([row("forget", 41.0), close]).knows is False  # below the quartile, not below 0.8
    wide = row("never seen", 50.0, *[10.0, 20.0, 50.0, 90.0])
    assert familiarity([row("forget", 18.0), wide]).knows is False  # below 0.8, not below the quartile of 17.5
    assert familiarity([row("forget", 17.0), wide]).knows is True


def test_a_quartile_of_three_texts_is_none():
    assert familiarity([row("forget", 20.0), row("never seen", 50.0, 1.0, 2.0, 90.0)]).knows is True


def test_the_sentences():
    assert familiarity([row("forget", 2.456), NEVER_SEEN]) == Familiarity(
        knows=True, sentence="This model knows these texts. (Perplexity 2.46; texts it never saw: 50.)"
    )
    assert familiarity([row("forget", 61.0), NEVER_SEEN]) == Familiarity(
        knows=False, sentence="This model does not know these texts yet: press Learn. (Perplexity 61; texts it never saw: 50.)"
    )
    assert familiarity([row("forget", 61.0)]) == Familiarity(
        None,
        "Whether this model knows these texts cannot be said (perplexity 61): there are no never-seen texts to compare with. "
        "Keep some back with holdout= when you read the corpus.",
    )
    assert familiarity([NEVER_SEEN]) == Familiarity(None, "Whether this model knows the texts shows once some are picked.")


def test_of_real_readings():
    for taught in (False, True):
        session = worlds.session(taught=taught)
        session.step()
        assert familiarity(session.measure("perplexity", of="start")["perplexity"].rows).knows is taught


def test_of_a_corpus_without_a_holdout():
    session = worlds.session(taught=True, texts=Corpus(worlds.corpus().train))
    assert familiarity(session.measure("perplexity", of="start")["perplexity"].rows).knows is None
