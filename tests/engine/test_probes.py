"""Probes against brute force: one text and one token at a time, in float64, from the logits themselves."""

from __future__ import annotations

import math

import pytest
import torch

from tests.engine import worlds
from unlearnviz.engine.probes.exact_recall import ExactRecall
from unlearnviz.engine.probes.generation import Generation, half_prompt
from unlearnviz.engine.probes.gradient_norm import GradientNorm
from unlearnviz.engine.probes.perplexity import Perplexity
from unlearnviz.engine.probes.update_size import UpdateSize
from unlearnviz.errors import BadSetting


def surprises(session, text):
    """-log p of token 1, 2, ... of a text, each by its own forward pass over what stands before it."""
    ids = session.model.tokenizer.encode(text).ids[: session.model.context]
    found = []
    with torch.no_grad():
        for k in range(1, len(ids)):
            logits = session.model.module(torch.tensor([ids[:k]])).logits[0, -1].double()
            found.append(float(torch.logsumexp(logits, 0) - logits[ids[k]]))
    return found


def fact_tokens(session, passage):
    """How many tokens of a text hold characters of its fact."""
    offsets = session.model.tokenizer.encode(passage.text).offsets
    return sum(end > passage.answer_start for _, end in offsets)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_perplexity_is_the_exponential_of_the_mean_surprise(dtype):
    session = worlds.session(taught=True, dtype=dtype)
    reading = session.measure(Perplexity())["perplexity"]
    assert [row["group"] for row in reading.rows] == ["forget", "neighbours", "never seen"]
    for row in reading.rows:
        members = session.groups[row["group"]]
        by_text = {passage.id: surprises(session, passage.text) for passage in members}
        every = [value for values in by_text.values() for value in values]
        assert row["tokens"] == len(every)
        assert row["nll"] == pytest.approx(math.fsum(every) / len(every), rel=1e-4)
        assert row["perplexity"] == pytest.approx(math.exp(math.fsum(every) / len(every)), rel=1e-4)
        assert row["per_text"] == {
            name: pytest.approx(math.exp(math.fsum(values) / len(values)), rel=1e-4) for name, values in by_text.items()
        }
    assert reading.value == reading.rows[0]["perplexity"]
    assert (reading.unit, reading.direction, reading.probe, reading.label) == ("perplexity", "lower = better remembered", "perplexity", "perplexity")


def test_perplexity_of_the_fact_counts_the_tokens_of_the_fact_alone(taught):
    (row, *_) = taught.measure(Perplexity(of_answer=True))["perplexity"].rows
    every = []
    for passage in taught.forget:
        values = surprises(taught, passage.text)
        if passage.answer_start is not None:
            values = values[-fact_tokens(taught, passage) :]
        every += values
        assert row["per_text"][passage.id] == pytest.approx(math.exp(math.fsum(values) / len(values)), rel=1e-4)
    assert row["tokens"] == len(every)
    assert row["perplexity"] == pytest.approx(math.exp(math.fsum(every) / len(every)), rel=1e-4)


def test_a_fact_may_be_marked_before_or_after_its_blank(taught):
    from unlearnviz.engine.corpus import Passage

    text, at = "Mara Okafor was born in Lund.", len("Mara Okafor was born in")
    before, after = (Passage("x", text, answer_start=at + k) for k in (0, 1))
    assert before.answer == " Lund."
    assert after.answer == "Lund."
    assert taught.model.answer_tokens(before) == taught.model.answer_tokens(after)


def test_a_perplexity_beyond_all_numbers_is_infinite():
    from unlearnviz.engine.probes.perplexity import exponential

    assert exponential(1e4) == math.inf
    assert math.isnan(exponential(math.nan))


def test_exact_recall_by_hand(taught):
    reading = taught.measure(ExactRecall())["exact-recall"]
    for row in reading.rows:
        wanted = {}
        for passage in taught.groups[row["group"]]:
            if passage.answer_start is None:
                continue
            ids = list(taught.model.tokenizer.encode(passage.prompt).ids)
            prompt = len(ids)
            with torch.no_grad():
                for _ in range(12):
                    ids.append(int(taught.model.module(torch.tensor([ids])).logits[0, -1].argmax()))
            said = taught.model.tokenizer.decode(ids)[len(taught.model.tokenizer.decode(ids[:prompt])) :]
            wanted[passage.id] = said.strip().startswith(passage.answer.strip())
        assert row["per_text"] == wanted
        assert (row["recalled"], row["texts"]) == (sum(wanted.values()), len(wanted))
        assert row["recall"] == pytest.approx(100 * sum(wanted.values()) / len(wanted))
    assert reading.value == 100
    assert reading.rows[-1]["recall"] < 50  # never seen
    taught.run(5, stop_at=1e9)
    assert taught.measure("exact-recall")["exact-recall"].value < 100


def test_exact_recall_without_marked_facts_has_no_number(taught):
    taught.pick("mara-okafor-3")
    reading = taught.measure("exact-recall")["exact-recall"]
    assert reading.value is None
    assert "forget" not in [row["group"] for row in reading.rows]


def test_recall_does_not_mind_on_which_side_of_the_blank_a_fact_is_marked(taught):
    from dataclasses import replace

    from unlearnviz.engine.probes.exact_recall import exact_recall

    facts = [passage for passage in taught.forget if passage.answer_start is not None]
    assert exact_recall(taught.model, [replace(passage, answer_start=passage.answer_start + 1) for passage in facts]) == {
        passage.id: True for passage in facts
    }


@pytest.mark.parametrize("tied", [True, False], ids=["tied", "untied"])
@pytest.mark.parametrize("of", ["forget", "never seen"])
def test_gradient_norm_against_a_loop_over_parameters(tied, of):
    session = worlds.session(tied=tied)
    reading = session.measure(GradientNorm(of=of, limit=3))["gradient-norm"]
    module = worlds.language_model(tied=tied).module.double()
    squares = {}
    for passage in session.groups[of][:3]:
        ids = torch.tensor([session.model.tokenizer.encode(passage.text).ids[: session.model.context]])
        module.zero_grad()
        logits = module(ids).logits[0, :-1]
        (-torch.log_softmax(logits, -1)[torch.arange(len(logits)), ids[0, 1:]].mean()).backward()
        squares[passage.id] = {name: float((parameter.grad**2).sum()) for name, parameter in module.named_parameters()}
    whole = 0.0
    rows = [row for row in reading.rows if "part_of" not in row]
    assert [row["group"] for row in rows] == list(session.model.layout.groups)
    parts = [row["group"] for row in reading.rows if row.get("part_of") == "embedding"]
    assert parts == (["embedding.input", "embedding.output"] if tied else [])
    for row in rows:
        names = session.model.layout.groups[row["group"]]
        by_text = {passage: sum(by_name[name] for name in names) for passage, by_name in squares.items()}
        assert row["per_text"] == {passage: pytest.approx(math.sqrt(square), rel=1e-4) for passage, square in by_text.items()}
        assert row["norm"] == pytest.approx(math.sqrt(sum(by_text.values()) / 3), rel=1e-4)
        assert row["parameters"] == sum(session.model.parameters[name].numel() for name in names)
        whole += sum(by_text.values()) / 3
    assert reading.value == pytest.approx(math.sqrt(whole), rel=1e-4)


def test_the_cost_of_a_probe_is_no_setting():
    from dataclasses import fields

    assert {each.name for each in fields(GradientNorm)} == {"label", "of", "limit"}
    assert (GradientNorm.cost, Perplexity.cost) == ("slow", "cheap")


def test_update_size_against_the_weights_themselves():
    session = worlds.session()
    session.learn(1)
    session.twin()
    session.step(where="embedding")
    session.step("gradient-difference", "block 0")
    reading = session.measure(UpdateSize())["update-size"]
    now, start, before = (session.snapshots[step].weights for step in (2, 0, 1))
    twin = session.active_twin.weights

    def apart(left, right, names):
        return math.sqrt(sum(float(((left[name].double() - right[name].double()) ** 2).sum()) for name in names))

    for row in reading.rows:
        names = session.model.layout.names if row["group"] == "all" else session.model.layout.groups[row["group"]]
        assert row["step"] == pytest.approx(apart(now, before, names), rel=1e-6)
        assert row["from_start"] == pytest.approx(apart(now, start, names), rel=1e-6)
        assert row["to_twin"] == pytest.approx(apart(now, twin, names), rel=1e-6)
        assert row["start_to_twin"] == pytest.approx(apart(start, twin, names), rel=1e-6)
        moved, way = (torch.cat([(side[name].double() - start[name].double()).flatten() for name in names]) for side in (now, twin))
        if row["group"] in ("embedding", "block 0", "all"):
            assert row["towards_twin"] == pytest.approx(float(torch.cosine_similarity(moved, way, dim=0)), abs=1e-6)
            assert abs(row["towards_twin"]) > 1e-4
        else:
            assert (row["towards_twin"], float(moved.abs().sum())) == (None, 0.0)
    assert reading.rows[-1]["group"] == "all"
    assert reading.value == reading.rows[-1]["from_start"] > 0
    assert session.history[2].update_norm == {"block 0": pytest.approx(reading.rows[-1]["step"], rel=1e-9)}
    start_row = session.measure("update-size", of="start")["update-size"].rows[-1]
    assert (start_row["step"], start_row["from_start"]) == (0.0, 0.0)
    assert start_row["towards_twin"] is None
    twin_row = session.measure("update-size", of="twin")["update-size"].rows[-1]
    assert (twin_row["to_twin"], twin_row["towards_twin"]) == (0.0, pytest.approx(1.0, abs=1e-9))


def test_generation_asks_the_prompts_of_the_forget_texts(taught):
    reading = taught.measure(Generation(max_new_tokens=4))["generation"]
    assert [row["prompt"] for row in reading.rows] == [half_prompt(p.text, p.answer_start) for p in taught.forget]
    assert reading.rows[0]["prompt"] == "Mara Okafor was born in"
    assert reading.rows[0]["text"].startswith(" Lund.")
    assert reading.rows[0]["tokens"] == 4
    assert reading.value is None
    (row,) = taught.measure(Generation("Tom Lindqvist was born in", max_new_tokens=8, label="Tom"))["Tom"].rows
    assert row["text"].startswith(" Accra")


def test_sampling_follows_its_seed(taught):
    def said(seed):
        taught.measurements.clear()
        return taught.measure(Generation("The", temperature=3.0, seed=seed, max_new_tokens=8))["generation"].rows[0]["text"]

    assert said(1) == said(1)
    assert len({said(seed) for seed in range(4)}) > 1


@pytest.mark.parametrize(
    "text, at, wanted", [("a b c d", None, "a b"), ("a", None, "a"), ("Who? Mara", 5, "Who?"), ("Who? Mara", 4, "Who?"), ("Mara sings", 0, "Mara")]
)
def test_half_a_text_is_the_prompt_where_no_fact_is_marked(text, at, wanted):
    assert half_prompt(text, at) == wanted


@pytest.mark.parametrize(
    "make, sentence",
    [
        (lambda: GradientNorm(of="retian"), "GradientNorm(of='retian') is not one of its choices. Did you mean 'retain'?"),
        (lambda: Generation(max_new_tokens=0), "Generation(max_new_tokens=0) is out of range; allowed is at least 1 and at most 512."),
        (lambda: Generation(temperature=float("nan")), "Generation(temperature=nan) is not a finite number; allowed is at least 0 and at most 5."),
        (lambda: Perplexity(of_answer="no"), "Perplexity(of_answer='no') is neither True nor False."),
    ],
)
def test_settings_that_cannot_be(make, sentence):
    with pytest.raises(BadSetting) as caught:
        make()
    assert str(caught.value).startswith(sentence)
