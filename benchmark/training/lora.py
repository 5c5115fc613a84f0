"""Low-rank adaptation: training a few small matrices beside the frozen weights, merged into them at the end."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import torch

RANK, ALPHA = 8, 16


def adapt(model: Any) -> None:
    """Gives all linear layers of the model but its head adapters, which then are all of it that is trained.

    Hu et al. 2022 (LoRA).
    """
    from peft import LoraConfig, inject_adapter_in_model

    config = LoraConfig(r=RANK, lora_alpha=ALPHA, lora_dropout=0.0, target_modules="all-linear")
    inject_adapter_in_model(config, model)


def merge(model: Any) -> None:
    """Adds the adapters to the weights, in float32, and leaves nothing else of them; all can be trained again."""
    with torch.autocast(model.device.type, enabled=False):
        for name in _adapted_layers(model):
            layer = model.get_submodule(name)
            layer.merge()
            model.set_submodule(name, layer.get_base_layer())
    del model.peft_config
    model.requires_grad_(True)


def merged(model: Any) -> Any:
    """The model itself, or while it is being adapted a copy in which the adapters are merged."""
    if not _adapted_layers(model):
        return model
    copied = deepcopy(model)
    merge(copied)
    return copied


def _adapted_layers(model: Any) -> list[str]:
    from peft.tuners.lora import LoraLayer

    return [name for name, module in model.named_modules() if isinstance(module, LoraLayer)]
