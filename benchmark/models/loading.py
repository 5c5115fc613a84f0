"""Loading models and tokenizers from a folder, on the device where they are to compute."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from benchmark.training.prompts import PLAIN_TEMPLATE


def accelerators() -> int:
    """How many GPUs there are; pretrained models use them, models trained here are too small to gain."""
    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def gpu_name() -> str:
    """What the GPUs are called, for the record; "none" without."""
    names = [torch.cuda.get_device_name(i) for i in range(accelerators())]
    return f"{len(names)} x {names[0]}" if names else "none"


def load_model(folder: Path, accelerated: bool = False):
    """The model of a folder in float32 and evaluation mode; with several GPUs its layers are spread over them."""
    placement: dict[str, Any] = {}
    if accelerated and accelerators():
        placement = {"device_map": "auto" if accelerators() > 1 else "cuda"}
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, use_safetensors=True, **placement).eval()


def load_tokenizer(folder: Path, template: bool = False):
    """The tokenizer of a folder; with `template`, one that has no chat template asks in the plain form."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    if template and not tokenizer.chat_template:
        tokenizer.chat_template = PLAIN_TEMPLATE
    return tokenizer


def computing_in(precision: str, model: Any) -> AbstractContextManager:
    """Computes in "bfloat16" where that is wanted; the weights stay as they are, in float32.

    Without autocast's cache: it keeps the weights of the first step until the context ends, and whole trainings run in
    one context.
    """
    if precision == "float32":
        return nullcontext()
    return torch.autocast(model.device.type, dtype=getattr(torch, precision), cache_enabled=False)
