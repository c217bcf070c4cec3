"""ParameterSelection: every word of the design, on tied and untied models, and the sentences for what matches nothing."""

from __future__ import annotations

import re

import pytest

from tests.engine import worlds
from unlearnviz.engine.selection import ParameterSelection
from unlearnviz.errors import BadSelection

TIED = worlds.language_model(blocks=3).layout
UNTIED = worlds.language_model(tied=False, blocks=3).layout


def parse(text, layout=TIED):
    return ParameterSelection.parse(text, layout)


def test_the_groups_are_a_partition_in_reading_order():
    for layout in (TIED, UNTIED):
        names = [name for members in layout.groups.values() for name in members]
        assert len(names) == len(set(names))
        assert list(layout.groups) == ["embedding", "position", "block 0", "block 1", "block 2", "final norm"] + ["head"] * (
            not layout.tied
        )
    assert set(TIED.names) == set(dict(worlds.language_model(blocks=3).module.named_parameters()))


@pytest.mark.parametrize(
    "text, wanted",
    [
        ("all", lambda name: True),
        ("embedding", lambda name: name == "transformer.wte.weight"),
        ("position", lambda name: name == "transformer.wpe.weight"),
        ("block 1", lambda name: ".h.1." in name),
        ("Blocks 0-1", lambda name: ".h.0." in name or ".h.1." in name),
        ("blocks 2 - 2", lambda name: ".h.2." in name),
        ("attention", lambda name: ".attn." in name),
        ("mlp", lambda name: ".mlp." in name),
        ("norm", lambda name: ".ln_" in name),
        ("h.1.*", lambda name: ".h.1." in name),
        ("*.bias", lambda name: name.endswith("bias")),
        ("transformer.h.?.ln_1.weight", lambda name: name.endswith("ln_1.weight")),
        ("ln_f.weight", lambda name: name.endswith("ln_f.weight")),
        ("final norm", lambda name: "ln_f" in name),
        ("embedding, blocks 0-1", lambda name: "wte" in name or ".h.0." in name or ".h.1." in name),
        (" norm ,norm,, position ", lambda name: ".ln_" in name or "wpe" in name),
    ],
)
@pytest.mark.parametrize("layout", [TIED, UNTIED], ids=["tied", "untied"])
def test_a_text_means_these_parameters(text, wanted, layout):
    assert parse(text, layout).names == tuple(name for name in layout.names if wanted(name))
    assert parse(text, layout).use == "both"


def test_the_two_uses_of_a_tied_matrix():
    assert [parse(text).use for text in ("embedding", "embedding.input", "embedding.output", "head")] == ["both", "input", "output", "output"]
    assert {parse(text).names for text in ("embedding", "embedding.input", "embedding.output", "head")} == {("transformer.wte.weight",)}
    assert parse("embedding.input, embedding.output").use == "both"
    assert parse("embedding.input, all").use == "both"
    assert parse("head, block 0").use == "output"


def test_the_two_matrices_of_an_untied_model():
    assert parse("embedding", UNTIED).names == parse("embedding.input", UNTIED).names == ("transformer.wte.weight",)
    assert parse("embedding.output", UNTIED).names == parse("head", UNTIED).names == ("lm_head.weight",)
    assert parse("head, embedding.input", UNTIED).use == "both"


def test_a_selection_is_tidied_and_can_be_given_again():
    selection = parse(" embedding ,  block 0 ")
    assert str(selection) == selection.text == "embedding, block 0"
    assert parse(selection) == selection


@pytest.mark.parametrize(
    "text, sentence",
    [
        ("", "The selection '' is empty; say for example 'embedding' or 'blocks 0-1'."),
        (" , ", "The selection ' , ' is empty; say for example 'embedding' or 'blocks 0-1'."),
        (
            "embeding",
            (
                "Selection 'embeding' matches none of this model's 40 parameters; blocks run from h.0 to h.2. Did you mean 'embedding'? "
                "Known: 'all', 'embedding', 'embedding.input', 'embedding.output', 'head', 'position', 'attention', 'mlp' and 4 more."
            ),
        ),
        (
            "blok 2",
            (
                "Selection 'blok 2' matches none of this model's 40 parameters; blocks run from h.0 to h.2. Did you mean 'block 2'? "
                "Known: 'all', 'embedding', 'embedding.input', 'embedding.output', 'head', 'position', 'attention', 'mlp' and 4 more."
            ),
        ),
        (
            "h.12.*",
            (
                "Selection 'h.12.*' matches none of this model's 40 parameters; blocks run from h.0 to h.2. "
                "Known: 'all', 'embedding', 'embedding.input', 'embedding.output', 'head', 'position', 'attention', 'mlp' and 4 more."
            ),
        ),
        (
            "block 3",
            (
                "Selection 'block 3' matches none of this model's 3 blocks, or not all it asks for; blocks run from 0 to 2 "
                "(the block that papers call layer n is block n-1)."
            ),
        ),
        (
            "all, blocks 2-1",
            (
                "Selection 'blocks 2-1' matches none of this model's 3 blocks, or not all it asks for; blocks run from 0 to 2 "
                "(the block that papers call layer n is block n-1)."
            ),
        ),
    ],
)
def test_what_matches_nothing_is_a_sentence(text, sentence):
    with pytest.raises(BadSelection, match=f"^{re.escape(sentence)}$"):
        parse(text)
