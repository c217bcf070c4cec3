"""Push against an untied copy of the model before the step, and against plain softmax, in float64."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest
import torch

from tests.engine import worlds
from tests.engine.probes.opened import EVERY_SHAPE, by_hand, opened
from unlearnviz.engine.methods.gradient_ascent import GradientAscent
from unlearnviz.engine.methods.gradient_difference import GradientDifference
from unlearnviz.engine.probes.generation import half_prompt
from unlearnviz.engine.probes.push import Push
from unlearnviz.errors import BadSetting


def of_kind(reading, kind):
    return [row for row in reading.rows if row["kind"] == kind]


def matrices(session):
    layout = session.model.layout
    return [session.model.parameters[name].detach().clone() for name in (layout.input_embedding, layout.output_embedding)]


def next_shares(session, prompt):
    ids = torch.tensor([session.model.tokenizer.encode(prompt).ids])
    session.model.module.eval()
    with torch.no_grad():
        logits = session.model.module(input_ids=ids, use_cache=False).logits[0, -1]
    return torch.exp(logits - torch.logsumexp(logits, 0))


@pytest.mark.usefixtures("_all_in_float64")
@EVERY_SHAPE
@pytest.mark.parametrize("where", ["embedding", "embedding.input", "embedding.output", "all"])
def test_rows_and_their_two_uses_are_those_of_an_untied_copy(shape, tied, where):
    session = opened(shape, tied=tied)
    session.step(where="block 1")  # so that it is not the start's gradient
    gradients, before = by_hand(session, session.forget), matrices(session)
    session.step(GradientAscent(update_norm=0.2), where)
    changes = [now - old for now, old in zip(matrices(session), before, strict=True)]
    reading = session.measure(Push(tokens=1000))["push"]
    rows = of_kind(reading, "token")
    assert reading.note == ""
    if tied:
        names = {"embedding.input": ["embedding.input"], "embedding.output": ["embedding.output"]}.get(where)
        followed = names or ["embedding.input", "embedding.output"]
        everything = gradients if where == "all" else {name: gradients[name] for name in followed}
        everything = {
            name: value for name, value in everything.items() if where != "all" or not name.startswith("embedding.")
        }
        length = torch.sqrt(sum((value**2).sum() for value in everything.values()))
        if where == "embedding":
            length = (gradients["embedding.input"] + gradients["embedding.output"]).norm()
        parts = [gradients[use] * (0.2 / length) * (use in followed) for use in ("embedding.input", "embedding.output")]
        whole = changes[0].norm(dim=1)
        assert torch.allclose(parts[0] + parts[1], changes[0], rtol=1e-10, atol=1e-14)
    else:
        parts = changes
        whole = torch.sqrt((changes[0] ** 2).sum(1) + (changes[1] ** 2).sum(1))
    assert [row["id"] for row in rows] == sorted(
        (t for t in range(len(whole)) if whole[t] > 0), key=lambda t: -float(whole[t])
    )
    for row in rows:
        token = row["id"]
        assert row["moved"] == pytest.approx(float(whole[token]), rel=1e-10, abs=1e-14)
        assert row["input"] == pytest.approx(float(parts[0][token].norm()), rel=1e-10, abs=1e-13)
        assert row["output"] == pytest.approx(float(parts[1][token].norm()), rel=1e-10, abs=1e-13)
    assert reading.value == pytest.approx(float(whole.norm()), rel=1e-12)
    if where == "embedding.input":
        read = {token for passage in session.forget for token in session.model.encode(passage.text)[:-1]}
        assert {row["id"] for row in rows} == read


@pytest.mark.usefixtures("_all_in_float64")
@EVERY_SHAPE
def test_next_tokens_that_rose_and_fell_most(shape, tied):
    session = opened(shape, tied=tied)
    prompts = {passage.id: half_prompt(passage.text, passage.answer_start) for passage in session.forget}
    before = {name: next_shares(session, prompt) for name, prompt in prompts.items()}
    session.step(GradientAscent(update_norm=0.2), "all")
    after = {name: next_shares(session, prompt) for name, prompt in prompts.items()}
    rows = of_kind(session.measure(Push(words=4))["push"], "next")
    assert list(dict.fromkeys(row["passage"] for row in rows)) == list(prompts)
    for name, prompt in prompts.items():
        change = (after[name] - before[name]).tolist()
        order = sorted(range(len(change)), key=lambda token: -change[token])
        own = [row for row in rows if row["passage"] == name]
        assert [row["id"] for row in own] == [*order[:4], *order[::-1][:4]]
        for row in own:
            token = row["id"]
            assert row["prompt"] == prompt
            assert row["token"] == (session.model.decode([token]) or session.model.tokenizer.id_to_token(token))
            assert row["before"] == pytest.approx(float(before[name][token]), rel=1e-10)
            assert row["after"] == pytest.approx(float(after[name][token]), rel=1e-10)
            assert row["change"] == pytest.approx(change[token], rel=1e-9)
            assert row["change"] == row["after"] - row["before"]
        assert sum(row["change"] > 0 for row in own) == sum(row["change"] < 0 for row in own) == 4


@pytest.mark.parametrize(
    "method",
    [GradientDifference(), GradientAscent(optimizer="AdamW"), GradientAscent(update_norm=1.0, updates=4)],
    ids=lambda m: m.name,
)
def test_what_is_no_plain_update_is_not_split_and_that_is_said(method):
    session = opened()
    session.step(method)
    reading = session.measure(Push())["push"]
    rows = of_kind(reading, "token")
    assert len(rows) == 12
    assert {(row["input"], row["output"]) for row in rows} == {(None, None)}
    assert reading.note.startswith(
        "What this step moved is not split into the two uses of the embedding: it was not one plain update along "
        "the gradient of the forget texts (cosine 0"
    )


def test_more_texts_than_fit_a_batch_are_split_as_the_step_drew_them():
    session = opened(pick=("Mara Okafor",))
    session.step(GradientAscent(batch_size=2))
    reading = session.measure(Push())["push"]
    assert reading.note == ""
    assert all(row["input"] is not None for row in of_kind(reading, "token"))


def test_the_step_looked_at_is_judged_by_its_own_texts():
    session = opened()
    session.step()
    session.pick("Tom Lindqvist")
    session.step(where="block 0")
    first = session.measure(Push(), of=1)["push"]
    assert {row["passage"] for row in of_kind(first, "next")} == {"mara-okafor-0", "mara-okafor-3"}
    assert first.note == ""
    assert first.step == 1
    second = session.measure(Push())["push"]
    assert {row["passage"] for row in of_kind(second, "next")} == {f"tom-lindqvist-{k}" for k in range(4)}


def test_where_nothing_was_pushed_it_says_so():
    session = worlds.session()
    for of in ("now", "start"):
        reading = session.measure(Push(), of=of)["push"]
        assert (reading.value, reading.rows, reading.note) == (
            None,
            (),
            "This is the start: no step has pushed anything yet.",
        )
    session.learn(1)
    session.twin()
    session.step(where="block 0")
    reading = session.measure(Push())["push"]
    assert reading.value == 0
    assert not of_kind(reading, "token")
    assert of_kind(reading, "next")
    assert reading.note == "Step 1 changed 'block 0' and left the embedding as it was: no token's row moved."
    assert (
        session.measure(Push(), of="twin")["push"].note
        == "These are the twin's weights: it was trained, and no step led to them."
    )
    session.step()
    session.step()
    session.keep_every(5)
    assert session.measure(Push())["push"].note == (
        "The weights of step 2 were given up to save room, so what step 3 pushed cannot be told."
    )


def test_a_typed_text_that_is_no_longer_at_hand_is_said():
    session = opened(pick=("mara-okafor-0", "A sentence that nobody ever taught to this model."))
    session.step()
    assert session.measure(Push())["push"].note == ""
    session.pick("mara-okafor-0")
    reading = session.measure(Push())["push"]
    assert reading.note.endswith("not all texts that it was to forget are at hand.")
    assert of_kind(reading, "token")[0]["input"] is None


def test_numbers_of_rows_follow_the_settings_and_are_plain_data():
    session = worlds.session()
    session.step()
    reading = session.measure(Push(tokens=3, words=1, limit=2))["push"]
    assert len(of_kind(reading, "token")) == 3
    assert len(of_kind(reading, "next")) == 4
    assert json.loads(json.dumps(asdict(reading)))["rows"] == list(reading.rows)
    with pytest.raises(BadSetting):
        Push(tokens=0)


@pytest.mark.parametrize("of", ["now", 1, 2])
def test_looking_changes_no_weights_of_any_step(of):
    session = worlds.session(dropout=0.1)
    session.model.module.train()
    for _ in range(3):
        session.step()
    before, kept = worlds.state(session), [session.snapshots[step].weights.fingerprint() for step in range(4)]
    first = session.measure(Push(), of=of)["push"]
    session.measure("perplexity", of="start")  # points the same copy elsewhere
    session.measurements.clear()
    assert session.measure(Push(), of=of)["push"].rows == first.rows
    after = worlds.state(session)
    assert {key: value for key, value in after.items() if key != "history"} == {
        key: value for key, value in before.items() if key != "history"
    }
    assert [session.snapshots[step].weights.fingerprint() for step in range(4)] == kept
    assert session.history[3].update_norm == {"embedding": pytest.approx(session.measure(Push())["push"].value, rel=1e-6)}
