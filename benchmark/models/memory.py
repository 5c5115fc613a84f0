"""Estimates the memory that models take from their shapes alone, without loading weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psutil
import torch
import transformers  # loads its classes lazily: planning needs none of them

from benchmark.core.updates import Updates
from benchmark.models.placement import accelerators
from benchmark.training.lora import Lora, adapter_parameters

GIGABYTE, GIBIBYTE = 10**9, 1 << 30
PROCESS = 700_000_000  # bytes of Python and its libraries
FLOAT, HALF = 4, 2  # bytes per value
# Values per token that a block keeps for the backward pass, in units of the hidden size
# (Korthikanti et al. 2022, Reducing Activation Recomputation, eq. 2: 34 sbh bytes at two bytes
# each; fused attention keeps nothing per pair of tokens).
KEPT_OF_TOKEN = 17
KEPT_OF_LOGIT = 3  # values per logit: itself, its log-probability, its gradient
# Above this share of the memory, activations are recomputed instead of kept.
CROWDED = 0.25


@dataclass(frozen=True)
class Shape:
    """The properties of a model that determine its memory; `adapters` counts the parameters of a
    method's adapters.
    """

    parameters: int
    layers: int
    hidden: int
    vocabulary: int
    adapters: int = 0


@dataclass(frozen=True)
class Load:
    """What is computed at once: `sequences` of `length` tokens each."""

    sequences: int
    length: int

    @property
    def tokens(self) -> int:
        return self.sequences * self.length


def unloaded(config: Any) -> Any:
    """A model on the meta device, which has a shape but takes no memory."""
    with torch.device("meta"):
        return transformers.AutoModelForCausalLM.from_config(config)


def shape_of(model: Any, lora: Lora | bool = True) -> Shape:
    """The shape of a model with adapters of this kind."""
    text = model.config.get_text_config(decoder=True)
    return Shape(
        parameters=model.num_parameters(),
        layers=text.num_hidden_layers,
        hidden=text.hidden_size,
        vocabulary=text.vocab_size,
        adapters=adapter_parameters(model, lora),
    )


def weight_bytes(shape: Shape, updates: Updates) -> int:
    """Bytes of the weights of one model."""
    return shape.parameters * (HALF if updates.weights == "bfloat16" else FLOAT)


def training_bytes(
    shape: Shape,
    load: Load,
    updates: Updates,
    copies: int = 0,
    adapters: bool = False,
    again: bool = False,
) -> int:
    """Peak bytes of training a model while `copies` of it are held as well. With `adapters`, only
    these are trained; with `again`, activations are recomputed. For several processes this is their
    total: each holds complete copies, a part of the batch and, at the start and end, the complete
    model.
    """
    trained = shape.adapters if adapters else shape.parameters
    halved = updates.weights == "bfloat16"
    each = HALF if halved else FLOAT
    of_states = 2 if updates.states == "int8" else 2 * FLOAT
    # A master copy has float32 gradients of its own.
    of_master = 2 * FLOAT if halved and updates.rounding == "master" else 0
    update = trained * (each + of_states + of_master)
    each_part = Load(-(-load.sequences // (updates.parts * updates.processes)), load.length)
    computed = updates.processes * activation_bytes(shape, each_part, again)
    whole, sharers = weight_bytes(shape, updates), updates.processes
    gathered = sharers * whole if sharers > 1 else 0  # beside the shards, without activations
    return whole * (1 + sharers * copies) + update + max(computed, gathered)


def activation_bytes(shape: Shape, load: Load, again: bool = False) -> int:
    """Bytes of the float32 activations kept of a batch for the backward pass; with `again`, only
    the input of each block and the activations of one block at a time.
    """
    block = KEPT_OF_TOKEN * shape.hidden
    blocks = shape.layers * shape.hidden + block if again else shape.layers * block
    logits = KEPT_OF_LOGIT * shape.vocabulary
    return int(load.tokens * (blocks + logits) * FLOAT)


def is_crowded(shape: Shape, load: Load) -> bool:
    """Whether the activations of a batch take too much of this machine's memory to be kept."""
    return activation_bytes(shape, load) > CROWDED * machine_bytes()


def machine_bytes() -> int:
    """Bytes of memory for models on this machine: of all GPUs, or of the host without GPUs."""
    if count := accelerators():
        return sum(torch.cuda.get_device_properties(i).total_memory for i in range(count))
    return psutil.virtual_memory().total
