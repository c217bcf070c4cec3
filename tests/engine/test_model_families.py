"""Every family of causal language models that people use, opened from a folder and used in all that a session does."""

from __future__ import annotations

import dataclasses
import math
from types import SimpleNamespace

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerFast

from tests.engine import families, worlds
from unlearnviz.engine.fresh import Size, fresh_model
from unlearnviz.engine.learning import Recipe
from unlearnviz.engine.methods.gradient_ascent import GradientAscent
from unlearnviz.engine.probes.perplexity import Perplexity
from unlearnviz.engine.selection import ParameterSelection
from unlearnviz.engine.session import Session
from unlearnviz.errors import BadSelection

KINDS = [
    *[(shape, tied) for shape in ("GPT-2", "Llama", "GPT-NeoX", "OPT") for tied in (True, False)],
    *[("Qwen2", True), ("Qwen3", False), ("Mistral", False), ("Gemma", True), ("Bloom", True), ("GPT-Neo", True), ("Phi", False)],
    ("GPT-2 with its own tokenizer", True),
]
NEW = 12
RECIPE = Recipe(epochs=20, learning_rate=1e-2, batch_size=6, warmup=5)


@pytest.fixture(scope="module", params=KINDS, ids=[f"{shape}, {'tied' if tied else 'untied'}" for shape, tied in KINDS])
def opened(request, tmp_path_factory):
    """A session over a model of one family, read from a folder and taught a little: its likeliest words are no accident."""
    shape, tied = request.param
    folder = tmp_path_factory.mktemp("model") / "tiny"
    if "own tokenizer" in shape:
        families.written_with_real_tokenizer(folder)
    else:
        families.written(folder, shape, tied=tied)
    session = Session.from_pretrained(str(folder), corpus=worlds.corpus())
    session.pick("Mara Okafor")
    first = session.fingerprint()
    session.learn(recipe=dataclasses.replace(RECIPE, epochs=16, learning_rate=0.03, beta2=0.95) if "own tokenizer" in shape else RECIPE)
    return SimpleNamespace(shape=shape, tied=tied, folder=folder, session=session, model=session.model, first=first)


def texts() -> list[str]:
    return [passage.text for passage in worlds.corpus()][:12]


def prompts(model) -> list[str]:
    return [*[passage.prompt for passage in worlds.corpus() if passage.answer][:7], "The house"]


def test_every_parameter_is_in_one_group(opened):
    layout, parameters = opened.model.layout, opened.model.parameters
    assert sorted(layout.names) == sorted(parameters)
    assert len(layout.names) == len(set(layout.names))
    assert opened.model.size == sum(parameter.numel() for parameter in opened.model.module.parameters())
    assert layout.tied == opened.tied
    assert layout.blocks == len({name.removeprefix(layout.block_prefix).split(".")[0] for name in parameters if name.startswith(layout.block_prefix)})
    assert layout.blocks == (3 if "GPT-2" in opened.shape else 2)
    assert layout.groups["embedding"] == (layout.input_embedding,)
    assert "other" not in layout.groups
    assert ("head" in layout.groups) == (not opened.tied)
    assert ("position" in layout.groups) == (opened.shape.split()[0] in ("GPT-2", "OPT", "GPT-Neo"))
    assert all(layout.kinds[name] == "norm" for name in layout.groups["final norm"])
    for block in range(layout.blocks):
        kinds = {layout.kinds[name] for name in layout.groups[f"block {block}"]}
        assert kinds == {"attention", "mlp", "norm"}


def test_every_word_of_a_selection_is_understood_or_refused_with_its_reason(opened):
    layout = opened.model.layout

    def names(text: str) -> set[str]:
        return set(ParameterSelection.parse(text, layout).names)

    assert names("all") == set(opened.model.parameters)
    assert names("embedding") == names("embedding.input") == {layout.input_embedding}
    assert names("head") == names("embedding.output") == {layout.output_embedding}
    assert names("attention") | names("mlp") | names("norm") == set(layout.kinds)
    assert names("blocks 0-1") == names("block 0") | names("block 1")
    assert names(f"{layout.block_prefix}1.*") == names("block 1")
    assert names("embedding, block 0") == names("embedding") | names("block 0")
    if "position" in layout.groups:
        assert names("position") == set(layout.groups["position"])
    else:
        with pytest.raises(BadSelection, match=f"Selection 'position' matches none of this model's {len(layout.names)} parameters"):
            names("position")
    with pytest.raises(BadSelection, match=f"blocks run from 0 to {layout.blocks - 1}"):
        names("block 7")


def test_perplexity_is_that_of_the_library_text_by_text(opened):
    row = opened.session.measure(Perplexity(), of="start")["perplexity"].rows[0]
    ids = [opened.model.encode(passage.text) for passage in opened.session.forget]
    plain = families.losses_one_by_one(opened.model.module, ids)
    assert row["perplexity"] == pytest.approx(math.exp(float(torch.cat(plain).double().mean())), rel=1e-4)
    for passage, losses in zip(opened.session.forget, plain, strict=True):
        assert row["per_text"][passage.id] == pytest.approx(math.exp(float(losses.double().mean())), rel=1e-4)


def test_continuations_are_those_of_the_library(opened):
    asked = prompts(opened.model)
    ids = [opened.model.encode(prompt) for prompt in asked]
    assert len({len(row) for row in ids}) > 2
    together = [each.ids for each in opened.model.generate(asked, max_new_tokens=NEW)]
    alone = [opened.model.generate([prompt], max_new_tokens=NEW)[0].ids for prompt in asked]
    assert together == alone
    assert together == [families.continued_by_library(opened.model.module, [row], NEW)[0] for row in ids]
    assert together == families.continued_by_library(opened.model.module, ids, NEW)
    assert len({token for row in together for token in row}) >= 10  # not one word over and over


@pytest.mark.parametrize("where", ["embedding", "embedding.input", "head", "norm", "all"])
def test_a_step_moves_what_it_says_and_undo_is_exact(opened, where):
    session = opened.session
    before = session.fingerprint()
    at_start = {name: parameter.detach().clone() for name, parameter in opened.model.parameters.items()}
    perplexity = session.measure(Perplexity(), of="start")["perplexity"].value
    record = session.step(GradientAscent(), where=where)
    moved = {name for name, value in at_start.items() if not torch.equal(value, opened.model.parameters[name])}
    assert moved
    assert moved <= set(ParameterSelection.parse(where, opened.model.layout).names)
    assert set(record.update_norm) == {opened.model.layout.group_of(name) for name in ParameterSelection.parse(where, opened.model.layout).names}
    assert session.measure(Perplexity())["perplexity"].value > perplexity
    after = session.fingerprint()
    session.undo()
    assert session.fingerprint() == before
    session.redo()
    assert session.fingerprint() == after
    session.undo()


def test_the_parts_of_a_tied_matrix_add_up(opened):
    """d loss through the lookup + d loss through the output = d loss, where they are one matrix."""
    layout, model = opened.model.layout, opened.model
    batch = model.batch(texts())
    gradients = {}
    for use in ("both", "input", "output"):
        selection = ParameterSelection.parse("embedding" if use == "both" else f"embedding.{use}", layout)
        with model.following(selection.names, selection.use) as parameters, torch.enable_grad():
            gradients[use] = torch.autograd.grad(model.loss(batch), [parameters[name] for name in selection.names])[0]
    whole = gradients["input"] + gradients["output"] if opened.tied else gradients["input"]
    assert torch.allclose(gradients["both"], whole, atol=1e-6, rtol=1e-4)
    used = torch.zeros(len(gradients["input"]), dtype=torch.bool)
    used[batch.input_ids[batch.attention_mask == 1]] = True
    assert not gradients["input"][~used].any()
    assert gradients["output"][~used].any()


def test_saved_and_opened_again(opened, tmp_path):
    session = opened.session
    session.step(where="embedding")
    session.save(tmp_path / "saved")
    again = Session.load(tmp_path / "saved")
    assert again.fingerprint() == session.fingerprint()
    asked = prompts(opened.model)
    assert [each.ids for each in again.model.generate(asked)] == [each.ids for each in opened.model.generate(asked)]
    session.undo()
    again.undo()
    assert again.fingerprint() == session.fingerprint()


def test_an_exported_folder_is_an_ordinary_model(opened, tmp_path, capfd):
    opened.session.export(tmp_path / "model")
    assert capfd.readouterr() == ("", "")
    plain = AutoModelForCausalLM.from_pretrained(tmp_path / "model")
    parameters = dict(plain.named_parameters())
    assert set(parameters) == set(opened.model.parameters)
    assert all(torch.equal(parameters[name], value) for name, value in opened.model.parameters.items())
    ids = [opened.model.encode(text) for text in texts()]
    ours, theirs = opened.model.token_losses(texts()), families.losses_one_by_one(plain, ids)
    assert all(torch.allclose(mine, other, atol=1e-4) for mine, other in zip(ours, theirs, strict=True))
    for kind in (PreTrainedTokenizerFast, *([AutoTokenizer] if "GPT-2" in opened.shape else [])):  # some families have a fixed tokenizer
        tokenizer = kind.from_pretrained(tmp_path / "model")
        assert [tuple(tokenizer(text)["input_ids"]) for text in texts()] == ids
    again = Session.from_pretrained(tmp_path / "model", corpus=worlds.corpus())
    assert again.fingerprint() == opened.session.fingerprint()


def test_exporting_into_the_folder_it_came_from(opened):
    before = opened.session.fingerprint()
    opened.session.export(opened.folder)
    assert opened.session.fingerprint() == before
    assert Session.from_pretrained(opened.folder, corpus=worlds.corpus()).fingerprint() == before


@pytest.mark.parametrize("shape", ["Llama", "GPT-2"])
def test_a_twin_after_learning(shape, tmp_path):
    session = Session.from_pretrained(families.written(tmp_path / "tiny", shape), corpus=worlds.corpus())
    begun = session.fingerprint()
    session.learn(recipe=Recipe(epochs=12, learning_rate=8e-3, batch_size=8))
    assert session.fingerprint() != begun
    session.pick("Mara Okafor")
    twin = session.twin()
    assert twin.left_out == {passage.id for passage in session.forget}
    rows = {of: session.measure(Perplexity(), of=of)["perplexity"].rows for of in ("start", "twin")}
    assert rows["twin"][0]["perplexity"] > 1.3 * rows["start"][0]["perplexity"]
    assert rows["twin"][2]["perplexity"] < 1.3 * rows["start"][2]["perplexity"]


# -- how a model is opened ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tied", [True, False])
def test_the_fused_activation_gets_its_name_back(tmp_path, tied):
    folder = families.written(tmp_path / "tiny", tied=tied)
    session = Session.from_pretrained(folder, corpus=worlds.corpus())
    assert session.model.module.config.activation_function == "gelu_pytorch_tanh"
    session.save(tmp_path / "saved")
    for each, place in ((session, "one"), (Session.load(tmp_path / "saved"), "two")):
        each.export(tmp_path / place)
        plain = AutoModelForCausalLM.from_pretrained(tmp_path / place)
        assert plain.config.activation_function == "gelu_new"
        assert each.model.module.config.activation_function == "gelu_pytorch_tanh"


def test_exact_activation_keeps_the_library_bit_for_bit(tmp_path):
    folder = families.written(tmp_path / "tiny")
    session = Session.from_pretrained(folder, corpus=worlds.corpus(), exact_activation=True)
    assert session.model.module.config.activation_function == "gelu_new"
    plain = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager").eval()
    ids = torch.tensor([session.model.encode(texts()[0])])
    with torch.no_grad():
        assert torch.equal(session.model.module(ids).logits, plain(ids).logits)
    fused = Session.from_pretrained(folder, corpus=worlds.corpus()).model
    with torch.no_grad():
        assert torch.allclose(fused.module(ids).logits, plain(ids).logits, atol=1e-5)


@pytest.mark.parametrize("shape", ["GPT-2", "Llama"])
@pytest.mark.parametrize("dtype, close", [("float64", 1e-6), ("bfloat16", 0.1), (torch.float16, 0.02)])
def test_kinds_of_numbers(tmp_path, shape, dtype, close):
    folder = families.written(tmp_path / "tiny", shape)
    session = Session.from_pretrained(folder, corpus=worlds.corpus(), dtype=dtype)
    kind = getattr(torch, str(dtype).removeprefix("torch."))
    assert {parameter.dtype for parameter in session.model.parameters.values()} == {kind}
    losses = session.model.token_losses(texts())
    assert losses[0].dtype == (torch.float64 if kind == torch.float64 else torch.float32)
    plain = families.losses_one_by_one(AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float64), [session.model.encode(t) for t in texts()])
    assert all(torch.allclose(mine.double(), other, atol=close) for mine, other in zip(losses, plain, strict=True))
    session.pick("Mara Okafor")
    before = session.fingerprint()
    session.step(GradientAscent(update_norm=0.5))
    assert session.fingerprint() != before
    session.undo()
    assert session.fingerprint() == before
    session.export(tmp_path / "out")
    assert AutoModelForCausalLM.from_pretrained(tmp_path / "out", dtype="auto").dtype == kind


def test_losses_of_a_float64_model_are_computed_in_float64(tmp_path):
    model = Session.from_pretrained(families.written(tmp_path / "tiny"), corpus=worlds.corpus(), dtype="float64", exact_activation=True).model
    for mine, other in zip(model.token_losses(texts()), families.losses_one_by_one(model.module, [model.encode(t) for t in texts()]), strict=True):
        assert torch.allclose(mine, other, atol=1e-12, rtol=0)


def test_weights_in_several_files(tmp_path):
    model = families.module("Llama", tied=False, vocabulary=worlds.tokenizer().get_vocab_size())
    folder = families.write(tmp_path / "tiny", model, worlds.tokenizer(), max_shard_size="30KB")
    assert len(list(folder.glob("*.safetensors"))) > 1
    session = Session.from_pretrained(folder, corpus=worlds.corpus())
    assert all(torch.equal(session.model.parameters[name], value) for name, value in model.named_parameters())


def test_opening_prints_nothing(tmp_path, capfd):
    Session.from_pretrained(families.written(tmp_path / "tiny"), corpus=worlds.corpus())
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("end", [False, True], ids=["a mark before", "marks before and after"])
def test_a_tokenizer_that_marks_texts(tmp_path, end):
    """Llama's tokenizers set a mark before every text, which then predicts its first word; a mark after it is not kept."""
    plain, marking = worlds.tokenizer(), families.marking_tokenizer(end=end)
    folder = families.written(tmp_path / "tiny", "Llama", tokenizer=marking)
    session = Session.from_pretrained(folder, corpus=worlds.corpus())
    model = session.model
    for text in texts():
        assert model.encode(text) == (0, *plain.encode(text).ids)
        assert len(model.token_losses([text])[0]) == len(plain.encode(text).ids)
        assert "".join(model.tokens(text)) == text
        assert model.tokens(text)[0] == ""
    passage = worlds.corpus()[0]
    at = model.answer_tokens(passage)
    assert "".join(model.tokens(passage.text)[at:]) == passage.answer
    session.learn(recipe=RECIPE)
    asked = [passage.prompt for passage in worlds.corpus().train if passage.answer][:6]
    written = model.generate(asked, max_new_tokens=NEW)
    assert [each.ids for each in written] == families.continued_by_library(model.module, [model.encode(prompt) for prompt in asked], NEW)
    assert len({token for each in written for token in each.ids}) > 4
    session.export(tmp_path / "out")
    tokenizer = PreTrainedTokenizerFast.from_pretrained(tmp_path / "out")
    assert tokenizer(texts()[0])["input_ids"] == marking.encode(texts()[0]).ids


def test_a_tokenizer_file_that_pads_and_cuts_does_neither_here(tmp_path):
    tokenizer = worlds.tokenizer().from_str(worlds.tokenizer().to_str())
    tokenizer.enable_padding(length=40)
    tokenizer.enable_truncation(3)
    model = Session.from_pretrained(families.written(tmp_path / "tiny", tokenizer=tokenizer), corpus=worlds.corpus()).model
    assert model.encode(texts()[0]) == tuple(worlds.tokenizer().encode(texts()[0]).ids)
    assert tokenizer.padding is not None


def test_a_model_that_is_handed_over_is_left_as_it_is():
    module = families.module("GPT-2", tied=True, vocabulary=worlds.tokenizer().get_vocab_size(), attn_implementation="sdpa")
    module.train()
    session = Session(worlds.LanguageModel(module, worlds.tokenizer()), worlds.corpus())
    session.pick("Mara Okafor")
    session.step()
    session.measure("perplexity", "generation")
    assert module.config.activation_function == "gelu_new"
    assert module.config._attn_implementation == "sdpa"
    assert all(each.training for each in module.modules())


def test_a_fresh_model_survives_its_own_folder(tmp_path):
    model = fresh_model(worlds.tokenizer(), Size(blocks=2, width=16, heads=2, vocabulary=300, context=32), seed=1)
    session = Session(model, worlds.corpus(), initial_seed=1)
    session.export(tmp_path / "out")
    assert Session.from_pretrained(tmp_path / "out", corpus=worlds.corpus()).fingerprint() == session.fingerprint()
