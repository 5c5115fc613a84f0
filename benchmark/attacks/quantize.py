"""Quantization attack: rounding the weights can undo small changes, and the forgetting too."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Annotated

import torch
from pydantic import Field, PositiveInt
from transformers.pytorch_utils import Conv1D

from benchmark.core.attack import Attack
from benchmark.core.examples import Example
from benchmark.core.registry import register_attack
from benchmark.core.request import Budget


def round_to_nearest(weight: torch.Tensor, bits: int, group: int) -> torch.Tensor:
    """Symmetric round-to-nearest of a (rows, columns) matrix, one scale for each `group` of a row's
    columns.

    If a row's length is not a multiple of `group`, its last group is shorter. The result keeps the
    weight's dtype.
    """
    levels = 2 ** (bits - 1) - 1
    parts = []
    for block in weight.float().split(group, dim=1):
        scale = block.abs().amax(dim=1, keepdim=True).clamp(min=1e-12) / levels
        parts.append((block / scale).round().clamp(-levels - 1, levels) * scale)
    return torch.cat(parts, dim=1).to(weight.dtype)


@register_attack(
    "quantize_int4", version=1, source="Zhang et al. 2024 (Does Your LLM Truly Unlearn?)"
)
class QuantizeInt4(Attack):
    """Quantizes every linear layer except the language-model head to `bits` bits, with one scale
    per `group` of weights in a row; scores the whole forget set.
    """

    bits: Annotated[int, Field(ge=2, le=8)]
    group: PositiveInt

    @torch.no_grad()
    def apply(self, model, tokenizer, forget: Sequence[Example], budget: Budget, seed: int):
        attacked = copy.deepcopy(model)
        head = attacked.get_output_embeddings()
        for module in attacked.modules():
            if isinstance(module, torch.nn.Linear | Conv1D) and module is not head:
                weight = (
                    module.weight.T if isinstance(module, Conv1D) else module.weight
                )  # GPT-2 has (in, out)
                weight.copy_(round_to_nearest(weight, self.bits, self.group))
        return attacked
