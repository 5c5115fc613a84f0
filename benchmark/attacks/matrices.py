"""Changes to a model's weight matrices, shared by several attacks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from transformers.pytorch_utils import Conv1D


@torch.no_grad()
def change_matrices(model: Any, changed: Callable[[torch.Tensor], torch.Tensor]) -> None:
    """Changes the (out, in) matrix of every linear layer but the language-model head, in place."""
    head = model.get_output_embeddings()
    for module in model.modules():
        if isinstance(module, torch.nn.Linear | Conv1D) and module is not head:
            # GPT-2 stores (in, out)
            weight = module.weight.T if isinstance(module, Conv1D) else module.weight
            weight.copy_(changed(weight))
