"""What an attack is: a name, a version, its parameters, and `apply`."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, ClassVar

from benchmark.core.examples import Example
from benchmark.core.request import Budget


class Attack:
    """Base of all attacks. Class-level annotations are the attack's parameters: a track gives them
    their values.

    `version` is raised when the same parameters would change a model differently.
    """

    name: ClassVar[str]
    version: ClassVar[int]
    source: ClassVar[str]

    def apply(
        self, model: Any, tokenizer: Any, forget: Sequence[Example], budget: Budget, seed: int
    ) -> Any:
        """The attacked model; `model` itself stays as it was. `budget` is the track's."""
        raise NotImplementedError(f"{type(self).__name__} must define apply()")

    def scored(self, forget: Sequence[Example]) -> list[Example]:
        """The forget examples that are scored after the attack: all of them."""
        return list(forget)

    def recipe(self) -> dict[str, Any]:
        """All that makes it this attack: name, version and parameters."""
        parameters = dataclasses.asdict(self)  # type: ignore[call-overload]  # registered, it is a dataclass
        return {"name": self.name, "version": self.version, "parameters": parameters}
