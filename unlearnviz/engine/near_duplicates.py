"""Near-duplicates: what to know before forgetting texts that are told again elsewhere in the corpus."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from unlearnviz.engine.fact_score import bare
from unlearnviz.engine.neighbours import Neighbour, neighbours
from unlearnviz.engine.similarity import Normalisation
from unlearnviz.engine.tabulated import WORD_FOR_WORD
from unlearnviz.numbers import number

if TYPE_CHECKING:
    from unlearnviz.engine.corpus import Corpus, Passage

NEARLY_THE_SAME = 92.0  # of `ratio`; in the shipped world one text in two editions has 93 or more, texts about two people hardly ever
PAIRS = 2_000_000  # of forget and never-seen texts compared at most: some tenths of a second


def near_duplicate_notes(corpus: Corpus, groups: Mapping[str, Sequence[Passage]]) -> list[str]:
    """A sentence on each trap that the pick holds, the worst last; none where there is nothing to say.

    Passages that repeat another; never-seen texts that are nearly a forget text, so that the never-seen line is no floor; taught texts
    that are nearly a forget text and not picked, so that what they tell stays. Nearly the same means a ratio of at least
    NEARLY_THE_SAME, and no other fact marked. The taught ones are looked for among the neighbours, which are those most like
    the forget texts; of never-seen texts no more than PAIRS pairs are compared.

    Args:
        corpus: all texts.
        groups: those that the pick makes.
    """
    forget, never_seen, around = groups["forget"], corpus.holdout, groups["neighbours"]
    compared = forget[: max(1, PAIRS // max(1, len(never_seen)))]
    near = neighbours(forget, around, threshold=NEARLY_THE_SAME)
    said = [
        _repeats(corpus),
        _never_seen(_alike(neighbours(compared, never_seen, threshold=NEARLY_THE_SAME), forget), more=len(compared) < len(forget)),
        _still_taught(_alike(near, forget), more=len(near) == len(around) and bool(groups["retain"])),
    ]
    return [each for each in said if each]


def _alike(near: Sequence[Neighbour], forget: Sequence[Passage]) -> list[Neighbour]:
    """Those that may tell what their nearest forget text tells."""
    by_id = {passage.id: passage for passage in forget}
    return [each for each in near if _may_tell_the_same(each.passage, by_id[each.nearest])]


def _may_tell_the_same(passage: Passage, forget: Passage) -> bool:
    return passage.answer is None or forget.answer is None or bare(passage.answer) == bare(forget.answer)


def _repeats(corpus: Corpus) -> str:
    """On passages that are equal once normalised; of those that are equal to the letter the reader of a file has told."""
    told = any(WORD_FOR_WORD in note for note in corpus.notes)
    normalise, first = Normalisation(), dict[str, "Passage"]()
    again = []
    for passage in corpus:
        known = first.setdefault(normalise(passage.text), passage)
        if known is not passage and not (told and known.text == passage.text):
            again.append((passage, known))
    if not again:
        return ""
    repeat = "1 passage repeats" if len(again) == 1 else f"{len(again):,} passages repeat"
    example = f"{again[0][0].id!r} (as {again[0][1].id!r})"
    return (
        f"{repeat} another, capital letters and white space aside, such as {example}: "
        "what is there twice counts twice, so take one of the two out of your data."
    )


def _never_seen(near: Sequence[Neighbour], *, more: bool) -> str:
    if not near:
        return ""
    texts = "1 never-seen text is" if len(near) == 1 else f"{len(near):,} never-seen texts are"
    return (
        f"{_at_least(more)}{texts} nearly the same as a forget text, such as {_example(near[0])}: "
        "the model knows what is called never seen, and its line is no floor, so hold out other texts."
    )


def _still_taught(near: Sequence[Neighbour], *, more: bool) -> str:
    if not near:
        return ""
    texts, stay, tells, them = (
        ("1 text that is", "stays", "it tells", "it") if len(near) == 1 else (f"{len(near):,} texts that are", "stay", "they tell", "them")
    )
    return (
        f"{_at_least(more)}{texts} nearly the same as a forget text {stay} among the taught ones, such as {_example(near[0])}: "
        f"what {tells} is kept and can bring the fact back, so pick {them} as well."
    )


def _at_least(more: bool) -> str:
    return "At least " if more else ""


def _example(near: Neighbour) -> str:
    return f"{near.passage.id!r} ({number(near.score)} of 100 like {near.nearest!r})"
