"""The result of a method: changed weights, or a guardrail around a model that keeps knowledge."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

Division = Literal["weights", "guardrail"]


@runtime_checkable
class Unlearned(Protocol):
    """A result that can be evaluated, attacked, and kept between requests.

    `division` is "weights" if the weights themselves were changed, and "guardrail" if inputs or
    outputs are filtered; the two are ranked separately.
    """

    @property
    def division(self) -> Division: ...

    @property
    def weights(self) -> Any:
        """The model without its guardrail, as available to an attacker.

        In continual tasks, the next request is applied to this model.
        """
        ...

    def predictor(self, tokenizer: Any, backend: str) -> Any:
        """The `Predictor` to evaluate, which generates with `backend` ("hf" or "vllm")."""
        ...

    def save(self, folder: Path) -> None:
        """Writes everything to an empty folder, from which `load_unlearned` restores it."""
        ...
