"""Low-rank adaptation: training a few small matrices beside the frozen weights, merged into them at the end."""

from __future__ import annotations

from typing import Any

import torch

RANK, ALPHA = 8, 16


def adapted(model) -> Any:
    """A peft model around the model, which trains the adapters of all its linear layers and nothing else.

    The layers of `model` itself are replaced by adapted ones, so that it goes on to be the model that is trained.
    Hu et al. 2022 (LoRA).
    """
    from peft import LoraConfig, get_peft_model

    return get_peft_model(model, LoraConfig(r=RANK, lora_alpha=ALPHA, lora_dropout=0.0, target_modules="all-linear"))


def merge(wrapped: Any) -> None:
    """Adds the adapters to the weights of the model that they are around, in float32; all can be trained again."""
    with torch.autocast(wrapped.device.type, enabled=False):
        wrapped.merge_and_unload().requires_grad_(True)
