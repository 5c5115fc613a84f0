"""Settings for how weights are stored and updated during training."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, PositiveInt
from pydantic.dataclasses import dataclass


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Updates:
    """Weights in float32, or in bfloat16 for half the memory, rounded either from a float32
    `master` copy or stochastically (`stochastic`), which needs no copy and is exact on average.

    `states` is the type of Adam's states, of 4 bytes each or 1 (which needs the extra `memory`).
    Each batch is split into `parts` that are computed one after another, and their gradients are
    averaged: a loss that is not a mean over the pairs of a batch becomes a mean over its parts.
    Each of several `processes`, with one GPU each where there are GPUs, keeps a shard of the
    weights, gradients and optimiser states, and computes its own parts.
    """

    weights: Literal["float32", "bfloat16"] = "float32"
    rounding: Literal["master", "stochastic"] = "master"
    states: Literal["float32", "int8"] = "float32"
    parts: PositiveInt = 1
    processes: PositiveInt = 1

    def __post_init__(self) -> None:
        """Raises ValueError if updates would be lost: 8-bit Adam keeps no master copy."""
        if (self.weights, self.rounding, self.states) == ("bfloat16", "master", "int8"):
            raise ValueError("states int8 and weights bfloat16 need rounding stochastic")


USUAL = Updates()
