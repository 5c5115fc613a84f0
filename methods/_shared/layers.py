"""Layers by their share of a model's depth, and which weights stand in them, in any architecture.

Layers count as hidden states do: layer 0 are the embeddings, layer l what the l-th block leaves.
"""

import copy

import torch

from benchmark.api import BadInput


def blocks_of(model):
    """The list of the model's blocks, in order; BadInput where it has none."""
    depth = model.config.get_text_config(decoder=True).num_hidden_layers
    for module in model.base_model.modules():
        if isinstance(module, torch.nn.ModuleList) and len(module) == depth:
            return module
    raise BadInput(f"{model.config.model_type} models have no list of {depth} blocks")


def layer_at(share, model):
    """The layer at a share of the depth, at least the first.

    The last is left out where there is another: a model's final norm is applied to its states, and
    no block reads them.
    """
    depth = len(blocks_of(model))
    return min(max(1, round(share * depth)), max(1, depth - 1))


def down_projections(model, layer, count):
    """Names of the last linear layers of `count` blocks up to that layer, which in transformers
    are the down-projections of their MLPs.
    """
    blocks = blocks_of(model)[max(0, layer - count) : layer]
    last = [[m for m in block.modules() if _is_linear(m)][-1:] for block in blocks]
    chosen = [module for found in last for module in found]
    if not chosen:
        raise BadInput(f"{model.config.model_type} models have no linear layers in their blocks")
    return [name for name, module in model.named_modules() if any(module is m for m in chosen)]


def _is_linear(module):
    """Also the `Conv1D` of GPT-2, whose weight is transposed."""
    return isinstance(module, torch.nn.Linear) or type(module).__name__ == "Conv1D"


def train_only(model, names):
    """Leaves of what is trained the weights, or adapters, in the modules of these names."""
    for name, parameter in model.named_parameters():
        if not name.startswith(tuple(f"{own}." for own in names)):
            parameter.requires_grad_(False)


def first_blocks(model, share):
    """A copy of the model with the first blocks alone, a share of the depth, and its own head."""
    copied = copy.deepcopy(model)
    blocks = blocks_of(copied)
    depth, count = len(blocks), max(1, round(share * len(blocks)))
    del blocks[count:]
    config = copied.config.get_text_config(decoder=True)
    for name, value in list(vars(config).items()):
        if isinstance(value, list) and len(value) == depth:  # what is said of each layer
            setattr(config, name, value[:count])
    if hasattr(config, "attention_types"):  # GPT-Neo derives the list from it
        config.attention_types = [[config.attention_layers, 1]]
    config.num_hidden_layers = count
    return copied
