"""How models are asked: what outputs depend on beside the model and the examples."""

from __future__ import annotations

from dataclasses import dataclass

# words from one prefix of a text to the next; an extraction likelihood at every prefix costs much
PREFIX_STRIDE = 10


@dataclass(frozen=True)
class GenerationSettings:
    """Part of the id of outputs; `continuation_tokens` is the limit after a prefix of a text.

    `samples`: how many continuations of each forget prompt are drawn at temperature 1, beside the
    greedy one.
    """

    backend: str = "hf"
    max_new_tokens: int = 10
    continuation_tokens: int = 32
    temperature: float = 0.0
    samples: int = 0
