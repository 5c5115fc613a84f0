"""Low-rank adaptation: a few small matrices are trained beside the frozen weights and merged into
them at the end.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import torch
from pydantic import ConfigDict, PositiveInt
from pydantic.dataclasses import dataclass
from transformers.pytorch_utils import Conv1D

_HOLDER = "adapted"


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Lora:
    """Adapters of a given rank, scaled by alpha / rank, on the layers whose names end in one of the
    `targets`, e.g. `q_proj`; without `targets`, on all linear layers of attention and MLPs.
    """

    rank: PositiveInt = 8
    alpha: PositiveInt = 16
    targets: tuple[str, ...] = ()


def adapt(model: Any, lora: Lora | bool = True) -> None:
    """Adds adapters to linear layers; only the adapters are then trained.

    Hu et al. 2022 (LoRA). ValueError if the model has no linear layer that peft can adapt, or if a
    target matches none.
    """
    from peft import LoraConfig, inject_adapter_in_model

    lora = lora if isinstance(lora, Lora) else Lora()
    names = [f"{_HOLDER}.{name}" for name in _targets(model, lora.targets)]
    config = LoraConfig(r=lora.rank, lora_alpha=lora.alpha, lora_dropout=0.0, target_modules=names)
    # Wrapped, since in models that it knows peft would adapt the experts as well as the named
    # layers, and could not merge them.
    inject_adapter_in_model(config, torch.nn.ModuleDict({_HOLDER: model}))


def adapter_parameters(model: Any, lora: Lora | bool) -> int:
    """Number of parameters that a model's adapters would have; 0 if it cannot have any."""
    lora = lora if isinstance(lora, Lora) else Lora()
    try:
        layers = [model.get_submodule(name) for name in _targets(model, lora.targets)]
    except ValueError:
        return 0
    return sum(lora.rank * sum(layer.weight.shape) for layer in layers)


def _targets(model: Any, wanted: Sequence[str]) -> list[str]:
    """Names of the layers that get adapters; ValueError if there are none, or if a wanted name
    matches none.
    """
    layers, kind = _linear_layers(model), model.config.model_type
    if not layers:
        raise ValueError(f"{kind} models have no linear layer that LoRA can adapt")
    last = {name: name.rpartition(".")[2] for name in layers}
    if unknown := sorted(set(wanted) - set(last.values())):
        known = ", ".join(sorted(set(last.values())))
        raise ValueError(f"{kind} models have no linear layers {', '.join(unknown)}; found {known}")
    return [name for name in layers if not wanted or last[name] in wanted]


def _linear_layers(model: Any) -> list[str]:
    """Names of the linear layers except the head and those of state-space mixers, whose weights are
    read directly, bypassing adapters.

    The experts of a mixture are tensors, not layers, and are not adapted.
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
    """Merges the adapters into the weights in float32 and removes them; all weights are then
    trainable again.
    """
    with torch.autocast(model.device.type, enabled=False):
        for name in _adapted_layers(model):
            layer = model.get_submodule(name)
            layer.merge()
            model.set_submodule(name, layer.get_base_layer())
    model.requires_grad_(True)


@contextmanager
def without_adapters(model: Any) -> Iterator[None]:
    """Context in which an adapted model computes as before adaptation, in evaluation mode."""
    layers = [model.get_submodule(name) for name in _adapted_layers(model)]
    training = model.training
    # Enabling adapters makes all of them trainable, including those that a method has frozen.
    trained = [(p, p.requires_grad) for layer in layers for p in layer.parameters()]
    model.eval()
    for layer in layers:
        layer.enable_adapters(False)
    try:
        yield
    finally:
        for layer in layers:
            layer.enable_adapters(True)
        for parameter, is_trained in trained:
            parameter.requires_grad_(is_trained)
        model.train(training)


def merged(model: Any) -> Any:
    """The model itself, or a copy with its adapters merged if it is being adapted."""
    if not _adapted_layers(model):
        return model
    copied = deepcopy(model)
    merge(copied)
    return copied


def _adapted_layers(model: Any) -> list[str]:
    from peft.tuners.lora import LoraLayer

    return [name for name, module in model.named_modules() if isinstance(module, LoraLayer)]
