"""MA and EL_n: models whose every word is written beforehand (T16), and a taught one asked one prefix and one token at a time."""

import copy
from functools import cache

import pytest
import torch
from torch.nn import functional
from transformers import GPT2LMHeadModel
from transformers.modeling_outputs import CausalLMOutput

from tests.engine import worlds
from unlearnviz.engine import extraction
from unlearnviz.engine.extraction import extraction_likelihoods, memorisation_accuracies, overlap
from unlearnviz.engine.model import LanguageModel

TEXT = "Mara Okafor, the baker, is in Lund."


class Scripted(GPT2LMHeadModel):
    """Says what `follows(prefix)` says, without a cache."""

    def forward(self, input_ids, attention_mask=None, use_cache=False):
        shown = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        rows = list(zip(input_ids, shown == 1, strict=True))
        said = [[self.follows(row[: k + 1][mask[: k + 1]].tolist()) for k in range(len(row))] for row, mask in rows]
        return CausalLMOutput(logits=functional.one_hot(torch.tensor(said), self.config.vocab_size).float())


def scripted(follows):
    module = copy.deepcopy(worlds.language_model().module)
    module.__class__ = Scripted
    module.follows = follows
    return LanguageModel(module, worlds.tokenizer())


def copying(text):
    """A model that says one text, whatever it is shown."""
    ids = worlds.tokenizer().encode(text).ids
    return scripted(lambda prefix: ids[min(len(prefix), len(ids) - 1)])


def by_hand(model, text, n, stride=1):
    """EL_n by the definition."""
    ids = model.tokenizer.encode(text).ids

    @cache
    @torch.no_grad()
    def following(prefix):
        return int(model.module(input_ids=torch.tensor([prefix])).logits[0, -1].argmax())

    scores = []
    for cut in range(1, len(ids) - n + 1, stride):
        said = []
        while len(said) < len(ids) - cut:
            token = following((*ids[:cut], *said))
            if token == model.end:
                break
            said.append(token)
        grams = [tuple(said[k : k + n]) for k in range(len(said)) if len(said[k : k + n]) == n]
        rest = ids[cut:]
        known = [tuple(rest[k : k + n]) for k in range(len(rest)) if len(rest[k : k + n]) == n]
        scores.append(len([each for each in grams if each in known]) / len(known))
    return sum(scores) / len(scores)


def test_what_copies_has_1_and_what_never_matches_has_0():
    strange = worlds.tokenizer().encode("~").ids[0]
    for model, value in ((copying(TEXT), 1.0), (scripted(lambda _: strange), 0.0)):
        assert memorisation_accuracies(model, [TEXT]) == [value]
        assert extraction_likelihoods(model, [TEXT], 10) == [value]
        assert extraction_likelihoods(model, [TEXT], 2, stride=4) == [value]


def test_an_example_on_paper():
    text = "!#$%&"
    one, two, three, four, five = worlds.tokenizer().encode(text).ids
    other = worlds.tokenizer().encode("~").ids[0]
    after = {(one,): two, (one, two): three, (one, two, three): other, (one, two, three, other): other}
    model = scripted(lambda prefix: after.get(tuple(prefix), five))
    # after 1 token "# $ ~ ~" of "# $ % &": 1 of 3 pairs; after 2 "$ ~ ~" of "$ % &": 0 of 2; after 3 "~ ~" of "% &": 0 of 1
    assert extraction_likelihoods(model, [text], 2) == [pytest.approx(1 / 9)]
    assert memorisation_accuracies(model, [text]) == [3 / 4]
    after[one, two, three] = four
    assert extraction_likelihoods(model, [text], 2) == [1]
    assert extraction_likelihoods(model, [text], 4) == [1]
    assert extraction_likelihoods(model, [text, "!#"], 5) == [None, None]
    assert memorisation_accuracies(model, ["!"]) == [None]


def test_repeated_n_grams_count_each_time_and_a_short_continuation_lacks_the_rest():
    assert overlap((1, 2, 1, 2, 1, 2), (1, 2, 3, 4, 5, 6), 2) == 3 / 5
    assert overlap((1, 2, 3), (1, 2, 3, 4, 5, 6), 2) == 2 / 5
    assert overlap((), (1, 2), 2) == 0
    assert overlap((4, 5, 6, 1, 2), (1, 2, 3, 4, 5), 1) == 4 / 5


@pytest.mark.parametrize("n, stride", [(1, 4), (3, 1), (6, 2)])
def test_a_model_that_half_forgot_by_the_definition(n, stride, monkeypatch):
    session = worlds.session(taught=True)
    session.run(3, stop_at=1e9)
    texts = [session.forget[0].text, session.corpus.train[-1].text, session.corpus.holdout[0].text]
    wanted = [by_hand(session.model, text, n, stride) for text in texts]
    assert extraction_likelihoods(session.model, texts, n, stride) == pytest.approx(wanted, abs=1e-12)
    assert 0 <= min(wanted) < max(wanted) <= 1
    monkeypatch.setattr(extraction, "TOKENS_AT_ONCE", 50)
    assert extraction_likelihoods(session.model, texts, n, stride) == pytest.approx(wanted, abs=1e-12)


def test_an_end_mark_inside_a_text_ends_what_is_written():
    text = "Mara Okafor was born in Lund.<|endoftext|>Mara Okafor is a baker."
    model = copying(text)
    assert model.end in model.encode(text)
    (found,) = extraction_likelihoods(model, [text], 3)
    assert found == pytest.approx(by_hand(model, text, 3))
    assert 0 < found < 1
