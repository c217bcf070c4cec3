"""Loading any Hugging Face causal LM: safetensors only, no remote code, eager attention and a fused activation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from unlearnviz.engine.model import LanguageModel
from unlearnviz.errors import BadModel, BadSetting, nearest

FUSED = {"gelu_new": "gelu_pytorch_tanh"}  # the same function in one kernel: equal to rounding, not bit for bit
_DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16, "float64": torch.float64}


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
        BadModel: a folder that holds no model, pickled weights, an encoder-decoder, or custom code.
        BadSetting: an unknown dtype or device.
    """
    from transformers import AutoConfig, AutoModelForCausalLM

    resolved = _DTYPES.get(str(dtype).removeprefix("torch."))
    if resolved is None:
        raise BadSetting(f"dtype={dtype!r} is not one of the allowed kinds of number.{nearest(dtype, _DTYPES)}")
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise BadSetting(f"device={device!r} was asked for, but no GPU is visible to torch here; use device='cpu'.")
    folder = Path(name_or_path)
    if folder.exists():
        _check_folder(folder)
    try:
        config = AutoConfig.from_pretrained(name_or_path, trust_remote_code=False, local_files_only=local_files_only)
    except (OSError, ValueError, KeyError) as error:
        raise BadModel(f"{str(name_or_path)!r} could not be loaded as a model: {_first_line(error)}") from error
    if getattr(config, "is_encoder_decoder", False):
        raise BadModel(f"{str(name_or_path)!r} is an encoder-decoder ({config.model_type}); unlearnviz works on causal language models.")
    if not exact_activation:
        fuse(config)
    try:
        module = AutoModelForCausalLM.from_pretrained(
            name_or_path,
            config=config,
            dtype=resolved,
            attn_implementation="eager",
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=local_files_only,
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise BadModel(f"{str(name_or_path)!r} could not be loaded as a causal language model: {_first_line(error)}") from error
    tokenizer = load_tokenizer(name_or_path, local_files_only=local_files_only)
    return LanguageModel(module.to(device).eval(), tokenizer, name=folder.name or str(name_or_path))


def load_tokenizer(name_or_path: str | Path, *, local_files_only: bool = False) -> Any:
    """The tokenizer of a model: `tokenizer.json` where it lies in the folder, else what transformers makes of its files.

    Raises:
        BadModel: no tokenizer is there.
    """
    import tokenizers

    file = Path(name_or_path) / "tokenizer.json"
    if file.exists():
        return tokenizers.Tokenizer.from_file(str(file))
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(name_or_path, trust_remote_code=False, local_files_only=local_files_only)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadModel(f"{str(name_or_path)!r} has no tokenizer that can be read: {_first_line(error)}") from error


def fuse(config: Any) -> None:
    """Name the fused form of GPT-2's activation in a config."""
    for field in ("activation_function", "hidden_act", "hidden_activation"):
        if getattr(config, field, None) in FUSED:
            setattr(config, field, FUSED[getattr(config, field)])


def _check_folder(folder: Path) -> None:
    if not folder.is_dir() or not (folder / "config.json").exists():
        raise BadModel(
            f"{str(folder)!r} is no model: a model folder holds config.json, model.safetensors and a tokenizer, as save_pretrained writes them."
        )
    safe = list(folder.glob("*.safetensors"))
    pickled = [*folder.glob("*.bin"), *folder.glob("*.pt"), *folder.glob("*.pth")]
    if not safe:
        reason = (
            f"holds pickled weights ({pickled[0].name}), which can run any code when opened; "
            "convert them to safetensors first (save_pretrained does)"
            if pickled
            else "holds no weights (*.safetensors)"
        )
        raise BadModel(f"{str(folder)!r} {reason}.")


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
