"""Base classes of attacks on models, and the inputs of an attacker."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from benchmark.core.examples import Example, Pair
from benchmark.core.request import Budget


@dataclass(frozen=True)
class AttackRequest:
    """The inputs of an attacker besides the unlearned model.

    `forget` are the examples of the forget set, `retain` are pairs that no request covers, and
    `budget` is the track's budget for one unlearning request. `target` loads the model before
    unlearning, and `oracle` loads an oracle (a different one if an oracle is attacked).
    `look(point, model)` scores an intermediate model as a point on the attack's curve.
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
    """Base class of attacks. Class-level annotations are the attack's parameters, whose values come
    from the track.

    An attack on weights overrides `apply`. An attack that only changes the questions sets `asks`
    and overrides `scored`; the model keeps its weights and guardrails. `version` is raised when the
    same parameters would give different outputs.
    """

    name: ClassVar[str]
    version: ClassVar[int]
    source: ClassVar[str]
    asks: ClassVar[bool] = False
    kept: ClassVar[int] = 0  # retain examples scored after the attack, to measure utility
    scores_alone: ClassVar[bool] = False  # scores only the trained answers, generates nothing
    trains: ClassVar[bool] = False  # trains all weights, which takes memory

    def apply(self, model: Any, request: AttackRequest) -> Any:
        """Returns the attacked model, or an `Unlearned` around one; `model` is not modified."""
        if self.asks:
            return model
        raise NotImplementedError(f"{type(self).__name__} must define apply()")

    def scored(self, forget: Sequence[Example]) -> list[Example]:
        """The forget examples as asked after the attack; by default, all of them unchanged."""
        return list(forget)

    def generation(self, settings: Any) -> Any:
        """Generation settings of the attacked model, from the variant's `GenerationSettings` with
        no samples. Changes may depend only on the attack's parameters, so that the recipe
        determines them.
        """
        return settings

    def is_available(self) -> bool:
        """Whether all that the attack needs is available locally; its stage is skipped if not."""
        return True

    def recipe(self) -> dict[str, Any]:
        """The attack's identity: name, version and parameters."""
        parameters = dataclasses.asdict(self)  # type: ignore[call-overload]  # registered, it is a dataclass
        return {"name": self.name, "version": self.version, "parameters": parameters}


class Measurement(Attack):
    """Base class of attacks that change nothing and measure one number per example. Only the metric
    of the same name is scored at this stage, and it enters no axis.
    """

    contrasts: ClassVar[bool] = False  # also measures the membership holdout
    needs_oracle: ClassVar[bool] = False  # needs an oracle's weights, which proxies lack

    def measured(
        self, model: Any, request: AttackRequest, examples: Sequence[Example]
    ) -> list[float]:
        """One number per example. `model` is the weights without any guardrail or, with `asks`, the
        predictor that users query.
        """
        raise NotImplementedError(f"{type(self).__name__} must define measured()")
