"""Adam for float32 weights and for bfloat16 weights, whose updates are too small to be applied
directly.

A bfloat16 weight has 8 significant bits: rounding to nearest loses an update below 1/512 of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from benchmark.core.updates import Updates

BETAS, EPSILON = (0.9, 0.98), 1e-8
TORCHAO = "states: int8 needs torchao; pip install 'palimpsest-bench[memory]'"
LARGE = 10_000_000  # weights: from this size, updating them takes as long as computing with them


def optimizer_for(
    parameters: Sequence[torch.nn.Parameter], learning_rate: float, updates: Updates
) -> torch.optim.Optimizer:
    """AdamW without weight decay for all parameters, which share one dtype."""
    halved = any(parameter.dtype == torch.bfloat16 for parameter in parameters)
    if updates.states == "int8":
        return _in_8_bits(parameters, learning_rate, halved and updates.rounding == "stochastic")
    if halved and updates.rounding == "stochastic":
        return RoundedAdam(parameters, learning_rate)
    if halved:
        return MasterAdam(parameters, learning_rate)
    return torch.optim.AdamW(parameters, **_settings(parameters, learning_rate))


def set_rate(optimizer: torch.optim.Optimizer, learning_rate: float) -> None:
    """Sets the learning rate of the next step; compiled optimizers keep theirs in a tensor."""
    for group in optimizer.param_groups:
        if isinstance(group["lr"], torch.Tensor):
            group["lr"].fill_(learning_rate)
        else:
            group["lr"] = learning_rate


def _settings(parameters: Sequence[torch.Tensor], learning_rate: float) -> dict[str, Any]:
    fused = sum(p.numel() for p in parameters) > LARGE
    return {"lr": learning_rate, "betas": BETAS, "weight_decay": 0.0, "fused": fused}


def _in_8_bits(
    parameters: Sequence[torch.Tensor], learning_rate: float, stochastic: bool
) -> torch.optim.Optimizer:
    """AdamW with 8-bit states, Dettmers et al. 2022 (8-bit Optimizers via Block-wise Quantization);
    ImportError names the extra to install.
    """
    try:
        from torchao.optim import AdamW8bit
    except ImportError:
        raise ImportError(TORCHAO) from None
    return AdamW8bit(
        parameters,
        lr=learning_rate,
        betas=BETAS,
        weight_decay=0.0,
        bf16_stochastic_round=stochastic,
    )


class MasterAdam(torch.optim.AdamW):
    """AdamW on float32 master copies, which are rounded to the weights after each step."""

    def __init__(self, parameters: Sequence[torch.nn.Parameter], learning_rate: float) -> None:
        self.weights = list(parameters)
        self.masters = [p.detach().float().requires_grad_(True) for p in self.weights]
        super().__init__(self.masters, **_settings(self.masters, learning_rate))

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        for master, weight in zip(self.masters, self.weights, strict=True):
            master.grad = None if weight.grad is None else weight.grad.float()
        super().step()
        for master, weight in zip(self.masters, self.weights, strict=True):
            master.grad = None
            weight.copy_(master)


class RoundedAdam(torch.optim.Optimizer):
    """Adam that rounds the updated weights up or down at random, so that they are right on average.
    Its generators start from torch's seed at the time of its creation.
    """

    def __init__(self, parameters: Sequence[torch.nn.Parameter], learning_rate: float) -> None:
        super().__init__(parameters, {"lr": learning_rate})
        self.generators: dict[torch.device, torch.Generator] = {}
        self.seed = torch.initial_seed()

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    moved = weight.float() - group["lr"] * self._direction(weight)
                    weight.copy_(rounded(moved, self._generator(weight.device)))

    def _direction(self, weight: torch.Tensor) -> torch.Tensor:
        """m / (sqrt(v) + epsilon) of Kingma & Ba 2015, algorithm 1."""
        gradient, state = weight.grad.float(), self.state[weight]  # type: ignore[union-attr]
        if not state:
            state |= {"steps": 0, "mean": torch.zeros_like(gradient)}
            state["square"] = torch.zeros_like(gradient)
        state["steps"] += 1
        first, second = (1 - beta ** state["steps"] for beta in BETAS)
        mean = state["mean"].lerp_(gradient, 1 - BETAS[0]) / first
        square = state["square"].lerp_(gradient.square(), 1 - BETAS[1]) / second
        return mean / (square.sqrt() + EPSILON)

    def _generator(self, device: torch.device) -> torch.Generator:
        if device not in self.generators:
            self.generators[device] = torch.Generator(device).manual_seed(self.seed)
        return self.generators[device]


def rounded(values: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """float32 values as bfloat16, each rounded away from zero with probability equal to its
    distance from the neighbour nearer to zero, in units of the last place.
    """
    bits = values.contiguous().view(torch.int32)
    noise = torch.randint(
        0, 1 << 16, bits.shape, dtype=torch.int32, device=bits.device, generator=generator
    )
    return ((bits + noise) & -(1 << 16)).view(torch.float32).bfloat16()
