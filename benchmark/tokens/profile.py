"""The compute profile: how a model is asked and computed, which its track declares.

A loaded tokenizer carries the profile of its model, since all that turns text into tensors is given
the tokenizer: nothing is guessed from what the tokenizer happens to bring.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any, Literal

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class ComputeProfile:
    """How the models of a track are asked and computed.

    `prompts`: a question stands "bare", in the "plain" form `Question: ... Answer: ...`, or in the
    tokenizer's own template, as a "chat"; None leaves it to the tokenizer of the model (`settled`).
    `shared_prefixes`: what prompts begin with alike is computed once, in prefix trees and in padded
    batches of generation. `linears`: what multiplies float32 matrices on the CPU. `standardized`:
    answers also have log-probabilities in standard deviations, which Min-K%++ asks for. `ended`:
    what ends an answer is part of it; otherwise an answer is its own tokens alone.
    """

    prompts: Literal["bare", "plain", "chat"] | None = None
    shared_prefixes: bool
    linears: Literal["torch", "onednn"]
    standardized: bool
    ended: bool = True

    @property
    def stated(self) -> dict[str, Any]:
        """Its fields; `ended` only where it says something."""
        fields = asdict(self)
        return fields if not self.ended else {k: v for k, v in fields.items() if k != "ended"}

    def settled(self, tokenizer: Any) -> ComputeProfile:
        """The profile with a form of prompts: where none is stated, "chat" if the tokenizer has a
        template, else "plain".
        """
        return replace(
            self, prompts=self.prompts or ("chat" if tokenizer.chat_template else "plain")
        )


def with_profile(tokenizer: Any, profile: ComputeProfile) -> Any:
    """The tokenizer, which carries the profile from now on."""
    tokenizer.compute_profile = profile
    return tokenizer


def profile_of(tokenizer: Any) -> ComputeProfile:
    """The profile of the model that the tokenizer belongs to; AttributeError if it has none."""
    return tokenizer.compute_profile
