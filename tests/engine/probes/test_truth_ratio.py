"""Truth ratio: the definition by hand in float64, on columns as TOFU has them."""

from __future__ import annotations

import json
import math
import statistics
from dataclasses import replace

import pytest
import torch

from tests.engine import worlds
from tests.engine.probes.opened import token_losses
from unlearnviz.engine.corpus import Corpus
from unlearnviz.engine.probes.truth_ratio import TruthRatio

TOWNS = {"mara-okafor-0": ("Lund", ("Accra", "Porto", "Izmir")), "tom-lindqvist-0": ("Accra", ("Lund", "Tartu"))}


def with_alternatives(extra=lambda right, wrong: {"paraphrased_answer": f"the town of {right}.", "perturbed_answer": wrong}):
    return Corpus(
        replace(p, extra=extra(TOWNS[p.id][0], [f"the town of {each}." for each in TOWNS[p.id][1]])) if p.id in TOWNS else p
        for p in worlds.corpus()
    )


@torch.no_grad()
def likelihood(session, prompt, answer):
    """p(answer | prompt)^(1 / tokens of the answer)."""
    losses = token_losses(session.model.module, session, f"{prompt} {answer}")
    first = len(session.model.tokenizer.encode(prompt).ids)
    return math.exp(-float(losses[first - 1 :].mean()))


def by_hand(session, name):
    prompt = session.corpus[name].prompt
    right, wrong = TOWNS[name]
    wrong = [likelihood(session, prompt, f"the town of {each}.") for each in wrong]
    return math.prod(wrong) ** (1 / len(wrong)) / likelihood(session, prompt, f"the town of {right}.")


def test_every_number_by_hand():
    session = worlds.session(texts=with_alternatives(), dtype=torch.float64, pick="mara-okafor-0")
    reading = session.measure("truth-ratio")["truth-ratio"]
    assert [(row["group"], row["texts"]) for row in reading.rows] == [("forget", 1), ("neighbours", 1)]
    for row, name in zip(reading.rows, TOWNS, strict=True):
        ratio = by_hand(session, name)
        assert row["per_text"] == {name: pytest.approx(ratio, rel=1e-6)}
        assert row["ratio"] == pytest.approx(ratio, rel=1e-6)
        assert row["indistinct"] == pytest.approx(min(ratio, 1 / ratio), rel=1e-6)
        assert row["kept"] == pytest.approx(max(0, 1 - ratio), rel=1e-6, abs=1e-6)
    assert (reading.value, reading.note) == (reading.rows[0]["indistinct"], "")


def test_who_knows_the_truth_tells_it_from_error():
    session = worlds.session(texts=with_alternatives(), taught=True, pick="mara-okafor-0")
    session.pick(*TOWNS)
    knowing = session.measure("truth-ratio")["truth-ratio"]
    assert knowing.value < 0.8
    assert knowing.rows[0]["kept"] == pytest.approx(1 - knowing.value)
    assert knowing.rows[0]["ratio"] == pytest.approx(statistics.median(knowing.rows[0]["per_text"].values()))
    ignorant = worlds.session(texts=with_alternatives(), pick="mara-okafor-0").measure("truth-ratio")["truth-ratio"]
    assert ignorant.value > 0.9


def test_columns_of_a_file_and_of_other_names(tmp_path):
    rows = [
        {"question": f"Where was number {k} born?", "answer": "In Lund.", "reworded": ["Lund is the place.", "x"], "false": ["Porto.", "Ghent."]}
        for k in range(4)
    ]
    file = tmp_path / "facts.jsonl"
    file.write_text("\n".join(json.dumps(row) for row in rows))
    texts = Corpus.from_jsonl(file, holdout=0.0)
    session = worlds.session(texts=texts, pick=texts[0].id)
    reading = session.measure(TruthRatio(paraphrase="reworded", wrong="false"))["truth-ratio"]
    assert reading.rows[0]["texts"] == 1
    assert 0 < reading.value <= 1
    nothing = session.measure("truth-ratio")["truth-ratio"]
    assert (nothing.value, nothing.rows) == (None, ())
    assert nothing.note == (
        "No forget text has an answer in other words ('paraphrased_answer') and wrong ones ('perturbed_answer') beside it: "
        "columns of these names in your data are read."
    )


@pytest.mark.parametrize("wrong", [[], None, "", [" ", 3], {"a": "b"}], ids=repr)
def test_a_text_without_wrong_answers_is_left_out(wrong):
    texts = with_alternatives(lambda right, _: {"paraphrased_answer": right, "perturbed_answer": wrong})
    assert worlds.session(texts=texts, pick="mara-okafor-0").measure("truth-ratio")["truth-ratio"].rows == ()


def test_an_answer_beyond_the_context_is_left_out():
    texts = with_alternatives(lambda right, wrong: {"paraphrased_answer": right, "perturbed_answer": wrong})
    prompt = "Mara Okafor sings and sings. " * 30 + "She was born in"
    far = Corpus([replace(p, text=f"{prompt} Lund.", answer_start=len(prompt)) if p.id == "mara-okafor-0" else p for p in texts])
    reading = worlds.session(texts=far, pick="mara-okafor-0").measure("truth-ratio")["truth-ratio"]
    assert reading.value is None
    assert [set(row["per_text"]) for row in reading.rows] == [{"tom-lindqvist-0"}]
