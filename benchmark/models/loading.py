"""Loading models and tokenizers from a folder, on the device where they are to compute."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
import transformers  # its classes are imported when they are used: planning needs none

from benchmark.errors import BadInput
from benchmark.models.checks import check_complete, check_weights
from benchmark.models.placement import accelerators


def load_model(
    folder: Path, accelerated: bool = False, name: str = "", dtype: torch.dtype = torch.float32
):
    """The model of a folder in evaluation mode; with several GPUs its layers are spread over them.

    Of its own settings of generation the end tokens alone are kept: some models bring penalties and
    truncated sampling, which would be measured as the model. BadInput, which calls the model by its
    `name`, where it cannot be loaded or its weights are missing, NaN or infinite.
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
    """The configuration of a model in a folder, or on the hub; BadInput calls it by `name`."""
    return _loaded(
        place, name, transformers.AutoConfig.from_pretrained, {"revision": revision or "main"}
    )


def load_tokenizer(folder: Path, name: str = ""):
    """The tokenizer of a folder, with a padding token; BadInput calls its model by `name`."""
    tokenizer = _loaded(folder, name, transformers.AutoTokenizer.from_pretrained)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def _loaded(
    folder: Path | str | None, name: str, load: Callable, wanted: Mapping[str, Any] | None = None
) -> Any:
    """BadInput with the first line of what transformers says of a folder that is no model, or
    one it cannot load.
    """
    try:
        return load(folder, **(wanted or {}))
    except (
        Exception
    ) as error:  # what a broken folder or configuration makes transformers raise is not foreseeable
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise BadInput(f"model {name or folder}: {reason}") from None
