"""The blocks of a causal language model of any architecture, and the hidden states after them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from benchmark.errors import BadInput
from benchmark.tokens.batches import Batch
from benchmark.training.sharding import processes


def blocks_of(model: Any) -> torch.nn.ModuleList:
    """The model's blocks, in order; BadInput if its architecture has no list of them."""
    depth = model.config.get_text_config(decoder=True).num_hidden_layers
    for module in model.base_model.modules():
        if isinstance(module, torch.nn.ModuleList) and len(module) == depth:
            return module
    raise BadInput(f"{model.config.model_type} models have no list of {depth} blocks")


def answer_states(model, batch: Batch, layers: Sequence[int]) -> list[torch.Tensor]:
    """(N, H) hidden states after each of the layers, at the positions that predict the N answer
    tokens.

    Layer 0 is the embeddings, layer l the residual stream after the l-th block; after the last
    block, the model's final norm has been applied. BadInput if the model has no such layer.
    """
    count = model.config.get_text_config(decoder=True).num_hidden_layers
    if wrong := [layer for layer in layers if not 0 <= layer <= count]:
        raise BadInput(f"layers {wrong}: the model has layers 0 to {count}")
    # Sharded weights are gathered only if the whole model is called.
    called = model.base_model if processes() == 1 else model
    states = called(**batch.inputs, use_cache=False, output_hidden_states=True).hidden_states
    return [batch.select(states[layer]).to(batch.targets.device) for layer in layers]
