"""What an attack is: a name, a version, its parameters, and what it does to a model or asks it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from benchmark.core.examples import Example, Pair
from benchmark.core.request import Budget


@dataclass(frozen=True)
class AttackRequest:
    """What an attacker has beside the unlearned model.

    `forget` are the examples of the forget set, `retain` pairs that no request covers, `budget` is
    the track's for one unlearning request. `target` loads the model before unlearning, `oracle` an
    oracle, which is another one where an oracle is attacked. `look(point, model)` scores a model on
    the way to the end of the attack, as a point of its curve.
    """

    forget: Sequence[Example]
    retain: Sequence[Pair]
    tokenizer: Any
    budget: Budget
    seed: int
    target: Callable[[], Any]
    oracle: Callable[[], Any]
    look: Callable[[str, Any], None] = lambda point, model: None


class Attack:
    """Base of all attacks. Class-level annotations are the attack's parameters: a track gives them
    their values.

    An attack on weights overrides `apply`. One that only asks otherwise sets `asks` and overrides
    `scored`: the model stays as it is, with its guardrails. `version` is raised when the same
    parameters would give other outputs.
    """

    name: ClassVar[str]
    version: ClassVar[int]
    source: ClassVar[str]
    asks: ClassVar[bool] = False
    kept: ClassVar[int] = 0  # retain examples that are scored after the attack, for its utility
    scores_alone: ClassVar[bool] = False  # only answers as trained are scored, none generated
    trains: ClassVar[bool] = False  # all weights, which takes memory

    def apply(self, model: Any, request: AttackRequest) -> Any:
        """The attacked model, or an `Unlearned` around one; `model` itself stays as it was."""
        if self.asks:
            return model
        raise NotImplementedError(f"{type(self).__name__} must define apply()")

    def scored(self, forget: Sequence[Example]) -> list[Example]:
        """The forget examples as they are asked after the attack: all of them, unchanged."""
        return list(forget)

    def generation(self, settings: Any) -> Any:
        """How the attacked model is asked, from the variant's `GenerationSettings`, of which no
        samples are drawn. What is changed depends on the attack's parameters alone, so that its
        recipe tells.
        """
        return settings

    def is_available(self) -> bool:
        """Whether all that it needs beside the engine is at hand; its stage is left out if not."""
        return True

    def recipe(self) -> dict[str, Any]:
        """All that makes it this attack: name, version and parameters."""
        parameters = dataclasses.asdict(self)  # type: ignore[call-overload]  # registered, it is a dataclass
        return {"name": self.name, "version": self.version, "parameters": parameters}


class Measurement(Attack):
    """Base of what changes nothing, but measures a number for each example: the metric of
    its name reads it, and no other metric is scored at its stage, nor any axis fed by it.
    """

    contrasts: ClassVar[bool] = False  # examples of the membership holdout are measured too
    needs_oracle: ClassVar[bool] = False  # of weights of its own, which proxies of one lack

    def measured(
        self, model: Any, request: AttackRequest, examples: Sequence[Example]
    ) -> list[float]:
        """The number of each example for the weights of a model, without any guardrail, or if it
        `asks` for the predictor that users ask.
        """
        raise NotImplementedError(f"{type(self).__name__} must define measured()")
