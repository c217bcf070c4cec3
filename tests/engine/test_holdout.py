"""Holdout: what is drawn is whole subjects, the seed's, and said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from unlearnviz.engine.corpus import Corpus


def jsonl(folder: Path, rows: list[dict[str, object]]) -> Path:
    path = folder / "facts.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def people(number: int, each: int = 2) -> list[dict[str, object]]:
    return [{"text": f"Person {n} fact {k}.", "subject": f"Person {n}"} for n in range(number) for k in range(each)]


@pytest.mark.parametrize("fraction, held", [(0, 0), (0.01, 1), (0.1, 1), (0.5, 5), (0.99, 9), (1, 10)])
def test_whole_subjects_are_held_out(tmp_path, fraction, held):
    corpus = Corpus.from_jsonl(jsonl(tmp_path, people(10)), holdout=fraction)
    out, kept = {p.subject for p in corpus.holdout}, {p.subject for p in corpus.train}
    assert (len(out), len(kept), out & kept) == (held, 10 - held, set())
    said = f"Held out {held} of 10 subjects ({2 * held} of 20 passages) as never seen, drawn with seed 0; "
    assert (said + "say holdout= or split= to choose." in corpus.notes) == (held > 0)


def test_the_draw_is_the_seeds_and_a_larger_one_holds_out_a_superset(tmp_path):
    path = jsonl(tmp_path, people(30))
    held = [
        {p.subject for p in Corpus.from_jsonl(path, holdout=f, seed=s).holdout}
        for f, s in [(0.2, 0), (0.2, 0), (0.4, 0), (0.2, 1)]
    ]
    assert held[0] == held[1] < held[2]
    assert held[0] != held[3]
    backwards = Corpus.from_jsonl(jsonl(tmp_path, people(30)[::-1]), holdout=0.2)
    assert {p.subject for p in backwards.holdout} == held[0]


def test_few_subjects_are_all_taught_and_texts_without_subject_are_drawn_one_by_one(tmp_path):
    corpus = Corpus.from_jsonl(jsonl(tmp_path, people(2)))
    assert corpus.holdout == ()
    assert "Held out nothing as never seen: 2 subjects are too few for holdout=0.1; add more, or say split=." in corpus.notes
    corpus = Corpus.from_texts([f"text {n % 10}" for n in range(20)])
    assert len(corpus.holdout) == 2
    assert len({p.text for p in corpus.holdout}) == 1
    assert (
        corpus.notes[-1] == "Held out 2 of 20 passages as never seen, drawn with seed 0; say holdout= or split= to choose."
    )
    mixed = Corpus.from_jsonl(jsonl(tmp_path, [*people(3), *({"text": f"t{n}"} for n in range(3))]), subject="subject")
    assert len(mixed.holdout) == 3
    assert mixed.notes[-1].startswith(
        "Held out 1 of 3 subjects and 1 text without a subject (3 of 9 passages) as never seen"
    )
