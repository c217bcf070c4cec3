"""References that a person has already: a twin in a folder, and the model that the opened one was made from."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import save_file

from tests.engine import worlds
from unlearnviz.engine.methods.gradient_ascent import GradientAscent
from unlearnviz.engine.session import Session
from unlearnviz.errors import BadForgetSet, BadModel, BadRecipe, UnknownName
from unlearnviz.reopening import replay


def folder(path, model, *, tokenizer=True):
    """A model as `save_pretrained` writes it."""
    model.module.save_pretrained(path)
    if tokenizer:
        model.tokenizer.save(str(path / "tokenizer.json"))
    return path


def edited(**shape):
    """The same model with other weights."""
    model = worlds.language_model(**shape)
    with torch.no_grad():
        for parameter in model.parameters.values():
            parameter.add_(0.01)
    return model


def test_a_twin_in_a_folder_is_a_twin_of_what_it_never_saw(tmp_path):
    theirs = edited()
    session = worlds.session()
    twin = session.add_twin(folder(tmp_path / "twin", theirs, tokenizer=False), left_out="Tom Lindqvist")
    assert twin.left_out == {passage.id for passage in session.corpus.about("Tom Lindqvist")}
    assert all(torch.equal(twin.weights[name], tensor) for name, tensor in theirs.parameters.items())
    assert session.active_twin is None
    session.pick("Tom Lindqvist")
    assert session.active_twin is twin
    ids = [torch.tensor([theirs.encode(passage.text)]) for passage in session.forget]
    with torch.no_grad():
        sums = sum(float(theirs.module(input_ids=each, labels=each).loss) * (each.shape[1] - 1) for each in ids)
    expected = torch.tensor(sums / sum(each.shape[1] - 1 for each in ids)).exp()
    assert session.measure("perplexity", of="twin")["perplexity"].value == pytest.approx(float(expected), rel=1e-4)


def test_the_present_pick_is_meant_where_nothing_is_said_and_seeds_are_told_apart(tmp_path):
    session, path = worlds.session(), folder(tmp_path / "twin", edited())
    first, second = session.add_twin(path), session.add_twin(str(path))
    assert (first.seed, second.seed, session.add_twin(path, seed=9).seed) == (0, 1, 9)
    assert first.left_out == {passage.id for passage in session.forget}
    assert session.add_twin(path, left_out=["mara-okafor-0", "Tom Lindqvist"]).seed == 0
    assert len(session.fitting_twins) == 3
    assert Session.load(session.save(tmp_path / "saved")).twins[3].left_out == session.twins[3].left_out


def damaged(path):
    """Folders that are no twin of the tiny world, with what is said of each."""
    folder(path / "wide", worlds.language_model(width=48))
    folder(path / "untied", worlds.language_model(tied=False))
    heads = folder(path / "heads", worlds.language_model())
    config = json.loads((heads / "config.json").read_text())
    (heads / "config.json").write_text(json.dumps({**config, "n_head": 2}))
    pickled = folder(path / "pickled", worlds.language_model())
    (pickled / "model.safetensors").rename(pickled / "pytorch_model.bin")
    cut = folder(path / "cut", worlds.language_model())
    (cut / "model.safetensors").write_bytes(b"not safetensors")
    few = folder(path / "few", worlds.language_model())
    save_file({"transformer.wte.weight": worlds.language_model().parameters["transformer.wte.weight"].detach()}, few / "model.safetensors")
    (path / "empty").mkdir()
    return {
        "wide": "transformer.h.0.attn.c_attn.bias is 144 there and 96 here; the twin has to be the same model with other weights.",
        "untied": "lm_head.weight is 300 x 32 there and absent here",
        "heads": "its num_attention_heads is 2, here it is 4.",
        "pickled": "holds pickled weights (pytorch_model.bin)",
        "cut": "could not be loaded as a causal language model",
        "few": "hold no values for",
        "empty": "is no model",
        "absent": "There is no folder",
        "gpt2": "There is no folder 'gpt2' for the twin; a folder on this machine is needed",
    }


def test_a_folder_of_another_model_is_refused_in_a_sentence_and_nothing_is_kept(tmp_path):
    session = worlds.session()
    before = worlds.state(session)
    for name, said in damaged(tmp_path).items():
        with pytest.raises(BadModel) as refused:
            session.add_twin(name if name == "gpt2" else tmp_path / name)
        assert said in str(refused.value).replace(str(worlds.tokenizer().get_vocab_size()), "300"), name
        assert worlds.state(session) == before, name


def test_what_a_twin_never_saw_has_to_be_taught_texts(tmp_path):
    session, path = worlds.session(), folder(tmp_path / "twin", edited())
    before = worlds.state(session)
    with pytest.raises(UnknownName, match="Mara Okafor"):
        session.add_twin(path, left_out="Mara Okafo")
    with pytest.raises(BadForgetSet, match="is no taught text"):
        session.add_twin(path, left_out="Some words that nobody ever taught it.")
    with pytest.raises(BadForgetSet, match="in the holdout"):
        session.add_twin(path, left_out="Pia Novak")
    assert worlds.state(session) == before
    with pytest.raises(BadForgetSet, match="say which with left_out="):
        worlds.session(pick=None).add_twin(path)


def test_a_start_that_is_given_is_step_0_and_the_opened_model_step_1(tmp_path):
    start, opened = folder(tmp_path / "start", worlds.language_model()), folder(tmp_path / "opened", edited())
    session = Session.from_pretrained(opened, corpus=worlds.corpus(), start=start, twin=start, left_out="Mara Okafor")
    session.pick("Mara Okafor")
    assert (session.head, len(session.history), session.history[1].method) == (1, 2, "opened")
    assert session.history[1].narration == "opened: the weights of opened, as they were opened; step 0 is the start that was given."
    alone = Session.from_pretrained(opened, corpus=worlds.corpus())
    assert session.fingerprint() == alone.fingerprint()
    moved = session.measure("update-size")["update-size"].rows[-1]
    assert moved["from_start"] == pytest.approx(0.01 * session.model.size**0.5, rel=1e-3)
    assert moved["to_twin"] == pytest.approx(moved["from_start"])
    session.undo()
    assert session.fingerprint() == Session.from_pretrained(start, corpus=worlds.corpus()).fingerprint()
    session.redo()
    assert session.step().id == 2
    again = Session.load(session.save(tmp_path / "saved"))
    assert again.history[1].narration == session.history[1].narration


def test_a_start_of_another_shape_is_refused(tmp_path):
    start, opened = folder(tmp_path / "start", worlds.language_model(width=48)), folder(tmp_path / "opened", edited())
    with pytest.raises(BadModel, match="the start has to be the same model with other weights"):
        Session.from_pretrained(opened, corpus=worlds.corpus(), start=start)


def test_a_session_that_was_opened_beside_its_start_is_repeated_in_one_that_was_too_and_written_as_python(tmp_path):
    start = folder(tmp_path / "start", worlds.language_model())
    now = folder(tmp_path / "now", edited())

    def opened():
        return Session.from_pretrained(str(now), corpus=worlds.corpus(), start=start)

    session = opened()
    session.pick("Mara Okafor")
    session.step(GradientAscent())
    recipe = session.save_recipe(tmp_path / "recipe.json")
    again = opened()
    with pytest.raises(BadRecipe, match="opened beside its start; open it likewise"):
        replay(recipe, session=Session.from_pretrained(str(start), corpus=worlds.corpus()))
    assert replay(recipe, session=again).fingerprint() == session.fingerprint()
    assert again.head == 2
    assert again.history[1].narration == session.history[1].narration
    saved = opened().save(tmp_path / "saved")
    script = session.as_python().replace("'the folder'", repr(str(saved))).replace('"the folder"', repr(str(saved)))
    names = {}
    exec(compile(script, "script", "exec"), names)
    assert names["session"].fingerprint() == session.fingerprint()
    assert "go_to(1)" in script
