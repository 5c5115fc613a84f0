"""How much memory models take, from their shapes alone: no weight is loaded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psutil
import torch
import transformers  # its classes are imported when they are used: planning needs none

from benchmark.core.updates import Updates
from benchmark.models.placement import accelerators
from benchmark.training.lora import Lora, adapter_parameters

GIGABYTE, GIBIBYTE = 10**9, 1 << 30
PROCESS = 700_000_000  # of Python and its libraries
FLOAT, HALF = 4, 2  # bytes
# Values that a block keeps of each token for the backward pass, in units of the hidden size
# (Korthikanti et al. 2022, Reducing Activation Recomputation, eq. 2: 34 sbh bytes at two bytes
# each; fused attention keeps nothing of pairs of tokens).
KEPT_OF_TOKEN = 17
KEPT_OF_LOGIT = 3  # values for each logit: itself, its log-probability, its gradient
# The share of the memory from which on activations are computed again instead of being kept.
CROWDED = 0.25


@dataclass(frozen=True)
class Shape:
    """What of a model its memory depends on; `adapters` are the parameters of those of a method."""

    parameters: int
    layers: int
    hidden: int
    vocabulary: int
    adapters: int = 0


@dataclass(frozen=True)
class Load:
    """What is computed at once: sequences of so many tokens."""

    sequences: int
    length: int

    @property
    def tokens(self) -> int:
        return self.sequences * self.length


def unloaded(config: Any) -> Any:
    """A model without memory, for its shape."""
    with torch.device("meta"):
        return transformers.AutoModelForCausalLM.from_config(config)


def shape_of(model: Any, lora: Lora | bool = True) -> Shape:
    """The shape of a model and of such adapters."""
    text = model.config.get_text_config(decoder=True)
    return Shape(
        parameters=model.num_parameters(),
        layers=text.num_hidden_layers,
        hidden=text.hidden_size,
        vocabulary=text.vocab_size,
        adapters=adapter_parameters(model, lora),
    )


def weight_bytes(shape: Shape, updates: Updates) -> int:
    """Of one model."""
    return shape.parameters * (HALF if updates.weights == "bfloat16" else FLOAT)


def training_bytes(
    shape: Shape,
    load: Load,
    updates: Updates,
    copies: int = 0,
    adapters: bool = False,
    again: bool = False,
) -> int:
    """The peak while a model is trained, beside `copies` of it; adapters alone are trained if there
    are some, and activations may be computed `again`. Of several processes that of all together:
    each has whole copies, a part of a batch, and at the start and the end the whole model.
    """
    trained = shape.adapters if adapters else shape.parameters
    halved = updates.weights == "bfloat16"
    each = HALF if halved else FLOAT
    of_states = 2 if updates.states == "int8" else 2 * FLOAT
    # A master copy comes with the gradients that it is moved by.
    of_master = 2 * FLOAT if halved and updates.rounding == "master" else 0
    update = trained * (each + of_states + of_master)
    each_part = Load(-(-load.sequences // (updates.parts * updates.processes)), load.length)
    computed = updates.processes * activation_bytes(shape, each_part, again)
    whole, sharers = weight_bytes(shape, updates), updates.processes
    gathered = sharers * whole if sharers > 1 else 0  # beside the shares, without activations
    return whole * (1 + sharers * copies) + update + max(computed, gathered)


def activation_bytes(shape: Shape, load: Load, again: bool = False) -> int:
    """What is kept of a batch for the backward pass, in float32; of each block its input alone, and
    one block at a time, where activations are computed `again`.
    """
    block = KEPT_OF_TOKEN * shape.hidden
    blocks = shape.layers * shape.hidden + block if again else shape.layers * block
    logits = KEPT_OF_LOGIT * shape.vocabulary
    return int(load.tokens * (blocks + logits) * FLOAT)


def is_crowded(shape: Shape, load: Load) -> bool:
    """Whether the activations of a batch take too much of this machine's memory to be kept."""
    return activation_bytes(shape, load) > CROWDED * machine_bytes()


def machine_bytes() -> int:
    """The memory that models can take here: of the GPUs if there are any."""
    if count := accelerators():
        return sum(torch.cuda.get_device_properties(i).total_memory for i in range(count))
    return psutil.virtual_memory().total
