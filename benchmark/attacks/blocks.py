"""Layers by relative depth, and a model without its last blocks."""

from __future__ import annotations

import copy
from itertools import chain
from typing import Annotated, Any

from pydantic import Field

from benchmark.training.activations import blocks_of

Depth = Annotated[float, Field(gt=0, le=1)]  # a layer, as its share of the depth


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
