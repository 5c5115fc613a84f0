"""Relearning attack: brief fine-tuning on half of the forget set; does the other half return?"""

from __future__ import annotations

import copy
import random
from collections.abc import Sequence
from typing import Annotated

from pydantic import Field, PositiveFloat

from benchmark.core.attack import Attack
from benchmark.core.examples import Example
from benchmark.core.registry import register_attack
from benchmark.core.request import Budget, Meter
from benchmark.tokens.batches import collate
from benchmark.tokens.losses import answer_nll
from benchmark.training.loop import Schedule, train


def halves(forget: Sequence[Example]) -> tuple[list[Example], list[Example]]:
    """(relearned, scored): whole entities, alternating in order of their names, so that the halves
    are similar.
    """
    entities = sorted({example.entity for example in forget})
    first = set(entities[::2])
    return [e for e in forget if e.entity in first], [e for e in forget if e.entity not in first]


@register_attack(
    "relearn_disjoint", version=1, source="Hu et al. 2024 (Jogging the Memory of Unlearned LLMs)"
)
class RelearnDisjoint(Attack):
    """Fine-tunes on the first half of the forget set's entities at `learning_rate`, for
    `share_of_budget` of the methods' steps; scores the second half.
    """

    share_of_budget: Annotated[float, Field(gt=0, le=1)]
    learning_rate: PositiveFloat

    def apply(self, model, tokenizer, forget: Sequence[Example], budget: Budget, seed: int):
        attacked = copy.deepcopy(model)
        pairs = [e.pair for e in halves(forget)[0]]
        rng = random.Random(f"relearn-{seed}")
        steps = max(1, int(budget.steps * self.share_of_budget))
        size = min(budget.batch_size, len(pairs))
        batches = (collate(rng.sample(pairs, size), tokenizer, attacked) for _ in range(steps))
        train(
            attacked,
            batches,
            lambda batch: answer_nll(attacked, batch, per_token=True).mean(),
            Schedule(steps, self.learning_rate, decay=False),
            Meter(),
            tokens_of=lambda batch: batch.tokens,
        )
        return attacked

    def scored(self, forget: Sequence[Example]) -> list[Example]:
        return halves(forget)[1]
