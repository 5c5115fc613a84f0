"""Loading models and tokenizers from a folder, on the device where they are to compute."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

from benchmark.errors import BadInput
from benchmark.models.linears import fast_linears
from benchmark.models.tracks import PretrainedTrack, Track
from benchmark.training.prompts import PLAIN_TEMPLATE

RESCALED = ("final_logit_softcapping", "logits_scaling", "logit_scale")  # of Gemma, Granite and Cohere


def accelerators() -> int:
    """How many GPUs there are; pretrained models use them, models trained here are too small to gain."""
    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def gpu_name() -> str:
    """What the GPUs are called, for the record; "none" without."""
    names = [torch.cuda.get_device_name(i) for i in range(accelerators())]
    return f"{len(names)} x {names[0]}" if names else "none"


def load_model(folder: Path, accelerated: bool = False):
    """The model of a folder in float32 and evaluation mode; with several GPUs its layers are spread over them.

    Its own settings of generation are left out: some models bring penalties and truncated sampling, which would be
    measured as the model. BadInput where logits are rescaled after the head, which scoring would miss.
    """
    placement: dict[str, Any] = {}
    if accelerated and accelerators():
        placement = {"device_map": "auto" if accelerators() > 1 else "cuda"}
    wanted = {"dtype": torch.float32, "use_safetensors": True, **placement}
    model = _loaded(folder, AutoModelForCausalLM.from_pretrained, wanted).eval()
    if rescaled := [name for name in RESCALED if getattr(model.config, name, None) not in (None, 1.0)]:
        raise BadInput(f"model {folder}: models whose logits are rescaled ({rescaled[0]}) are not supported")
    model.generation_config = GenerationConfig.from_model_config(model.config)
    return model


def load_tokenizer(folder: Path, template: bool = False):
    """The tokenizer of a folder; with `template`, one that has no chat template asks in the plain form."""
    tokenizer = _loaded(folder, AutoTokenizer.from_pretrained)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    if template and not tokenizer.chat_template:
        tokenizer.chat_template = PLAIN_TEMPLATE
    return tokenizer


def _loaded(folder: Path, load: Callable, wanted: Mapping[str, Any] | None = None) -> Any:
    """BadInput with the first line of what transformers says of a folder that is no model, or a broken one."""
    try:
        return load(folder, **(wanted or {}))
    except (OSError, ValueError, SafetensorError) as error:
        said = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise BadInput(f"model {folder}: {said}") from None


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
