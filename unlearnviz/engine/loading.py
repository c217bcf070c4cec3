"""Loading any Hugging Face causal LM: safetensors only, no remote code, eager attention and a fused activation."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from unlearnviz.engine.model import LanguageModel
from unlearnviz.errors import BadModel, BadSetting, nearest

FUSED = {"gelu_new": "gelu_pytorch_tanh"}  # the same function in one kernel: equal to rounding, not bit for bit
_ACTIVATIONS = ("activation_function", "hidden_act", "hidden_activation")  # what families call that field of their config
_DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16, "float64": torch.float64}
_TOKENIZER_FILES = ("tokenizer.json", "vocab.*", "merges.txt", "*.model", "*.tiktoken")
_MODEL_FOLDER = "a model folder holds config.json, model.safetensors and a tokenizer, as save_pretrained writes them"


def load(
    name_or_path: str | Path,
    *,
    device: str = "cpu",
    dtype: str | torch.dtype = "float32",
    exact_activation: bool = False,
    local_files_only: bool = False,
) -> LanguageModel:
    """Load a model and its tokenizer.

    Args:
        name_or_path: a folder, or a name on the Hugging Face hub.
        device: "cpu", "cuda", "cuda:1", ...
        dtype: "float32" (default), "float16", "bfloat16" or "float64".
        exact_activation: keep GPT-2's unfused `gelu_new`; slower, bit-equal to the library.
        local_files_only: never ask the network.

    Raises:
        BadModel: a folder that holds no model, pickled or damaged or missing weights, an encoder-decoder, custom code, or no
            tokenizer that fits.
        BadSetting: an unknown dtype or device.
    """
    kind = _DTYPES.get(str(dtype).removeprefix("torch."))
    if kind is None:
        raise BadSetting(f"dtype={dtype!r} is not one of the allowed kinds of number.{nearest(dtype, _DTYPES)}")
    _check_device(device)
    folder = Path(name_or_path).expanduser()
    if folder.exists():
        _check_folder(folder)
        source = str(folder)
    elif isinstance(name_or_path, Path) or folder.is_absolute() or folder.parts[0].startswith(".") or len(folder.parts) > 2:
        raise BadModel(f"There is no folder {str(name_or_path)!r}; {_MODEL_FOLDER}.")
    else:
        source = name_or_path
    with hushed():
        config = _config(source, folder, local_files_only=local_files_only)
        fused = {} if exact_activation else fuse(config)
        module = _module(source, config, kind, local_files_only=local_files_only)
        tokenizer = load_tokenizer(source, local_files_only=local_files_only)
    return LanguageModel(module.to(device).eval(), tokenizer, name=folder.name or source, fused=fused)


def load_weights(folder: str | Path) -> tuple[Any, dict[str, torch.Tensor]]:
    """The config of a model folder on this machine, and parameter name -> tensor in float32; it needs no tokenizer.

    Raises:
        BadModel: a folder that holds no model, pickled or damaged or missing weights, or custom code.
    """
    path = Path(folder).expanduser()
    _check_folder(path)
    with hushed():
        config = _config(str(path), path, local_files_only=True)
        module = _module(str(path), config, torch.float32, local_files_only=True)
    return config, dict(module.named_parameters())


def _check_device(device: str) -> None:
    try:
        kind = torch.device(device).type
    except RuntimeError as error:
        raise BadSetting(f"device={device!r} is no device that torch knows; say 'cpu', 'cuda' or 'cuda:1'.") from error
    if kind == "cuda" and not torch.cuda.is_available():
        raise BadSetting(f"device={device!r} was asked for, but no GPU is visible to torch here; use device='cpu'.")
    if kind == "cuda" and (torch.device(device).index or 0) >= torch.cuda.device_count():
        raise BadSetting(f"device={device!r} was asked for, but torch sees {torch.cuda.device_count()} GPU here, counted from cuda:0.")


def _check_folder(folder: Path) -> None:
    if not (folder / "config.json").is_file():
        raise BadModel(f"{str(folder)!r} is no model: {_MODEL_FOLDER}.")
    pickled = [*folder.glob("*.bin"), *folder.glob("*.pt"), *folder.glob("*.pth"), *folder.glob("*.ckpt")]
    if not any(folder.glob("*.safetensors")):
        reason = (
            f"holds pickled weights ({pickled[0].name}), which can run any code when opened; "
            "convert them to safetensors first (save_pretrained does)"
            if pickled
            else "holds no weights (*.safetensors)"
        )
        raise BadModel(f"{str(folder)!r} {reason}.")


def _config(source: str, folder: Path, *, local_files_only: bool) -> Any:
    """The config of a model that can be used here."""
    from transformers import AutoConfig
    from transformers.models.auto import modeling_auto

    try:
        config = AutoConfig.from_pretrained(source, trust_remote_code=False, local_files_only=local_files_only)
    except Exception as error:  # whatever a foreign file makes the library raise
        if "trust_remote_code" in str(error):
            raise BadModel(
                f"{source!r} brings code of its own that would have to be run (trust_remote_code); "
                "unlearnviz runs only models that are part of transformers."
            ) from error
        if folder.exists():
            raise BadModel(f"{source!r} has a config.json that is not that of a model: {_first_line(error)}") from error
        raise BadModel(
            f"{source!r} is neither a folder here nor a model that could be reached on the Hugging Face hub: {_first_line(error)}"
        ) from error
    kind = config.model_type
    if getattr(config, "is_encoder_decoder", False):
        raise BadModel(f"{source!r} is an encoder-decoder ({kind}); unlearnviz works on causal language models.")
    looks_ahead = kind in modeling_auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES and not getattr(config, "is_decoder", False)
    if kind not in modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES or looks_ahead:
        why = "which also reads the words that follow" if looks_ahead else "which writes no text"
        raise BadModel(f"{source!r} is a model of the kind {kind}, {why}; unlearnviz works on causal language models.")
    return config


def _module(source: str, config: Any, dtype: torch.dtype, *, local_files_only: bool) -> Any:
    """The model itself, none of its weights left at random."""
    from transformers import AutoModelForCausalLM

    try:
        module, report = AutoModelForCausalLM.from_pretrained(
            source,
            config=config,
            dtype=dtype,
            attn_implementation="eager",
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=local_files_only,
            output_loading_info=True,
        )
    except Exception as error:  # whatever a foreign file makes the library raise
        raise BadModel(f"{source!r} could not be loaded as a causal language model: {_first_line(error)}") from error
    missing = sorted(report["missing_keys"])
    if missing:
        raise BadModel(
            f"The files of {source!r} hold no values for {len(missing)} of the model's parameters ({missing[0]} first), which would be "
            "random; they are not those of a whole causal language model."
        )
    return module


def load_tokenizer(name_or_path: str | Path, *, local_files_only: bool = False) -> Any:
    """The tokenizer of a model: `tokenizer.json` where it lies in the folder, else what transformers makes of its files.

    Raises:
        BadModel: no tokenizer is there, or none that can be read.
    """
    import tokenizers

    folder = Path(name_or_path)
    none = f"{str(name_or_path)!r} holds no tokenizer: it needs tokenizer.json, or vocab.json and merges.txt."
    if folder.is_dir() and not any(any(folder.glob(pattern)) for pattern in _TOKENIZER_FILES):
        raise BadModel(none)
    try:
        if (folder / "tokenizer.json").exists():
            return tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(name_or_path, trust_remote_code=False, local_files_only=local_files_only)
        empty = len(set(tokenizer.encode("some words", add_special_tokens=False))) < 2  # what transformers makes of no files at all
    except Exception as error:  # whatever a foreign file makes the library raise
        raise BadModel(f"{str(name_or_path)!r} has no tokenizer that can be read: {_first_line(error)}") from error
    if empty:
        raise BadModel(none)
    return tokenizer


def fuse(config: Any) -> dict[str, str]:
    """Name the fused form of GPT-2's activation in a config; returns field -> what was there."""
    inner = config.get_text_config()
    found = {field: name for field in _ACTIVATIONS if (name := getattr(inner, field, None)) in FUSED}
    for field, name in found.items():
        setattr(inner, field, FUSED[name])
    return found


@contextlib.contextmanager
def hushed() -> Iterator[None]:
    """Inside, transformers shows no progress bar and prints no warning: what matters is said by an error."""
    from transformers.utils import logging

    bar, level = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bar:
            logging.enable_progress_bar()


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
