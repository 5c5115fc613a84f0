"""The compute profile, which a track declares: how its models are prompted and computed.

A loaded tokenizer carries the profile of its model, because all code that turns text into tensors
receives the tokenizer. A tokenizer's own template decides nothing unless the profile allows it.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any, Literal

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class ComputeProfile:
    """Settings for prompting and computing the models of a track.

    `prompts`: a question is "bare", in the "plain" form `Question: ... Answer: ...`, or a "chat" in
    the tokenizer's template; None lets the model's tokenizer decide (`settled`). `shared_prefixes`:
    shared prefixes of prompts are computed once, in prefix trees and in padded batches of
    generation. `linears`: the library that multiplies float32 matrices on the CPU. `standardized`:
    answers also get log-probabilities in standard deviations, which Min-K%++ needs. `ended`: an
    answer includes its end token or closing text; otherwise it has only its own tokens.
    """

    prompts: Literal["bare", "plain", "chat"] | None = None
    shared_prefixes: bool
    linears: Literal["torch", "onednn"]
    standardized: bool
    ended: bool = True

    @property
    def stated(self) -> dict[str, Any]:
        """The fields by name, without `ended` where it is true, its default."""
        fields = asdict(self)
        return fields if not self.ended else {k: v for k, v in fields.items() if k != "ended"}

    def settled(self, tokenizer: Any) -> ComputeProfile:
        """The profile with a prompt form: if none is set, "chat" if the tokenizer has a template,
        otherwise "plain".
        """
        return replace(
            self, prompts=self.prompts or ("chat" if tokenizer.chat_template else "plain")
        )


def with_profile(tokenizer: Any, profile: ComputeProfile) -> Any:
    """Attaches the profile to the tokenizer and returns the tokenizer."""
    tokenizer.compute_profile = profile
    return tokenizer


def profile_of(tokenizer: Any) -> ComputeProfile:
    """The profile of the model that the tokenizer belongs to; AttributeError if it has none."""
    return tokenizer.compute_profile
