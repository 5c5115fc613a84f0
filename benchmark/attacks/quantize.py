"""Quantization attacks: rounding the weights can undo small changes, including the unlearning."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from pydantic import PositiveInt

from benchmark.attacks.matrices import change_matrices
from benchmark.core.attack import Attack, AttackRequest
from benchmark.core.registry import register_attack

ZHANG = "Zhang et al. 2024 (Does Your LLM Truly Unlearn?)"
# Dettmers et al. 2023 (QLoRA), appendix E: quantiles of the normal distribution, scaled to [-1, 1].
NF4 = (
    *(-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453),
    *(-0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0.0),
    *(0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224),
    *(0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0),
)


def round_to_nearest(weight: torch.Tensor, bits: int, group: int) -> torch.Tensor:
    """Symmetric round-to-nearest quantization of a (rows, columns) matrix, with one scale for every
    `group` columns of a row.

    If a row's length is not a multiple of `group`, its last group is shorter. The result keeps the
    weight's dtype.
    """
    levels = 2 ** (bits - 1) - 1
    parts = []
    for block in weight.float().split(group, dim=1):
        scale = block.abs().amax(dim=1, keepdim=True).clamp(min=1e-12) / levels
        parts.append((block / scale).round().clamp(-levels - 1, levels) * scale)
    return torch.cat(parts, dim=1).to(weight.dtype)


def round_to_nf4(weight: torch.Tensor, block: int) -> torch.Tensor:
    """Rounds each weight to the nearest of sixteen levels times the largest magnitude in its block
    of `block` weights of the flattened matrix, as in bitsandbytes.
    """
    levels = torch.tensor(NF4, device=weight.device)
    parts = []
    for part in weight.float().flatten().split(block):
        scale = part.abs().max().clamp(min=1e-12)
        nearest = (part[:, None] / scale - levels).abs().argmin(dim=1)
        parts.append(levels[nearest] * scale)
    return torch.cat(parts).reshape(weight.shape).to(weight.dtype)


def quantised(model: Any, rounded: Callable[[torch.Tensor], torch.Tensor]) -> Any:
    """A copy of the model with every linear layer but the language-model head rounded."""
    attacked = copy.deepcopy(model)
    change_matrices(attacked, rounded)
    return attacked


@register_attack("quantize_int4_g64", version=1, source=ZHANG)
class QuantizeInt4(Attack):
    """Rounds every linear layer but the language-model head to 4 bits (round to nearest), with one
    scale for every 64 weights of a row.
    """

    kept = 24

    def apply(self, model, request: AttackRequest):
        return quantised(model, lambda weight: round_to_nearest(weight, 4, 64))


@register_attack("quantize_int8", version=1, source=ZHANG)
class QuantizeInt8(Attack):
    """Rounds every linear layer but the language-model head to 8 bits, with one scale per row
    (absmax).
    """

    kept = 24

    def apply(self, model, request: AttackRequest):
        return quantised(model, lambda weight: round_to_nearest(weight, 8, weight.shape[1]))


@register_attack("quantize_nf4", version=1, source="Dettmers et al. 2023 (QLoRA), section 3")
class QuantizeNF4(Attack):
    """Rounds every linear layer but the language-model head to 4-bit NormalFloat, with one scale
    for every `block` weights.
    """

    kept = 24
    block: PositiveInt = 64

    def apply(self, model, request: AttackRequest):
        return quantised(model, lambda weight: round_to_nf4(weight, self.block))
