"""Folders and models that cannot be used: each is refused in a sentence that says why, and nothing is changed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models

from tests.engine import families, worlds
from unlearnviz.engine.model import LanguageModel
from unlearnviz.engine.session import Session
from unlearnviz.errors import BadModel, BadSetting, SaveFailed


@pytest.fixture(autouse=True)
def _offline(monkeypatch):
    import huggingface_hub.constants

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)


@pytest.fixture
def folder(tmp_path) -> Path:
    """A model folder that is whole."""
    return families.written(tmp_path / "tiny")


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


def refused(place: str | Path, **options) -> str:
    """The sentence with which a place is refused; what lies there stays as it is, and so do the library's own settings."""
    path = Path(place)
    before = contents(path) if path.is_dir() else None
    settings = transformers.utils.logging.get_verbosity(), transformers.utils.logging.is_progress_bar_enabled(), torch.get_default_dtype()
    with pytest.raises(BadModel) as caught:
        Session.from_pretrained(place, corpus=worlds.corpus(), **options)
    assert (contents(path) if path.is_dir() else None) == before
    assert settings == (
        transformers.utils.logging.get_verbosity(),
        transformers.utils.logging.is_progress_bar_enabled(),
        torch.get_default_dtype(),
    )
    return str(caught.value)


def test_the_whole_folder_is_accepted(folder):
    Session.from_pretrained(folder, corpus=worlds.corpus())


def test_an_empty_folder(tmp_path):
    assert refused(tmp_path) == (
        f"{str(tmp_path)!r} is no model: a model folder holds config.json, model.safetensors and a tokenizer, as save_pretrained writes them."
    )


def test_a_folder_of_something_else(tmp_path):
    (tmp_path / "holiday.jpg").write_bytes(b"\xff\xd8")
    assert "is no model: a model folder holds config.json" in refused(tmp_path)


def test_a_file(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"")
    assert "is no model: a model folder holds config.json" in refused(tmp_path / "model.safetensors")


@pytest.mark.parametrize("place", ["./no/such/folder", "../nowhere", "/no/such/folder", "runs/2026/mara", Path("nowhere")])
def test_a_path_where_nothing_is(place):
    assert refused(place) == (
        f"There is no folder {str(place)!r}; "
        "a model folder holds config.json, model.safetensors and a tokenizer, as save_pretrained writes them."
    )


@pytest.mark.parametrize("name", ["gpt2-no-such-model", "nobody/no-such-model"])
def test_a_name_that_is_neither_here_nor_reachable(name):
    assert refused(name).startswith(f"{name!r} is neither a folder here nor a model that could be reached on the Hugging Face hub: ")


def test_a_config_of_something_else(folder):
    (folder / "config.json").write_text('{"name": "my project", "version": 3}')
    assert refused(folder).startswith(f"{str(folder)!r} has a config.json that is not that of a model: ")


def test_a_config_that_is_no_json(folder):
    (folder / "config.json").write_text("model: gpt2")
    assert refused(folder).startswith(f"{str(folder)!r} has a config.json that is not that of a model: ")


@pytest.mark.parametrize("name", ["pytorch_model.bin", "weights.pt", "weights.pth", "last.ckpt"])
def test_pickled_weights(folder, name):
    tensors = load_file(str(folder / "model.safetensors"))
    (folder / "model.safetensors").unlink()
    torch.save(tensors, folder / name)
    assert refused(folder) == (
        f"{str(folder)!r} holds pickled weights ({name}), which can run any code when opened; "
        "convert them to safetensors first (save_pretrained does)."
    )


def test_pickled_weights_are_never_opened(folder):
    """A pickle that would leave a trace does not get to, also where safetensors of another name lie beside it."""
    trace = folder / "trace"
    (folder / "model.safetensors").rename(folder / "adapter.safetensors")
    (folder / "pytorch_model.bin").write_bytes(f"cos\nsystem\n(S'touch {trace}'\ntR.".encode())
    assert refused(folder).startswith(f"{str(folder)!r} could not be loaded as a causal language model: ")
    assert not trace.exists()


def test_no_weights(folder):
    (folder / "model.safetensors").unlink()
    assert refused(folder) == f"{str(folder)!r} holds no weights (*.safetensors)."


def test_damaged_weights(folder):
    content = (folder / "model.safetensors").read_bytes()
    for damaged in (content[:-100], content[:50], b"nonsense" * 100, b""):
        (folder / "model.safetensors").write_bytes(damaged)
        assert refused(folder).startswith(f"{str(folder)!r} could not be loaded as a causal language model: ")


def test_weights_of_another_shape(folder):
    families.edit_json(folder / "config.json", n_embd=48)
    assert refused(folder).startswith(f"{str(folder)!r} could not be loaded as a causal language model: ")


def test_missing_weights_are_not_made_up(folder):
    tensors = load_file(str(folder / "model.safetensors"))
    left_out = [name for name in tensors if ".h.1." in name]
    save_file({name: tensor for name, tensor in tensors.items() if name not in left_out}, str(folder / "model.safetensors"), {"format": "pt"})
    assert refused(folder) == (
        f"The files of {str(folder)!r} hold no values for {len(left_out)} of the model's parameters ({min(left_out)} first), which would be "
        "random; they are not those of a whole causal language model."
    )


def test_a_missing_part_of_several(tmp_path):
    model = families.module("Llama", tied=False, vocabulary=worlds.tokenizer().get_vocab_size())
    folder = families.write(tmp_path / "tiny", model, worlds.tokenizer(), max_shard_size="30KB")
    sorted(folder.glob("*.safetensors"))[1].unlink()
    assert refused(folder).startswith(f"{str(folder)!r} could not be loaded as a causal language model: ")


def test_an_encoder_decoder(tmp_path):
    config = transformers.T5Config(vocab_size=300, d_model=16, d_kv=4, d_ff=16, num_layers=1, num_heads=2)
    folder = families.write(tmp_path / "t5", transformers.T5ForConditionalGeneration(config), worlds.tokenizer())
    assert refused(folder) == f"{str(folder)!r} is an encoder-decoder (t5); unlearnviz works on causal language models."


def test_a_model_that_fills_gaps(tmp_path):
    config = transformers.BertConfig(vocab_size=300, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16)
    folder = families.write(tmp_path / "bert", transformers.BertForMaskedLM(config), worlds.tokenizer())
    assert refused(folder) == (
        f"{str(folder)!r} is a model of the kind bert, which also reads the words that follow; unlearnviz works on causal language models."
    )


def test_a_model_of_pictures(tmp_path):
    config = transformers.ViTConfig(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, image_size=32)
    folder = families.write(tmp_path / "vit", transformers.ViTModel(config), worlds.tokenizer())
    assert refused(folder) == f"{str(folder)!r} is a model of the kind vit, which writes no text; unlearnviz works on causal language models."


def test_code_that_comes_with_the_model_is_never_run(folder):
    trace = folder / "trace"
    families.edit_json(
        folder / "config.json",
        model_type="their_own",
        auto_map={"AutoConfig": "theirs.TheirConfig", "AutoModelForCausalLM": "theirs.TheirModel"},
    )
    (folder / "theirs.py").write_text(f"open({str(trace)!r}, 'w')\n")
    assert refused(folder) == (
        f"{str(folder)!r} brings code of its own that would have to be run (trust_remote_code); "
        "unlearnviz runs only models that are part of transformers."
    )
    assert not trace.exists()


@pytest.mark.parametrize("shape", ["GPT-2", "Llama", "OPT"])
def test_no_tokenizer(tmp_path, shape):
    """transformers would make an empty one of the model's kind."""
    folder = families.write(tmp_path / "tiny", families.module(shape, tied=True, vocabulary=300), None)
    assert refused(folder) == f"{str(folder)!r} holds no tokenizer: it needs tokenizer.json, or vocab.json and merges.txt."


@pytest.mark.parametrize("content", ["", "{}", "no json", '{"model": {"type": "BPE"}}'])
def test_a_damaged_tokenizer(folder, content):
    (folder / "tokenizer.json").write_text(content)
    assert refused(folder).startswith(f"{str(folder)!r} has no tokenizer that can be read: ")


def test_a_tokenizer_of_another_model(tmp_path):
    folder = families.write(tmp_path / "tiny", families.module("Llama", tied=True, vocabulary=200), worlds.tokenizer())
    words = worlds.tokenizer().get_vocab_size()
    assert refused(folder) == f"The tokenizer knows {words} tokens, the model's embedding only 200; they do not belong together."


def test_a_tokenizer_with_gaps_in_its_ids(tmp_path):
    """What counts is the largest id, not how many there are."""
    tokenizer = Tokenizer(models.WordLevel({"some": 0, "words": 999}, unk_token="some"))
    folder = families.write(tmp_path / "tiny", families.module("GPT-2", tied=True, vocabulary=400), tokenizer)
    assert refused(folder) == "The tokenizer knows 1000 tokens, the model's embedding only 400; they do not belong together."


def test_a_tokenizer_in_python():
    class Slow:
        """Splits at spaces."""

    module = families.module("GPT-2", tied=True, vocabulary=300)
    with pytest.raises(BadModel, match=r"^Slow is not built on the tokenizers library; unlearnviz needs a fast tokenizer \(tokenizer.json\).$"):
        LanguageModel(module, Slow())


def test_modules_that_are_no_language_models():
    with pytest.raises(BadModel, match=r"^Linear has no token embedding that can be found; unlearnviz needs a causal language model.$"):
        LanguageModel(torch.nn.Linear(2, 2), worlds.tokenizer())
    body = families.module("GPT-2", tied=True, vocabulary=300).transformer
    with pytest.raises(BadModel, match=r"^GPT2Model has no output matrix that can be found; unlearnviz needs a causal language model.$"):
        LanguageModel(body, worlds.tokenizer())


def test_a_model_without_blocks():
    module = families.module("GPT-2", tied=True, vocabulary=300)
    module.transformer.h = torch.nn.ModuleList()
    with pytest.raises(BadModel, match=r"^GPT2LMHeadModel has no numbered transformer blocks; unlearnviz needs a causal language model"):
        LanguageModel(module, worlds.tokenizer())


@pytest.mark.parametrize(
    "options, sentence",
    [
        ({"dtype": "float23"}, "dtype='float23' is not one of the allowed kinds of number. Did you mean 'float32'?"),
        ({"dtype": torch.int8}, "dtype=torch.int8 is not one of the allowed kinds of number."),
        ({"device": "gpu"}, "device='gpu' is no device that torch knows; say 'cpu', 'cuda' or 'cuda:1'."),
    ],
)
def test_options_that_make_no_sense(folder, options, sentence):
    with pytest.raises(BadSetting) as caught:
        Session.from_pretrained(folder, corpus=worlds.corpus(), **options)
    assert str(caught.value).startswith(sentence)


def test_a_gpu_that_is_not_there(folder, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for device in ("cuda", "cuda:1"):
        with pytest.raises(BadSetting) as caught:
            Session.from_pretrained(folder, corpus=worlds.corpus(), device=device)
        assert str(caught.value) == f"device={device!r} was asked for, but no GPU is visible to torch here; use device='cpu'."


def test_a_second_gpu_that_is_not_there(folder, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(BadSetting) as caught:
        Session.from_pretrained(folder, corpus=worlds.corpus(), device="cuda:1")
    assert str(caught.value) == "device='cuda:1' was asked for, but torch sees 1 GPU here, counted from cuda:0."


def test_an_export_that_cannot_be_written(folder, tmp_path):
    session = Session.from_pretrained(folder, corpus=worlds.corpus())
    before = session.fingerprint()
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(SaveFailed, match=r"could not be written: .* Choose another place.$"):
        session.export(tmp_path / "taken")
    assert session.fingerprint() == before
    assert not session.turn.taken


def test_a_folder_named_with_a_tilde(folder, monkeypatch):
    monkeypatch.setenv("HOME", str(folder.parent))
    Session.from_pretrained(f"~/{folder.name}", corpus=worlds.corpus())
    shutil.rmtree(folder)
    assert refused(f"~/{folder.name}").startswith("There is no folder '~/tiny'; ")
