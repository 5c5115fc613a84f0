"""Low-rank adaptation: training a few small matrices beside the frozen weights, merged into them
at the end.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import torch
from transformers.pytorch_utils import Conv1D

RANK, ALPHA = 8, 16
_HOLDER = "adapted"


def adapt(model: Any) -> None:
    """Gives the linear layers of attention and MLPs adapters, which then are all of the model that
    is trained.

    Hu et al. 2022 (LoRA). A ValueError if the model has none that peft can adapt.
    """
    from peft import LoraConfig, inject_adapter_in_model

    targets = _linear_layers(model)
    if not targets:
        raise ValueError(
            f"{model.config.model_type} models have no linear layer that LoRA can adapt"
        )
    names = [f"{_HOLDER}.{name}" for name in targets]
    config = LoraConfig(r=RANK, lora_alpha=ALPHA, lora_dropout=0.0, target_modules=names)
    # Of a model that it knows peft would adapt the experts beside the layers that are named, and
    # could not merge them.
    inject_adapter_in_model(config, torch.nn.ModuleDict({_HOLDER: model}))


def _linear_layers(model: Any) -> list[str]:
    """Names of the linear layers but the head and those of state-space mixers, whose weights are
    read past adapters.

    Experts of a mixture are tensors, not layers, and stay as they are.
    """
    mixers = [f"{name}." for name, module in model.named_modules() if hasattr(module, "conv1d")]
    return [
        name
        for name, module in model.named_modules()
        if type(module) in (torch.nn.Linear, Conv1D)
        and module is not model.get_output_embeddings()
        and not any(name.startswith(mixer) for mixer in mixers)
    ]


def merge(model: Any) -> None:
    """Adds the adapters to the weights, in float32, and leaves nothing else of them; all can be
    trained again.
    """
    with torch.autocast(model.device.type, enabled=False):
        for name in _adapted_layers(model):
            layer = model.get_submodule(name)
            layer.merge()
            model.set_submodule(name, layer.get_base_layer())
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
