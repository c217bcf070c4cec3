"""Exporting: a model as an ordinary Hugging Face folder, as it would have been saved without us."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import TYPE_CHECKING

from unlearnviz.engine.loading import hushed
from unlearnviz.errors import SaveFailed

if TYPE_CHECKING:
    from unlearnviz.engine.model import LanguageModel


def export(model: LanguageModel, folder: Path) -> Path:
    """Write model and tokenizer with `save_pretrained`; an activation that loading had fused gets its own name back.

    Raises:
        SaveFailed: the disk refuses.
    """
    from safetensors import SafetensorError
    from transformers import PreTrainedTokenizerFast

    try:
        folder.mkdir(parents=True, exist_ok=True)
        with hushed():
            model.module.save_pretrained(folder)
            config = copy.deepcopy(model.module.config)
            for field, activation in model.fused.items():
                setattr(config.get_text_config(), field, activation)
            config.save_pretrained(folder)
            end = getattr(config.get_text_config(), "eos_token_id", None)
            marks = {} if not isinstance(end, int) else {"eos_token": model.tokenizer.id_to_token(end)}
            PreTrainedTokenizerFast(tokenizer_object=model.tokenizer, **marks).save_pretrained(folder)
    except (OSError, SafetensorError) as error:
        raise SaveFailed(f"{str(folder)!r} could not be written: {getattr(error, 'strerror', None) or error}. Choose another place.") from error
    return folder
