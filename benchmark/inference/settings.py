"""Generation settings: what outputs depend on besides the model and the examples."""

from __future__ import annotations

from dataclasses import dataclass

# words between prefixes of a text; an extraction likelihood at every prefix would be expensive
PREFIX_STRIDE = 10


@dataclass(frozen=True)
class GenerationSettings:
    """Settings that enter the ids of outputs.

    `continuation_tokens` is the limit after a prefix of a text, `samples` the number of
    continuations of each forget prompt sampled at temperature 1, in addition to the greedy one.
    """

    backend: str = "hf"
    max_new_tokens: int = 10
    continuation_tokens: int = 32
    temperature: float = 0.0
    samples: int = 0
