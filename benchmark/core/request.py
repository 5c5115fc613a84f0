"""Requests: what a method is given to forget, and what it may spend on it."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmark.core.examples import Pair, Prompt

# So many answers of a model to each question, drawn at temperature 1: (model, prompts, samples).
Sampler = Callable[[Any, Sequence[Prompt], int], dict[Prompt, tuple[str, ...]]]


@dataclass(frozen=True)
class Budget:
    """How much training a method may do: the same for every method of a track."""

    steps: int
    batch_size: int


class BudgetExceeded(RuntimeError):
    """A method took more steps than its budget has."""


@dataclass
class Meter:
    """Counts what is spent, whatever the loop, and shows the model to `watch(model, steps)` after
    every step.

    A step beyond `limit` is BudgetExceeded.
    """

    steps: int = 0
    tokens: int = 0
    limit: int | None = None
    watch: Callable[[Any, int], None] | None = None

    def step(self, model: Any, tokens: int) -> None:
        """One step was taken on so many tokens; `model` is what it has made of the target so
        far.
        """
        if self.limit is not None and self.steps >= self.limit:
            raise BudgetExceeded(f"the budget has {self.limit} steps")
        self.steps += 1
        self.tokens += tokens
        if self.watch:
            self.watch(model, self.steps)


@dataclass
class Request:
    """What a method is given, and nothing from evaluation.

    Of several requests in a row a method sees the current one alone; what it puts into `state`
    (numbers, texts, tensors, and lists or dictionaries of them) it finds there again at the next:
    also what it was to forget before, if it wants to go on forgetting that.
    `sample(model, prompts, n)` draws n answers to each prompt from a model, as long as the task's
    answers may be.
    `retrain` is there only for methods that declare `sees={"training"}`; it returns a model trained
    like the target, without anything that this and earlier requests ask for, from a seed that no
    oracle uses.
    """

    forget: list[Pair]
    retain: list[Pair]
    tokenizer: Any
    seed: int
    budget: Budget
    meter: Meter = field(default_factory=Meter)
    retrain: Callable[[], Any] | None = None
    sample: Sampler | None = None
    state: dict[str, Any] = field(default_factory=dict)

    def batches(self) -> Iterator[tuple[list[Pair], list[Pair]]]:
        """Endless (forget, retain) batches: forget items in shuffled epochs, retain items drawn
        anew at each step.

        Both from the run's seed; a side that is withheld gives empty batches.
        """
        rng = random.Random(f"request-{self.seed}")
        size = self.budget.batch_size
        queue: list[Pair] = []
        while True:
            while self.forget and len(queue) < size:
                queue += rng.sample(self.forget, len(self.forget))
            forget, queue = queue[:size], queue[size:]
            yield forget, rng.sample(self.retain, min(size, len(self.retain)))
