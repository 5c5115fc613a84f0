"""How the weights of a model are kept while it is trained, and how they are updated."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, PositiveInt
from pydantic.dataclasses import dataclass


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Updates:
    """Weights in float32, or in half of it: bfloat16 weights that are rounded from a float32
    `master` copy, or at random (`stochastic`), which needs no copy and is exact on average.

    `states` are those of Adam, 4 bytes each or 1 (the extra `memory`). `parts` are computed one
    after the other of each batch, and their gradients averaged: losses that are no mean over the
    pairs of a batch then become means over its parts. Each of several `processes`, with a GPU each
    where there are some, keeps a share of the weights and of all that is kept for each of them, and
    computes parts of its own.
    """

    weights: Literal["float32", "bfloat16"] = "float32"
    rounding: Literal["master", "stochastic"] = "master"
    states: Literal["float32", "int8"] = "float32"
    parts: PositiveInt = 1
    processes: PositiveInt = 1

    def __post_init__(self) -> None:
        """ValueError where updates would be lost: Adam in 8 bits keeps no master copy."""
        if (self.weights, self.rounding, self.states) == ("bfloat16", "master", "int8"):
            raise ValueError("states int8 and weights bfloat16 need rounding stochastic")


USUAL = Updates()
