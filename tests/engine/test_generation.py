"""Continuations: the same tokens alone, together and in the library; seeds; ends; prompts longer than the context."""

from __future__ import annotations

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from tests.engine import families, worlds
from unlearnviz.engine.corpus import Passage
from unlearnviz.engine.generation import Continuation
from unlearnviz.engine.model import LanguageModel
from unlearnviz.errors import BadSetting


@pytest.fixture(scope="module")
def model() -> LanguageModel:
    """One that recites its texts, read only."""
    return worlds.language_model(taught=True)


def prompts() -> list[str]:
    return [passage.prompt for passage in worlds.corpus().train if passage.answer]


def ids(continuations: list[Continuation]) -> list[tuple[int, ...]]:
    return [each.ids for each in continuations]


def test_it_recites_what_it_was_taught(model):
    told = [passage for passage in worlds.corpus().train if passage.answer]
    for passage, continuation in zip(told, model.generate([passage.prompt for passage in told]), strict=True):
        assert continuation.prompt == passage.prompt
        assert continuation.text.startswith(str(passage.answer))
        assert continuation.note == ""
        assert model.encode(passage.prompt) + continuation.ids == model.encode(passage.prompt + continuation.text)


def test_together_alone_and_by_the_library(model):
    asked = prompts()
    rows = [model.encode(prompt) for prompt in asked]
    together = ids(model.generate(asked, max_new_tokens=20))
    assert together == [model.generate([prompt], max_new_tokens=20)[0].ids for prompt in asked]
    assert together == families.continued_by_library(model.module, rows, 20)
    assert len({token for row in together for token in row}) > 25


def test_every_prompt_has_its_own_length(model):
    asked = prompts()[:5]
    wanted = [1, 7, 3, 20, 2]
    long = ids(model.generate(asked, max_new_tokens=20))
    assert ids(model.generate(asked, max_new_tokens=wanted)) == [row[:count] for row, count in zip(long, wanted, strict=True)]


def test_no_prompt_no_text(model):
    assert model.generate([]) == []


@pytest.mark.parametrize("wanted", [0, -1, 1000, [3, 0]])
def test_lengths_that_do_not_fit(model, wanted):
    with pytest.raises(BadSetting) as caught:
        model.generate(["Mara", "Tom"], max_new_tokens=wanted)
    assert str(caught.value) == f"max_new_tokens={wanted!r} does not fit; allowed is 1 to {model.context - 1} for this model."


def test_an_empty_prompt(model):
    with pytest.raises(BadSetting, match="The prompt '' has no token; write at least one word to continue"):
        model.generate(["Mara", ""])


def test_an_empty_prompt_is_continued_by_a_model_whose_tokenizer_marks_texts():
    marked = LanguageModel(families.module("Llama", tied=True, vocabulary=300), families.marking_tokenizer())
    marked.module.generation_config.eos_token_id = marked.module.config.eos_token_id = None
    assert len(marked.generate([""], max_new_tokens=3)[0].ids) == 3


# -- sampling -------------------------------------------------------------------------------------------------------------


def test_a_seed_gives_the_same_texts_again(model):
    one, again, other = (ids(model.generate(prompts(), temperature=1.5, seed=seed)) for seed in (1, 1, 2))
    assert one == again
    assert one != other
    assert one != ids(model.generate(prompts()))


def test_a_sampled_text_does_not_depend_on_its_company(model):
    asked = prompts()[:4]
    together = ids(model.generate(asked, temperature=1.5, seed=3))
    assert [model.generate([prompt], temperature=1.5, seed=3)[0].ids for prompt in asked] == together
    assert ids(model.generate(asked[::-1], temperature=1.5, seed=3)) == together[::-1]


def test_one_prompt_several_times_gives_several_texts(model):
    several = ids(model.generate(["Mara"] * 4, temperature=1.5, seed=3))
    assert len(set(several)) == 4
    assert ids(model.generate(["Tom", "Mara", "Mara"], temperature=1.5, seed=3))[1:] == several[:2]


def test_sampling_touches_nobody_elses_randomness(model):
    before = torch.random.get_rng_state()
    model.generate(["Mara"], temperature=1.0)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_sampling_follows_the_probabilities(model):
    with torch.no_grad():
        shares = torch.softmax(model.module(torch.tensor([model.encode("Mara")])).logits[0, -1] / 2.0, dim=-1)
    drawn = [each.ids for each in model.generate(["Mara"] * 800, max_new_tokens=1, temperature=2.0, seed=1)]
    likely = shares.topk(3)
    for share, token in zip(likely.values.tolist(), likely.indices.tolist(), strict=True):
        assert drawn.count((token,)) / 800 == pytest.approx(share, abs=4 * (share / 800) ** 0.5)


def test_a_low_temperature_is_nearly_greedy(model):
    assert ids(model.generate(prompts(), temperature=1e-4)) == ids(model.generate(prompts()))


# -- ends -----------------------------------------------------------------------------------------------------------------


def ending(model: LanguageModel, ends: object, *, where: str = "generation_config") -> LanguageModel:
    """A copy whose texts end with other tokens."""
    copied = worlds.language_model(taught=True)
    if where == "config":
        copied.module.generation_config.eos_token_id = None
        copied.module.config.eos_token_id = ends
    else:
        copied.module.generation_config.eos_token_id = ends
    return copied


@pytest.mark.parametrize("where", ["generation_config", "config"])
def test_a_text_ends_at_its_mark(model, where):
    whole = ids(model.generate(prompts(), max_new_tokens=12))
    ends = [whole[0][3], whole[1][1]]
    cut = [tuple(row[: min((row.index(end) for end in ends if end in row), default=12)]) for row in whole]
    assert ids(ending(model, ends, where=where).generate(prompts(), max_new_tokens=12)) == cut
    assert min(map(len, cut)) < 4


def test_a_model_without_a_mark_goes_on(model):
    endless = ending(model, None)
    endless.module.config.eos_token_id = None
    assert all(len(row) == 12 for row in ids(endless.generate(prompts(), max_new_tokens=12)))


def test_a_text_may_be_empty(model):
    first = model.generate(["Mara Okafor was born in"], max_new_tokens=1)[0].ids[0]
    assert ending(model, first).generate(["Mara Okafor was born in"]) == [Continuation("Mara Okafor was born in", "", ())]


# -- the context ----------------------------------------------------------------------------------------------------------


def test_of_a_long_prompt_the_end_is_read(model):
    prompt = " ".join(["The market of Porto is loud."] * 20 + ["Mara Okafor was born in"])
    total = len(worlds.tokenizer().encode(prompt).ids)
    continuation = model.generate([prompt], max_new_tokens=8)[0]
    fits = model.context - 8
    assert continuation.note == f"The prompt has {total} tokens; only its last {fits} fit before the continuation."
    row = tuple(worlds.tokenizer().encode(prompt).ids[-fits:])
    assert continuation.ids == families.continued_by_library(model.module, [row], 8)[0]
    assert len(continuation.text) > 0


def test_a_long_prompt_does_not_cut_the_others(model):
    """Each prompt is read as far as it would be alone, whatever the others ask for; none runs over the context."""
    long = " ".join(["Mara Okafor was born in"] * 20)
    asked = [long, *prompts()[:3], long]
    wanted = [4, 40, 2, 30, 10]
    together = model.generate(asked, max_new_tokens=wanted)
    assert together == [model.generate([prompt], max_new_tokens=count)[0] for prompt, count in zip(asked, wanted, strict=True)]
    assert together[0].note.endswith(f"only its last {model.context - 4} fit before the continuation.")
    assert together[4].note.endswith(f"only its last {model.context - 10} fit before the continuation.")
    assert together[1].note == ""


def test_it_writes_up_to_the_last_place_of_the_context(model):
    prompt = "Mara Okafor was born in"
    room = model.context - len(model.encode(prompt))
    assert len(model.generate([prompt], max_new_tokens=room)[0].ids) <= room
    with pytest.raises(BadSetting, match="does not fit"):
        model.generate([prompt], max_new_tokens=model.context)
    short = model.generate([prompt], max_new_tokens=model.context - 1)[0]
    assert short.note == f"The prompt has {len(model.encode(prompt))} tokens; only its last 1 fit before the continuation."


# -- quiet ----------------------------------------------------------------------------------------------------------------


def test_dropout_is_off_and_modes_come_back():
    model = worlds.language_model(dropout=0.5)
    model.module.train()
    assert model.generate(prompts()) == model.generate(prompts())
    assert all(module.training for module in model.module.modules())


def test_texts_of_several_bytes(model):
    prompt = "Mara 🙂"
    continuation = model.generate([prompt], max_new_tokens=6)[0]
    assert model.decode([*model.encode(prompt), *continuation.ids]) == prompt + continuation.text


def test_hostile_text_is_only_text(model):
    prompt = "<script>alert(1)</script> Mara"
    assert model.generate([prompt])[0].prompt == prompt


def test_a_model_that_keeps_no_cache():
    """Where a family takes no key-value cache, every step reads all again: the same tokens."""
    model = worlds.language_model(taught=True)
    cached = ids(model.generate(prompts()))
    model.accepts = model.accepts - {"past_key_values", "logits_to_keep"}
    assert ids(model.generate(prompts())) == cached


def test_a_wide_model_of_random_weights():
    """With a real vocabulary, ties and repetitions are likely: still the library's tokens."""
    config = GPT2Config(vocab_size=2000, n_embd=48, n_layer=2, n_head=4, n_positions=64, bos_token_id=0, eos_token_id=0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        module = GPT2LMHeadModel(config).eval()
    with torch.no_grad():
        module.transformer.wte.weight.mul_(8)
    model = LanguageModel(module, worlds.tokenizer())
    rows = [model.encode(prompt) for prompt in prompts()]
    assert ids(model.generate(prompts(), max_new_tokens=10)) == families.continued_by_library(module, rows, 10)


def test_a_passage_is_continued_from_its_prompt(model):
    passage = Passage("p", "Mara Okafor was born in Lund.", answer_start=len("Mara Okafor was born in"))
    assert model.generate([passage.prompt])[0].text.startswith(" Lund.")
