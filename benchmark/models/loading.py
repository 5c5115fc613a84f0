"""Loading models and tokenizers from a folder, on the device where they are to compute."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

from benchmark.errors import BadInput
from benchmark.models.checks import check_weights
from benchmark.models.linears import fast_linears
from benchmark.models.tracks import PretrainedTrack, Track
from benchmark.training.prompts import PLAIN_TEMPLATE


def accelerators() -> int:
    """How many GPUs there are; pretrained models use them, models trained here are too small to gain."""
    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def gpu_name() -> str:
    """What the GPUs are called, for the record; "none" without."""
    names = [torch.cuda.get_device_name(i) for i in range(accelerators())]
    return f"{len(names)} x {names[0]}" if names else "none"


def load_model(folder: Path, accelerated: bool = False, name: str = ""):
    """The model of a folder in float32 and evaluation mode; with several GPUs its layers are spread over them.

    Of its own settings of generation the end tokens alone are kept: some models bring penalties and truncated sampling,
    which would be measured as the model. BadInput, which calls the model by its `name`, where it cannot be loaded or
    its weights are NaN or infinite.
    """
    placement: dict[str, Any] = {}
    if accelerated and accelerators():
        placement = {"device_map": "auto" if accelerators() > 1 else "cuda"}
    wanted = {"dtype": torch.float32, "use_safetensors": True, **placement}
    model = _loaded(folder, name, AutoModelForCausalLM.from_pretrained, wanted).eval()
    check_weights(model, name or str(folder))
    model.generation_config = GenerationConfig(eos_token_id=model.generation_config.eos_token_id)
    return model


def load_tokenizer(folder: Path, template: bool = False, name: str = ""):
    """The tokenizer of a folder; with `template`, one that has no chat template asks in the plain form."""
    tokenizer = _loaded(folder, name, AutoTokenizer.from_pretrained)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    if template and not tokenizer.chat_template:
        tokenizer.chat_template = PLAIN_TEMPLATE
    return tokenizer


def _loaded(folder: Path, name: str, load: Callable, wanted: Mapping[str, Any] | None = None) -> Any:
    """BadInput with the first line of what transformers says of a folder that is no model, or one it cannot load."""
    try:
        return load(folder, **(wanted or {}))
    except Exception as error:  # what a broken folder or configuration makes transformers raise is not foreseeable
        said = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise BadInput(f"model {name or folder}: {said}") from None


def computing_for(track: Track, model: Any) -> AbstractContextManager:
    """Computes in the track's precision. Models trained here are too small to gain by other linear layers."""
    return computing_in(track.precision, model) if isinstance(track, PretrainedTrack) else nullcontext()


def computing_in(precision: str, model: Any) -> AbstractContextManager:
    """Computes a large model in a precision; its weights stay as they are, in float32.

    Autocast has no cache here: it would keep the weights of the first step until the context ends, and whole trainings
    run in one context.
    """
    if precision == "float32":
        return fast_linears(model)
    return torch.autocast(model.device.type, dtype=getattr(torch, precision), cache_enabled=False)


@contextmanager
def looking_at(model: Any) -> Iterator[None]:
    """Within a training: the model in evaluation mode and as exact as it is measured after it."""
    training = model.training
    model.eval()
    try:
        with torch.autocast(model.device.type, enabled=False):
            yield
    finally:
        model.train(training)
