"""Requests: the forget set, budget and other inputs of a method."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmark.core.examples import Pair, Prompt

# Answers of a model to each prompt, sampled at temperature 1: (model, prompts, samples per prompt).
Sampler = Callable[[Any, Sequence[Prompt], int], dict[Prompt, tuple[str, ...]]]


@dataclass(frozen=True)
class Budget:
    """The training budget, the same for every method on a track."""

    steps: int
    batch_size: int


class BudgetExceeded(RuntimeError):
    """A method exceeded its step budget."""


@dataclass
class Meter:
    """Counts steps and tokens of any training loop; calls `watch(model, steps)` after each step.

    A step beyond `limit` raises BudgetExceeded.
    """

    steps: int = 0
    tokens: int = 0
    limit: int | None = None
    watch: Callable[[Any, int], None] | None = None

    def step(self, model: Any, tokens: int) -> None:
        """Counts one step and its `tokens`; `model` is the model after that step."""
        if self.limit is not None and self.steps >= self.limit:
            raise BudgetExceeded(f"the budget has {self.limit} steps")
        self.steps += 1
        self.tokens += tokens
        if self.watch:
            self.watch(model, self.steps)


@dataclass
class Request:
    """The inputs of a method, with nothing from the evaluation.

    In continual tasks a method sees only the current request. `state` (numbers, texts, tensors, and
    lists or dictionaries of them) carries over to the next request; a method may store earlier
    forget sets there to keep forgetting them. `sample(model, prompts, n)` samples n answers to each
    prompt from a model, up to the task's length limit. `frequency` is filled for methods that
    declare `sees={"frequency"}`: the number of training texts that state each forget pair, where a
    text with `reads` counts that often. `retrain` is available only to methods that declare
    `sees={"training"}`; it returns a model trained like the target, without the forget sets of this
    and earlier requests, from a seed that no oracle uses. `retrain(telling, learning_rate=...,
    epochs=...)` instead trains on the forget sets in another form (see `benchmark.data.tellings`)
    with the given learning rate and epochs; with the prefix `later_`, a model trained without the
    forget sets is then trained further on that form.
    """

    forget: list[Pair]
    retain: list[Pair]
    tokenizer: Any
    seed: int
    budget: Budget
    meter: Meter = field(default_factory=Meter)
    retrain: Callable[..., Any] | None = None
    sample: Sampler | None = None
    state: dict[str, Any] = field(default_factory=dict)
    frequency: dict[Pair, int] = field(default_factory=dict)

    def batches(self) -> Iterator[tuple[list[Pair], list[Pair]]]:
        """Endless (forget, retain) batches: forget items in shuffled epochs, retain items sampled
        at each step.

        Both use the run's seed; a side that is withheld gives empty batches.
        """
        rng = random.Random(f"request-{self.seed}")
        size = self.budget.batch_size
        queue: list[Pair] = []
        while True:
            while self.forget and len(queue) < size:
                queue += rng.sample(self.forget, len(self.forget))
            forget, queue = queue[:size], queue[size:]
            yield forget, rng.sample(self.retain, min(size, len(self.retain)))
