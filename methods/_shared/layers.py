"""Layers by relative depth, and the weights in them, for any architecture.

Layers are numbered as hidden states are: layer 0 is the embeddings, layer l the output of block l.
"""

import copy

import torch

from benchmark.api import BadInput, blocks_of


def layer_at(share, model):
    """The layer at a relative depth, at least 1.

    Never the last layer if the model has several: its states have passed the final norm, and no
    block reads them.
    """
    depth = len(blocks_of(model))
    return min(max(1, round(share * depth)), max(1, depth - 1))


def down_projections(model, layer, count):
    """Names of the last linear layer in each of the `count` blocks up to this layer: the
    down-projection of the MLP in all common architectures. BadInput if there is none.
    """
    blocks = blocks_of(model)[max(0, layer - count) : layer]
    linears = [[m for m in block.modules() if _is_linear(m)] for block in blocks]
    chosen = [in_block[-1] for in_block in linears if in_block]
    if not chosen:
        raise BadInput(f"{model.config.model_type} models have no linear layers in their blocks")
    return [name for name, module in model.named_modules() if any(module is m for m in chosen)]


def _is_linear(module):
    """True also for GPT-2's `Conv1D`, whose weight is transposed."""
    return isinstance(module, torch.nn.Linear) or type(module).__name__ == "Conv1D"


def train_only(model, names):
    """Freezes everything outside the named modules; adapters inside them stay trainable."""
    for name, parameter in model.named_parameters():
        if not name.startswith(tuple(f"{module}." for module in names)):
            parameter.requires_grad_(False)


def first_blocks(model, share):
    """A copy of the model that keeps its first blocks, up to a relative depth, and its head."""
    copied = copy.deepcopy(model)
    blocks = blocks_of(copied)
    depth, count = len(blocks), max(1, round(share * len(blocks)))
    del blocks[count:]
    config = copied.config.get_text_config(decoder=True)
    for name, value in list(vars(config).items()):
        if isinstance(value, list) and len(value) == depth:  # one entry per layer
            setattr(config, name, value[:count])
    if hasattr(config, "attention_types"):  # GPT-Neo derives the list from it
        config.attention_types = [[config.attention_layers, 1]]
    config.num_hidden_layers = count
    return copied
