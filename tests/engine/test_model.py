"""LanguageModel: texts to batches, losses in order, pieces of text, and states that are put back."""

from __future__ import annotations

import pytest
import torch

from tests.engine import families, worlds
from unlearnviz.engine import model as model_file
from unlearnviz.engine.corpus import Passage
from unlearnviz.engine.fresh import train_tokenizer
from unlearnviz.engine.model import LanguageModel
from unlearnviz.engine.weights import Weights
from unlearnviz.errors import BadSetting

STRANGE = [
    "Mara Okafor was born in Lund.",
    "  two  spaces, a\ttab\nand a line ",
    "東京 and Ünïcöde and 🙂🙃 at the end 🧑‍🚀",
    "👍",
    "<b>not</b> & <script>",
    "<|endoftext|>",
    "a",
    " ",
    "end with space ",
]


@pytest.fixture
def model() -> LanguageModel:
    return worlds.language_model()


def texts(number: int = 20) -> list[str]:
    return [passage.text for passage in worlds.corpus()][:number]


# -- text and tokens ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", STRANGE)
def test_the_pieces_join_to_the_text(model, text):
    pieces = model.tokens(text)
    assert "".join(pieces) == text
    assert len(pieces) == len(model.encode(text))


@pytest.mark.parametrize("text", STRANGE)
def test_the_pieces_of_the_real_tokenizer_join_to_the_text(tmp_path, text):
    model = LanguageModel.from_pretrained(families.written_with_real_tokenizer(tmp_path / "tiny", n_layer=1))
    assert "".join(model.tokens(text)) == text
    assert len(model.tokens(text)) == len(model.encode(text))


def test_a_character_of_several_tokens_is_shown_once():
    tokenizer = train_tokenizer(["plain words"], 300)
    assert len(tokenizer.encode("🙂").ids) == 4
    model = LanguageModel(families.module("GPT-2", tied=True, vocabulary=300), tokenizer)
    assert model.tokens("🙂!") == ["🙂", "", "", "", "!"]


def test_a_leading_space_belongs_to_the_word_after_it():
    tokenizer = train_tokenizer(["the cat and the dog"] * 20, 300)
    model = LanguageModel(families.module("GPT-2", tied=True, vocabulary=300), tokenizer)
    assert model.tokens("the cat") == ["the", " cat"]


def test_a_text_longer_than_the_context(model):
    long = " ".join(["Mara"] * 100)
    total = len(worlds.tokenizer().encode(long).ids)
    reads = model.context
    assert len(model.encode(long)) == len(model.tokens(long)) == reads < total
    assert model.cut_note(long) == f"This text has {total} tokens and the model reads {reads}: it is cut after token {reads}."
    assert long.startswith("".join(model.tokens(long)))
    assert len(model.token_losses([long])[0]) == reads - 1
    assert model.cut_note(texts()[0]) is None


def test_a_session_says_how_a_long_text_is_cut():
    session = worlds.session(pick=None)
    long = "Mara Okafor was seen " + "again and " * 60
    session.pick(long)
    assert session.notes == [
        "typed-1 is a text you typed: the model was never trained on it.",
        f"typed-1: {session.model.cut_note(long.strip())}",
    ]


def test_a_model_without_a_limit_reads_2048():
    model = LanguageModel(families.module("Bloom", tied=True, vocabulary=300), worlds.tokenizer())
    assert model.context == 2048


@pytest.mark.parametrize("space", ["before", "after"])
def test_the_token_in_which_a_fact_begins(space):
    tokenizer = train_tokenizer(["Mara was born in Lund ."] * 20, 300)
    model = LanguageModel(families.module("GPT-2", tied=True, vocabulary=300), tokenizer)
    prompt = "Mara was born in" if space == "after" else "Mara was born in "
    passage = Passage("p", "Mara was born in Lund .", answer_start=len(prompt))
    assert model.tokens(passage.text)[model.answer_tokens(passage) :] == [" Lund", " ."]


def test_where_no_fact_is_marked_or_left(model):
    text = texts()[0]
    assert model.answer_tokens(Passage("p", text)) == len(model.encode(text))
    assert model.answer_tokens(Passage("p", text, answer_start=len(text))) == len(model.encode(text))
    assert model.answer_tokens(Passage("p", text, answer_start=0)) == 1  # the first token has no prediction
    late = "Mara " * 100 + "Lund"
    assert model.answer_tokens(Passage("p", late, answer_start=500)) == model.context  # cut away


def test_a_fact_of_several_bytes():
    tokenizer = train_tokenizer(["plain words"], 300)
    model = LanguageModel(families.module("GPT-2", tied=True, vocabulary=300), tokenizer)
    passage = Passage("p", "a b 🙂", answer_start=4)
    assert model.answer_tokens(passage) == len(model.encode("a b "))


# -- batches --------------------------------------------------------------------------------------------------------------


def test_a_batch_is_padded_on_the_right(model):
    some = [texts()[3], texts()[0], texts()[2]]
    batch = model.batch(some)
    rows = [model.encode(text) for text in some]
    longest = max(map(len, rows))
    assert batch.input_ids.shape == batch.attention_mask.shape == batch.labels.shape == (3, longest)
    for k, row in enumerate(rows):
        assert batch.input_ids[k, : len(row)].tolist() == list(row)
        assert batch.attention_mask[k].tolist() == [1] * len(row) + [0] * (longest - len(row))
        assert batch.labels[k].tolist() == list(row) + [-100] * (longest - len(row))


def test_the_end_token_inside_a_text_is_predicted_like_any_other(model):
    """There is no padding token: padding is masked by its place, not by its id."""
    text = "Mara<|endoftext|>Okafor"
    assert 0 in model.encode(text)
    assert len(model.token_losses([text])[0]) == len(model.encode(text)) - 1


def test_a_batch_of_nothing_is_refused(model):
    with pytest.raises(BadSetting, match="a text needs two tokens before anything is predicted"):
        model.batch(["a"])


# -- losses ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("padded", [True, False], ids=["several lengths", "one length"])
def test_losses_are_those_of_each_text_alone_in_the_order_given(model, padded):
    some = [*texts()[7:], *texts()[:7]] if padded else [texts()[0], texts()[0], texts()[0].replace("Lund", "Rund")]
    alone = families.losses_one_by_one(model.module, [model.encode(text) for text in some])
    together = model.token_losses(some)
    assert len(together) == len(some)
    for one, other in zip(together, alone, strict=True):
        assert one.device.type == "cpu"
        assert torch.allclose(one, other, atol=1e-5)


def test_chunks_hold_every_text_once_and_keep_to_their_size(model, monkeypatch):
    some = [*texts(), " ".join(["Mara"] * 100)]
    whole = model.token_losses(some)
    for tokens, logits in ((40, 2**24), (1200, 60 * worlds.tokenizer().get_vocab_size()), (1, 1)):
        monkeypatch.setattr(model_file, "TOKENS_PER_BATCH", tokens)
        monkeypatch.setattr(model_file, "LOGITS_PER_BATCH", logits)
        most = min(tokens, logits // worlds.tokenizer().get_vocab_size())
        chunks = list(model.chunks(range(len(some)), some))
        cut = model.token_losses(some)
        assert sorted(k for chunk in chunks for k in chunk) == list(range(len(some)))
        assert len(chunks) > 1
        assert all(len(chunk) == 1 or model.batch([some[k] for k in chunk]).input_ids.numel() <= most for chunk in chunks)
        assert all(torch.allclose(one, other, atol=1e-5) for one, other in zip(whole, cut, strict=True))


def test_a_large_vocabulary_makes_small_batches(tmp_path):
    model = LanguageModel.from_pretrained(families.written_with_real_tokenizer(tmp_path / "tiny", n_layer=1))
    some = texts() * 10
    for chunk in model.chunks(range(len(some)), some):
        assert model.batch([some[k] for k in chunk]).input_ids.numel() * 50257 <= 2**24


def test_losses_of_no_text(model):
    assert model.token_losses([]) == []


def test_the_mean_loss_weighs_tokens_not_texts(model):
    some = [texts()[0], texts()[3]]
    batch = model.batch(some)
    losses = torch.cat(model.token_losses(some))
    assert float(model.loss(batch).detach()) == pytest.approx(float(losses.mean()), rel=1e-5)
    assert float(losses.mean()) != pytest.approx(float(torch.stack([row.mean() for row in model.token_losses(some)]).mean()), rel=1e-5)


def test_losses_leave_no_graph_and_no_mode_behind():
    model = worlds.language_model(dropout=0.5)
    model.module.train()
    first, second = model.token_losses(texts()), model.token_losses(texts())
    assert all(torch.equal(one, other) for one, other in zip(first, second, strict=True))
    assert not first[0].requires_grad
    assert all(module.training for module in model.module.modules())


def test_each_part_gets_its_own_mode_back():
    model = worlds.language_model()
    parts = list(model.module.modules())
    for k, part in enumerate(parts):
        part.training = k % 3 == 0
    def interrupted():
        with model.quiet():
            assert not any(part.training for part in parts)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [part.training for part in parts] == [k % 3 == 0 for k in range(len(parts))]


# -- other weights --------------------------------------------------------------------------------------------------------


def other_weights(model: LanguageModel) -> Weights:
    torch.manual_seed(1)
    return Weights.of({name: parameter.detach() + 0.1 * torch.randn_like(parameter) for name, parameter in model.parameters.items()})


@pytest.mark.parametrize("tied", [True, False])
def test_the_model_with_other_weights(tied):
    model = worlds.language_model(tied=tied)
    live = {name: (parameter.data_ptr(), parameter._version, parameter.detach().clone()) for name, parameter in model.parameters.items()}
    weights = other_weights(model)
    shadow = model.at(weights)
    assert {name: parameter.data_ptr() for name, parameter in shadow.parameters.items()} == {
        name: weights[name].data_ptr() for name in weights  # it owns nothing
    }
    assert shadow.layout.tied is tied
    expected = worlds.language_model(tied=tied)
    with torch.no_grad():
        for name, parameter in expected.parameters.items():
            parameter.copy_(weights[name])
    assert all(torch.equal(one, other) for one, other in zip(shadow.token_losses(texts()), expected.token_losses(texts()), strict=True))
    assert shadow.generate(["Mara"]) == expected.generate(["Mara"])
    for name, parameter in model.parameters.items():
        pointer, version, value = live[name]
        assert (parameter.data_ptr(), parameter._version) == (pointer, version)
        assert torch.equal(parameter, value)
    assert not any(parameter.requires_grad for parameter in shadow.parameters.values())


def test_a_second_look_takes_no_second_copy(model):
    one, two = other_weights(model), Weights.of(dict(model.parameters.items()))
    first = model.at(one)
    assert model.at(two) is first
    assert first.parameters["transformer.wte.weight"].data_ptr() == two["transformer.wte.weight"].data_ptr()


def test_what_is_seen_lives_as_long_as_it_is_looked_at(model):
    before = model.token_losses(texts())
    seen = model.at(Weights.of(dict(model.parameters.items())))
    with torch.no_grad():
        model.parameters["transformer.wte.weight"].mul_(2)
    assert all(torch.equal(one, other) for one, other in zip(seen.token_losses(texts()), before, strict=True))


# -- gradients ------------------------------------------------------------------------------------------------------------


def gradient_of(model: LanguageModel, use: str) -> torch.Tensor:
    name = model.layout.input_embedding
    with model.following([name], use) as parameters, torch.enable_grad():
        assert list(parameters) == [name]
        return torch.autograd.grad(model.loss(model.batch(texts(6))), [parameters[name]])[0]


def test_the_two_uses_of_a_tied_matrix_against_an_untied_twin(model):
    """Untied, with equal values in both places, autograd itself tells the two uses apart."""
    untied = worlds.language_model(tied=False)
    with torch.no_grad():
        for name, parameter in untied.parameters.items():
            parameter.copy_(model.parameters["transformer.wte.weight" if name == "lm_head.weight" else name])
    names = ["transformer.wte.weight", "lm_head.weight"]
    with untied.following(names) as parameters, torch.enable_grad():
        expected = torch.autograd.grad(untied.loss(untied.batch(texts(6))), [parameters[name] for name in names])
    assert torch.allclose(gradient_of(model, "input"), expected[0], atol=1e-7)
    assert torch.allclose(gradient_of(model, "output"), expected[1], atol=1e-7)
    assert torch.allclose(gradient_of(model, "both"), expected[0] + expected[1], atol=1e-6)


@pytest.mark.parametrize("use", ["both", "input", "output"])
def test_following_ends_as_it_began(model, use):
    name = model.layout.input_embedding
    head = model.module.get_output_embeddings()
    parameter = model.parameters[name]
    model.parameters["transformer.ln_f.bias"].requires_grad_(False)
    flags = {each: value.requires_grad for each, value in model.parameters.items()}
    def interrupted():
        with model.following([name], use) as parameters:
            with torch.enable_grad():
                model.loss(model.batch(texts(4))).backward()
            with torch.no_grad():
                parameters[name][0, 0] = 5.0  # an edit of either use is an edit of the one matrix
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert head.weight is parameter is model.module.get_input_embeddings().weight
    assert float(parameter.detach()[0, 0]) == 5.0
    assert {each: value.requires_grad for each, value in model.parameters.items()} == flags
    assert all(value.grad is None for value in model.parameters.values())


def test_only_what_is_followed_asks_for_gradients(model):
    with model.following(["transformer.ln_f.bias"]) as parameters:
        assert [name for name, value in model.parameters.items() if value.requires_grad] == ["transformer.ln_f.bias"] == list(parameters)


def test_how_it_calls_itself(model, tmp_path):
    assert repr(model) == f"LanguageModel(tiny, {model.size / 1e6:.2f} M parameters, 2 blocks)"
    assert LanguageModel.from_pretrained(families.written(tmp_path / "mara-1")).name == "mara-1"
    assert LanguageModel(families.module("OPT", tied=True, vocabulary=300), worlds.tokenizer()).name == "OPTForCausalLM"
