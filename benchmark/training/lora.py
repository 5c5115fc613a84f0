"""Low-rank adaptation: training a few small matrices beside the frozen weights, merged into them
at the end.
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
    """Adapters of a rank, scaled by alpha / rank, on the layers whose names end in one of the
    `targets`, e.g. `q_proj`; on all linear layers of attention and MLPs if there are none.
    """

    rank: PositiveInt = 8
    alpha: PositiveInt = 16
    targets: tuple[str, ...] = ()


def adapt(model: Any, lora: Lora | bool = True) -> None:
    """Gives linear layers adapters, which then are all of the model that is trained.

    Hu et al. 2022 (LoRA). A ValueError if the model has no such layer that peft can adapt.
    """
    from peft import LoraConfig, inject_adapter_in_model

    lora = lora if isinstance(lora, Lora) else Lora()
    names = [f"{_HOLDER}.{name}" for name in _targets(model, lora.targets)]
    config = LoraConfig(r=lora.rank, lora_alpha=lora.alpha, lora_dropout=0.0, target_modules=names)
    # Of a model that it knows peft would adapt the experts beside the layers that are named, and
    # could not merge them.
    inject_adapter_in_model(config, torch.nn.ModuleDict({_HOLDER: model}))


def adapter_parameters(model: Any, lora: Lora | bool) -> int:
    """How many parameters the adapters of a model would have; 0 where none can be."""
    lora = lora if isinstance(lora, Lora) else Lora()
    try:
        layers = [model.get_submodule(name) for name in _targets(model, lora.targets)]
    except ValueError:
        return 0
    return sum(lora.rank * sum(layer.weight.shape) for layer in layers)


def _targets(model: Any, wanted: Sequence[str]) -> list[str]:
    """Names of the layers that get adapters; a ValueError if there are none, or none of a name that
    is wanted.
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


@contextmanager
def without_adapters(model: Any) -> Iterator[None]:
    """Within it, a model that is being adapted is what it was before, in evaluation mode."""
    layers = [model.get_submodule(name) for name in _adapted_layers(model)]
    training = model.training
    # Switching adapters on lets all of them be trained, also those that a method leaves alone.
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
    """The model itself, or while it is being adapted a copy in which the adapters are merged."""
    if not _adapted_layers(model):
        return model
    copied = deepcopy(model)
    merge(copied)
    return copied


def _adapted_layers(model: Any) -> list[str]:
    from peft.tuners.lora import LoraLayer

    return [name for name, module in model.named_modules() if isinstance(module, LoraLayer)]
