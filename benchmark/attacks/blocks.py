"""Finds layers by relative depth, and cuts off the blocks after a layer."""

from __future__ import annotations

import copy
from itertools import chain
from typing import Annotated, Any

from pydantic import Field

from benchmark.training.activations import blocks_of

Depth = Annotated[float, Field(gt=0, le=1)]  # a layer's depth as a fraction of the model's depth


def layer_at(depth: float, model: Any) -> int:
    """The layer nearest to a relative depth; layer l is the output of the l-th block, from 1."""
    return max(1, round(depth * len(blocks_of(model))))


def up_to(layer: int, model: Any) -> Any:
    """The model without the blocks after a layer: its final norm and head read that layer.

    Only the structure is copied; the weights are shared with the model.
    """
    weights = {id(tensor): tensor for tensor in chain(model.parameters(), model.buffers())}
    lens = copy.deepcopy(model, weights)
    blocks = blocks_of(lens)
    whole = len(blocks)
    del blocks[layer:]
    config = lens.config.get_text_config(decoder=True)
    for name, value in list(vars(config).items()):
        if isinstance(value, list) and len(value) == whole:  # one entry per layer
            setattr(config, name, value[:layer])
    config.num_hidden_layers = layer
    return lens
