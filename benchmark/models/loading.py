"""Loads models and tokenizers from a folder onto the device where they will run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
import transformers  # loads its classes lazily: planning needs none of them

from benchmark.errors import BadInput
from benchmark.models.checks import check_complete, check_weights
from benchmark.models.placement import accelerators


def load_model(
    folder: Path, accelerated: bool = False, name: str = "", dtype: torch.dtype = torch.float32
):
    """The model in a folder, in evaluation mode; with several GPUs, its layers are spread over
    them.

    Of its generation settings only the end tokens are kept: some models ship penalties and
    truncated sampling, which would be measured as part of the model. BadInput, which refers to the
    model by `name`, if it cannot be loaded or if its weights are missing, NaN or infinite.
    """
    placement: dict[str, Any] = {}
    if accelerated and accelerators():
        placement = {"device_map": "auto" if accelerators() > 1 else "cuda"}
    wanted = {
        "dtype": dtype,
        "use_safetensors": True,
        "output_loading_info": True,
        **placement,
    }
    model, info = _loaded(folder, name, transformers.AutoModelForCausalLM.from_pretrained, wanted)
    check_complete(info["missing_keys"], name or str(folder))
    check_weights(model.eval(), name or str(folder))
    model.generation_config = transformers.GenerationConfig(
        eos_token_id=model.generation_config.eos_token_id
    )
    return model


def load_config(place: Path | str | None, name: str, revision: str | None = None) -> Any:
    """The configuration of a model in a folder or on the hub; BadInput refers to it by `name`."""
    return _loaded(
        place, name, transformers.AutoConfig.from_pretrained, {"revision": revision or "main"}
    )


def load_tokenizer(folder: Path, name: str = ""):
    """The tokenizer in a folder, with a padding token; BadInput refers to its model by `name`."""
    tokenizer = _loaded(folder, name, transformers.AutoTokenizer.from_pretrained)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def _loaded(
    folder: Path | str | None, name: str, load: Callable, wanted: Mapping[str, Any] | None = None
) -> Any:
    """What `load` returns; BadInput with the first line of the error from transformers if the
    folder holds no model, or one that it cannot load.
    """
    try:
        return load(folder, **(wanted or {}))
    except Exception as error:  # a broken folder can make transformers raise anything
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise BadInput(f"model {name or folder}: {reason}") from None
