"""The blocks of a causal language model, in any architecture, and the model without the last of
them.
"""

from __future__ import annotations

import copy
from itertools import chain
from typing import Annotated, Any

import torch
from pydantic import Field

from benchmark.errors import BadInput

Depth = Annotated[float, Field(gt=0, le=1)]  # a layer, as its share of the depth


def blocks_of(model: Any) -> torch.nn.ModuleList:
    """The blocks in order; BadInput where the architecture has no list of them."""
    depth = model.config.get_text_config(decoder=True).num_hidden_layers
    for module in model.base_model.modules():
        if isinstance(module, torch.nn.ModuleList) and len(module) == depth:
            return module
    raise BadInput(f"{model.config.model_type} models have no list of {depth} blocks")


def layer_at(depth: float, model: Any) -> int:
    """The layer nearest to a share of the depth; layer l is what the l-th block leaves, from 1."""
    return max(1, round(depth * len(blocks_of(model))))


def up_to(layer: int, model: Any) -> Any:
    """The model without the blocks behind a layer: its final norm and its head read that layer.

    Only the structure is copied: the weights are the model's own.
    """
    weights = {id(tensor): tensor for tensor in chain(model.parameters(), model.buffers())}
    lens = copy.deepcopy(model, weights)
    blocks = blocks_of(lens)
    whole = len(blocks)
    del blocks[layer:]
    config = lens.config.get_text_config(decoder=True)
    for name, value in list(vars(config).items()):
        if isinstance(value, list) and len(value) == whole:  # one entry for each layer
            setattr(config, name, value[:layer])
    config.num_hidden_layers = layer
    return lens
