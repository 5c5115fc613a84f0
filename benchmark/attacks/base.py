"""What an attack is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Protocol

from benchmark.core.examples import Example
from benchmark.models.tracks import Track


class Attack(Protocol):
    """Changes a model's weights, then the examples that it names are scored again."""

    name: ClassVar[str]
    source: ClassVar[str]

    def apply(
        self, model: Any, tokenizer: Any, forget: Sequence[Example], track: Track, seed: int
    ) -> Any:
        """The attacked model; `model` itself stays as it was."""
        ...

    def scored(self, forget: Sequence[Example]) -> list[Example]:
        """The forget examples that are scored after the attack."""
        ...


ATTACKS: dict[str, Attack] = {}
