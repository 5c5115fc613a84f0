"""What a method makes of the target: changed weights, or a guardrail around weights that still
know.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

Division = Literal["weights", "guardrail"]


@runtime_checkable
class Unlearned(Protocol):
    """A result that can be asked, attacked, and kept between requests.

    `division` is "weights" where the weights themselves were changed, and "guardrail" where
    something stands before or behind them; the two are ranked apart.
    """

    @property
    def division(self) -> Division: ...

    @property
    def weights(self) -> Any:
        """The model that an attacker holds, who drops whatever stands around it.

        Of several requests in a row the next one is made of this model.
        """
        ...

    def predictor(self, tokenizer: Any, backend: str) -> Any:
        """What is evaluated, a `Predictor`; `backend` ("hf" or "vllm") generates."""
        ...

    def save(self, folder: Path) -> None:
        """Writes all of it to an empty folder, from where `load_unlearned` brings it back."""
        ...
